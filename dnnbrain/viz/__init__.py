"""Pictures: training curves, predictions, RDMs, layer profiles, brain maps. All return figures; no window opens."""

from dnnbrain.viz.brain_maps import plot_layer_maps
from dnnbrain.viz.curves import plot_history
from dnnbrain.viz.layer_profile import plot_layer_profile
from dnnbrain.viz.mds import plot_mds
from dnnbrain.viz.predictions import show_predictions
from dnnbrain.viz.rdm import plot_rdms

__all__ = ['plot_history', 'plot_layer_maps', 'plot_layer_profile', 'plot_mds', 'plot_rdms', 'show_predictions']
