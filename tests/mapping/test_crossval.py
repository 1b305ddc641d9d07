"""Folds: complete, seeded, never through a group."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold

from dnnbrain._checks import BadValue
from dnnbrain.mapping.crossval import folds, repeated


def test_every_sample_is_tested_once_and_never_trained_on():
    splits = folds(23, 5)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(23))
    assert all(not set(train) & set(test) and len(train) + len(test) == 23 for train, test in splits)


def test_shuffled_under_a_seed():
    def tests(rng):
        return [test.tolist() for _, test in folds(20, 4, rng=rng)]
    assert tests(0) == tests(0) != tests(1)
    assert any(np.diff(test).max() > 1 for test in tests(0))


def test_groups_are_never_split():
    groups = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    for train, test in folds(28, 3, groups):
        assert not set(groups[train]) & set(groups[test])
    assert len(folds(28, LeaveOneGroupOut(), groups)) == 7


def test_repeated_stimuli():
    assert repeated(['a', 'b', 'c']) is None and repeated(None) is None
    assert repeated(['b', 'a', 'b']).tolist() == [1, 0, 1]


def test_a_splitter_that_divides_repeats_is_refused():
    """Pure noise shown twice would be predicted from its twin."""
    groups = np.repeat(np.arange(10), 2)
    with pytest.raises(BadValue, match='KFold puts group 0 .* on both sides of a fold'):
        folds(20, KFold(2, shuffle=True, random_state=0), groups)
    assert len(folds(20, KFold(2), groups)) == 2                        # ten and ten: no twin is divided


@pytest.mark.parametrize('splitter', [StratifiedKFold(3), LeaveOneGroupOut(), GroupKFold(3)])
def test_a_splitter_that_needs_more_says_so(splitter):
    with pytest.raises(BadValue, match=f'{type(splitter).__name__} cannot split 20 samples'):
        folds(20, splitter)


@pytest.mark.parametrize('args, says', [
    ((10, 1), 'from 2 to the number of samples'), ((10, 11), r'samples \(10\), not 11'),
    ((10, 3, [0] * 5 + [1] * 5), r'groups \(2\), not 3'), ((10, 3, [0] * 9), '9 groups came for 10'),
    ((10, 'five'), 'sklearn splitter'),
])
def test_mistakes(args, says):
    with pytest.raises(BadValue, match=says):
        folds(*args)
