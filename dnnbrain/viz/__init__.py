"""Pictures: training curves, predictions, RDMs, layer profiles, brain maps. All return figures; no window opens."""

from dnnbrain.viz.brain_maps import plot_layer_maps
from dnnbrain.viz.curves import plot_history
from dnnbrain.viz.feature_maps import plot_feature_maps, plot_kernels
from dnnbrain.viz.layer_profile import plot_layer_profile
from dnnbrain.viz.mds import plot_mds
from dnnbrain.viz.pictures import imgarray_show
from dnnbrain.viz.predictions import show_predictions
from dnnbrain.viz.rdm import plot_rdms
from dnnbrain.viz.saliency import plot_saliency
from dnnbrain.viz.top_stimuli import plot_top_stimuli

__all__ = ['imgarray_show', 'plot_feature_maps', 'plot_history', 'plot_kernels', 'plot_layer_maps',
           'plot_layer_profile', 'plot_mds', 'plot_rdms', 'plot_saliency', 'plot_top_stimuli', 'show_predictions']
