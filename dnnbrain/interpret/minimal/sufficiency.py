"""How few parts of a picture suffice: where on the curve of activation over number of parts to stop."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue, choice, positive_number

_ELBOW = 0.95       # of the rise of the fitted curve, if no share is asked for


def check_share(share: float | None) -> float | None:
    share = positive_number(share, 'share')
    if share is not None and share > 1:
        raise BadValue(f'share must be above 0 and at most 1 (all of the activation), not {share}')
    return share


def fewest(activations: np.ndarray, criterion: str = 'max', share: float | None = None) -> int:
    """How many parts to take.

    Parameters
    ----------
    activations : ndarray of shape (n_part,)
        Of the first part, of the first two, ..., of all, which is the whole picture.
    criterion : {'max', 'fitting curve'}
        'max': the number with the most activation, the smallest if several have it. 'fitting curve': where the elbow of
        a fitted curve is (see `fitted_rise`).
    share : float, optional
        Of the activation of the whole picture that is kept at least, above 0 and at most 1. 'max' then is the smallest
        number that keeps it, 'fitting curve' the smallest from the elbow on, which is where the curve has risen by this
        share. Without it the elbow is at 0.95 of the rise, and nothing is promised of single activations.

    Returns
    -------
    n_kept : int
        From 1.

    Raises
    ------
    BadValue
        A share is asked for, and the whole picture has no activation above 0; or an activation is NaN or infinite.
    """
    criterion, share = choice('criterion', criterion, ('max', 'fitting curve')), check_share(share)
    activations = np.asarray(activations, dtype=np.float64)
    if not np.isfinite(activations).all():
        raise BadValue('some activations are NaN or infinite; numbers of half precision may be too small for this '
                       'network')
    enough = np.ones(len(activations), bool)
    if share is not None:
        if not activations[-1] > 0:
            raise BadValue(f'the whole picture has an activation of {activations[-1]:.3g}, and of that no share can be '
                           'kept; leave share out')
        enough = activations >= share * activations[-1]
    if criterion == 'max':
        return int(np.argmax(activations if share is None else enough)) + 1
    elbow = _reached(fitted_rise(activations)[0], share or _ELBOW, len(activations))
    return elbow + int(np.argmax(enough[elbow - 1:]))


def fitted_rise(activations: np.ndarray) -> tuple[float, np.ndarray]:
    """tau and values (n_part,) of the curve ``a + b (1 - exp(-k / tau))`` nearest to activations of k = 1, 2, ...

    The least squares over a, b not below 0, and 256 values of tau from a tenth of a part to ten times all of them: no
    start, no iterations, one answer. Where nothing rises, b is 0 and tau the smallest.
    """
    activations, k = np.asarray(activations, dtype=np.float64), np.arange(1, len(activations) + 1)
    if len(k) < 3:
        return .1, activations
    taus = np.geomspace(.1, 10 * len(k), 256)
    risen = 1 - np.exp(-k / taus[:, None])
    risen -= risen.mean(1, keepdims=True)
    y = activations - activations.mean()
    power = (risen ** 2).sum(1)
    slope = np.divide(risen @ y, power, out=np.zeros(len(taus)), where=power > 1e-12).clip(0)
    best = int(np.argmin(((y - slope[:, None] * risen) ** 2).sum(1)))
    return float(taus[best]), activations.mean() + slope[best] * risen[best]


def _reached(tau: float, share: float, n: int) -> int:
    """The number of parts at which the curve has risen by a share of its rise up to all n."""
    top = share * (1 - np.exp(-n / tau))
    return int(np.clip(np.ceil(-tau * np.log1p(-top) - 1e-9) if top < 1 else n, 1, n))
