"""Ridge on a layer against himalaya on the same kernel, and how time grows with each size.

    python benchmarks/mapping_ridge.py --rounds 3
    python benchmarks/mapping_ridge.py --growth docs/images/mapping_growth.png

Both sides get the same precomputed kernel, folds and penalties, predict and score the held-out
stimuli of 5 folds and fit all stimuli at the end; each runs in a process of its own, in turn. A
third process does the whole of it from the layer on disk, kernel and scores, and tells its peak
memory.
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

SIZES = {'n_stim': 1000, 'n_unit': 50_000, 'n_voxel': 5000}
ALPHAS = np.logspace(0, 9, 10)
GROWTH = {'n_unit': [1000, 4000, 16_000, 64_000], 'n_voxel': [250, 1000, 4000, 16_000], 'n_stim': [125, 250, 500, 1000]}
MIDDLE = {'n_stim': 500, 'n_unit': 4000, 'n_voxel': 1000}


def make(folder: Path, n_stim: int, n_unit: int, n_voxel: int) -> None:
    """A layer on disk, voxels that follow it, and its kernel."""
    from dnnbrain.dnn.core import Activation
    from dnnbrain.io.act_writer import ActWriter
    from dnnbrain.mapping.kernel import linear_kernel
    rng = np.random.default_rng(0)
    with ActWriter(folder / 'x.act.h5', n_stim, None, {}) as writer:
        for start in range(0, n_stim, 100):
            shape = min(100, n_stim - start), n_unit // 25, 5, 5
            writer.write({'layer': np.maximum(rng.standard_normal(shape, dtype=np.float32), 0)})
    activ = Activation()
    activ.load(folder / 'x.act.h5')
    _, part = next(iter(activ.blocks('layer', 'unit', 2 ** 22)))
    signal = part @ rng.standard_normal((part.shape[1], n_voxel), dtype=np.float32) / part.shape[1] ** 0.5
    noise = rng.standard_normal(signal.shape, dtype=np.float32) * np.geomspace(0.1, 10, n_voxel, dtype=np.float32)
    np.save(folder / 'Y.npy', (signal + noise).astype(np.float64))
    np.save(folder / 'K.npy', linear_kernel(activ, 'layer'))


def mapping():
    """Ours, as it is timed."""
    from sklearn.model_selection import KFold

    from dnnbrain.mapping.multivariate import MultivariateMapping
    return MultivariateMapping('ridge', KFold(5, shuffle=True, random_state=0), 'r2', alphas=ALPHAS)


def ours(K: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Scores (n_voxel, 5) given the kernel."""
    from dnnbrain.mapping.kernel import LayerKernels
    ridge = mapping()
    job, = ridge.jobs(Y)
    return ridge.map_job(LayerKernels(K, None, np.empty(0)), Y, job, 0)[0]


def himalaya(K: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """The same with himalaya's own estimator and score."""
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.scoring import r2_score
    from sklearn.model_selection import KFold
    folds = KFold(5, shuffle=True, random_state=0)
    scores = []
    for train, test in folds.split(K):
        model = KernelRidgeCV(alphas=ALPHAS, kernel='precomputed', fit_intercept=True, cv=folds, warn=False)
        model.fit(K[np.ix_(train, train)], Y[train])
        scores.append(r2_score(Y[test], model.predict(K[np.ix_(test, train)])))
    KernelRidgeCV(alphas=ALPHAS, kernel='precomputed', fit_intercept=True, cv=folds, warn=False).fit(K, Y)
    return np.stack(scores, axis=1)


def from_disk(folder: Path) -> np.ndarray:
    """The same from the layer in its file."""
    from dnnbrain.dnn.core import Activation
    from dnnbrain.mapping.engine import map_layer
    activ = Activation()
    activ.load(folder / 'x.act.h5')
    return map_layer(activ, 'layer', np.load(folder / 'Y.npy'), mapping())['score'][0]


def side(name: str, folder: Path) -> None:
    """What a process of its own does: print seconds, peak memory in MB and the mean score."""
    if name == 'disk':
        import dnnbrain.mapping.engine  # noqa: F401 (imports are not timed)
        start = time.perf_counter()
        score = from_disk(folder)
    else:
        K, Y = np.load(folder / 'K.npy'), np.load(folder / 'Y.npy')
        work = {'ours': ours, 'himalaya': himalaya}[name]
        work(K[:50, :50], Y[:50, :5])                                  # imports
        start = time.perf_counter()
        score = work(K, Y)
    print(json.dumps([time.perf_counter() - start, peak_mb(), float(score.mean())]))


def measure(name: str, folder: Path) -> list[float]:
    """Seconds, peak memory in MB and mean score of a side."""
    done = subprocess.run([sys.executable, __file__, '--side', name, '--folder', str(folder)], check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def ridge(rounds: int = 3, sizes: dict[str, int] = SIZES) -> None:
    """Measure and print both sides, and the whole from disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, **sizes)
        found = [[measure(who, folder) for who in ('ours', 'himalaya', 'disk')] for _ in range(rounds)]
    print(', '.join(f'{key} {value:,}' for key, value in sizes.items()), f'5 folds, 10 alphas, median of {rounds}',
          sep=', ')
    for i, who in enumerate(('ours, given the kernel', 'himalaya, given the kernel', 'ours, from disk')):
        seconds, memory, score = (statistics.median(one[i][j] for one in found) for j in range(3))
        print(f'{who:28}{seconds:8.2f} s   peak {memory:6.0f} MB   mean r2 {score:.6f}')
    ratios = [one[0][0] / one[1][0] for one in found]
    print(f'ratio ours / himalaya: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})')


def growth(picture: Path, middle: dict[str, int] = MIDDLE, steps: dict[str, list[int]] = GROWTH) -> None:
    """A table and a plot of seconds (medians of three) against each size, the other two held."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout='constrained')
    for axis, (size, values) in zip(axes, steps.items(), strict=True):
        seconds = []
        for value in values:
            with tempfile.TemporaryDirectory() as name:
                make(Path(name), **middle | {size: value})
                seconds.append(statistics.median(measure('disk', Path(name))[0] for _ in range(3)))
            print(f'{size:8}{value:8,}{seconds[-1]:8.2f} s')
        held = ', '.join(f'{key} {value:,}' for key, value in middle.items() if key != size)
        axis.loglog(values, seconds, 'o-', color='#2a6f97')
        axis.set_xticks(values, [f'{value:,}' for value in values])
        axis.minorticks_off()
        axis.set_xlabel(size)
        axis.set_title(held, fontsize='small')
        axis.grid(alpha=0.3, which='both')
    axes[0].set_ylabel('seconds')
    figure.savefig(picture, dpi=120)


def main() -> None:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--tenth', action='store_true', help='a tenth of the units and voxels')
    parser.add_argument('--growth', type=Path, help='the picture to write, instead of the comparison')
    parser.add_argument('--side', help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        side(args.side, args.folder)
    elif args.growth:
        growth(args.growth)
    else:
        ridge(args.rounds, SIZES | {'n_unit': 5000, 'n_voxel': 500} if args.tenth else SIZES)


if __name__ == '__main__':
    main()
