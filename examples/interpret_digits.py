"""What units of a network like, and where they look: every method once, with a picture of each.

    python examples/interpret_digits.py [folder] [--only saliency synthesis ...]
    python examples/interpret_digits.py [folder] --net AlexNet --stim my_pictures.stim.csv

A small network learns handwritten digits first (half a minute), and is asked on digits that it has not seen. --net
takes any registered network with its published weights instead (--random: with none), and --stim the pictures to show.
"""


import numpy as np
from interpret_case import Case, arguments, colored, draw, forgetful, opened, save
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

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
from dnnbrain.interpret.preference.selectivity import selectivity
from dnnbrain.interpret.preference.top_stimuli import top_stimuli
from dnnbrain.interpret.view import View


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
    """Maps that stay the same for other units, or other weights, tell nothing of them (Adebayo et al. 2018)."""
    file, top = case.shown[0], case.layers[3]
    unit = case.named(file)
    other = unit - 1 or 10
    methods = {'gradient': VanillaSaliencyImage, 'guided': GuidedSaliencyImage, 'integrated': IntegratedGradientsImage}
    asked = {f'unit {unit}': (case.dnn, unit), f'unit {other}': (case.dnn, other),
             'last layer random': (forgetful(case, 1), unit), 'all but first random': (forgetful(case), unit)}
    rows, titles = [], []
    for method in methods.values():
        maps = [method(dnn, top, number).backprop(file).sum(0) for dnn, number in asked.values()]
        rows.append([colored(one) for one in maps])
        sizes = [np.abs(one).ravel() for one in maps]
        alike = [np.corrcoef(sizes[0], size)[0, 1] for size in sizes]
        titles.append([f'{name}\nr = {r:.2f}' for name, r in zip(asked, alike, strict=True)])
    return draw(rows, titles, list(methods), 1.3)


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
    return draw(rows, titles, list(settings))


