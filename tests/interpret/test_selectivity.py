"""Selectivity of units: closed forms, numpy unit by unit, and a null."""

import numpy as np
import pandas as pd
import pytest

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.pool import pool_maps
from dnnbrain.dnn.core import Activation, Stimulus
from dnnbrain.interpret.preference.selectivity import selectivity, sparseness

NAMES = np.array(['face', 'house', 'tool'])


def stimuli(categories, order):
    return Stimulus({'type': 'image', 'path': '.'},
                    {'stimID': [f'{i}.png' for i in order], 'condition': np.asarray(categories)[order]})


@pytest.fixture
def shown(rng):
    activation = Activation('conv', rng.random((60, 5, 4, 3)).astype(np.float32))
    activation.set('fc', rng.standard_normal((60, 6, 1, 1)))
    activation.stim_ids = np.array([f'{i}.png' for i in range(60)])
    return activation, NAMES[np.repeat([0, 1, 2], [10, 20, 30])]


def by_hand(x, categories, category):
    means = {name: x[categories == name].mean() for name in NAMES}
    inside, others = x[categories == category], x[categories != category]
    m, r = means[category], np.mean([means[name] for name in NAMES if name != category])
    d = (inside.mean() - others.mean()) / np.sqrt((inside.var(ddof=1) + others.var(ddof=1)) / 2)
    p = np.maximum(x, 0)
    return max(means, key=means.get), (m - r) / (abs(m) + abs(r)), d, \
        (1 - (p.sum() / 60) ** 2 / ((p ** 2).sum() / 60)) / (1 - 1 / 60)


@pytest.mark.parametrize('unit', [False, True])
@pytest.mark.parametrize('category', [None, 'tool', 'each'])
def test_numpy_unit_by_unit(shown, tmp_path, rng, unit, category, monkeypatch):
    """From a file in several blocks, joined to a table in another order."""
    monkeypatch.setattr('dnnbrain.interpret.preference.selectivity._BYTES', 3000)
    activation, categories = shown
    activation.save(tmp_path / 'x.act.h5')
    n_row = 66 if unit else 11
    asked = pd.Series(rng.choice(NAMES, n_row)) if category == 'each' else category
    table = selectivity(tmp_path / 'x.act.h5', stimuli(categories, rng.permutation(60)), asked, metric='L2', unit=unit)
    values = np.concatenate([(activation.get(layer) if unit else pool_maps(activation.get(layer), 'L2')).reshape(60, -1)
                             for layer in ('conv', 'fc')], axis=1).astype(float)
    assert len(table) == n_row == values.shape[1]
    for i, row in enumerate(table.itertuples()):
        name = row.best if category is None else np.broadcast_to(asked, n_row)[i]
        best, index, d, sparse = by_hand(values[:, i], categories, name)
        assert (row.best, row.category) == (best, name)
        np.testing.assert_allclose([table['index'][i], row.d_prime, row.sparseness], [index, d, sparse], rtol=1e-6)
    if unit:
        assert table.iloc[13][['layer', 'channel', 'row', 'column']].tolist() == ['conv', 2, 1, 2]


def test_closed_forms():
    """Means 3 and 1, deviations 1 around both; a unit that is constant, one that is silent, one that tells all."""
    x = np.array([[4, 2, 2, 0], [5, 5, 5, 5], [0, 0, 0, 0], [1, 1, 0, 0]], float).T[:, :, None, None]
    table = selectivity(Activation('fc', x), ['a', 'a', 'b', 'b'])
    np.testing.assert_allclose(table['index'], [.5, 0, np.nan, 1])
    np.testing.assert_allclose(table['d_prime'], [np.sqrt(2), np.nan, np.nan, np.inf])
    np.testing.assert_allclose(table['sparseness'], [(1 - 4 / 6) / .75, 0, np.nan, 2 / 3])
    other = selectivity(Activation('fc', x), ['a', 'a', 'b', 'b'], 'b')
    np.testing.assert_allclose(other['d_prime'], -table['d_prime'])
    assert other['best'].tolist() == ['a'] * 4 and other['category'].tolist() == ['b'] * 4


@pytest.mark.parametrize('scale', [1e-200, 1, 1e200])
def test_sparseness(scale, rng):
    one, same = np.eye(7)[:, :1], np.ones((7, 1))
    np.testing.assert_allclose(sparseness(np.hstack([one, same, one - same]) * scale), [1, 0, np.nan], atol=1e-12)
    half = np.repeat([[1.0], [0.0]], 50, axis=0)
    np.testing.assert_allclose(sparseness(half * scale), .5 / .99)
    np.testing.assert_allclose(sparseness(rng.exponential(size=(10 ** 5, 1)) * scale), .5, atol=.02)


def test_far_from_zero_no_digit_is_lost(rng):
    x = rng.standard_normal((60, 4, 1, 1))
    categories = np.repeat(NAMES, 20)
    near, far = (selectivity(Activation('fc', x + shift), categories, 'tool')['d_prime'] for shift in (0, 1e7))
    np.testing.assert_allclose(near, far, rtol=1e-6)


def test_a_constant_that_binary_fractions_miss():
    table = selectivity(Activation('fc', np.full((7, 3, 1, 1), .1)), ['a', 'b'] * 3 + ['a'])
    assert table['d_prime'].isna().all() and np.allclose(table['index'], 0)


def test_a_category_of_one_has_no_variance(rng):
    table = selectivity(Activation('fc', rng.random((5, 2, 1, 1))), [0, 1, 1, 1, 1], 0)
    assert table['d_prime'].isna().all() and table['index'].notna().all()


def test_chosen_on_one_half_and_measured_on_the_other(rng):
    """Of noise the best category seems selective; on other stimuli it is not."""
    activation = Activation('fc', rng.standard_normal((200, 500, 1, 1)))
    categories = np.tile(np.arange(4), 50)
    first, second = activation[:100], activation[100:]
    best = selectivity(first, categories[:100])
    held_out = selectivity(second, categories[100:], best['best'])
    assert best['d_prime'].mean() > .2 and abs(held_out['d_prime'].mean()) < .05        # standard error .01


def test_what_can_go_wrong(shown):
    activation, categories = shown
    for settings, sentence in (
            ({'categories': categories[:9]}, 'categories must be one per stimulus'),
            ({'categories': np.where(np.arange(60) < 3, np.nan, np.arange(60) % 2)}, '3 stimuli have no category'),
            ({'categories': ['a'] * 60}, "two categories or more, and all stimuli are of 'a'"),
            ({'categories': categories, 'category': 'fac'}, "did you mean 'face'"),
            ({'categories': categories, 'category': ['face'] * 3}, 'category has 3 entries, too few'),
            ({'categories': categories, 'category': ['face'] * 12}, 'category has 12 entries for 11 rows'),
            ({'categories': categories, 'column': 'label'}, 'column names a column of a stimulus table'),
            ({'categories': stimuli(categories, np.arange(30))}, '30 stimuli are not in the table'),
            ({'categories': categories, 'metric': 'sum'}, "metric 'sum' is not known")):
        with pytest.raises(BadValue, match=sentence):
            selectivity(activation, **settings)
    with pytest.raises(BadType, match='activ must be an Activation or the name of its .act.h5, not ndarray'):
        selectivity(activation.get('fc'), categories)
    activation.get('fc')[2, 3] = np.nan
    for unit in (False, True):
        with pytest.raises(BadValue, match="layer 'fc' holds NaN"):
            selectivity(activation, categories, unit=unit)
