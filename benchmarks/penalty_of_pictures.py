"""How the penalty of ridge regression decides what pictures made for voxels are worth.

    python benchmarks/penalty_of_pictures.py [folder]

The subject of examples/interpret_voxel.py is simulated, so that what a voxel truly answers to a picture is known.
Voxels are drawn at random from those that the chosen layer drives; for each, models with parts and multiples of the
penalty that cross-validation chose make a picture. Printed are means over voxels of the response that the model
predicts for its picture, and of the true one.
"""

import argparse
import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / 'examples'))
from digit_network import digit_network
from interpret_voxel import LAYERS, Voxels

from dnnbrain import datasets
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import masked
from dnnbrain.dnn.algo import SynthesisImage
from dnnbrain.interpret.target import ModelTarget

FACTORS = (0.001, 0.1, 1, 10, 100, 1000)


def main(folder: Path, n_voxel: int, n_iter: int) -> None:
    torch.manual_seed(0)
    dnn, stim = digit_network(folder)
    layer = LAYERS[1]
    activation = dnn.compute_activation(stim, LAYERS)
    subject = datasets.simulate_subject(activation, noise=1, resolution=12, n_component=6, rng=0)
    responses, truth = masked(subject.responses, subject.mask), subject.truth[subject.mask]
    chosen = np.sort(np.random.default_rng(0).choice(np.flatnonzero(truth == 2), n_voxel, replace=False))
    alone, signal = activation.mask(layer), subject.signal[:, chosen]
    answers, rows = Voxels(alone, signal, layer), []
    for number, voxel in enumerate(chosen):
        response = responses[:, [voxel]]
        alpha = float(np.ravel(BrainEncoder(response).encode_dnn(alone)[layer]['model'][0, 0].alpha)[0])
        for factor in FACTORS:
            model = BrainEncoder(response, alphas=[alpha * factor]).encode_dnn(alone)[layer]['model'][0, 0]
            maker = SynthesisImage(dnn, target=ModelTarget(model, train=alone))
            picture = maker.synthesize(lr=0.05, n_iter=n_iter, verbose=False)
            rows.append({'penalty': factor, 'predicted': float(maker.activation),
                         'true': answers(dnn, picture[None])[0, number], 'best real': signal[:, number].max()})
    table = pd.DataFrame(rows).groupby('penalty').mean()
    print(f'Means of {n_voxel} voxels ({n_iter} steps); penalty in parts of the chosen one')
    print(table.to_string(float_format='%.1f'))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', type=Path, help='where the network is kept; a new one by default')
    parser.add_argument('--voxels', type=int, default=8)
    parser.add_argument('--steps', type=int, default=200)
    given = parser.parse_args()
    main(Path(mkdtemp()) if given.folder is None else given.folder, given.voxels, given.steps)
