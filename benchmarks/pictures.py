"""Pictures for benchmarks: JPEG files with the size and the roughness of photographs."""

from pathlib import Path

import numpy as np
from PIL import Image

from dnnbrain.dnn.core import Stimulus


def photographs(folder: Path, n: int, size: tuple[int, int] = (500, 375)) -> Stimulus:
    """A table of n JPEG files (width, height) of smooth colours under grain, about 70 kB each."""
    rng = np.random.default_rng(0)
    width, height = size
    for i in range(n):
        smooth = Image.fromarray((128 + 50 * rng.standard_normal((12, 16, 3))).clip(0, 255).astype(np.uint8))
        grain = rng.normal(0, 8, (height, width, 1))
        pixels = (np.asarray(smooth.resize(size, Image.Resampling.BICUBIC)) + grain).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f'{i:04d}.jpg', quality=90)
    return Stimulus({'type': 'image', 'path': str(folder)}, {'stimID': [f'{i:04d}.jpg' for i in range(n)]})
