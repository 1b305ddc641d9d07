"""Univariate mapping: the one unit that predicts a target best, found among all of them at once."""
