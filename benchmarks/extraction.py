"""Activations streamed to disk, against the bare forward pass, torchvision's extractor, and a pass per layer.

    python benchmarks/extraction.py [--device cuda]

8 layers of AlexNet (256 pictures) and 6 of ResNet-50 (128), JPEG files of 500 x 375, random weights. All sides are
measured in the same run, in turn, several rounds:

a. decoding with a thread per core, plus the bare forward pass over the decoded batches;
b. the same decoding, plus `torchvision.models.feature_extraction.create_feature_extractor`, outputs kept in memory;
c. decoding and forward pass anew for each layer, as DNNBrain 1.0 did, outputs kept in memory;
ours. `compute_activation(..., out=)`, file included: layers after a ReLU compressed by lzf (the default), or none; and
   with each map pooled to its mean, so that decoding and the network dominate, not the writing of a gigabyte.

Prints medians and, per round, ratios. Then whole processes stream 256, 1,024 and 4,096 pictures (AlexNet), after 32
that warm up: peak memory, and seconds per picture.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from memory import peak_mb
from pictures import photographs
from torchvision.models.feature_extraction import create_feature_extractor

from dnnbrain.dnn.models import AlexNet, Resnet50
from dnnbrain.networks.extract import BATCH_SIZE
from dnnbrain.stimuli.loaders import picture_set

NETWORKS = {
    'AlexNet': (AlexNet, 256, ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc1', 'fc2', 'fc3']),
    'ResNet-50': (Resnet50, 128, ['conv1', 'layer1', 'layer2', 'layer3', 'layer4', 'fc']),
}
COUNTS = (256, 1024, 4096)


def batches(dnn, stim, device):
    """Decoded batches on the device."""
    pictures = picture_set(stim, dnn.test_transform)
    with ThreadPoolExecutor() as pool:
        pixels = torch.stack(list(pool.map(lambda i: pictures[i][0], range(len(pictures)))))
    return [batch.to(device) for batch in pixels.split(BATCH_SIZE)]


def finished(device) -> float:
    """The time when the device has nothing left to do."""
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter()


def bare(dnn, stim, layers, device, folder) -> float:
    """(a) Seconds of decoding and forward passes."""
    start = time.perf_counter()
    for batch in batches(dnn, stim, device):
        dnn.model(batch)
    return finished(device) - start


def extractor(dnn, stim, layers, device, folder) -> float:
    """(b) Seconds of torchvision's feature extractor, results in memory."""
    start = time.perf_counter()
    model = create_feature_extractor(dnn.model, [dnn.layer2path(layer) for layer in layers])
    kept = [{name: activ.cpu() for name, activ in model(batch).items()} for batch in batches(dnn, stim, device)]
    joined = {name: torch.cat([batch[name] for batch in kept]).numpy() for name in kept[0]}
    assert len(joined) == len(layers)
    return finished(device) - start


def pass_per_layer(dnn, stim, layers, device, folder) -> float:
    """(c) Seconds of decoding and a forward pass for each layer, results in memory."""
    start = time.perf_counter()
    for layer in layers:
        kept = []
        handle = dnn.layer2module(layer).register_forward_hook(lambda *args, kept=kept: kept.append(args[2].cpu()))
        for batch in batches(dnn, stim, device):
            dnn.model(batch)
        handle.remove()
        torch.cat(kept).numpy()
    return finished(device) - start


def ours(dnn, stim, layers, device, folder, **settings) -> float:
    """Seconds of extraction to a file."""
    start = time.perf_counter()
    dnn.compute_activation(stim, layers, out=folder / 'x.act.h5', device=device, **settings)
    took = time.perf_counter() - start
    (folder / 'x.act.h5').unlink()
    return took


def compare(name: str, folder: Path, device: str, n_round: int) -> None:
    """Measure a network and print."""
    make, n, layers = NETWORKS[name]
    stim, dnn = photographs(folder, n), make(pretrained=False, rng=0).eval()
    dnn.model.to(device)
    sides = {'(a) decoding + bare forward pass': bare, '(b) create_feature_extractor, in memory': extractor,
             'ours, to a new file': ours, 'ours, not compressed': partial(ours, compression='none'),
             'ours, maps pooled to their mean': partial(ours, pool_method='mean')}
    found = {side: [] for side in sides}
    with torch.inference_mode():
        for number in range(n_round + 1):
            for side, work in sides.items():
                part = stim if number else stim[:64]                # the first round warms up
                found[side].append(work(dnn, part, layers, device, folder))
        slow = pass_per_layer(dnn, stim, layers, device, folder)
    first, *others = (seconds[1:] for seconds in found.values())
    print(f'{name}: {n} JPEG files of 500 x 375, {len(layers)} layers, {device}, {torch.get_num_threads()} threads, '
          f'median of {n_round} rounds')
    for side, seconds in zip(sides, (first, *others), strict=True):
        ratios = [b / a for a, b in zip(first, seconds, strict=True)]
        print(f'  {side:42}{statistics.median(seconds):7.2f} s   ratio to (a) {statistics.median(ratios):.2f} '
              f'({min(ratios):.2f} to {max(ratios):.2f})')
    mine = statistics.median(found['ours, to a new file'][1:])
    print(f'  {"(c) a pass per layer, in memory, once":42}{slow:7.2f} s   ours is {slow / mine:.1f} times as fast')


def stream(n: int, folder: Path, device: str) -> dict:
    """Peak memory in MB and seconds of a process that streams n pictures (256 files, shown again and again)."""
    done = subprocess.run([sys.executable, __file__, '--stream', str(n), '--folder', str(folder), '--device', device],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def streamed(n: int, folder: Path, device: str) -> None:
    """What `stream` measures."""
    from dnnbrain.dnn.core import Stimulus
    stim = Stimulus({'type': 'image', 'path': str(folder)}, {'stimID': [f'{i % 256:04d}.jpg' for i in range(n)]})
    dnn = AlexNet(pretrained=False, rng=0)
    dnn.compute_activation(stim[:32], NETWORKS['AlexNet'][2], device=device)
    start = time.perf_counter()
    dnn.compute_activation(stim, NETWORKS['AlexNet'][2], out=folder / 'peak.act.h5', device=device)
    took = time.perf_counter() - start
    (folder / 'peak.act.h5').unlink()
    print(json.dumps({'seconds': took, 'peak': peak_mb()}))


def growth(folder: Path, device: str, counts) -> None:
    """Measure memory and time against the number of pictures, and print."""
    photographs(folder, 256)
    found = [stream(n, folder, device) for n in counts]
    print(f'{"pictures":>10}{"peak MB":>10}{"ms per picture":>16}')
    for n, one in zip(counts, found, strict=True):
        print(f'{n:10,}{one["peak"]:10.0f}{one["seconds"] / n * 1000:16.1f}')
    each = [one['seconds'] / n for n, one in zip(counts, found, strict=True)]
    print(f'last / first: memory {found[-1]["peak"] / found[0]["peak"]:.3f}, time per picture {each[-1] / each[0]:.2f}')


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--stream', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stream:
        streamed(args.stream, args.folder, args.device)
        return
    with tempfile.TemporaryDirectory() as name:
        for network in NETWORKS:
            compare(network, Path(name), args.device, args.rounds)
        growth(Path(name), args.device, COUNTS)


if __name__ == '__main__':
    main()
