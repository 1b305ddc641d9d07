"""Size, write and read speed of an AlexNet layer before and after its ReLU, for each compression.

    python benchmarks/compression.py

Weights are random, so that half of the units are zero after the ReLU; trained ones are sparser.
The bare forward pass of the whole network is timed beside it, per megabyte of the layer, to show
what a compression costs in terms of the work that it accompanies.
"""

import statistics
import tempfile
import time
from pathlib import Path

import h5py
import torch
from pictures import photographs

from dnnbrain.dnn.models import AlexNet
from dnnbrain.io.chunks import chunk_shape

FILTERS = {
    'none': {}, 'lzf': {'compression': 'lzf'}, 'lzf + shuffle': {'compression': 'lzf', 'shuffle': True},
    'gzip-1': {'compression': 'gzip', 'compression_opts': 1},
    'gzip-1 + shuffle': {'compression': 'gzip', 'compression_opts': 1, 'shuffle': True},
}


def timed(work) -> float:
    """Median seconds of three calls."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stim, dnn = photographs(folder, 64), AlexNet(pretrained=False, rng=0)
        activation = dnn.compute_activation(stim, ['conv1', 'conv1_relu', 'conv5', 'conv5_relu'])
        batch = torch.rand(64, 3, 224, 224)
        with torch.inference_mode():
            forward = timed(lambda: dnn.eval()(batch))
        print(f'forward pass of AlexNet: {forward / 64 * 1000:.1f} ms per picture')
        print(f'{"layer":12}{"compression":18}{"size":>6}{"write MB/s":>12}{"read MB/s":>11}{"write / forward":>17}')
        for layer in activation.layers:
            values = activation.get(layer)
            chunks = chunk_shape(values.shape, values.itemsize)
            for label, settings in FILTERS.items():
                path = folder / 'x.h5'

                def write(values=values, chunks=chunks, settings=settings, path=path):
                    with h5py.File(path, 'w') as file:
                        file.create_dataset('x', data=values, chunks=chunks, **settings)

                def read(path=path):
                    with h5py.File(path) as file:
                        file['x'][:]
                wrote, was_read, size = timed(write), timed(read), values.nbytes / 1e6
                print(f'{layer:12}{label:18}{path.stat().st_size / values.nbytes:6.2f}{size / wrote:12.0f}'
                      f'{size / was_read:11.0f}{wrote / forward:17.2f}')


if __name__ == '__main__':
    main()
