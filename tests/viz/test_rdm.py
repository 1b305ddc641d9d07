"""Pictures of RDMs, planes and layer profiles show what was given to them."""

import matplotlib.pyplot
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox
from scipy.spatial.distance import pdist, squareform

from dnnbrain import viz
from dnnbrain._checks import BadType, BadValue
from dnnbrain.brain.rsa_profile import rsa_profile
from dnnbrain.dnn.core import RDM
from dnnbrain.viz import rsa_pictures
from dnnbrain.viz.mds import scaled
from dnnbrain.viz.rdm import PALETTE, category_colors

CATEGORIES = ['face', 'tree', 'face', 'tool', 'tree', 'face']


@pytest.fixture
def square(rng):
    return squareform(pdist(rng.standard_normal((6, 3))))


def shown(axes):
    return axes.images[0].get_array()


def bars(axes):
    """Left bars: (first item, end) -> colour."""
    return {(box.get_y() + 0.5, box.get_y() + box.get_height() + 0.5): box.get_facecolor()
            for box in axes.patches if box.get_height() > box.get_width()}


def test_items_are_in_blocks_of_their_category(square):
    figure = viz.plot_rdms({'IT': square}, CATEGORIES, percentile=False)
    order = [0, 2, 5, 1, 4, 3]
    expected = square[np.ix_(order, order)]
    np.testing.assert_allclose(shown(figure.axes[0]).filled(0), expected)
    assert bars(figure.axes[0]) == {place: to_rgba(PALETTE[i]) for i, place in enumerate([(0, 3), (3, 5), (5, 6)])}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['face', 'tree', 'tool']
    assert shown(figure.axes[0]).mask[0, 0]                                       # the diagonal is no dissimilarity


def test_percentiles(square):
    square[0, 1] = square[1, 0] = np.nan
    square[2, 3] = square[3, 2] = square[4, 5] = square[5, 4] = 99                # two that share the highest ranks
    matrix = shown(viz.plot_rdms({'x': square}).axes[0])
    upper = np.triu_indices(6, 1)
    pairs, known = matrix[upper], ~np.isnan(square[upper])
    assert matrix.mask[0, 1] and known.sum() == 14
    order = np.argsort(square[upper][known], kind='stable')
    np.testing.assert_allclose(pairs[known][order][:12].filled(-1), np.arange(12) * 100 / 13)
    np.testing.assert_allclose(pairs[known][order][12:].filled(-1), 12.5 * 100 / 13)


def test_rdm_objects_vectors_and_single_iterations_draw_the_same(square):
    brain, layers = RDM('bRDM'), RDM('dRDM')
    brain.set('IT', square)
    layers.set('conv', square[None])
    pictures = [shown(viz.plot_rdms(rdms).axes[0]).filled(-1)
                for rdms in (brain, layers, {'x': squareform(square)}, {'x': square})]
    for picture in pictures[1:]:
        np.testing.assert_array_equal(picture, pictures[0])
    figure = viz.plot_rdms({name: square for name in 'abcde'}, ncols=2)
    assert [axes.get_title() for axes in figure.axes if axes.images and axes.get_title()] == list('abcde')


def test_more_categories_than_the_palette_has():
    names = [f'c{i}' for i in range(20)]
    assert len({tuple(color) for color in category_colors(names).values()}) == 20
    assert list(category_colors('bab')) == ['b', 'a']


@pytest.mark.parametrize('rdms, categories, words', [
    ({}, None, 'rdms is empty'),
    ({'a': np.zeros((3, 3)), 'b': np.zeros((4, 4))}, None, 'must have the same items, not a: 3, b: 4'),
    ({'a': np.zeros((2, 3, 3))}, None, "'a' has 2 matrices; pick one"),
    ({'a': np.zeros((3, 4))}, None, "'a' must be a square of two items or more"),
    ({'a': np.zeros((3, 3))}, ['x'], 'categories has 1 entries for 3 items'),
])
def test_wrong_rdms(rdms, categories, words):
    with pytest.raises(BadValue, match=words):
        viz.plot_rdms(rdms, categories)
    with pytest.raises(BadType, match='an RDM or a dict, name -> matrix, not ndarray'):
        viz.plot_rdms(np.zeros((3, 3)))


# ---- planes

def test_a_plane_is_recovered(rng):
    """Distances between points on a plane: SMACOF finds the points, up to rotation and reflection."""
    distances = squareform(pdist(rng.standard_normal((15, 2))))
    place, stress = scaled(distances)
    np.testing.assert_allclose(squareform(pdist(place)), distances, atol=1e-3)     # it ends at eps 1e-6
    assert stress < 1e-3 and np.abs(place.mean(axis=0)).max() < 1e-12
    np.testing.assert_allclose((place[:, 0] * place[:, 1]).sum(), 0, atol=1e-9)    # principal axes


def test_planes_are_seeded_and_negative_is_near(rng):
    square = squareform(pdist(rng.standard_normal((12, 6))))
    (one, stress), (two, _) = scaled(square, 3), scaled(square, 3)
    np.testing.assert_array_equal(one, two)
    upper = np.triu_indices(12, 1)
    expected = np.sqrt(((pdist(one) - square[upper]) ** 2).sum() / (square[upper] ** 2).sum())
    assert stress == pytest.approx(expected) and 0 < stress < 0.4
    negative = square.copy()
    negative[0, 1] = negative[1, 0] = -0.5
    near = square.copy()
    near[0, 1] = near[1, 0] = 0
    np.testing.assert_array_equal(scaled(negative)[0], scaled(near)[0])


