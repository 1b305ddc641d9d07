"""Who sees it: networks with named layers, their weights, training, and extraction of activations."""
