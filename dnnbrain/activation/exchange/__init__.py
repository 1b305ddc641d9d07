"""Activations for other tools, and theirs for us: arrays, tables, MATLAB, design matrices."""
