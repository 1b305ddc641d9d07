"""Pictures: training curves, predictions and brain maps. Functions return figures and never open windows."""

from dnnbrain.viz.brain_maps import plot_layer_maps
from dnnbrain.viz.curves import plot_history
from dnnbrain.viz.predictions import show_predictions

__all__ = ['plot_history', 'plot_layer_maps', 'show_predictions']
