"""Small real data, data that are fetched once, and a simulated brain whose truth is known."""

from dnnbrain.datasets.digits import digits
from dnnbrain.datasets.images92 import fetch_92images
from dnnbrain.datasets.simulated import simulate_subject
from dnnbrain.io.download import data_home

__all__ = ['data_home', 'digits', 'fetch_92images', 'simulate_subject']
