"""Comparing RDMs, and what the comparison is worth: permutations, bootstraps, ceilings, contrasts."""
