"""dnn_view: the feature maps of channels for pictures."""

from dnnbrain.cli._common import SEED, command, option
from dnnbrain.cli._network import device_options, net_option, open_network, random_option, weights_option
from dnnbrain.cli._windows import can_show, show_option

PER_FIGURE = 6


@command('dnn_view', 'dnn_view -net AlexNet -layer conv5 -chn 3 7 -stim pictures.stim.csv -out maps')
@net_option
@weights_option
@random_option
@option('-seed', type=SEED, help='Seed of random weights.')
@option('-layer', required=True, metavar='NAME', help='A layer, by name (conv5) or module path (features.10).')
@option('-chn', multiple=True, type=int, metavar='N ...', help='Channels from 1, up to 16. Needed, but for -kernel.')
@option('-stim', metavar='FILE', help='The stimuli (.stim.csv). Needed, but for -kernel.')
@option('-kernel', is_flag=True, help='The kernels of the layer (of -chn, or all) in place of its answers.')
@option('-cmap', default='coolwarm', show_default=True, metavar='NAME', help='A colour map of matplotlib.')
@option('-vmin', type=float, metavar='X', help='Value at the lower end of the map; by default of each channel.')
@option('-vmax', type=float, metavar='X', help='Value at its upper end.')
@show_option
@device_options
@option('-out', metavar='FOLDER', help='Where the figures go: NET_LAYER_figN.jpg, six stimuli each.')
def main(net, weights, random, seed, layer, chn, stim, kernel, cmap, vmin, vmax, show, device, worker, out):
    """Draw the maps of channels for pictures, a row per picture, or the kernels of a layer."""
    from dnnbrain._checks import BadValue, choice, creatable_folder, output_folder
    from dnnbrain.stimuli.stimulus import Stimulus
    show = can_show(show, out)
    if not kernel and (stim is None or not chn):
        raise BadValue('give channels (-chn 3 7) and stimuli (-stim pictures.stim.csv), or -kernel')
    if kernel and stim is not None:
        raise BadValue('-kernel shows weights, which need no stimuli; leave -stim out')
    if not kernel and len(chn) > 16:
        raise BadValue(f'-chn takes up to 16 channels, not {len(chn)}; run it again for the others')
    if out is not None:
        creatable_folder(out, '-out')
    if not kernel:
        stimuli = Stimulus()
        stimuli.load(stim)

    import matplotlib

    from dnnbrain.viz.feature_maps import plot_feature_maps, plot_kernels, stimulus_pictures
    if vmin is not None and vmax is not None and vmin > vmax:
        raise BadValue(f'-vmin {vmin} is larger than -vmax {vmax}')
    choice('-cmap', cmap, list(matplotlib.colormaps))
    dnn = open_network(net, weights, seed, random)
    look = {'cmap': cmap, 'vmin': vmin, 'vmax': vmax, 'show': show}

    def place(name: str):
        return None if out is None else output_folder(out, '-out') / f'{net}_{layer}_{name}.jpg'

    if kernel:
        plot_kernels(dnn.get_kernel(layer, chn or None), chn or None, save_path=place('kernel'), **look)
        return
    from dnnbrain.activation.mask import Mask
    from dnnbrain.networks.axes import as_patches
    from dnnbrain.stimuli.loaders import picture_set
    picture_set(stimuli, dnn.test_transform)            # every file is there and can be shown, before any is drawn
    for number, start in enumerate(range(0, len(stimuli), PER_FIGURE), 1):
        part = stimuli[start:start + PER_FIGURE]
        maps = dnn.compute_activation(part, Mask(layer, chn), device=device, n_worker=worker).get(layer)
        if maps.ndim == 4 and maps.shape[3] == 1 < maps.shape[2]:
            maps = as_patches(maps, dnn, layer)
        plot_feature_maps(maps, stimulus_pictures(part), [f'channel {c}' for c in chn], part.get('stimID'),
                          save_path=place(f'fig{number}'), **look)
