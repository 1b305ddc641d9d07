"""Where in the brain: images, masks, and models that predict each voxel from a network."""
