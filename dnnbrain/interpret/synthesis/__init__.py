"""The picture that drives a target most: parametrisations, steps, regularisers, files."""
