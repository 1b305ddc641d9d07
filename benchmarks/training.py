"""Training AlexNet on 256 pictures: stored features against whole passes, and our loop against a bare one.

    python benchmarks/training.py

1. Fixed feature extractor: seconds of an epoch with and without `cache_features`, and of storing the
   features, in the same run; from them what 50 epochs cost.
2. Finetuning for three epochs: seconds per epoch of `DNN.train` against a plain torch loop with the same
   pictures, transform, batches and optimizer; each comes first in every other round. The whole call
   counts, checks and the copy of the best weights included. Neither augments; both decode in the main
   process.
"""

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from pictures import photographs

from dnnbrain.dnn.models import AlexNet
from dnnbrain.stimuli.images import ImageSet

BATCH_SIZE = 64
N_EPOCH = 3         # of a call of finetuning


def seconds(work) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fixed(stim, n_epoch: int) -> tuple[float, float, float]:
    """Seconds of an epoch without the cache, of storing features, and of an epoch on them (medians)."""
    dnn = AlexNet(pretrained=False, rng=0)
    head = dnn.freeze().replace_head(2, rng=0)

    def train(n: int, cache: bool):
        adam = torch.optim.Adam(head.parameters(), 1e-3)
        return dnn.train(stim, n, 'classification', adam, batch_size=BATCH_SIZE, augment=False, cache_features=cache,
                         rng=0)
    whole = statistics.median(train(n_epoch, False)['seconds'])
    start = time.perf_counter()
    cached = train(50, True)['seconds']
    return whole, time.perf_counter() - start - sum(cached), statistics.median(cached)


def bare_loop(model, stim, transform) -> None:
    """Finetuning as everybody writes it."""
    pictures = ImageSet(stim.path, stim.get('stimID'), stim.get('label'), transform)
    optimizer = torch.optim.Adam(model.parameters(), 1e-5)
    model.train()
    loader = torch.utils.data.DataLoader(pictures, BATCH_SIZE, shuffle=True)
    for _ in range(N_EPOCH):
        for pixels, labels in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(pixels), labels)
            loss.backward()
            optimizer.step()
            loss.item()


def finetuning(stim, rounds: int) -> list[tuple[float, float]]:
    """Seconds of (a bare epoch, our epoch) per round."""
    dnn = AlexNet(pretrained=False, rng=0)
    dnn.replace_head(2, rng=0)
    found = []
    for number in range(rounds + 1):
        mine, other = copy.deepcopy(dnn), copy.deepcopy(dnn)

        def ours(mine=mine):
            adam = torch.optim.Adam(mine.model.parameters(), 1e-5)
            mine.train(stim, N_EPOCH, 'classification', adam, batch_size=BATCH_SIZE, augment=False, rng=0)
        turns = {'bare': lambda model=other.model: bare_loop(model, stim, dnn.test_transform), 'ours': ours}
        order = list(turns) if number % 2 else list(turns)[::-1]
        took = {name: seconds(turns[name]) for name in order}
        if number:                                              # the first round warms up
            found.append((took['bare'] / N_EPOCH, took['ours'] / N_EPOCH))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=6)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        stim = photographs(Path(name), 256)
        stim.set('label', np.arange(256) % 2)
        whole, store, cached = fixed(stim, args.rounds)
        print(f'256 JPEG files of 500 x 375, AlexNet, {torch.get_num_threads()} threads')
        print(f'fixed feature extractor: epoch {whole:.2f} s; with stored features {cached:.3f} s after {store:.2f} s')
        total = store + 50 * cached
        print(f'50 epochs: {50 * whole:.0f} s and {total:.2f} s; the latter is {total / whole:.2f} whole epochs')
        rounds = finetuning(stim, args.rounds)
        bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [b / a for a, b in rounds]
        print(f'finetuning: bare epoch {bare:.2f} s, ours {ours:.2f} s; ratio median {statistics.median(ratios):.2f} '
              f'({min(ratios):.2f} to {max(ratios):.2f})')


if __name__ == '__main__':
    main()
