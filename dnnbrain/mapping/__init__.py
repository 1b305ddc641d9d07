"""How two tables relate: kernels of layers, ridge and least squares on them, folds, scores."""
