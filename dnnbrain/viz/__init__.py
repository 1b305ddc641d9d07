"""Pictures: training curves and brain maps. Functions return figures and never open windows."""

from dnnbrain.viz.brain_maps import plot_layer_maps
from dnnbrain.viz.curves import plot_history

__all__ = ['plot_history', 'plot_layer_maps']
