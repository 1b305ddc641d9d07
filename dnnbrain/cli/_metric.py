"""The options of commands that compute dissimilarities."""

import click

from dnnbrain.cli._common import Positive, option, together

metric_options = together(
    option('-metric', default='euclidean', show_default=True, metavar='NAME',
           help="Any metric of scipy's pdist, such as correlation, cosine or cityblock, or crossnobis."),
    option('-p', type=Positive(), metavar='X', help='Exponent of -metric minkowski; 2 by default.'),
    option('-zscore', is_flag=True, help='Standardise each unit or voxel over all rows first.'),
    option('-run', metavar='COLUMN', help='For -metric crossnobis: the column with the run of each row; by default the '
                                          'first presentation of each condition is run 1, and so on.'),
    option('-shrinkage', type=click.Choice(['shrinkage_diag', 'shrinkage_eye', 'diag']), default='shrinkage_diag',
           show_default=True, help='Noise covariance of crossnobis and mahalanobis, from repetitions.'),
)


def check_metric(metric: str, p: float | None, run: str | None, table: str | None) -> None:
    """Refuse settings that go with no such metric, before anything is read."""
    from dnnbrain._checks import BadValue, choice
    from dnnbrain.mapping.dissimilarity import METRICS
    choice('-metric', metric, METRICS)
    if p is not None and metric != 'minkowski':
        raise BadValue(f'-p goes with -metric minkowski, not {metric}')
    if run is not None and (metric != 'crossnobis' or table is None):
        raise BadValue('-run goes with -metric crossnobis and the table that has this column')
