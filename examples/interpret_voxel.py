"""The picture that a voxel likes best, and the part of a picture that predicts it, checked against a known truth.

    python examples/interpret_voxel.py [folder]

1. A small network learns handwritten digits; a SIMULATED subject looks at others, with as much noise as signal.
2. Ridge regression predicts every voxel from two layers of the network, scored on held-out pictures.
3. Of the voxels that are predicted best: the picture that the model makes for each, and the part of a real one that its
   prediction rests on.
4. Since the subject is simulated, the made pictures can be shown to it: does the voxel, without noise, answer as the
   model says? And what does a model make that was fitted on responses in a wrong order?
"""

from pathlib import Path

import numpy as np
from digit_network import digit_network
from interpret_case import arguments, colored, save
from matplotlib.figure import Figure

from dnnbrain import datasets
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import masked
from dnnbrain.brain.profile import fold_means, preferred_layer
from dnnbrain.dnn.algo import (
    IntegratedGradientsImage,
    OccluderDiscrepancyMapping,
    SynthesisImage,
    UpsamplingActivationMapping,
)
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.interpret.view import View

LAYERS = ['conv2_relu', 'conv3_relu']


class Voxels:
    """What voxels of a simulated subject answer to any picture, without noise.

    Parameters
    ----------
    activation : Activation
        Of the pictures that the subject saw.
    signal : ndarray of shape (n_stim, n_voxel)
        Its noise-free responses, a linear function of one of the layers.
    layer : str
    """

    def __init__(self, activation, signal: np.ndarray, layer: str):
        units = activation.get(layer).reshape(len(signal), -1).astype(np.float64)
        self.layer, self.mean = layer, units.mean(axis=0)
        centred = units - self.mean
        self.weights = centred.T @ np.linalg.lstsq(centred @ centred.T, signal, rcond=1e-10)[0]

    def __call__(self, dnn, pictures: np.ndarray) -> np.ndarray:
        """(n_picture, n_voxel)"""
        units = dnn.compute_activation(pictures, self.layer).get(self.layer).reshape(len(pictures), -1)
        return (units - self.mean) @ self.weights


def main(folder: Path, n_iter: int, n_epoch: int, resolution: int) -> None:
    """The four steps."""
    dnn, stim = digit_network(folder, n_epoch)
    activation = dnn.compute_activation(stim, LAYERS)
    subject = datasets.simulate_subject(activation, noise=1, resolution=resolution, n_component=6, rng=0)
    responses = masked(subject.responses, subject.mask)
    result = BrainEncoder(responses, scoring='correlation', stim_ids=stim.get('stimID')).encode_dnn(activation)
    scores = {layer: values.ravel() for layer, values in fold_means(result).items()}
    right = preferred_layer(scores) == subject.truth[subject.mask]
    print(f'{len(right)} voxels; {right.mean():.0%} are predicted best from the layer that drives them')

    layer = LAYERS[1]
    chosen = best_voxels(scores[layer], (subject.truth[subject.mask] == 2) & right, subject.signal, stim)
    target = ModelTarget(result[layer]['model'][0, 0], (chosen + 1).tolist(), train=activation)
    truth = Voxels(activation, subject.signal[:, chosen], layer)
    maker = SynthesisImage(dnn, target=target)
    made = maker.synthesize(lr=0.05, n_iter=n_iter, verbose=False)
    true, real = np.diagonal(truth(dnn, made)), subject.signal[:, chosen].max(axis=0)
    for voxel, *values in zip(chosen, scores[layer][chosen], maker.activation, true, real, strict=True):
        print('voxel {}: r = {:.2f}; the made picture is predicted to give {:.1f} and gives {:.1f}, the best real one '
              '{:.1f}'.format(voxel + 1, *values))
    figure = draw_voxels(dnn, stim, subject.signal[:, chosen], target, made, true)
    for axes, voxel in zip(figure.axes[::6], chosen, strict=True):
        axes.set_ylabel(f'voxel {voxel + 1}\nr = {scores[layer][voxel]:.2f}', fontsize=8)
    save(figure, folder / 'interpret_voxel.png')

    voxel = chosen[0]
    fits = fitted(responses[:, [voxel]], activation.mask(layer), layer)
    truth = Voxels(activation, subject.signal[:, [voxel]], layer)
    save(draw_settings(dnn, fits, truth, n_iter), folder / 'interpret_voxel_settings.png')
    print(f'All files are in {folder}')


