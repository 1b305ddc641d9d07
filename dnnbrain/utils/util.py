"""Public path of DNNBrain 1.0: small helpers."""

from dnnbrain.activation.mask import gen_dmask
from dnnbrain.activation.scaling import normalize
from dnnbrain.mapping.clustering import clustering
from dnnbrain.mapping.rsa.ceiling import ceiling_RSA
from dnnbrain.mapping.rsa.one_pair import permutation_RSA
from dnnbrain.mapping.scoring import topk_accuracy
from dnnbrain.stimuli.frame_times import get_frame_time_info

__all__ = ['ceiling_RSA', 'clustering', 'gen_dmask', 'get_frame_time_info', 'normalize', 'permutation_RSA',
           'topk_accuracy']
