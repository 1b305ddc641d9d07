"""Which part of a picture: gradients, guided, integrated, smoothed, and maps of activation."""
