"""Activations of 8 AlexNet layers, streamed to disk, against decoding and the bare forward pass.

    python benchmarks/extraction.py

Both sides are measured in the same run, several rounds in turn: (a) decoding 256 JPEG files of
500 x 375 with as many threads, plus the bare forward pass over the decoded batches; (b)
`compute_activation(..., out=)`, file included. Prints the median of each, the ratio b / a per
round, and the peak memory of whole processes that stream 256 and 1,024 pictures.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from pictures import photographs

from dnnbrain.dnn.models import AlexNet
from dnnbrain.networks.extract import BATCH_SIZE
from dnnbrain.stimuli.loaders import picture_set

LAYERS = ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc1', 'fc2', 'fc3']


def bare(dnn, stim) -> tuple[float, float]:
    """Seconds to decode with a thread per core, and seconds of the forward pass over the batches."""
    pictures = picture_set(stim, dnn.test_transform)
    start = time.perf_counter()
    with ThreadPoolExecutor() as pool:
        pixels = torch.stack(list(pool.map(lambda i: pictures[i][0], range(len(pictures)))))
    decoded = time.perf_counter()
    with torch.inference_mode():
        for batch in pixels.split(BATCH_SIZE):
            dnn.model(batch)
    return decoded - start, time.perf_counter() - decoded


def ours(dnn, stim, folder: Path) -> float:
    """Seconds of extraction to a file."""
    start = time.perf_counter()
    dnn.compute_activation(stim, LAYERS, out=folder / 'x.act.h5')
    seconds = time.perf_counter() - start
    (folder / 'x.act.h5').unlink()
    return seconds


def peak(n: int, folder: Path) -> float:
    """Peak memory in MB of a process that streams n pictures (256 files, shown again and again)."""
    done = subprocess.run([sys.executable, __file__, '--stream', str(n), '--folder', str(folder)],
                          check=True, capture_output=True, text=True)
    return float(done.stdout)


def stream(n: int, folder: Path) -> None:
    """What `peak` measures."""
    from dnnbrain.dnn.core import Stimulus
    stim = Stimulus({'type': 'image', 'path': str(folder)}, {'stimID': [f'{i % 256:04d}.jpg' for i in range(n)]})
    AlexNet(pretrained=False, rng=0).compute_activation(stim, LAYERS, out=folder / 'peak.act.h5')
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--stream', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stream:
        stream(args.stream, args.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stim, dnn = photographs(folder, 256), AlexNet(pretrained=False, rng=0).eval()
        bare(dnn, stim[:64])
        ours(dnn, stim[:64], folder)
        rounds = [(*bare(dnn, stim), ours(dnn, stim, folder)) for _ in range(args.rounds)]
        decode, forward, extract = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [c / (a + b) for a, b, c in rounds]
        print(f'256 JPEG files of 500 x 375, {len(LAYERS)} AlexNet layers, {torch.get_num_threads()} threads, '
              f'median of {args.rounds} rounds')
        print(f'(a) decoding {decode:.2f} s + bare forward {forward:.2f} s = {decode + forward:.2f} s')
        print(f'(b) compute_activation to a new file of {4 * 494344 * 256 / 1e6:.0f} MB: {extract:.2f} s')
        print(f'ratio b / a: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})')
        few, many = peak(256, folder), peak(1024, folder)
        print(f'peak memory: {few:.0f} MB for 256 pictures, {many:.0f} MB for 1,024; ratio {many / few:.3f}')


if __name__ == '__main__':
    main()
