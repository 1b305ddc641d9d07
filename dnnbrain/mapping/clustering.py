"""Rows of a table in groups of similar ones."""

from __future__ import annotations

import warnings

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice, positive_number, whole_number

_N_RADIUS = 50          # radii that DBSCAN is tried with


def clustering(data, n_clusters: int | None, method: str = 'kmeans', *, eps: float | None = None, min_samples: int = 5,
               rng: int | None = 0) -> np.ndarray:
    """The group of each row, by scikit-learn.

    Parameters
    ----------
    data : array_like of shape (n_sample, n_feature)
    n_clusters : int or None
        None is possible for 'DBSCAN' with `eps`.
    method : {'kmeans', 'HAC', 'DBSCAN'}
        k-means, the best of 10 beginnings; hierarchical agglomerative clustering (Ward); or groups of dense places
        (Ester et al. 1996), which find out their own number: without `eps` that radius is taken which comes nearest
        to `n_clusters` groups, and of these the one that leaves out the fewest rows.
    eps : float, optional
        Radius of 'DBSCAN', in units of the data.
    min_samples : int
        Of 'DBSCAN': rows within the radius that make a place dense.
    rng : int or None
        Seed of 'kmeans'.

    Returns
    -------
    labels : ndarray of shape (n_sample,), int
        From 0; -1 for rows that 'DBSCAN' finds in no dense place.

    Raises
    ------
    BadValue
        More groups than different rows, NaN, or a setting that does not go with the method.
    """
    choice('method', method, tuple(_METHODS))
    data = np.asarray(data)
    if data.ndim != 2 or data.dtype.kind not in 'biuf' or data.size == 0:
        raise BadType(f'data must hold numbers of shape (n_sample, n_feature), not {data.dtype} of shape {data.shape}')
    if not np.isfinite(data).all():
        raise BadValue('data holds NaN or infinite values; leave those rows out')
    if eps is not None and method != 'DBSCAN':
        raise BadValue(f"eps is a setting of 'DBSCAN'; leave it out with {method!r}")
    n_clusters, n_row = whole_number(n_clusters, 'n_clusters'), len(np.unique(data, axis=0))
    if n_clusters is None and (method != 'DBSCAN' or eps is None):
        raise BadValue("n_clusters may be None only for 'DBSCAN' with eps")
    if n_clusters is not None and not 1 <= n_clusters <= n_row:
        raise BadValue(f'n_clusters must be from 1 to the number of different rows ({n_row}), not {n_clusters}')
    settings = {'eps': positive_number(eps, 'eps'), 'min_samples': whole_number(min_samples, 'min_samples'), 'rng': rng}
    return _METHODS[method](data.astype(np.float64), n_clusters, **settings)


def _kmeans(data: np.ndarray, n_clusters: int, rng: int | None, **_) -> np.ndarray:
    from sklearn.cluster import KMeans
    return KMeans(n_clusters, n_init=10, random_state=rng).fit_predict(data)


def _hac(data: np.ndarray, n_clusters: int, **_) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering
    if len(data) == 1:                          # of one row there is no tree
        return np.zeros(1, dtype=np.intp)
    return AgglomerativeClustering(n_clusters).fit_predict(data)


def _dbscan(data: np.ndarray, n_clusters: int | None, eps: float | None, min_samples: int, **_) -> np.ndarray:
    from sklearn.cluster import DBSCAN
    if not 1 <= min_samples <= len(data):
        raise BadValue(f'min_samples must be from 1 to the number of rows ({len(data)}), not {min_samples}')
    if eps is not None:
        return DBSCAN(eps=eps, min_samples=min_samples).fit_predict(data)
    tried = []
    for radius in _radii(data, min_samples):
        tried.append(DBSCAN(eps=radius, min_samples=min_samples).fit_predict(data))
        if not tried[-1].any():                 # one group of all rows, and so for every larger radius
            break
    labels = min(tried, key=lambda labels: (abs(labels.max() + 1 - n_clusters), (labels < 0).sum()))
    if labels.max() + 1 != n_clusters:
        warnings.warn(f'no radius of DBSCAN makes {n_clusters} groups of these data; the nearest makes '
                      f'{labels.max() + 1}', stacklevel=4)
    return labels


def _radii(data: np.ndarray, min_samples: int) -> np.ndarray:
    """Radii at which more and more rows are in a dense place, from the first to all, and on to the width of all."""
    from sklearn.neighbors import NearestNeighbors
    reach = NearestNeighbors(n_neighbors=min_samples).fit(data).kneighbors(data)[0][:, -1]
    largest, width = reach.max() or 1.0, np.linalg.norm(np.ptp(data, axis=0))
    shares = np.quantile(reach, np.linspace(0, 1, _N_RADIUS // 2))
    radii = np.concatenate([shares, np.geomspace(largest, max(largest, width), _N_RADIUS // 2)])
    return np.unique(radii[radii > 0]) * (1 + 1e-9)         # rows just on the edge are inside


_METHODS = {'kmeans': _kmeans, 'HAC': _hac, 'DBSCAN': _dbscan}
