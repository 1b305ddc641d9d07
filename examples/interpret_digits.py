"""What units of a network like, and where they look: every method once, with a picture of each.

    python examples/interpret_digits.py [folder] [--only saliency synthesis ...]
    python examples/interpret_digits.py [folder] --net AlexNet --stim my_pictures.stim.csv

A small network learns handwritten digits first (half a minute), and is asked on digits that it has not seen. --net takes
any registered network with its published weights instead (--random: with none), and --stim the pictures to show it.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from digit_network import digit_network, untrained
from matplotlib import colormaps
from matplotlib.figure import Figure

from dnnbrain.dnn import models
from dnnbrain.dnn.algo import (
    EmpiricalReceptiveField,
    GradCAMImage,
    GuidedSaliencyImage,
    IntegratedGradientsImage,
    MaskedImage,
    MinimalComponentImage,
    MinimalParcelImage,
    OccluderDiscrepancyMapping,
    SynthesisImage,
    TheoreticalReceptiveField,
    UpsamplingActivationMapping,
    VanillaSaliencyImage,
)
from dnnbrain.dnn.core import Stimulus
from dnnbrain.interpret.selectivity import selectivity
from dnnbrain.interpret.top_stimuli import top_stimuli
from dnnbrain.interpret.view import View
from dnnbrain.viz import imgarray_show

LAYERS = {'digits': ('conv1_relu', 'conv2_relu', 'conv3_relu', 'fc'),
          'AlexNet': ('conv1_relu', 'conv3_relu', 'conv5_relu', 'fc3')}


@dataclass(frozen=True)
class Case:
    """A network, the pictures it is shown, and how much is done.

    Attributes
    ----------
    dnn, untrained : DNN
        The same network with and without knowledge.
    stim : Stimulus
    layers : tuple of str
        Three with maps, from early to late, and one that names things.
    shown : list of str
        A few pictures.
    n_iter : int
        Steps of synthesis.
    """

    dnn: models.DNN
    untrained: models.DNN
    stim: Stimulus
    layers: tuple[str, ...]
    shown: list[str]
    n_iter: int

    def picture(self, file) -> np.ndarray:
        """What the network sees of a picture, (h, w, 3) from 0 to 1."""
        return View(self.dnn).picture(file).permute(1, 2, 0).numpy()

    def named(self, file) -> int:
        """Number (from 1) of the unit that answers most in the last layer."""
        return int(self.dnn.compute_activation(self.pixels(file)[None], self.layers[3]).get(self.layers[3]).argmax()) + 1

    def pixels(self, file) -> np.ndarray:
        """As `picture`, (3, h, w), uint8."""
        return np.uint8(np.round(self.picture(file) * 255)).transpose(2, 0, 1)


def colored(values: np.ndarray, over: np.ndarray | None = None) -> np.ndarray:
    """A map (h, w) in colours: red above 0, blue below, scaled by itself; laid over a picture if one is given."""
    values = values / (np.percentile(np.abs(values), 99.5) or 1)
    colors = colormaps['coolwarm'](values.clip(-1, 1) / 2 + 0.5)[..., :3]
    return colors if over is None else 0.65 * colors + 0.35 * over.mean(2, keepdims=True)


def draw(rows: list, titles: list, labels: list[str], side: float = 1.15) -> Figure:
    """Rows of pictures with a title each."""
    n_col = len(rows[0])
    lines = max(str(title).count('\n') for row in titles for title in row) + 1
    return imgarray_show([one for row in rows for one in row], len(rows), n_col, labels, frame_on=False,
                         figsize=(side * n_col + 0.3, (side + 0.14 * lines) * len(rows)),
                         img_names=[title for row in titles for title in row], show=False)


def saliency(case: Case) -> Figure:
    """The methods side by side, for what the network takes a picture for."""
    rows, titles = [], []
    for file in case.shown:
        unit, size = (case.layers[3], case.named(file)), View(case.dnn).size
        gradient = VanillaSaliencyImage(case.dnn, *unit)
        cam = GradCAMImage(case.dnn, *unit).backprop(file)[0]
        maps = {'gradient': gradient.backprop(file), 'SmoothGrad': gradient.backprop_smooth(file, 50, 0.15),
                'guided': GuidedSaliencyImage(case.dnn, *unit).backprop(file),
                'integrated': IntegratedGradientsImage(case.dnn, *unit).backprop(file), 'Grad-CAM': cam[None]}
        picture = case.picture(file)
        assert cam.shape == size
        rows.append([picture] + [colored(one.sum(0), picture if name == 'Grad-CAM' else None)
                                 for name, one in maps.items()])
        titles.append(['picture', *maps])
    return draw(rows, titles, [f'unit {case.named(file)}' for file in case.shown])


def sanity(case: Case) -> Figure:
    """Maps that do not change with the unit or with the weights tell nothing of them."""
    file = case.shown[0]
    unit, layer = case.named(file), case.layers[3]
    other = unit % 10 + 1
    asked = {f'unit {unit}': (case.dnn, unit), f'unit {other}': (case.dnn, other), 'random weights': (case.untrained, unit)}
    rows, titles = [], []
    methods = {'gradient': VanillaSaliencyImage, 'guided': GuidedSaliencyImage, 'integrated': IntegratedGradientsImage}
    for method in methods.values():
        maps = [method(dnn, layer, number).backprop(file).sum(0) for dnn, number in asked.values()]
        rows.append([colored(one) for one in maps])
        sizes = [np.abs(one).ravel() for one in maps]
        titles.append([f'{name}\nr = {np.corrcoef(sizes[0], one)[0, 1]:.2f}' for name, one in zip(asked, sizes, strict=True)])
    return draw(rows, titles, list(methods))


def synthesis(case: Case) -> Figure:
    """Ten units of the last layer, by several settings."""
    settings = {'default,\n30 steps': {}, 'moved,\nturned': {'jitter': 3, 'zoom': 0.1, 'rotation': 10},
                'red, green,\nblue': {'decorrelate': False}, 'TV': {'regular_metric': 'TV', 'regular_lambda': 0.02},
                'pixels': {'parametrisation': 'pixel'},
                'pixels,\nblurred': {'precondition_metric': 'GB', 'GB_radius': 0.7}}
    rows, titles = [], []
    for name, setting in settings.items():
        maker = SynthesisImage(case.dnn, case.layers[3], list(range(1, 11)), **setting)
        how = {'n_iter': min(30, case.n_iter)} if name.startswith('default') else {'n_iter': case.n_iter, 'lr': 0.05}
        rows.append(list(maker.synthesize(verbose=False, **how)))
        titles.append([f'{value:.0f}' for value in maker.activation])
    return draw(rows, titles, list(settings), 0.9)


def channels(case: Case) -> Figure:
    """Made pictures of channels beside the pictures that drive them most."""
    rows, titles, labels = [], [], []
    for layer in case.layers[1:3]:
        n_channel = case.dnn.compute_activation(case.stim[:1], layer).shape(layer)[1]
        chosen = np.linspace(1, n_channel, 4).astype(int).tolist()
        maker = SynthesisImage(case.dnn, layer, chosen, 'max')
        made = maker.synthesize(lr=0.05, n_iter=case.n_iter, verbose=False)
        table = top_stimuli(case.dnn, 6, case.stim, {layer: {'chn': chosen}})
        files = dict(zip(case.stim.get('stimID'), case.stim.files(), strict=True))
        for number, picture, value in zip(chosen, made, maker.activation, strict=True):
            best = table[table['channel'] == number]
            rows.append([picture] + [case.picture(files[name]) for name in best['stimID']])
            titles.append([f'made: {value:.1f}'] + [f'{one:.1f}' for one in best['value']])
            labels.append(f'{layer}\nchannel {number}')
    return draw(rows, titles, labels, 1.0)


def where(case: Case) -> Figure:
    """What the network loses behind a window of three colours, and where a layer answers."""
    size = View(case.dnn).size[0]
    window, stride = (max(2, size // 5),) * 2, (max(1, size // 32),) * 2
    rows, titles = [], []
    for file in case.shown:
        picture, unit = case.picture(file), (case.layers[3], case.named(file))
        row, title = [picture], ['picture']
        for fill in ('mean', 'black', 'gray', 1.0):
            engine = OccluderDiscrepancyMapping(case.dnn, *unit, window, stride, fill=fill)
            lost = engine.compute(file)
            row.append(colored(engine.at_pixels(lost), picture))
            title.append(f'{"white" if fill == 1 else fill}\n{lost.min():.1f} to {lost.max():.1f}')
        best = int(top_stimuli(case.dnn, 1, case.pixels(file)[None], case.layers[2]).nlargest(1, 'value')['channel'].iloc[0])
        maps = UpsamplingActivationMapping(case.dnn, case.layers[2], best, 'bicubic').compute(file)
        rows.append([*row, colored(maps, picture)])
        titles.append([*title, f'{case.layers[2]}\nchannel {best}'])
    return draw(rows, titles, [f'unit {case.named(file)}' for file in case.shown])


def fields(case: Case) -> Figure:
    """Receptive fields in theory and as measured around the best pictures of a channel."""
    figure = Figure(figsize=(7.2, 2.7), layout='constrained')
    size = View(case.dnn).size[0]
    window = (max(3, size // 20),) * 2
    for axes, layer in zip(figure.subplots(1, 3), case.layers[:3], strict=True):
        best = top_stimuli(case.dnn, 12, case.stim, layer)
        number = int(best[best['rank'] == 12].nlargest(1, 'value')['channel'].iloc[0])
        names = set(best[best['channel'] == number]['stimID'])
        shown = case.stim[[name in names for name in case.stim.get('stimID')]]
        engine = OccluderDiscrepancyMapping(case.dnn, layer, number, window, (max(1, size // 56),) * 2)
        field = EmpiricalReceptiveField(engine)
        patch = field.compute(shown)
        theory, half = TheoreticalReceptiveField(case.dnn, layer, number).compute_size(), patch.shape[0] / 2
        axes.imshow(patch, cmap='magma', extent=(-half, half, half, -half))
        axes.contour(patch, [np.nanmax(patch) / 2], colors='white', linewidths=1, extent=(-half, half, -half, half))
        axes.set_title(f'{layer}, channel {number}\n{theory} pixels in theory, {field.size:.1f} measured', fontsize=8)
        axes.tick_params(labelsize=7)
    figure.supxlabel('pixels from the centre of the unit that answers most', fontsize=8)
    return figure


def minimal(case: Case) -> Figure:
    """How little of a picture suffices for 90 % of the answer: parcels, components, behind a mask."""
    rows, titles = [], []
    some = [case.pixels(file) for file in case.stim.files()[::max(1, len(case.stim) // 200)]]
    for file in case.shown:
        unit, picture = (case.layers[3], case.named(file)), case.pixels(file)
        row, title = [picture], ['picture']
        parcels = MinimalParcelImage(case.dnn, *unit, share=0.9)
        for name, cut in {'slic': lambda image: parcels.slic_decompose(image, 25),
                          'felzenszwalb': lambda image: parcels.felzenszwalb_decompose(image, 50, 0.5, 12)}.items():
            n = len(cut(picture))
            row.append(parcels.generate_minimal_image())
            title.append(f'{name}\n{parcels.n_kept} of {n}')
        parts = MinimalComponentImage(case.dnn, *unit, share=0.9)
        n = len(parts.pca_decompose(np.stack(some), min(20, len(some) - 1)))
        row.append(parts.generate_minimal_image(picture))
        title.append(f'components\n{parts.n_kept} of {n + 1}')
        masking = MaskedImage(case.dnn, *unit, filter_sigma=1.5)
        row.append(masking.put_mask(picture))
        title.append(f'masked\n{masking.image_mask.mean():.0%} seen')
        rows.append(row)
        titles.append(title)
    return draw(rows, titles, [f'unit {case.named(file)}' for file in case.shown])


def rotation(case: Case) -> Figure:
    """Selectivity of the axes of a layer, and of axes turned step by step; chosen on one half, measured on the other."""
    layer = case.layers[2]
    activation = case.dnn.compute_activation(case.stim, layer)
    column = 'condition' if 'condition' in case.stim.items else 'label'
    first, second = case.stim.split((0.5, 0.5), by=column, rng=0)
    alphas, found = (0, 0.25, 0.5, 0.75, 1), []
    for alpha in alphas:
        turned = activation.rotated(alpha, rng=0)
        best = selectivity(turned[first.get('stimID')], first, column=column, metric='mean')['best']
        found.append(selectivity(turned[second.get('stimID')], second, best, column=column, metric='mean'))
    print(found[0].nlargest(5, 'd_prime').to_string(index=False, float_format='%.2f'))
    figure = Figure(figsize=(5.2, 2.8), layout='constrained')
    axes = figure.subplots()
    for alpha, table in zip(alphas, found, strict=True):
        spread = np.random.default_rng(0).uniform(-0.04, 0.04, len(table))
        axes.plot(alpha + spread, table['d_prime'], '.', color='tab:blue', alpha=0.4, markersize=4)
        axes.plot([alpha - 0.07, alpha + 0.07], [table['d_prime'].median()] * 2, color='black')
    axes.set(xlabel='how far the axes are turned (alpha)', ylabel="d' of the best digit", xticks=alphas,
             title=f'{len(found[0])} axes of {layer}')
    return figure


FIGURES = {one.__name__: one for one in (saliency, sanity, synthesis, channels, where, fields, minimal, rotation)}


def opened(given: argparse.Namespace) -> Case:
    """The network and its pictures."""
    if given.net is None:
        dnn, stim = digit_network(given.folder, given.epochs)
        other, layers = untrained(), LAYERS['digits']
    else:
        network = getattr(models, given.net)
        dnn, other = network(**({'pretrained': False, 'rng': 1} if given.random else {})), network(pretrained=False, rng=0)
        layers = given.layers or LAYERS.get(given.net)
        if given.stim is None or layers is None:
            raise SystemExit(f'--net needs pictures (--stim FILE.stim.csv) and, but for AlexNet, --layers: {dnn.layers}')
    if given.stim:
        stim = Stimulus()
        stim.load(given.stim)
    stim = stim if given.pictures is None else stim.sample(given.pictures, rng=0)
    labels = stim.get('label') if 'label' in stim.items else np.arange(len(stim))
    rows = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
    shown = [stim.files()[row] for row in rows][2:8:2]
    return Case(dnn, other, stim, tuple(layers), shown, given.steps)


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', default='interpret_out', type=Path)
    parser.add_argument('--only', nargs='+', choices=list(FIGURES), default=list(FIGURES), help='which figures')
    parser.add_argument('--net', help='a registered network instead, such as AlexNet')
    parser.add_argument('--random', action='store_true', help='with random weights')
    parser.add_argument('--layers', nargs=4, help='three layers with maps, from early to late, and the one that names')
    parser.add_argument('--stim', help='a stimulus table of pictures')
    parser.add_argument('--pictures', type=int, help='how many of the pictures to use')
    parser.add_argument('--steps', type=int, default=200, help='of synthesis')
    parser.add_argument('--epochs', type=int, default=8, help='of training on digits')
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    case = opened(given)
    for name in given.only:
        file = given.folder / f'interpret_{name}.png'
        FIGURES[name](case).savefig(file, dpi=100)
        print(file)


if __name__ == '__main__':
    main()
