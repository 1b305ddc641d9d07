"""The pictures of a comparison of layers and regions: matrices, profile, planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain.io.atomic import atomic
from dnnbrain.mapping.rdm import RDM
from dnnbrain.viz.layer_profile import plot_layer_profile
from dnnbrain.viz.mds import plot_mds
from dnnbrain.viz.rdm import plot_rdms


def draw_rsa(folder, table: pd.DataFrame, networks: Mapping[str, RDM], subjects: Mapping[str, RDM],
             categories: Sequence[str] | None = None, label: str = 'RDM correlation', rng: int = 0) -> list[Path]:
    """Write ``rdms.png``, ``profile.png`` and ``mds.png``; returns their paths.

    Layers with several iterations (channels, positions) are left out of the matrices, and a table
    with iterations has no profile. The planes show each region and the layer that is nearest to it.
    Pictures of another analysis in this folder that are not drawn now are taken away.

    Parameters
    ----------
    table : DataFrame
        Of `rsa_profile`.
    networks, subjects : dict
        Name -> RDM, items in the same order.
    categories : sequence of str, optional
        One per item, for order and colours.
    label : str
        What r is.
    rng : int
        Of the planes.
    """
    brain = _mean_over_subjects(subjects)
    layers = {_title(networks, brain, network, layer): rdm.get(layer) for network, rdm in networks.items()
              for layer in rdm.keys if rdm.n_iter(layer) == 1}
    figures = {'rdms': plot_rdms(brain | layers, categories, ncols=6)}
    if len(layers) == len(table.drop_duplicates(['network', 'layer', 'iteration'])):
        figures['profile'] = plot_layer_profile(table if len(networks) > 1 else table.drop(columns='network'), label)
    scalable = {name: square for name, square in _planes(table, networks, brain, layers).items()
                if np.isfinite(square).all() and (square > 0).any()}
    if scalable:
        figures['mds'] = plot_mds(scalable, categories, ncols=4, rng=rng)
    paths = []
    for name in {'profile', 'mds'} - set(figures):
        (Path(folder) / f'{name}.png').unlink(missing_ok=True)
    for name, figure in figures.items():
        with atomic(Path(folder) / f'{name}.png') as part:
            figure.savefig(part, dpi=150)
        paths.append(Path(folder) / f'{name}.png')
    return paths


def _planes(table: pd.DataFrame, networks: Mapping[str, RDM], brain: dict, layers: dict) -> dict[str, np.ndarray]:
    """Each region, and after it the layer with the highest r."""
    out = {}
    for roi, square in brain.items():
        out[roi] = square
        best = table[(table['roi'] == roi) & table['r'].notna()].nlargest(1, 'r')
        for row in best.itertuples():
            title = _title(networks, brain, row.network, row.layer)
            out |= {title: layers[title]} if title in layers else {}
    return out


def _mean_over_subjects(subjects: Mapping[str, RDM]) -> dict[str, np.ndarray]:
    rois = next(iter(subjects.values())).keys
    return {roi: np.mean([np.asarray(rdm.get(roi)) for rdm in subjects.values()], axis=0) for roi in rois}


def _title(networks: Mapping[str, RDM], regions: Mapping[str, np.ndarray], network: str, layer: str) -> str:
    return layer if len(networks) == 1 and layer not in regions else f'{network} {layer}'
