"""The pictures of a representational similarity analysis: profile, matrices, planes."""

from __future__ import annotations

import warnings

import matplotlib
import numpy as np
import pandas as pd
from scipy.spatial.distance import squareform

from dnnbrain._checks import BadInput
from dnnbrain.brain.rsa_files import item_categories, read_networks, read_subjects
from dnnbrain.brain.rsa_profile import join_items
from dnnbrain.viz.layer_profile import plot_layer_profile
from dnnbrain.viz.mds import plot_mds, scaled
from dnnbrain.viz.rdm import plot_rdms
from dnnbrain.viz.report.figures import STYLE, Picture, picture, profile_words, stored_picture, wide_enough
from dnnbrain.viz.report.results import Result

MAX_MATRICES = 24
MAX_ITEMS = 300                         # above, pictures of the command are shown instead of drawn again
GONE = 'The RDM files are not where the command read them, so that the numbers behind this picture are not in the page.'
LARGE = 'RDMs of this size are not kept in the page; their numbers are in the .rdm.h5 files.'
DRAWN = {'rdms': ('Dissimilarity matrices', 'Matrices of dissimilarity of regions and layers, as db_rsa drew them.'),
         'mds': ('Items on a plane', 'Items of regions and of the nearest layers on a plane, as db_rsa drew them.')}


def rsa_pictures(result: Result, name: str) -> list[Picture]:
    """Profile of the layers, and matrices and planes drawn from the RDM files, or else as the command drew them."""
    out = _profile(result, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            found = _matrices(result)
    except BadInput:
        found = None
    if found and len(next(iter(found[0].values()))) <= MAX_ITEMS:
        return [*out, *_draw(result, *found, name)]
    note = LARGE if found else GONE
    return [*out, *(stored_picture(result.folder / f'{kind}.png', title, alt, note)
                    for kind, (title, alt) in DRAWN.items() if (result.folder / f'{kind}.png').exists())]


def _profile(result: Result, name: str) -> list[Picture]:
    table = result.tables['rsa']
    one = table
    if 'iteration' in table and table.duplicated([n for n in ('network', 'layer', 'roi') if n in table]).any():
        keys = [n for n in ('network', 'layer', 'roi') if n in table]
        one = table.assign(filled=table['r'].fillna(-np.inf)).sort_values('filled', ascending=False, kind='stable') \
            .drop_duplicates(keys).sort_index()
    if not one['r'].notna().any():
        return []
    shown = one if 'network' in one and one['network'].nunique() > 1 else one.drop(columns='network', errors='ignore')
    method = result.settings.get('method', 'correlation')
    with matplotlib.rc_context(STYLE):
        figure = wide_enough(plot_layer_profile(shown, f'{method} of RDMs'))
    several = 'n_subject' in table and (table['n_subject'] > 1).any()
    caption = [f'Dots: {method} of RDMs{", mean over subjects" if several else ""}.']
    for column, text in (('low', 'Bars: 95 % intervals by bootstrap.'), ('ceiling_lower', 'Band: noise ceiling.')):
        caption += [text] if column in one and one[column].notna().any() else []
    caption += ['Of several iterations the best is drawn; the table has all.'] if len(one) < len(table) else []
    words = profile_words(one, method)
    return [picture(figure, 'Profile of the layers', words, table, f'{name}_rsa', ' '.join(caption))]


def _matrices(result: Result) -> tuple[dict, dict, list | None] | None:
    """Name -> square of regions and of layers, and categories of the items; None where a file is gone."""
    settings = result.settings
    files = [[result.find(file) for file in settings.get(option) or []] for option in ('drdm', 'brdm')]
    if not all(files) or None in [*files[0], *files[1]]:
        return None
    some = [[] if settings.get(option) in (None, 'all') else settings[option] for option in ('layer', 'roi')]
    said = settings.get('subjects')
    kind = 'keys' if isinstance(said, list) and len(files[1]) == 1 and len(said) > 1 else 'files'
    networks, people = join_items(read_networks([str(f) for f in files[0]], some[0]),
                                  read_subjects([str(f) for f in files[1]], some[1], kind))
    regions = {roi: np.mean([np.asarray(rdm.get(roi)) for rdm in people.values()], axis=0)
               for roi in next(iter(people.values())).keys}
    several = len(networks) > 1
    layers = {f'{network} {layer}' if several or layer in regions else layer: np.asarray(rdm.get(layer))
              for network, rdm in networks.items() for layer in rdm.keys if rdm.n_iter(layer) == 1}
    categories, cate = None, result.source('cate')
    if cate is not None:
        categories = item_categories(str(cate), next(iter(networks.values())), settings.get('column'))
    return ({name: _square(matrix) for name, matrix in (regions | layers).items()}, list(regions),
            None if categories is None else list(categories))


def _square(matrix: np.ndarray) -> np.ndarray:
    return matrix[0] if matrix.ndim == 3 else matrix


def _draw(result: Result, squares: dict, regions: list[str], categories, name: str) -> list[Picture]:
    shown = dict(list(squares.items())[:MAX_MATRICES])
    few = '' if len(shown) == len(squares) else f' The first {MAX_MATRICES} of {len(squares)} are drawn.'
    pairs = np.triu_indices(len(next(iter(squares.values()))), 1)
    table = pd.DataFrame({'item': pairs[0] + 1, 'other': pairs[1] + 1}
                         | {key: squareform(square, checks=False) for key, square in squares.items()})
    with matplotlib.rc_context(STYLE):
        figure = plot_rdms(shown, categories, ncols=4)
    words = f'{len(shown)} matrices of {len(next(iter(shown.values())))} items: {", ".join(shown)}.'
    out = [picture(figure, 'Dissimilarity matrices', f'Percentiles of dissimilarity. {words}', table, f'{name}_rdms',
                   'Percentiles of dissimilarity: dark is alike, bright is different.' + few, 'png')]
    return out + _planes(result, squares, regions, categories, name)


def _planes(result: Result, squares: dict, regions: list[str], categories, name: str) -> list[Picture]:
    """Each region beside the layer that is nearest to it."""
    table, chosen = result.tables['rsa'], {}
    for roi in regions[:4]:
        best = table[(table['roi'] == roi) & table['r'].notna()].nlargest(1, 'r')
        titles = [roi, *(title for row in best.itertuples() for title in (row.layer, f'{row.network} {row.layer}'))]
        chosen |= {title: squares[title] for title in titles if title in squares}
    chosen = {title: square for title, square in chosen.items() if np.isfinite(square).all() and (square > 0).any()}
    if not chosen:
        return []
    seed = result.settings.get('seed', 0)
    with matplotlib.rc_context(STYLE):
        figure = plot_mds(chosen, categories, ncols=4, rng=seed)
    rows = []
    for title, square in chosen.items():
        place, _ = scaled(square, seed, title)
        rows.append(pd.DataFrame(place, columns=['x', 'y']).assign(matrix=title, item=range(1, len(place) + 1)))
    coordinates = pd.concat(rows, ignore_index=True)
    if categories is not None:
        coordinates['category'] = list(categories) * len(chosen)
    return [picture(figure, 'Items on a plane', f'Multidimensional scaling of {", ".join(chosen)}: a dot per item, '
                    'near where items are alike.', coordinates, f'{name}_mds',
                    'Metric multidimensional scaling (Kruskal, 1964); stress above 0.2 means a poor picture.', 'png')]
