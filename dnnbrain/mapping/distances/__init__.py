"""Dissimilarities of patterns that are read block by block."""
