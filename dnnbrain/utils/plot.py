"""Public path of DNNBrain 1.0: arrays as pictures."""

from dnnbrain.viz.pictures import imgarray_show

__all__ = ['imgarray_show']
