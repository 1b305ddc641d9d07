"""dnn_ablation: activations with units silenced."""

from dnnbrain.cli._common import SEED, command, option


@command('dnn_ablation', 'dnn_ablation -act pictures.act.h5 -dmask units.dmask.csv -out lesion.act.h5')
@option('-act', required=True, metavar='FILE', help='Activations (.act.h5).')
@option('-dmask', required=True, metavar='FILE', help='Units to silence (.dmask.csv), by their numbers in -act.')
@option('-random', is_flag=True, help='A control: as many other units of the same layers, drawn at random.')
@option('-seed', type=SEED, help='Seed of -random.')
@option('-out', required=True, metavar='FILE', help='Where the activations go (.act.h5).')
def main(act, dmask, random, seed, out):
    """Set units of stored activations to zero, in bounded memory; what comes after them stays as it was.

    For the effect of a lesion on later layers, show the network the stimuli again: dnn.ablated().
    """
    from dnnbrain._checks import BadValue, has_suffix, writable_file
    from dnnbrain.activation.activation import Activation
    from dnnbrain.activation.lesion import other_units, save_lesioned
    from dnnbrain.activation.mask import gen_dmask
    writable_file(has_suffix(out, ['.act.h5'], '-out'), '-out')
    if seed is not None and not random:
        raise BadValue('-seed goes with -random')
    activation, mask = Activation(), gen_dmask(dmask_file=dmask)
    activation.load(act)
    if random:
        mask = other_units(mask, {layer: activation.shape(layer) for layer in mask.layers}, seed)
    save_lesioned(activation, mask, out)
