"""What a unit likes: saliency, synthesis, receptive fields, minimal pictures, of units and of fitted voxels."""