def best_voxels(scores: np.ndarray, among: np.ndarray, signal: np.ndarray, stim, n: int = 4) -> np.ndarray:
    """Voxels (from 0) that are predicted best, each with another favourite digit."""
    digits = stim.get('label')
    favourite = np.stack([signal[digits == digit].mean(axis=0) for digit in np.unique(digits)]).argmax(axis=0)
    order = [voxel for voxel in np.argsort(-scores) if among[voxel]]
    first = {favourite[voxel]: voxel for voxel in reversed(order)}
    return np.array(sorted(first.values(), key=lambda voxel: -scores[voxel])[:n])


def fitted(response: np.ndarray, activation, layer: str) -> dict[str, ModelTarget]:
    """Targets of models of one voxel (n_stim, 1): as chosen by cross-validation, with other penalties, of nonsense."""
    chosen = BrainEncoder(response).encode_dnn(activation)[layer]['model'][0, 0]
    alpha = float(np.ravel(chosen.alpha)[0])
    models = {'alpha as chosen': chosen}
    for name, other in (('a thousandth', alpha / 1000), ('a thousand times', alpha * 1000)):
        models[name] = BrainEncoder(response, alphas=[other]).encode_dnn(activation)[layer]['model'][0, 0]
    shuffled = np.random.default_rng(0).permutation(response)
    models['wrong order'] = BrainEncoder(shuffled, alphas=[alpha]).encode_dnn(activation)[layer]['model'][0, 0]
    return {name: ModelTarget(model, train=activation) for name, model in models.items()}


def draw_voxels(dnn, stim, signal: np.ndarray, target: ModelTarget, made: np.ndarray, true: np.ndarray) -> Figure:
    """A row per voxel: its digits, what it saw best, what is made for it, and where the prediction comes from."""
    n_voxel, digits, view = signal.shape[1], stim.get('label'), View(dnn)
    figure = Figure(figsize=(8.4, 1.55 * n_voxel), layout='constrained')
    grid = figure.subplots(n_voxel, 6, width_ratios=[1.4, 1, 1, 1, 1, 1], squeeze=False)
    occlusion = OccluderDiscrepancyMapping(dnn, target=target, window=(6, 6), stride=(1, 1))
    for row, bars in enumerate(grid[:, 0]):
        best = stim.files()[int(signal[:, row].argmax())]
        picture = view.picture(best).permute(1, 2, 0).numpy()
        bars.bar(range(10), [signal[digits == digit, row].mean() for digit in range(10)])
        bars.axhline(0, color='black', linewidth=0.5)
        bars.set_xticks(range(10))
        bars.tick_params(labelsize=6)
        shown = {'mean response per digit': None,
                 f'best real: {signal[:, row].max():.1f}': picture,
                 f'made: {true[row]:.1f}': made[row].transpose(1, 2, 0),
                 'integrated': colored(IntegratedGradientsImage(dnn, target=target).backprop(best)[row].sum(0)),
                 'occlusion': colored(occlusion.at_pixels(occlusion.compute(best))[row], picture),
                 'places add': colored(UpsamplingActivationMapping(dnn, target=target).compute(best)[row], picture)}
        for axes, (name, values) in zip(grid[row], shown.items(), strict=True):
            axes.set_title(name, fontsize=8)
            if values is not None:
                axes.imshow(values)
                axes.set_axis_off()
    return figure


def draw_settings(dnn, fits: dict, truth: Voxels, n_iter: int) -> Figure:
    """Pictures of one voxel: a column per model, a row per way to make them."""
    ways = {'gratings': {}, 'TV': {'regular_metric': 'TV', 'regular_lambda': 0.003},
            'pixels': {'parametrisation': 'pixel'}}
    figure = Figure(figsize=(1.35 * len(fits) + 0.3, 1.6 * len(ways) + 0.2), layout='constrained')
    grid = figure.subplots(len(ways), len(fits), squeeze=False)
    for row, (way, settings) in zip(grid, ways.items(), strict=True):
        row[0].set_ylabel(way, fontsize=9)
        for axes, (name, target) in zip(row, fits.items(), strict=True):
            maker = SynthesisImage(dnn, target=target, **settings)
            picture = maker.synthesize(lr=0.05, n_iter=n_iter, verbose=False)
            axes.imshow(picture.transpose(1, 2, 0))
            axes.set(xticks=[], yticks=[], frame_on=False)
            head = f'{name}\n' if way == 'gratings' else ''
            axes.set_title(f'{head}{maker.activation:.1f}, truly {truth(dnn, picture[None])[0, 0]:.1f}', fontsize=8)
    return figure


if __name__ == '__main__':
    given = arguments(__doc__, resolution={'type': int, 'default': 12, 'help': 'of voxels, in mm'})
    main(given.folder, given.steps, given.epochs, given.resolution)
