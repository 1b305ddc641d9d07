"""Groups of rows, and how often the true class is among the best k: against known groups and counts by hand."""

import warnings

import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from dnnbrain._checks import BadType, BadValue
from dnnbrain.utils.util import clustering, topk_accuracy

TRUTH = np.repeat([0, 1, 2], 20)


@pytest.fixture
def blobs(rng):
    """Three groups of 20 rows, 100 units apart and 1 wide."""
    return np.array([[0, 0], [100, 0], [0, 100]])[TRUTH] + rng.standard_normal((60, 2))


@pytest.mark.parametrize('method', ['kmeans', 'HAC', 'DBSCAN'])
def test_known_groups_are_found(blobs, method):
    for data in (blobs, 1e-4 * blobs):          # whatever the unit, where DBSCAN's own radius of .5 fails
        labels = clustering(data, 3, method)
        assert labels.shape == (60,) and set(labels) == {0, 1, 2}
        assert adjusted_rand_score(TRUTH, labels) == 1
        np.testing.assert_array_equal(labels, clustering(data, 3, method))
    assert set(clustering(blobs, 1, method)) == {0}


def test_groups_of_unequal_number(blobs):
    labels = clustering(blobs, 2, 'kmeans')
    assert sorted(np.bincount(labels)) == [20, 40]
    np.testing.assert_array_equal(clustering(blobs[:1], 1, 'HAC'), [0])


def test_dbscan_at_a_given_radius_is_that_of_sklearn(blobs):
    far = np.vstack([blobs, [[500, 500]]])
    np.testing.assert_array_equal(clustering(far, None, 'DBSCAN', eps=2, min_samples=4),
                                  DBSCAN(eps=2, min_samples=4).fit_predict(far))
    assert clustering(far, 3, 'DBSCAN')[-1] == -1


def test_dbscan_says_when_it_cannot(blobs):
    with pytest.warns(UserWarning, match='no radius of DBSCAN makes 40 groups of these data; the nearest makes'):
        labels = clustering(blobs, 40, 'DBSCAN')
    assert labels.max() + 1 <= 12               # of five rows at least
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert set(clustering(np.zeros((6, 2)), 1, 'DBSCAN')) == {0}


@pytest.mark.parametrize('given, error, words', [
    ((np.zeros((5, 2)), 2, 'kmeans'), BadValue, r'number of different rows \(1\), not 2'),
    ((np.eye(3), 2, 'hac'), BadValue, 'choose from kmeans, HAC, DBSCAN'),
    ((np.eye(3), None, 'DBSCAN'), BadValue, "None only for 'DBSCAN' with eps"),
    ((np.eye(3), 2.5, 'HAC'), BadType, 'n_clusters must be a whole number'),
    ((np.zeros(5), 2, 'HAC'), BadType, r'\(n_sample, n_feature\)'),
    ((np.array([[np.nan], [1]]), 2, 'HAC'), BadValue, 'NaN'),
    ((np.eye(3), 2, 'DBSCAN'), BadValue, r'min_samples must be from 1 to the number of rows \(3\), not 5'),
])
def test_mistakes(given, error, words):
    with pytest.raises(error, match=words):
        clustering(*given)
    with pytest.raises(BadValue, match="eps is a setting of 'DBSCAN'"):
        clustering(np.eye(3), 2, 'kmeans', eps=1)


def test_topk_accuracy_by_hand():
    pred = [[2, 0, 1], [1, 2, 0], [0, 1, 2], [0, 2, 1]]
    true = [2, 2, 2, 1]
    assert [topk_accuracy(pred, true, k) for k in (1, 2, 3)] == [0.25, 0.5, 1]
    assert topk_accuracy(pred, np.array(true)[:, None], 2) == 0.5
    for k in (0, 4):
        with pytest.raises(BadValue, match=r'k must be from 1 to the number of classes in pred \(3\)'):
            topk_accuracy(pred, true, k)
    with pytest.raises(BadValue, match=r'not \(4, 3\) and \(3,\)'):
        topk_accuracy(pred, true[:3], 1)
