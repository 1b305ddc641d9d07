"""dnn_rf_sw: what a channel loses when a sliding window covers a part of a picture."""

import click

from dnnbrain.cli._common import command, option
from dnnbrain.cli._rf import end_options, picture_options, write_maps
from dnnbrain.cli._target import make_target


@command('dnn_rf_sw', 'dnn_rf_sw -net AlexNet -layer conv5 -chn 122 -stim cats.stim.csv -wsize 11 11 -stride 2 2 '
                      '-metric max -out rf')
@picture_options
@option('-wsize', required=True, nargs=2, type=click.IntRange(min=1), metavar='W H', help='Width and height of the '
        'window, in pixels of the picture that the network sees.')
@option('-stride', required=True, nargs=2, type=click.IntRange(min=1), metavar='W H', help='Its steps to the right '
        'and down.')
@option('-metric', required=True, type=click.Choice(['max', 'mean', 'L1', 'L2']),
        help='What is made of a channel (not of voxels).')
@option('-fill', multiple=True, default=('mean',), metavar='mean|black|gray|N ...', show_default=True,
        help='What the window shows: the mean of the picture, a gray from 0 to 1, or three numbers, a colour.')
@option('-batch', type=click.IntRange(min=1), default=64, show_default=True, help='Windows per forward pass.')
@end_options
def main(layer, chn, unit, model, voxel, mean, act, dmask, pool, wsize, stride, metric, fill, batch, **given):
    """Slide a window over pictures: what channels, or voxels of a fitted model, lose where it covers them."""
    from dnnbrain._checks import creatable_folder
    creatable_folder(given['out'], '-out')
    target, color = make_target(layer, chn, unit, model, voxel, mean, dmask, pool, act, metric), _fill(fill)
    from dnnbrain.interpret.fields.occlusion import OccluderDiscrepancyMapping

    def make(dnn):
        engine = OccluderDiscrepancyMapping(dnn, window=wsize, stride=stride, fill=color, target=target)

        def look(picture):
            lost = engine.compute(picture, batch)
            lost = lost[None] if engine.single else lost
            return lost, engine.at_pixels(lost)
        return look
    write_maps('rf_sw', target, make, **given)


def _fill(words: tuple[str, ...]):
    """A name, a number, or three numbers."""
    from dnnbrain._checks import BadValue
    if len(words) == 1 and words[0].isalpha():
        return words[0]
    try:
        numbers = tuple(float(word) for word in words)
    except ValueError:
        raise BadValue(f'-fill must be mean, black, gray, or one or three numbers, not {" ".join(words)!r}') from None
    return numbers[0] if len(numbers) == 1 else numbers
