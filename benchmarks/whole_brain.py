"""A whole brain in one command: 3 mm voxels (about 70,000), 6 layers of ResNet-18, 500 pictures.

    python benchmarks/whole_brain.py

Extracts the layers, simulates a subject whose truth is known, runs `db_encode` in a process of its own, and prints
seconds, peak memory, and how well the preferred layers recover the truth: their correlation with it, the share of
voxels that are right, and the share counting the neighbouring layers as right. Weights are random, so layers differ
less than those of a trained network.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import peak_mb
from pictures import photographs

from dnnbrain import datasets
from dnnbrain.brain.io import load_brainimg
from dnnbrain.dnn.models import Resnet18

LAYERS = ['conv1', 'layer1', 'layer2', 'layer3', 'layer4', 'fc']
RESOLUTION = 3              # mm


def prepare(folder: Path, n_stim: int, resolution: int) -> int:
    """Write activations and a subject; the number of voxels."""
    stim = photographs(folder, n_stim)
    activ = Resnet18(pretrained=False, rng=0).compute_activation(stim, LAYERS, out=folder / 'x.act.h5')
    subject = datasets.simulate_subject(activ, noise=1.0, resolution=resolution, rng=0)
    subject.save(folder)
    return int(subject.mask.sum())


def encode(arguments: list[str]) -> None:
    """The command, which then says how much memory it held."""
    from dnnbrain.cli.db_encode import main
    main(arguments, standalone_mode=False)
    print(f'peak memory {peak_mb() / 1000:.2f} GB')


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ['--encode']:
        encode(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--stimuli', type=int, default=500)
    parser.add_argument('--resolution', type=int, default=RESOLUTION)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        n_voxel = prepare(folder, args.stimuli, args.resolution)
        size = (folder / 'x.act.h5').stat().st_size / 1e9
        print(f'{args.stimuli} pictures, {len(LAYERS)} layers of ResNet-18 ({size:.1f} GB), {n_voxel:,} voxels; '
              f'prepared in {time.perf_counter() - start:.0f} s')
        start = time.perf_counter()
        subprocess.run([sys.executable, __file__, '--encode', '-anal', 'mv', '-act', folder / 'x.act.h5',
                        '-resp', folder / 'bold.nii.gz', '-bmask', folder / 'mask.nii.gz', '-model', 'ridge',
                        '-scoring', 'correlation', '-cv', '5', '-out', folder / 'encoding'], check=True)
        took = time.perf_counter() - start
        found, truth = (load_brainimg(folder / file, ismask=True)[0]
                        for file in ('encoding/preferred_layer.nii.gz', 'truth.nii.gz'))
        inside = np.isfinite(truth)
        found, truth = found[inside], truth[inside]
        print(f'db_encode: {took:.0f} s')
        print(f'preferred layer and truth: r = {np.corrcoef(found, truth)[0, 1]:.3f}, '
              f'{np.mean(found == truth):.1%} right, {np.mean(np.abs(found - truth) <= 1):.1%} within one layer')


if __name__ == '__main__':
    main()
