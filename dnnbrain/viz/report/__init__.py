"""A page that says what was done, what came out and what to beware of, in one file that needs no network."""

from dnnbrain.viz.report.page import write_report
from dnnbrain.viz.report.results import Result, read_results

__all__ = ['Result', 'read_results', 'write_report']
