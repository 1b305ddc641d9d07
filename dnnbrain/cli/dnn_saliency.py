"""dnn_saliency: which part of a picture drives channels of a network, or voxels of a fitted model."""

import click

from dnnbrain.cli._common import Positive, command, option, together
from dnnbrain.cli._network import device_option, network_options, open_on_device, random_option
from dnnbrain.cli._target import make_target, target_options
from dnnbrain.cli._windows import can_show, show_option

PAIRS = 6       # of a figure

method_options = together(
    option('-meth', type=click.Choice(['guided', 'vanilla', 'integrated', 'gradcam']), default='guided',
           show_default=True, help='Guided backpropagation, gradient, integrated gradients, or Grad-CAM.'),
    option('-steps', type=click.IntRange(min=1), metavar='N', help='Points of -meth integrated, 50 by default.'),
    option('-smooth', type=click.IntRange(min=1), metavar='N', help='SmoothGrad: the mean over N noisy copies.'),
    option('-sigma', type=Positive(), default=0.1, show_default=True,
           help='Standard deviation of the noise over the range of the picture.'),
    option('-to_layer', metavar='NAME', help='What goes into this layer (gradcam: what it puts out), not the picture.'),
)
drawing_options = together(
    option('-mode', type=click.Choice(['RGB', 'gray']),
           help='Gradients as colours, or their sum over colours. RGB by default where there are three.'),
    option('-cmap', default='coolwarm', show_default=True, metavar='NAME', help='A colour map of matplotlib.'),
    option('-vmin', type=float, metavar='X', help='Value at the lower end of the colours.'),
    option('-vmax', type=float, metavar='X', help='Value at the upper end of the colours.'),
    show_option,
)


@command('dnn_saliency', 'dnn_saliency -net AlexNet -layer fc3 -chn 282 286 -stim cats.stim.csv -meth guided -out cats')
@network_options
@random_option
@target_options
@option('-stim', required=True, metavar='FILE', help='The stimuli (.stim.csv).')
@method_options
@drawing_options
@device_option
@option('-out', metavar='FOLDER', help='Where figures go: NET_LAYER_fig1.jpg, ..., six pictures each.')
def main(net, weights, seed, random, layer, chn, unit, model, voxel, mean, act, dmask, pool, stim, meth, steps,
         smooth, sigma, to_layer, mode, cmap, vmin, vmax, show, device, out):
    """Draw pictures beside what in them drives channels, units or voxels."""
    from itertools import count, islice

    from dnnbrain._checks import BadValue, creatable_folder, output_folder
    from dnnbrain._progress import progress
    from dnnbrain.stimuli.stimulus import Stimulus
    from dnnbrain.viz.saliency import check_colors
    show = can_show(show, out)
    if mode == 'RGB' and (to_layer or meth == 'gradcam'):
        raise BadValue('-mode RGB shows gradients of colours; with -to_layer or -meth gradcam leave it out')
    if steps is not None and meth != 'integrated':
        raise BadValue('-steps goes with -meth integrated')
    check_colors(mode, cmap, vmin, vmax)
    if out is not None:
        creatable_folder(out, '-out')
    target, stimuli = make_target(layer, chn, unit, model, voxel, mean, dmask, pool, act), Stimulus()
    stimuli.load(stim)
    layers = (*target.layers, *([to_layer] if to_layer else []))
    dnn = open_on_device(layers, net, weights, seed, random, device)
    shown = progress(_stimuli(stimuli, dnn), 'saliency', total=len(stimuli), unit='img')
    smoothing = None if smooth is None else {'n_iter': smooth, 'sigma_multiplier': sigma, 'rng': seed or 0}
    method = _method(meth)(dnn, target=target, **({} if steps is None else {'n_step': steps}))
    pairs = _pairs(method, shown, to_layer, smoothing)
    name = f'{net}_{"+".join(target.layers)}'.replace('/', '_').replace(':', '_')
    for number in count(1):
        six = list(islice(pairs, PAIRS))
        if not six:
            return
        fname = None if out is None else output_folder(out, '-out') / f'{name}_fig{number}.jpg'
        _draw(six, fname, show, {'mode': mode, 'cmap': cmap, 'vmin': vmin, 'vmax': vmax})
        if fname is not None:
            click.echo(fname)


def _method(meth: str) -> type:
    from dnnbrain.interpret.saliency import gradcam, images, integrated
    return {'guided': images.GuidedSaliencyImage, 'vanilla': images.VanillaSaliencyImage,
            'integrated': integrated.IntegratedGradientsImage, 'gradcam': gradcam.GradCAMImage}[meth]


def _stimuli(stimuli, dnn):
    """(stimID, stimulus) one after the other, as saliency methods take them; all are checked to be there."""
    from dnnbrain._checks import BadValue
    from dnnbrain.stimuli.checking import refuse_bad_files
    from dnnbrain.stimuli.loaders import kind_taken, picture_set
    sees = {'image': ('image', 'video'), 'video_clip': ('image', 'video', 'video_clip'),
            'audio': ('audio',)}[kind_taken(dnn.test_transform)]
    if stimuli.type not in sees:
        raise BadValue(f'{dnn.name} takes stimuli of type {" or ".join(sees)}, and -stim is of type {stimuli.type!r}')
    if len(stimuli) == 0:
        raise BadValue('-stim has no rows')
    refuse_bad_files(stimuli)
    ids = stimuli.get('stimID').tolist()
    if stimuli.type == 'video':
        frames = picture_set(stimuli)
        return ((f'frame {name}', frames.picture(row)) for row, name in enumerate(ids))
    return zip(ids, stimuli.files(), strict=True)


def _pairs(method, stimuli, to_layer, smoothing):
    """Picture, saliency and title of every stimulus and channel."""
    from dnnbrain.viz.saliency import drawable
    names = method.target().names
    for name, stimulus in stimuli:
        maps = method.backprop(stimulus, to_layer) if smoothing is None else \
            method.backprop_smooth(stimulus, to_layer=to_layer, **smoothing)
        for k, wanted in enumerate(names):
            picture, one, note = drawable(method.dnn, stimulus, maps[k] if len(names) > 1 else maps)
            yield picture, one, f'{name} {note}'.rstrip() + f'\n{wanted}'


def _draw(pairs, fname, show: bool, colors: dict) -> None:
    from contextlib import nullcontext

    from dnnbrain.io.atomic import atomic
    from dnnbrain.viz.pictures import made_figure
    from dnnbrain.viz.saliency import plot_saliency
    with nullcontext() if fname is None else atomic(fname) as part:
        made_figure(lambda figure: plot_saliency(*zip(*pairs, strict=True), **colors, figure=figure), (8, 6), show,
                    part)
