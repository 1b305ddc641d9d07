"""Linear centred kernel alignment: how alike two tables are, whatever their units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dnnbrain._checks import BadType, BadValue, same_ids
from dnnbrain.activation.activation import Activation
from dnnbrain.mapping.kernel import linear_kernel


def linear_cka(first, second, unbiased: bool = False) -> np.ndarray | float:
    """CKA of kernels (Kornblith et al. 2019, arXiv 1905.00414).

    Parameters
    ----------
    first, second : array_like of shape (n_stim, n_stim) or (n_kernel, n_stim, n_stim)
        Inner products of stimuli (`linear_kernel`, or ``X @ X.T``), centred or not.
    unbiased : bool
        With the unbiased HSIC of Song et al. (2012, JMLR 13:1393): 0 on average for unrelated tables, where the
        biased one comes near 1 once there are many more units than stimuli.

    Returns
    -------
    cka : float, or ndarray of shape (n_first, n_second) if either side is a stack
        NaN where a table does not vary.
    """
    one, two = _stack(first, 'first'), _stack(second, 'second')
    if one.shape[1] != two.shape[1]:
        raise BadValue(f'first and second must be kernels of the same stimuli, not of {one.shape[1]} and '
                       f'{two.shape[1]}')
    if one.shape[1] < 4:
        raise BadValue(f'kernels of {one.shape[1]} stimuli are too small; four are needed')
    centre = _u_centred if unbiased else _centred
    one, two = (_unit(centre(kernel).reshape(len(kernel), -1), kernel) for kernel in (one, two))
    found = np.clip(one @ two.T, -1, 1)
    return float(found[0, 0]) if np.ndim(first) == np.ndim(second) == 2 else found


def cka_table(first, second, unbiased: bool = True) -> pd.DataFrame:
    """CKA of all layers or tables of one side with all of another.

    Parameters
    ----------
    first, second : Activation or mapping of name -> array_like of shape (n_stim, n_feature)
        Layers of a network, in memory or on disk; or tables, such as the voxels of regions.
    unbiased : bool
        As in `linear_cka`.

    Returns
    -------
    table : DataFrame
        A row per layer of the first, a column per layer of the second.
    """
    if isinstance(first, Activation) and isinstance(second, Activation) and \
            first.stim_ids is not None and second.stim_ids is not None:
        same_ids(first.stim_ids, second.stim_ids, ('first', 'second'))
    one = _kernels(first, 'first')
    two = one if second is first else _kernels(second, 'second')
    return pd.DataFrame(linear_cka(np.stack(list(one.values())), np.stack(list(two.values())), unbiased),
                        index=list(one), columns=list(two))


def _kernels(tables, argument: str) -> dict[str, np.ndarray]:
    if isinstance(tables, Activation):
        found = {layer: linear_kernel(tables, layer) for layer in tables.layers}
    elif isinstance(tables, Mapping):
        found = {str(name): _table_kernel(table, f'{argument} {name!r}') for name, table in tables.items()}
    else:
        raise BadType(f'{argument} must be an Activation or a dict, name -> (n_stim, n_feature), not '
                      f'{type(tables).__name__}')
    if len({len(kernel) for kernel in found.values()}) != 1:
        raise BadValue(f'{argument} must hold one table or more, all of the same stimuli')
    return found


def _table_kernel(table, argument: str) -> np.ndarray:
    table = np.asarray(table)
    if table.dtype.kind not in 'biuf' or table.ndim != 2 or not np.isfinite(table).all():
        raise BadValue(f'{argument} must be a table (n_stim, n_feature) of finite numbers, not {table.dtype} of shape '
                       f'{table.shape}')
    table = table - table.mean(axis=0, dtype=np.float64)
    return table @ table.T


def _stack(kernels, argument: str) -> np.ndarray:
    array = np.asarray(kernels, dtype=np.float64)
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2]:
        raise BadValue(f'{argument} must be kernels (n_stim, n_stim) or (n_kernel, n_stim, n_stim), not of shape '
                       f'{array.shape}; of a table X (n_stim, n_feature) take X @ X.T')
    return array.reshape(-1, *array.shape[-2:])


def _centred(kernels: np.ndarray) -> np.ndarray:
    rows = kernels.mean(axis=2, keepdims=True)
    return kernels - rows - rows.transpose(0, 2, 1) + rows.mean(axis=1, keepdims=True)


def _u_centred(kernels: np.ndarray) -> np.ndarray:
    """Off the diagonal centred so that inner products are the unbiased HSIC, 0 on it (Szekely & Rizzo 2014)."""
    n = kernels.shape[1]
    # first the plain centring: it changes nothing but precision
    kernels = _centred(kernels) * (1 - np.eye(n))
    rows = kernels.sum(axis=2, keepdims=True) / (n - 2)
    level = rows.sum(axis=1, keepdims=True) / (n - 1)
    return (kernels - rows - rows.transpose(0, 2, 1) + level) * (1 - np.eye(n))


def _unit(flat: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    size, whole = np.linalg.norm(flat, axis=1), np.abs(kernels).max(axis=(1, 2), initial=0)
    return flat / np.where(size > 1e-12 * whole, size, np.nan)[:, None]
