"""brain_roi: responses of regions out of a brain image."""

import click

from dnnbrain.cli._common import command, option


@command('brain_roi', 'brain_roi -nif bold.nii.gz -mask areas.nii.gz -method mean -table areas.csv -out areas.roi.h5')
@option('-nif', required=True, metavar='FILE',
        help='Responses: a volume (.nii, .nii.gz, .mgh, .mgz), surface (.gii, .func.gii, .shape.gii) or CIFTI '
             '(.dscalar.nii, .dtseries.nii).')
@option('-mask', required=True, metavar='FILE',
        help='A whole number per region in the same space, or a label file (.label.gii, .dlabel.nii).')
@option('-method', type=click.Choice(['mean', 'max', 'std']), default='mean', show_default=True,
        help='Over the voxels of a region.')
@option('-label', multiple=True, metavar='ID ...', help='Regions by number or name; all by default.')
@option('-table', metavar='FILE', help='Number and name of each region (.csv, .tsv, .txt).')
@option('-resample', is_flag=True, help='Bring a volume mask to the grid of the responses, by the nearest voxel.')
@option('-out', required=True, metavar='FILE', help='Regions (.roi.h5).')
def main(nif, mask, method, label, table, resample, out):
    """Average the responses of each region of a mask."""
    from dnnbrain._checks import has_suffix, writable_file
    from dnnbrain.brain.roi import ROI
    from dnnbrain.io.roi_h5 import SUFFIX
    writable_file(has_suffix(out, [SUFFIX], '-out'), '-out')
    roi = ROI.from_image(nif, mask, method, label, table, resample)
    roi.save(out)
    click.echo(f'{len(roi)} volumes of {len(roi.rois)} regions: {out}')