def test_dots_and_pictures(square, rng, stim):
    figure = viz.plot_mds({'IT': square, 'V1': square}, CATEGORIES)
    dots = next(c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    np.testing.assert_allclose(dots.get_offsets(), scaled(square)[0])
    np.testing.assert_array_equal(dots.get_facecolors()[0], dots.get_facecolors()[2])
    assert figure.axes[1].get_title() == f'V1  (stress {scaled(square)[1]:.2f})'
    for pictures in (stim[:6], list(rng.integers(0, 256, (6, 30, 20, 3), dtype=np.uint8))):
        axes = viz.plot_mds({'IT': square}, pictures=pictures).axes[0]
        boxes = [artist for artist in axes.artists if isinstance(artist, AnnotationBbox)]
        np.testing.assert_allclose([box.xy for box in boxes], scaled(square)[0])
        height, width = boxes[0].offsetbox.get_data().shape[:2]
        assert height / width == pytest.approx(1.5 if isinstance(pictures, list) else 0.8, abs=0.03)


def test_wrong_planes(square):
    with pytest.raises(BadValue, match='pictures has 2 entries for 6 items'):
        viz.plot_mds({'IT': square}, pictures=np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(BadValue, match="'IT' is 0 everywhere"):
        viz.plot_mds({'IT': square * 0})
    with pytest.raises(BadValue, match="'IT' has pairs that are NaN"):
        viz.plot_mds({'IT': square * np.nan})


# ---- profiles

TABLE = pd.DataFrame([{'network': network, 'layer': layer, 'roi': roi, 'r': r, 'low': r - 0.1, 'high': r + 0.1,
                       'fdr': p, 'ceiling_lower': 0.5, 'ceiling_upper': 0.6}
                      for network, up in (('A', 0), ('B', 0.1)) for roi in ('V1', 'IT')
                      for layer, r, p in (('one', 0.1 + up, 0.2), ('two', 0.3 + up, 0.01))])


def test_profile():
    figure = viz.plot_layer_profile(TABLE)
    v1, it = figure.axes
    assert [v1.get_title(), it.get_title()] == ['V1', 'IT']
    assert [tick.get_text() for tick in v1.get_xticklabels()] == ['one', 'two']
    lines = {line.get_label(): line.get_ydata().tolist() for line in v1.lines if line.get_marker() == 'o'}
    assert lines == {'A': [0.1, 0.3], 'B': [0.2, 0.4]}
    assert v1.patches[0].get_y() == 0.5 and v1.patches[0].get_height() == pytest.approx(0.1)
    stars = [(text.get_text(), text.xy[1]) for text in v1.texts]
    assert stars == [('*', pytest.approx(0.4)), ('*', pytest.approx(0.5))]      # above the upper ends of layer two
    ends = [c.get_segments() for c in v1.collections if isinstance(c, LineCollection)]
    np.testing.assert_allclose([segment[:, 1] for segment in ends[0]], [[0, 0.2], [0.2, 0.4]])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ['noise ceiling', 'A', 'B',
                                                                     'false discovery rate < 0.05']


@pytest.mark.parametrize('second, order', [('abcde', 'abcde'), ('xbdy', 'xbady'), ('fg', 'adfg')])
def test_layers_of_two_networks_keep_their_order(second, order):
    rows = [{'network': name, 'layer': layer, 'roi': 'IT', 'r': 0.1} for name, layers in (('A', 'bad'), ('B', second))
            for layer in (layers if name == 'B' or second == 'xbdy' else 'ad')]
    axes = viz.plot_layer_profile(pd.DataFrame(rows)).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(order)


def test_a_bare_table_has_neither_stars_nor_ceiling():
    figure = viz.plot_layer_profile(TABLE[TABLE['network'] == 'A'][['layer', 'roi', 'r']])
    axes = figure.axes[0]
    assert not axes.texts and not axes.patches and not figure.legends
    by_p = TABLE[TABLE['network'] == 'A'].rename(columns={'fdr': 'p'}).drop(columns='network')
    assert len(viz.plot_layer_profile(by_p, alpha=0.3).axes[0].texts) == 2


def test_regions_and_layers_of_the_same_name(square, tmp_path, monkeypatch):
    """As CORnet's V4 beside V4; and a region without a distance above 0 has no plane."""
    pictures, planes = [], []
    for name, seen in (('plot_rdms', pictures), ('plot_mds', planes)):
        monkeypatch.setattr(rsa_pictures, name, lambda rdms, *_, seen=seen, **__: seen.append(rdms) or Figure())
    net, brain = (RDM.from_array(values, 'V4', item_ids=list('abcdef')) for values in (square[None], square ** 2))
    brain.set('V1', -square)
    table = rsa_profile({'cornet': net}, {'sub1': brain}, sig='permutation', n_iter=5)
    assert (table['p'] > 0).all()
    rsa_pictures.draw_rsa(tmp_path, table, {'cornet': net}, {'sub1': brain})
    assert list(pictures[0]) == ['V4', 'V1', 'cornet V4'] and list(planes[0]) == ['V4', 'cornet V4']
    np.testing.assert_array_equal(pictures[0]['cornet V4'][0], square)


def test_wrong_tables():
    with pytest.raises(BadValue, match='it has no roi'):
        viz.plot_layer_profile(TABLE.drop(columns='roi'))
    with pytest.raises(BadValue, match='it is empty'):
        viz.plot_layer_profile(TABLE[:0])
    with pytest.raises(BadValue, match='several rows for a layer and region'):
        viz.plot_layer_profile(TABLE.drop(columns='network'))


def test_nothing_opens_windows(square):
    viz.plot_rdms({'x': square}), viz.plot_mds({'x': square}), viz.plot_layer_profile(TABLE)
    assert matplotlib.pyplot.get_fignums() == []
