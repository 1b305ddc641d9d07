"""Small real data that need no download, and a simulated brain whose truth is known."""

from dnnbrain.datasets.digits import digits
from dnnbrain.datasets.simulated import simulate_subject

__all__ = ['digits', 'simulate_subject']
