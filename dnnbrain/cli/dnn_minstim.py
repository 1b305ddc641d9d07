"""dnn_minstim: what of a picture suffices to drive a channel of a network, or a voxel of a fitted model."""

import click

from dnnbrain.cli._common import command, option
from dnnbrain.cli._minimal import found_for_each, names_of, write_picture, write_tables
from dnnbrain.cli._network import device_option, open_on_device
from dnnbrain.cli._rf import file_names, picture_options
from dnnbrain.cli._target import make_target


@command('dnn_minstim', 'dnn_minstim -net AlexNet -layer conv5 -chn 3 -stim cats.stim.csv -share 0.9 -out minimal')
@picture_options
@option('-meth', type=click.Choice(['felzenszwalb', 'slic', 'quickshift', 'pca', 'ica']), default='felzenszwalb',
        show_default=True, help='Parcels of each picture, or components of all pictures of -stim.')
@option('-param', multiple=True, metavar='NAME=N ...',
        help='Settings of -meth: scale, sigma, min_size; n_segments, compactness, sigma; kernel_size, max_dist, ratio; '
             'n_component.')
@option('-metric', type=click.Choice(['max', 'mean', 'L1', 'L2']), default='max', show_default=True,
        help='What is made of the map of a channel.')
@option('-criterion', type=click.Choice(['max', 'curve']), default='max', show_default=True,
        help='Where to stop: the most activation, or the elbow of a fitted curve.')
@option('-share', type=click.FloatRange(0, 1, min_open=True), metavar='S',
        help='Keep at least this share of the activation of the whole picture; with max, the fewest parts that do.')
@device_option
@option('-out', required=True, metavar='FOLDER', help='Where mi_LAYER_chnN_PICTURE and mi_LAYER_chnN.csv go.')
def main(net, weights, seed, random, layer, chn, unit, model, voxel, mean, act, dmask, pool, stim, meth, param,
         metric, criterion, share, device, out):
    """Find the fewest parcels, or components, of pictures that drive channels, or voxels of a fitted model.

    The table has a row per picture: parts it was cut into, parts kept, activation of the whole picture and of the
    minimal one as it was written.
    """
    from dnnbrain._checks import BadValue, creatable_folder
    creatable_folder(out, '-out')
    settings = _settings(meth, param)
    target = make_target(layer, chn, unit, model, voxel, mean, dmask, pool, act, metric)
    from dnnbrain.stimuli.loaders import picture_set
    from dnnbrain.stimuli.stimulus import Stimulus
    stimuli = Stimulus()
    stimuli.load(stim)
    pictures, files = picture_set(stimuli), file_names(stimuli)

    from dnnbrain._progress import progress
    names = names_of(target)
    dnn, rows = open_on_device(target.layers, net, weights, seed, random, device), {name: [] for name in names}
    minimal = _make(dnn, target, meth, criterion, share)
    minimal.activation_of(pictures.picture(0))           # what is wrong with the target is said here
    if meth in ('pca', 'ica'):
        minimal.decompose(stimuli, rng=seed or 0, **settings)
    for file, row in progress(files.items(), 'minimal pictures', unit='img'):
        if meth in ('pca', 'ica'):
            minimal.set_picture(row)
        else:
            getattr(minimal, f'{meth}_decompose')(pictures.picture(row), **settings)
        try:
            each = found_for_each(minimal)
        except BadValue as error:                        # one picture without activation does not stop the others
            click.echo(f'left out: {file} ({error})', err=True)
            continue
        for k, (name, found) in enumerate(zip(names, each, strict=True)):
            picture, n_part, n_kept, whole = found
            if not n_kept:                               # nor does one channel stop the others
                click.echo(f'left out: {file} for {name} (it has an activation of {whole:.3g})', err=True)
                continue
            title = f'mi_{name}_{file}'
            written = write_picture(out, title, picture)
            rows[name].append({'stimID': stimuli.get('stimID')[row], 'n_parcel': n_part, 'kept': n_kept, 'whole': whole,
                               'minimal': minimal.activation_of(written)[k], 'file': title})
    if not any(rows.values()):
        raise BadValue('no minimal picture was found; see above')
    write_tables(out, rows)


def _settings(meth: str, words: tuple[str, ...]) -> dict:
    """Numbers by name, checked before anything is loaded."""
    from dnnbrain._checks import BadValue, choice
    found = {}
    for word in words:
        name, _, value = word.partition('=')
        try:
            found[name] = int(value) if value.lstrip('-').isdecimal() else float(value)
        except ValueError:
            raise BadValue(f'-param must read like scale=200, not {word!r}') from None
    if meth in ('pca', 'ica'):
        for name in found:
            choice(f'setting of {meth}', name, ('n_component',))
        return found
    from dnnbrain.interpret.minimal.segments import checked
    return checked(meth, found)


def _make(dnn, target, meth: str, criterion: str, share):
    from dnnbrain.interpret.minimal.minimal_component import MinimalComponentImage
    from dnnbrain.interpret.minimal.minimal_image import MinimalParcelImage
    criterion = {'curve': 'fitting curve'}.get(criterion, criterion)
    if meth in ('pca', 'ica'):
        return MinimalComponentImage(dnn, meth=meth, criterion=criterion, share=share, target=target)
    return MinimalParcelImage(dnn, search_criterion=criterion, share=share, target=target)
