"""RDMs against scipy and rsatoolbox, permutations against a loop, and a layer of 4 GB from disk.

    python benchmarks/rsa.py [--quick]

1. Correlation and euclidean RDM of 500 stimuli x 43,264 units: `dissimilarity`, scipy's `pdist`, rsatoolbox.
2. 10,000 permutations of 92 items: `permute_items`, and a loop that shuffles and calls `pearsonr` (timed on 500
   permutations and extrapolated).
3. 5,000 stimuli x 193,600 units from disk, in a process of its own: seconds and peak memory, against one matrix
   product of that size (timed on a twentieth of the units and extrapolated). Left out with --quick.

Sides take turns; medians of three rounds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import peak_mb
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr

from dnnbrain.dnn.core import Activation
from dnnbrain.io.act_writer import ActWriter
from dnnbrain.mapping.dissimilarity import dissimilarity, dnn_rdm
from dnnbrain.mapping.rsa.permutation import permute_items

ROUNDS, PART = 3, 20
TOOLBOX = {'correlation': 'correlation', 'euclidean': 'euclidean'}      # the latter squared, per unit


def seconds(work) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(sides: dict) -> dict[str, float]:
    """Median seconds of each side, after one round to warm up."""
    found = [{name: seconds(work) for name, work in sides.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: statistics.median(one[name] for one in found) for name in sides}


def matrices() -> None:
    """Part 1."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm
    X = np.random.default_rng(0).standard_normal((500, 43264)).astype(np.float32)
    data = Dataset(X)
    for metric, theirs in TOOLBOX.items():
        took = in_turn({'dnnbrain': lambda metric=metric: dissimilarity(X, metric),
                        'pdist': lambda metric=metric: pdist(X, metric),
                        'rsatoolbox': lambda theirs=theirs: calc_rdm(data, method=theirs)})
        told = ', '.join(f'{name} {s:.2f} s' for name, s in took.items())
        print(f'{metric} RDM of 500 x 43,264: {told}; {took["pdist"] / took["dnnbrain"]:.1f} times as fast as pdist, '
              f'{took["rsatoolbox"] / took["dnnbrain"]:.1f} as rsatoolbox')


def permutations(n_timed: int = 500) -> None:
    """Part 2."""
    rng = np.random.default_rng(0)
    first, second = rng.random(4186), rng.random(4186)
    square, upper = squareform(first), np.triu_indices(92, 1)

    def loop():
        for _ in range(n_timed):
            order = rng.permutation(92)
            pearsonr(square[np.ix_(order, order)][upper], second)
    took = in_turn({'dnnbrain': lambda: permute_items(first, second, 'pearson', n_perm=10000), 'loop': loop})
    slow = took['loop'] * 10000 / n_timed
    print(f'10,000 permutations of 92 items: dnnbrain {took["dnnbrain"]:.2f} s, loop {slow:.1f} s (from {n_timed}); '
          f'{slow / took["dnnbrain"]:.0f} times as fast')


def from_disk(folder: Path, n_stim: int = 5000, n_chn: int = 64, side: int = 55) -> None:
    """Part 3."""
    path, rng = folder / 'x.act.h5', np.random.default_rng(0)
    with ActWriter(path, n_stim) as writer:
        for start in range(0, n_stim, 100):
            writer.write({'layer': rng.standard_normal((min(100, n_stim - start), n_chn, side, side), np.float32)})
    done = subprocess.run([sys.executable, __file__, '--file', str(path)], check=True, capture_output=True, text=True)
    took, peak = json.loads(done.stdout)
    n_unit = n_chn * side * side
    X = rng.standard_normal((n_stim, n_unit // PART))
    product = PART * statistics.median(seconds(lambda: X @ X.T) for _ in range(ROUNDS))
    print(f'correlation RDM of {n_stim:,} x {n_unit:,} from disk ({path.stat().st_size / 1e9:.1f} GB): {took:.0f} s, '
          f'peak memory {peak:.0f} MB; one matrix product of that size {product:.0f} s (from a {PART}th): '
          f'ratio {took / product:.2f}')


def one_file(path: str) -> None:
    """What a process of its own does in part 3."""
    activ = Activation()
    activ.load(path)
    took = seconds(lambda: dnn_rdm(activ, 'correlation'))
    print(json.dumps([took, peak_mb()]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--file', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.file:
        one_file(args.file)
        return
    matrices()
    permutations()
    if not args.quick:
        with tempfile.TemporaryDirectory() as name:
            from_disk(Path(name))


if __name__ == '__main__':
    main()
