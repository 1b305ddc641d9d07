"""What of a network is looked at, as options: channels of a layer, or voxels of a fitted encoding model."""

from __future__ import annotations

from dnnbrain.cli._common import option, together
from dnnbrain.cli._network import POOLINGS

_model = (
    option('-model', metavar='FILE', help='A fitted encoding model with weights (.h5), in place of -layer and -chn.'),
    option('-voxel', multiple=True, type=int, metavar='N ...', help='Voxels of -model, from 1.'),
    option('-mean', is_flag=True, help='The mean of these voxels; of all without -voxel.'),
    option('-act', metavar='FILE',
           help='Activations (.act.h5) that -model was fitted on; ridge models of db_encode need them.'),
)
_pool = option('-pool', type=POOLINGS, help='How activations were pooled for -model.')
model_options = together(*_model, _pool)            # where -dmask means something of its own
target_options = together(
    option('-layer', metavar='NAME', help='Layer of the target, by name (conv5) or module path.'),
    option('-chn', multiple=True, type=int, metavar='N ...', help='Its channels, from 1.'),
    option('-unit', multiple=True, type=int, metavar='N ...',
           help='Row and column from 1: this unit, not the mean of the channel.'),
    *_model,
    option('-dmask', metavar='FILE', help='Units that -model was fitted on (.dmask.csv), if not whole layers.'),
    _pool,
)


def make_target(layer, chn, unit, model, voxel, mean, dmask, pool, act=None, metric='mean'):
    """The target that `target_options` ask for; `metric` is what is made of the map of a channel.

    Raises
    ------
    BadValue
        They contradict each other, or leave open what is looked at.
    """
    from dnnbrain._checks import BadValue
    if model is None:
        if voxel or mean or act or dmask or pool:
            raise BadValue('-voxel, -mean, -act, -dmask and -pool go with -model, a fitted encoding model (.h5)')
        if layer is None or not chn:
            raise BadValue('give a layer and its channels (-layer conv5 -chn 1 2), or a fitted model and voxels '
                           '(-model FILE.h5 -voxel 1)')
        from dnnbrain.interpret.target import ChannelTarget
        return ChannelTarget(layer, list(chn), unit or None, metric)
    if layer is not None or chn or unit:
        raise BadValue('-model knows its layer; leave out -layer, -chn and -unit')
    if not voxel and not mean:
        raise BadValue('which voxels of -model? give -voxel N ..., or -mean for the mean of all')
    from dnnbrain._checks import existing_file
    from dnnbrain.interpret.target import ModelTarget
    mask = train = None
    if dmask is not None:
        from dnnbrain.activation.mask import Mask
        mask = Mask()
        mask.load(dmask)
    if act is not None:
        from dnnbrain.activation.activation import Activation
        train = Activation()
        train.load(act)
    return ModelTarget(str(existing_file(model, '-model')), list(voxel) or None, mean=mean, dmask=mask,
                       pool_method=pool, train=train)
