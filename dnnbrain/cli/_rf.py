"""What dnn_rf_sw and dnn_rf_us share: a target, and the pictures it is mapped on, with their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dnnbrain.cli._common import option, together
from dnnbrain.cli._network import device_option, network_options, open_on_device, random_option
from dnnbrain.cli._target import target_options

LABELS = {'rf_sw': 'lost where covered', 'rf_us': 'activation'}
SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.webp')

picture_options = together(
    network_options,
    random_option,
    target_options,
    option('-stim', required=True, metavar='FILE', help='The pictures (.stim.csv).'),
)
end_options = together(
    device_option,
    option('-out', required=True, metavar='FOLDER', help='Where pictures of maps and their numbers (.npy) go.'),
)


def write_maps(kind: str, target, make: Callable, net, weights, seed, random, stim, device, out) -> None:
    """Maps of all pictures, as numbers and as pictures.

    Parameters
    ----------
    kind : str
        Beginning of file names.
    target : ChannelTarget or ModelTarget
    make : callable
        ``make(dnn)`` gives a function from a picture to numbers (n_target, ...) and maps (n_target, h, w) for pictures.
    """
    import numpy as np

    from dnnbrain._checks import output_folder
    from dnnbrain._progress import progress
    from dnnbrain.interpret.synthesis.picture_saving import file_name
    from dnnbrain.interpret.target import ChannelTarget
    from dnnbrain.interpret.view import View
    from dnnbrain.io.atomic import atomic
    from dnnbrain.stimuli.loaders import picture_set
    from dnnbrain.stimuli.stimulus import Stimulus
    from dnnbrain.viz.map_over_picture import map_over_picture
    layers = '' if isinstance(target, ChannelTarget) else '+'.join(target.layers)
    names, stimuli = [f'{layers} {name}'.strip() for name in target.names], Stimulus()
    stimuli.load(stim)
    pictures, files = picture_set(stimuli), file_names(stimuli)
    dnn = open_on_device(target.layers, net, weights, seed, random, device)
    look, view = make(dnn), View(dnn)
    for file, row in progress(files.items(), kind, unit='img'):
        picture = pictures.picture(row)
        folder, pixels = Path(out), view.picture(picture).numpy()
        for name, numbers, values in zip(names, *look(picture), strict=True):
            title = f'{kind}_{file_name(name)}_{file}'
            with atomic(output_folder(folder, '-out') / f'{title}.npy') as part:
                np.save(part, numbers)
            with atomic(folder / title) as part:
                map_over_picture(pixels, values, name, LABELS[kind]).savefig(part, dpi=120)


def file_names(stimuli) -> dict[str, int]:
    """File name -> row of the first stimulus that it is of; a picture shown several times is mapped once."""
    from dnnbrain._checks import BadValue
    found, ids = {}, [str(one) for one in stimuli.get('stimID')]
    for row, stim_id in enumerate(ids):
        name = stim_id.replace('/', '_').replace('\\', '_')
        name = name if name.lower().endswith(SUFFIXES) else f'{name}.png'
        if ids[found.setdefault(name, row)] != stim_id:
            raise BadValue(f'{ids[found[name]]!r} and {stim_id!r} would become the same file {name!r}; rename one')
    return found
