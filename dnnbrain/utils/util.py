"""Public path of DNNBrain 1.0: small helpers."""

from dnnbrain.activation.mask import gen_dmask
from dnnbrain.activation.scaling import normalize
from dnnbrain.stimuli.frame_times import get_frame_time_info

__all__ = ['gen_dmask', 'get_frame_time_info', 'normalize']
