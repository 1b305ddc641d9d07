"""dnn_rf_us: where in a picture a channel answers, by upsampling its map."""

import click

from dnnbrain.cli._common import command, option
from dnnbrain.cli._rf import end_options, picture_options, write_maps
from dnnbrain.cli._target import make_target


@command('dnn_rf_us', 'dnn_rf_us -net AlexNet -layer conv5 -chn 122 -stim cats.stim.csv -ip_metric bicubic -up_thres '
                      '0.95 -out rf')
@picture_options
@option('-ip_metric', required=True, type=click.Choice(['bicubic', 'bilinear', 'nearest', 'area']),
        help='How the map becomes as large as the picture that the network sees.')
@option('-up_thres', required=True, type=click.FloatRange(0, 1), metavar='Q',
        help='Quantile of the map, from 0 to 1; values below it are raised to it.')
@end_options
def main(layer, chn, unit, model, voxel, mean, act, dmask, pool, ip_metric, up_thres, **given):
    """Bring maps of channels, or what predicts voxels of a fitted model, to the size of pictures."""
    from dnnbrain._checks import creatable_folder
    creatable_folder(given['out'], '-out')
    target = make_target(layer, chn, unit, model, voxel, mean, dmask, pool, act)
    from dnnbrain.interpret.fields.upsampling import UpsamplingActivationMapping

    def make(dnn):
        engine = UpsamplingActivationMapping(dnn, interp_meth=ip_metric, interp_threshold=up_thres, target=target)

        def look(picture):
            maps = engine.compute(picture)
            maps = maps[None] if engine.single else maps
            return maps, maps
        return look
    write_maps('rf_us', target, make, **given)
