"""Public path of DNNBrain 1.0: pictures, statistics and scores."""

from dnnbrain.activation.features import dnn_fe
from dnnbrain.activation.mask import dnn_mask
from dnnbrain.activation.pool import array_statistic
from dnnbrain.activation.scaling import normalize
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.mapping.scorers import correlation_scorer
from dnnbrain.mapping.scoring import correlation_score
from dnnbrain.mapping.single_unit.univariate import UnivariateMapping
from dnnbrain.mapping.sklearn_calls import cross_val_confusion, cross_val_scores, gen_estimator_from_name
from dnnbrain.networks.weights import models_folder
from dnnbrain.stimuli.clips import VideoClipSet
from dnnbrain.stimuli.images import ImageSet
from dnnbrain.stimuli.processing import ImageProcessor, ip
from dnnbrain.stimuli.video import VideoSet

DNNBRAIN_MODEL: str            # the folder of weights, read when used

__all__ = ['DNNBRAIN_MODEL', 'ImageProcessor', 'ImageSet', 'MultivariateMapping', 'UnivariateMapping', 'VideoClipSet',
           'VideoSet', 'array_statistic', 'correlation_score', 'correlation_scorer', 'cross_val_confusion',
           'cross_val_scores', 'dnn_fe', 'dnn_mask', 'gen_estimator_from_name', 'ip', 'normalize']


def __getattr__(name: str) -> str:
    if name == 'DNNBRAIN_MODEL':
        return str(models_folder())
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
