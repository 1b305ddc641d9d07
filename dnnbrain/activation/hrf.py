"""The haemodynamic response as a matrix: from stimuli to volumes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from dnnbrain._checks import BadType, BadValue, choice
from dnnbrain.activation.products import finite
from dnnbrain.io.act_h5 import DiskLayer

MODELS = ('spm', 'spm + derivative', 'spm + derivative + dispersion',
          'glover', 'glover + derivative', 'glover + derivative + dispersion', 'fir')
_BUDGET = 2 ** 27              # bytes of the volumes, or events, in memory at once


def hrf_matrix(onsets, durations, n_vol: int, tr: float, model: str = 'spm', ops: int = 50,
               delays: Sequence[int] | None = None) -> np.ndarray:
    """What each event adds to each volume.

    Parameters
    ----------
    onsets, durations : array_like of shape (n_event,), seconds
        From the first volume on; events before it count with what is left of them. A duration of 0
        is an impulse.
    n_vol : int
    tr : float, seconds
        Between volumes.
    model : str
        One of nilearn's: 'spm' or 'glover', alone, '+ derivative' or '+ derivative + dispersion';
        or 'fir'.
    ops : int
        Points per `tr` at which the response is sampled.
    delays : sequence of int, volumes
        Of 'fir', which needs them: one regressor each, the event itself that many volumes later.

    Returns
    -------
    matrix : ndarray of shape (n_vol, n_event), or (n_regressor, n_vol, n_event)
        The second with derivatives and 'fir'. Events add up: responses to a column of amplitudes
        ``a`` are ``matrix @ a``. Sampling and responses are nilearn's (`compute_regressor`), but
        derivatives are not made orthogonal to the response, which would not be linear.
    """
    onsets, durations = _events(onsets, durations)
    choice('model', model, MODELS)
    if not isinstance(tr, int | float | np.number) or not (tr > 0 and math.isfinite(tr)) or n_vol < 2:
        raise BadValue(f'tr must be above 0 s and n_vol at least 2, not {tr} and {n_vol}')
    if ops < 1:
        raise BadValue(f'ops must be at least 1 point, not {ops}')
    ahead = ops - 1 if model == 'fir' else 0                    # a volume ends the window that it averages
    kernels, times = _kernels(model, tr, ops, delays), np.arange(n_vol) * tr
    felt = onsets + durations > -tr * (1 + max(map(len, kernels)) / ops)       # others would only stretch the grid
    grid = _grid(onsets[felt], times, ops)
    low, share = _places(grid, times, ahead)
    start, stop = _steps(grid, onsets[felt], durations[felt])
    regressors = np.zeros((len(kernels), n_vol, len(onsets)))
    for regressor, kernel in zip(regressors, kernels, strict=True):
        regressor[:, felt] = _regressor(kernel, start, stop, low + ahead, share)
    return regressors[0] if model in ('spm', 'glover') else regressors


def convolve_hrf(X, onsets, durations, n_vol: int, tr: float, ops: int = 100, *, model: str = 'spm',
                 delays: Sequence[int] | None = None) -> np.ndarray:
    """Responses of a scan to events of known amplitudes.

    Parameters
    ----------
    X : array_like of shape (n_event, n_sample)
        Amplitudes, such as activations; each column on its own.
    onsets, durations : array_like of shape (n_event,), seconds
        From the first volume on; negative ones, overlaps and any fraction of a second are fine.
    n_vol : int
        A scan longer than the last event is fine too.
    tr : float, seconds
    ops : int
        Points per second at which the response is sampled.
    model, delays
        As in `hrf_matrix`.

    Returns
    -------
    Y : ndarray of shape (n_vol, n_sample), or (n_vol, n_regressor * n_sample)
        The second with derivatives and 'fir': all columns for the first regressor, then for the next.
    """
    X = np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in 'biuf':
        raise BadValue(f'X must hold numbers, (n_event, n_sample), not {X.dtype} of shape {X.shape}')
    matrix = seconds_matrix(onsets, durations, n_vol, tr, ops, model, delays)
    if matrix.shape[2] != len(X):
        raise BadValue(f'X has {len(X)} rows and there are {matrix.shape[2]} onsets; give one for each row')
    return np.concatenate(list(convolved_blocks(X[:, :, None, None], 'X', matrix)))[..., 0, 0]


def seconds_matrix(onsets, durations, n_vol: int, tr: float, ops: int, model: str,
                   delays: Sequence[int] | None) -> np.ndarray:
    """`hrf_matrix` (n_regressor, n_vol, n_event), with `ops` points per second, of a scan with events."""
    if not 0 < ops < math.inf:
        raise BadValue(f'ops must be above 0 points per second, not {ops}')
    if not 0 < tr < math.inf:
        raise BadValue(f'tr must be above 0 s, not {tr}')
    matrix = hrf_matrix(onsets, durations, n_vol, tr, model, max(1, math.ceil(round(ops * tr, 6))), delays)
    if not matrix.any():
        raise BadValue(f'no event reaches into the scan of {n_vol * tr:g} s; onsets must be seconds from its first '
                       'volume on')
    return matrix if matrix.ndim == 3 else matrix[None]


def convolved_blocks(source, layer: str, matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Volumes (n, n_regressor * n_chn, n_row, n_col) of events, in blocks, summed in float64.

    Parameters
    ----------
    source : ndarray or DiskLayer of shape (n_event, n_chn, n_row, n_col)
        Of its events only those are read, some at a time, that reach into a block of volumes.
    layer : str
        Its name, for sentences.
    matrix : ndarray of shape (n_regressor, n_vol, n_event)
    """
    n_unit, kind = math.prod(source.shape[1:]), np.result_type(source.dtype, np.float32)
    step = max(1, _BUDGET // (8 * len(matrix) * n_unit))
    few = max(1, _BUDGET // (16 * n_unit))
    for start in range(0, matrix.shape[1], step):
        part = matrix[:, start:start + step]
        events = np.flatnonzero(part.any(axis=(0, 1)))
        total = np.zeros((*part.shape[:2], n_unit))
        for chosen in (events[first:first + few] for first in range(0, len(events), few)):
            total += part[:, :, chosen] @ finite(_rows(source, chosen), layer).reshape(len(chosen), -1).astype(float)
        total = total.transpose(1, 0, 2).astype(kind)
        yield total.reshape(len(total), len(matrix) * source.shape[1], *source.shape[2:])


def _rows(source, rows: np.ndarray) -> np.ndarray:
    return source.select(0, rows)[()] if isinstance(source, DiskLayer) else source[rows]


def _events(onsets, durations) -> tuple[np.ndarray, np.ndarray]:
    try:
        onsets, durations = np.asarray(onsets, dtype=float), np.asarray(durations, dtype=float)
    except (TypeError, ValueError):
        raise BadType('onsets and durations must be numbers of seconds') from None
    if onsets.shape != durations.shape or onsets.ndim != 1:
        raise BadValue(f'each event needs an onset and a duration, not {onsets.shape} and {durations.shape}')
    if not (np.isfinite(onsets).all() and np.isfinite(durations).all() and (durations >= 0).all()):
        raise BadValue('onsets and durations must be finite numbers of seconds, durations not negative')
    return onsets, durations


def _grid(onsets: np.ndarray, times: np.ndarray, ops: int) -> np.ndarray:
    """Points in time from before the first event to the end of the scan, where nilearn has them to the last digit."""
    earliest, last = -max(24.0, times[1] - onsets.min(initial=0.0)), times[-1] * (1 + 1 / (len(times) - 1))
    n_point = (len(times) - 1) / times[-1] * (last - earliest) * ops + 1
    return np.linspace(earliest, last, int(np.rint(n_point)))


def _places(grid: np.ndarray, times: np.ndarray, ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Point of the grid before each time, and how far it is towards the next."""
    low = (np.searchsorted(grid, times) - 1).clip(0, len(grid) - ahead - 2)
    return low, (times - grid[low]) / (grid[low + 1] - grid[low])


def _steps(grid: np.ndarray, onsets: np.ndarray, durations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First point of each event and first after it; at least one apart, but for events behind the scan."""
    last = len(grid) - 1
    start, stop = (np.minimum(np.searchsorted(grid, times), last) for times in (onsets, onsets + durations))
    return start, np.where((stop == start) & (stop < last), stop + 1, stop)


def _regressor(kernel: np.ndarray, start: np.ndarray, stop: np.ndarray, low: np.ndarray,
               share: np.ndarray) -> np.ndarray:
    """(n_vol, n_event): an event is a step up and a step down, each answered by the summed kernel."""
    answer = np.concatenate([[0.0], np.cumsum(kernel)])

    def at(points: np.ndarray) -> np.ndarray:
        since = points[:, None] + 1 - np.stack([start, stop])[:, None, :]
        up, down = answer[since.clip(0, len(kernel))]
        return up - down
    few = max(1, 2 ** 22 // max(1, len(start)))
    return np.concatenate([(1 - part[:, None]) * at(first) + part[:, None] * at(first + 1)
                           for first, part in ((low[i:i + few], share[i:i + few]) for i in range(0, len(low), few))])


def _kernels(model: str, tr: float, ops: int, delays: Sequence[int] | None) -> list[np.ndarray]:
    """Responses to an impulse, `ops` points per `tr`."""
    if model == 'fir':
        delays = np.atleast_1d([] if delays is None else np.asarray(delays))
        if not delays.size or delays.ndim != 1 or delays.dtype.kind not in 'iu' or delays.min() < 0:
            raise BadValue("model 'fir' needs delays, whole numbers of volumes from 0 on such as [1, 2, 3, 4], not "
                           f'{delays.tolist()}')
        return [np.repeat([0.0, 1 / ops], [delay * ops, ops]) for delay in delays]
    from nilearn.glm import first_level
    base, *parts = model.split(' + ')
    makers = ('hrf', 'time_derivative', 'dispersion_derivative')[:1 + len(parts)]
    return [getattr(first_level, f'{base}_{maker}')(tr, ops) for maker in makers]
