"""One unit per voxel: all units and voxels at once, against a loop over them.

    python benchmarks/mapping.py

Both sides in one run. (1) The best correlation of 43,264 units (as many as conv5 of AlexNet has) with each of 500
voxels over 64 stimuli; the loop calls `scipy.stats.pearsonr` per pair, as 1.0 did.
(2) Least squares with one predictor in 3 folds, 64 stimuli x 256 units x 50 voxels; the loop calls
scikit-learn's `cross_val_score` per pair, as 1.0 did. Loops are timed on a part of the pairs and
extrapolated. Prints medians over rounds and the ratio per round. `--ridge 3` goes on
with (3), 1,000 stimuli x 50,000 units x 5,000 voxels: see `mapping_ridge.py`.
"""

import argparse
import statistics
import time

import numpy as np
from mapping_ridge import ridge
from scipy.stats import pearsonr
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score

from dnnbrain.dnn.base import UnivariateMapping


def data(n_stim: int, n_unit: int, n_voxel: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, of which each voxel repeats a unit in part."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_stim, n_unit), dtype=np.float32)
    return X, X[:, rng.integers(0, n_unit, n_voxel)] + rng.standard_normal((n_stim, n_voxel))


def seconds(call) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def loop(one, X: np.ndarray, Y: np.ndarray, n_pair: int) -> float:
    """Seconds for all pairs of a unit and a voxel, extrapolated from the first `n_pair` pairs."""
    n_unit = min(X.shape[1], n_pair)
    pairs = [(u, t) for t in range(n_pair // n_unit) for u in range(n_unit)]
    part = seconds(lambda: [one(X[:, [u]], Y[:, t]) for u, t in pairs])
    return part * X.shape[1] * Y.shape[1] / len(pairs)


def report(title: str, n_pair: int, n_all: int, rounds: list[tuple[float, float]]) -> None:
    """Print medians of (loop, ours) and the ratio."""
    slow, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratios = [a / b for a, b in rounds]
    print(f'{title}; median of {len(rounds)} rounds')
    print(f'  loop {slow:.1f} s, extrapolated from {n_pair:,} of {n_all:,} pairs')
    print(f'  dnnbrain {ours:.3f} s, all pairs')
    print(f'  {statistics.median(ratios):,.0f} times faster ({min(ratios):,.0f} to {max(ratios):,.0f})')


def univariate(n_round: int) -> None:
    """Correlation and least squares, against their loops."""
    X, Y = data(64, 43264, 500)
    corr = UnivariateMapping('corr')
    corr.map(X, Y)
    rounds = [(loop(lambda x, y: pearsonr(x[:, 0], y), X, Y, 2000), seconds(lambda: corr.map(X, Y)))
              for _ in range(n_round)]
    report('corr, 64 stimuli x 43,264 units x 500 voxels', 2000, X.shape[1] * Y.shape[1], rounds)

    X, Y = data(64, 256, 50)
    for selection, what in (('in_sample', 'chosen as in 1.0'), ('nested', 'chosen inside training folds')):
        glm = UnivariateMapping('glm', 3, selection=selection)
        glm.map(X, Y)
        rounds = [(loop(lambda x, y: cross_val_score(LinearRegression(), x, y, cv=3, scoring='explained_variance'),
                        X, Y, 256), seconds(lambda glm=glm: glm.map(X, Y))) for _ in range(n_round)]
        report(f'glm, cv=3, 64 stimuli x 256 units x 50 voxels, {what}', 256, 256 * 50, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--ridge', type=int, metavar='ROUNDS', default=0,
                        help='time ridge against himalaya too, so many rounds of minutes')
    args = parser.parse_args()
    univariate(args.rounds)
    if args.ridge:
        ridge(args.ridge)


if __name__ == '__main__':
    main()
