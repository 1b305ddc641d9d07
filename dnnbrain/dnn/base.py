"""Public path of DNNBrain 1.0: pictures, statistics and scores."""

from dnnbrain.activation.mask import dnn_mask
from dnnbrain.activation.pool import array_statistic
from dnnbrain.mapping.scoring import correlation_score
from dnnbrain.stimuli.clips import VideoClipSet
from dnnbrain.stimuli.images import ImageSet
from dnnbrain.stimuli.video import VideoSet

__all__ = ['ImageSet', 'VideoClipSet', 'VideoSet', 'array_statistic', 'correlation_score', 'dnn_mask']
