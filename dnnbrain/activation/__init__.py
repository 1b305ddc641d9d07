"""What each layer computes: activations, masks over their units, pooling, features, the HRF."""
