"""What dnn_rf_sw and dnn_rf_us share: a target, and the pictures it is mapped on, with their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from dnnbrain.cli._common import network_options, open_network, option, together

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.webp')

picture_options = together(
    network_options,
    option('-layer', metavar='NAME', help='A layer, by name (conv5) or module path (features.10).'),
    option('-chn', multiple=True, type=int, metavar='N ...', help='Its channels, from 1.'),
    option('-model', metavar='FILE', help='A fitted encoding model (.h5) instead of -layer and -chn: its voxels.'),
    option('-voxel', multiple=True, type=int, metavar='N ...', help='Voxels of -model, from 1; all by default.'),
    option('-dmask', metavar='FILE', help='Units that -model was fitted on (.dmask.csv), if not whole layers.'),
    option('-pool', type=click.Choice(['max', 'mean', 'median', 'L1', 'L2']),
           help='How activations were pooled for -model.'),
    option('-stim', required=True, metavar='FILE', help='The pictures (.stim.csv).'),
)
end_options = together(
    option('-device', help='Where to compute, such as cpu or cuda:0. The CPU by default.'),
    option('-out', required=True, metavar='FOLDER', help='Where pictures of maps and their numbers (.npy) go.'),
)


def target_of(layer, chn, model, voxel, dmask, pool):
    """What is looked at, and its names in files: 'conv5_chn3', 'conv5_voxel7'."""
    from dnnbrain._checks import BadValue
    if model is None:
        if not layer or not chn:
            raise BadValue('give a layer and channels (-layer conv5 -chn 3), or a fitted model (-model FILE -voxel 7)')
        if voxel or dmask or pool:
            raise BadValue('-voxel, -dmask and -pool go with -model')
        from dnnbrain.interpret.target import ChannelTarget
        return ChannelTarget(layer, chn), [f'{layer}_chn{number}' for number in chn]
    if layer or chn:
        raise BadValue('-model and -layer with -chn contradict each other; leave one of them out')
    from dnnbrain.activation.mask import gen_dmask
    from dnnbrain.interpret.target import ModelTarget
    target = ModelTarget(model, voxel or None, dmask=gen_dmask(dmask_file=dmask) if dmask else None, pool_method=pool)
    return target, [f'{"+".join(target.layers)}_{name.replace(" ", "")}' for name in target.names]


def write_maps(kind: str, make: Callable, label: str, names: list[str], net, weights, seed, stim, device, out) -> None:
    """Maps of all pictures, as numbers and as pictures.

    Parameters
    ----------
    kind : str
        Beginning of file names.
    make : callable
        ``make(dnn)`` gives a function from a picture to numbers (n_target, ...) and maps (n_target, h, w) for pictures.
    label : str
        Of the scale of colours.
    names : list of str
        Of targets.
    """
    import numpy as np

    from dnnbrain._checks import output_folder
    from dnnbrain._progress import progress
    from dnnbrain.interpret.view import View
    from dnnbrain.io.atomic import atomic
    from dnnbrain.networks.state import pick_device
    from dnnbrain.stimuli.loaders import picture_set
    from dnnbrain.stimuli.stimulus import Stimulus
    from dnnbrain.viz.map_over_picture import map_over_picture
    stimuli = Stimulus()
    stimuli.load(stim)
    pictures, files = picture_set(stimuli), _file_names(stimuli)
    dnn = open_network(net, weights, seed)
    dnn.model.to(pick_device(dnn.model, device))
    look, view = make(dnn), View(dnn)
    for file, row in progress(files.items(), kind, unit='img'):
        picture = pictures.picture(row)
        folder, pixels = Path(out), view.picture(picture).numpy()
        for name, numbers, values in zip(names, *look(picture), strict=True):
            title = f'{kind}_{name}_{file}'.replace('/', '_').replace(':', '_')
            with atomic(output_folder(folder, '-out') / f'{title}.npy') as part:
                np.save(part, numbers)
            with atomic(folder / title) as part:
                map_over_picture(pixels, values, name, label).savefig(part, dpi=120)


def _file_names(stimuli) -> dict[str, int]:
    """File name -> row of the first stimulus that it is of; a picture shown several times is mapped once."""
    from dnnbrain._checks import BadValue
    found, ids = {}, [str(one) for one in stimuli.get('stimID')]
    for row, stim_id in enumerate(ids):
        name = stim_id.replace('/', '_').replace('\\', '_')
        name = name if name.lower().endswith(SUFFIXES) else f'{name}.png'
        if ids[found.setdefault(name, row)] != stim_id:
            raise BadValue(f'{ids[found[name]]!r} and {stim_id!r} would become the same file {name!r}; rename one')
    return found
