"""What interpretation costs beside the passes of the network that it cannot do without.

    python benchmarks/interpret.py                          # the whole map, 11,449 windows
    python benchmarks/interpret.py --windows 500 --rounds 3 --steps 20

Occlusion of one 224 x 224 picture, AlexNet (random weights), the mean of a channel of conv5, window
11, stride 2, against forward passes of as many ready pictures in batches of the same size, stopped at
the same layer; and against one call per window, as 1.0 did it, timed on a part. Synthesis of a
picture, per step beyond the first, against forward, backward and Adam on the same layer. Sides take
turns in one process; ratios are of the same round, medians over rounds are printed.
"""

import argparse
import statistics
import time
from math import ceil

import numpy as np
import torch

from dnnbrain.dnn.models import AlexNet
from dnnbrain.interpret.fields.occlusion import BATCH_SIZE, OccluderDiscrepancyMapping

LAYER, CHANNEL, WINDOW, STRIDE, N_SINGLE = 'conv5', 3, 11, 2, 50


def seconds(work, device: torch.device) -> float:
    """How long a call takes."""
    if device.type == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def up_to_layer(dnn) -> torch.nn.Module:
    """The part of AlexNet that conv5 needs."""
    last = int(dnn.layer2path(LAYER).rpartition('.')[2])
    return dnn.model.features[:last + 1].eval()


def bare_passes(part: torch.nn.Module, n: int, batch: torch.Tensor) -> None:
    """Means of the channel for n pictures."""
    with torch.inference_mode():
        means = [part(batch[:min(len(batch), n - start)])[:, CHANNEL - 1].mean((1, 2))
                 for start in range(0, n, len(batch))]
        torch.cat(means).cpu()


def single_calls(part: torch.nn.Module, picture: torch.Tensor, n: int) -> None:
    """The same for n windows, with a picture made and shown for each."""
    with torch.inference_mode():
        for i in range(n):
            covered = picture.clone()
            covered[:, :, :WINDOW, i:i + WINDOW] = 0
            part(covered)[0, CHANNEL - 1].mean().item()


def occlusion(dnn, rounds: int, most: int, device: torch.device) -> None:
    """Measure and print the map against both."""
    stride = next(s for s in range(STRIDE, 224) if ((224 - WINDOW) // s + 1) ** 2 <= most)
    picture = np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)
    mapping = OccluderDiscrepancyMapping(dnn, LAYER, CHANNEL, (WINDOW, WINDOW), (stride, stride))
    part, batch = up_to_layer(dnn), torch.rand(BATCH_SIZE, 3, 224, 224, device=device)
    n = mapping.compute(picture).size                                # also warms up
    bare_passes(part, BATCH_SIZE, batch)
    found = [[seconds(lambda: mapping.compute(picture), device), seconds(lambda: bare_passes(part, n, batch), device),
              seconds(lambda: single_calls(part, batch[:1], N_SINGLE), device) / N_SINGLE * n] for _ in range(rounds)]
    ours, bare, single = (statistics.median(one[i] for one in found) for i in range(3))
    print(f'occlusion: {n:,} windows (stride {stride}), batches of {BATCH_SIZE}, {ceil(n / BATCH_SIZE)} of them')
    print(f'  map                      {ours:8.2f} s')
    print(f'  bare batched passes      {bare:8.2f} s   {told(found, 0, 1)}')
    print(f'  one call per window      {single:8.2f} s   {told(found, 2, 0)} (from {N_SINGLE} windows)')


def synthesis(dnn, rounds: int, steps: int, device: torch.device) -> None:
    """Measure and print a step of synthesis against a bare one."""
    from dnnbrain.interpret.synthesis.image import SynthesisImage
    part = up_to_layer(dnn)

    def bare(steps: int = steps) -> None:
        picture = torch.rand(1, 3, 224, 224, device=device, requires_grad=True)
        optimizer = torch.optim.Adam([picture], lr=0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            (-part(picture)[:, CHANNEL - 1].mean()).backward()
            optimizer.step()

    def ours(steps: int = steps) -> None:
        SynthesisImage(dnn, LAYER, CHANNEL).synthesize(n_iter=steps, verbose=False)

    found = []
    for _ in range(rounds):
        first = seconds(lambda: ours(1), device), seconds(lambda: bare(1), device)      # with all that is done once
        found.append([(seconds(work, device) - once) / (steps - 1)
                      for work, once in zip((ours, bare), first, strict=True)])
    mine, theirs = (1000 * statistics.median(one[i] for one in found) for i in range(2))
    print(f'synthesis: a step, of {steps}')
    print(f'  synthesize               {mine:8.2f} ms')
    print(f'  forward, backward, Adam  {theirs:8.2f} ms  {told(found, 0, 1)}')


def told(found: list[list[float]], i: int, j: int) -> str:
    """Ratio of two sides."""
    ratios = [one[i] / one[j] for one in found]
    return f'ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})'


def main() -> None:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--windows', type=int, default=11_449, help='at most so many, by a larger stride')
    parser.add_argument('--steps', type=int, default=50, help='of synthesis')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--only', choices=['occlusion', 'synthesis'])
    args = parser.parse_args()
    if args.rounds < 1 or args.windows < 1 or args.steps < 2:
        parser.error('--rounds and --windows must be at least 1, --steps at least 2')
    device = torch.device(args.device)
    dnn = AlexNet(pretrained=False, rng=0)
    dnn.model.to(device).requires_grad_(False)
    if args.only != 'synthesis':
        occlusion(dnn, args.rounds, args.windows, device)
    if args.only != 'occlusion':
        synthesis(dnn, args.rounds, args.steps, device)


if __name__ == '__main__':
    main()