def channels(case: Case) -> Figure:
    """Channels that tell categories apart best: what is made for the unit in the middle, and the pictures they like."""
    rows, titles, labels = [], [], []
    files = dict(zip(case.stim.get('stimID'), case.stim.files(), strict=True))
    for layer in case.layers[1:3]:
        activation = case.dnn.compute_activation(case.stim, layer)
        chosen = selectivity(activation, case.stim, column=case.column).nlargest(3, 'd_prime')['channel'].tolist()
        middle = tuple(n // 2 for n in activation.shape(layer)[2:])
        before = layer.removesuffix('_relu')                    # a ReLU may be silent, with nothing to climb
        maker = SynthesisImage(case.dnn, before, chosen, unit=middle)
        made = maker.synthesize(lr=0.05, n_iter=case.n_iter, verbose=False)
        table = top_stimuli(activation, 5)
        for number, picture, value in zip(chosen, made, maker.activation, strict=True):
            best = table[table['channel'] == number]
            rows.append([picture] + [case.picture(files[name]) for name in best['stimID']])
            titles.append([f'made: {value:.1f}'] + [f'{one:.1f}' for one in best['value']])
            labels.append(f'{layer}\nchannel {number}')
    return draw(rows, titles, labels)


def where(case: Case) -> Figure:
    """What the network loses behind a window of three colours, and where a layer answers."""
    size = View(case.dnn).size[0]
    window, stride = (max(2, size // 5),) * 2, (max(1, size // case.n_window),) * 2
    rows, titles = [], []
    for file in case.shown:
        picture, unit = case.picture(file), (case.layers[3], case.named(file))
        row, title = [picture], ['picture']
        for fill in ('mean', 'black', 'gray', 1.0):
            engine = OccluderDiscrepancyMapping(case.dnn, *unit, window, stride, fill=fill)
            lost = engine.compute(file)
            row.append(colored(engine.at_pixels(lost), picture))
            title.append(f'{"white" if fill == 1 else fill}\n{lost.min():.1f} to {lost.max():.1f}')
        alone = top_stimuli(case.dnn, 1, case.pixels(file)[None], case.layers[2])
        best = int(alone.nlargest(1, 'value')['channel'].iloc[0])
        maps = UpsamplingActivationMapping(case.dnn, case.layers[2], best).compute(file)
        rows.append([*row, colored(maps, picture)])
        titles.append([*title, f'{case.layers[2]}\nchannel {best}'])
    return draw(rows, titles, [f'unit {case.named(file)}' for file in case.shown])


def fields(case: Case) -> Figure:
    """Receptive fields in theory (dashed), and as measured around the best pictures of a channel."""
    figure = Figure(figsize=(7.2, 2.9), layout='constrained')
    stride = max(1, View(case.dnn).size[0] // case.n_window)
    for axes, layer in zip(figure.subplots(1, 3, sharex=True, sharey=True), case.layers[:3], strict=True):
        best = top_stimuli(case.dnn, 12, case.stim, layer)
        number = int(best[best['rank'] == 12].nlargest(1, 'value')['channel'].iloc[0])
        names = set(best[best['channel'] == number]['stimID'])
        theory = TheoreticalReceptiveField(case.dnn, layer, number).compute_size()
        window = max(2, stride, theory // 5)
        field = EmpiricalReceptiveField(OccluderDiscrepancyMapping(case.dnn, layer, number, window, stride))
        patch = field.compute(case.stim[[name in names for name in case.stim.get('stimID')]])
        half = patch.shape[0] / 2
        axes.imshow(patch, cmap='magma', extent=(-half, half, half, -half))
        axes.contour(patch, [np.nanmax(patch) / 2], colors='white', linewidths=1, extent=(-half, half, -half, half))
        axes.add_patch(Rectangle((-half, -half), 2 * half, 2 * half, fill=False, linestyle='--'))
        axes.set_title(f'{layer}, channel {number}\n{theory} pixels in theory, {field.size:.1f} measured', fontsize=8)
        axes.tick_params(labelsize=7)
    axes.set(xlim=(-1.1 * half, 1.1 * half), ylim=(1.1 * half, -1.1 * half))
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
        smallest = picture[0].size // 85
        for name, cut, settings in (('slic', parcels.slic_decompose, {'n_segments': 25}),
                                    ('felzenszwalb', parcels.felzenszwalb_decompose, {'min_size': smallest})):
            n = len(cut(picture, **settings))
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
    """Selectivity of axes that are turned step by step; categories are chosen on one half, measured on the other."""
    activation = case.dnn.compute_activation(case.stim, list(case.layers[2:]))
    first, second = case.stim.split((0.5, 0.5), by=case.column, rng=0)
    alphas = (0, 0.25, 0.5, 0.75, 1)
    figure = Figure(figsize=(7.2, 2.8), layout='constrained')
    for axes, layer in zip(figure.subplots(1, 2, sharey=True), activation.layers, strict=True):
        for alpha in alphas:
            turned = activation.mask(layer).rotated(alpha, rng=0)
            best = selectivity(turned[first.get('stimID')], first, column=case.column, metric='mean')['best']
            table = selectivity(turned[second.get('stimID')], second, best, column=case.column, metric='mean')
            if alpha == 0:
                print(table.nlargest(3, 'd_prime').to_string(index=False, float_format='%.2f'))
            print(f"{layer} turned by {alpha}: median d' {table['d_prime'].median():.2f}")
            spread = np.random.default_rng(0).uniform(-0.04, 0.04, len(table))
            axes.plot(alpha + spread, table['d_prime'], '.', color='tab:blue', alpha=0.4, markersize=4)
            axes.plot([alpha - 0.07, alpha + 0.07], [table['d_prime'].median()] * 2, color='black')
        axes.set(xlabel='how far the axes are turned (alpha)', xticks=alphas)
        axes.set_title(f'{len(table)} axes of {layer}', fontsize=9)
    figure.axes[0].set_ylabel("d' of the best category")
    return figure


FIGURES = {one.__name__: one for one in (saliency, sanity, synthesis, channels, where, fields, minimal, rotation)}


def main() -> None:
    """Draw what is asked for."""
    given = arguments(
        __doc__,
        only={'nargs': '+', 'choices': list(FIGURES), 'default': list(FIGURES), 'help': 'which figures'},
        net={'help': 'a registered network instead, such as AlexNet'},
        random={'action': 'store_true', 'help': 'with random weights'},
        layers={'nargs': 4, 'help': 'three layers with maps, from early to late, and the one that names'},
        stim={'help': 'a stimulus table of pictures'},
        pictures={'type': int, 'help': 'how many of the pictures to use'},
        windows={'type': int, 'default': 28, 'help': 'along a side of a picture, that cover it'},
    )
    case = opened(given)
    for name in given.only:
        file = given.folder / f'interpret_{name}.png'
        save(FIGURES[name](case), file)
        print(file)


if __name__ == '__main__':
    main()
