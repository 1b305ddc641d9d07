"""What minimal pictures have in common: parts, their order by activation, and the fewest that suffice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from dnnbrain._checks import BadValue, choice, integers
from dnnbrain._progress import progress
from dnnbrain.interpret.algorithm import Algorithm
from dnnbrain.interpret.answer import answering, answers
from dnnbrain.interpret.minimal.sufficiency import check_share, fewest
from dnnbrain.interpret.target import METRICS
from dnnbrain.interpret.view import View
from dnnbrain.networks.state import pick_device

log = logging.getLogger(__name__)

_BATCH, _BLOCK, _BYTES = 32, 4, 2 ** 26           # pictures at a time for the network, and for a thread


class MinimalImage(Algorithm):
    """A picture of parts, of which some are left away. Subclasses say what a part is (`_n_part`, `_pictures`).

    Attributes
    ----------
    activations : ndarray of shape (n_part,)
        After `generate_minimal_image`: of the first part, the first two, ..., all. As all that follow, of several
        channels or voxels with an axis before, (n_target, n_part).
    n_kept : int or ndarray
        How many parts the minimal picture has; 0 where no share could be kept, for the picture does not drive this
        one of several channels or voxels (for a single one that is an error).
    activation, whole_activation : float or ndarray
        Of the minimal picture, NaN where `n_kept` is 0, and of the picture.
    """

    activations = n_kept = activation = whole_activation = None
    _order: np.ndarray | None = None            # of parts, as they were sorted
    _n_last = 0                                 # of the parts, so many come last in any order

    def _set_criteria(self, activation_criterion, search_criterion, share) -> None:
        self.activation_criterion = choice('activation_criterion', activation_criterion, tuple(METRICS))
        self.search_criterion = choice('search_criterion', search_criterion, ('max', 'fitting curve'))
        self.share = check_share(share)

    @property
    def _n_part(self) -> int:
        raise NotImplementedError

    def _pictures(self, chosen: np.ndarray) -> np.ndarray:
        """Pictures (n, h, w, 3), uint8, of the parts chosen (n, n_part), bool."""
        raise NotImplementedError

    def activation_of(self, image) -> np.ndarray:
        """Activation (n_target,) of any picture, such as a minimal one that was read from its file again."""
        with _Looking(self) as look, torch.inference_mode():
            return look.answer(look.view.taken(image)[None].to(look.device))[0].float().cpu().numpy()

    def _generate(self) -> np.ndarray:
        with self._looking() as look:
            orders = [self._order] if self._order is not None else self._orders(look)
            curves, pictures = [], []
            names = self.target(self.activation_criterion).names
            for number, name in enumerate(names):
                rank = np.argsort(orders[number % len(orders)])
                curves.append(look(lambda k, rank=rank: rank < k[:, None] + 1, number))
                n_kept = self._enough(curves[-1], name)
                pictures.append((n_kept, self._pictures(rank[None] < n_kept)[0]))
        self.activations, self.n_kept = np.stack(curves), np.array([n for n, _ in pictures])
        kept = self.activations[np.arange(len(names)), self.n_kept - 1]
        self.activation = np.where(self.n_kept > 0, kept, np.nan).astype(np.float32)
        self.whole_activation = self.activations[:, -1]
        if self.single:
            for name in ('activations', 'n_kept', 'activation', 'whole_activation'):
                setattr(self, name, getattr(self, name)[0])
            return pictures[0][1]
        return np.stack([picture for _, picture in pictures])

    def _enough(self, activations: np.ndarray, name: str) -> int:
        """How many parts suffice; 0 where one of several targets is not driven, which does not stop the others."""
        try:
            return fewest(activations, self.search_criterion, self.share)
        except BadValue as error:
            if self.single:
                raise
            log.warning('%s: %s', name, error)
            return 0

    def _sort(self, order) -> None:
        """Put parts in order: 'descending' or 'ascending' activation of each alone, or their numbers, from 0."""
        self._need_parts()
        if isinstance(order, str):
            choice('order', order, ('descending', 'ascending'))
            if not self.single:
                raise BadValue('parts have an order for each channel or voxel; sort them for one target, or let '
                               'generate_minimal_image do it for each')
            with self._looking() as look:
                found = self._orders(look)[0]
            n = len(found) - self._n_last
            self._order = found if order == 'descending' else np.concatenate([found[:n][::-1], found[n:]])
        else:
            given = integers(order, 'order')
            if not np.array_equal(np.sort(given), np.arange(self._n_part)):
                raise BadValue(f"order must be 'descending', 'ascending', or all numbers from 0 to {self._n_part - 1}, "
                               'each once')
            self._order = given

    def _combine(self, index) -> np.ndarray:
        """The picture of some parts, by their places (from 0) in the present order."""
        self._need_parts()
        order = np.arange(self._n_part) if self._order is None else self._order
        try:
            places = order[list(index) if isinstance(index, tuple) else index]
        except (IndexError, TypeError):
            raise BadValue(f'index must be places of parts from 0 to {self._n_part - 1}, as a list or a slice, not '
                           f'{index!r}') from None
        chosen = np.zeros((1, self._n_part), bool)
        chosen[0, places] = True
        return self._pictures(chosen)[0]

    def _need_parts(self) -> None:
        raise NotImplementedError

    def _orders(self, look: Callable) -> list[np.ndarray]:
        """For each target all parts, the one that alone has the most activation first."""
        n = self._n_part
        alone = look(lambda k: np.arange(n) == k[:, None])
        first = np.argsort(-alone[:n - self._n_last], axis=0, kind='stable').T
        last = np.arange(n - self._n_last, n)
        return [np.concatenate([order, last]) for order in first]

    def _looking(self):
        """A context that gives a function from chosen parts of pictures 0, 1, ... to their activations."""
        self._need_parts()
        return _Looking(self)


class _Looking:
    """The network, open for many pictures of parts."""

    def __init__(self, minimal: MinimalImage):
        self.minimal, self.view = minimal, View(minimal.dnn)
        self.device = pick_device(minimal.dnn._network(), minimal.device)
        self._open = answering(minimal.dnn, minimal.target(minimal.activation_criterion), minimal.device)
        self._pool = ThreadPoolExecutor()

    def __enter__(self) -> _Looking:
        self.answer = self._open.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._pool.shutdown()
        self._open.__exit__(*error)

    def __call__(self, chosen: Callable, target: int | None = None) -> np.ndarray:
        """Activations (n_part, n_target), or of one target, of pictures whose parts ``chosen(numbers)`` tells."""
        minimal = self.minimal
        n, size = minimal._n_part, minimal._pictures(np.zeros((1, minimal._n_part), bool)).size
        batch = max(1, min(_BATCH, _BYTES // (4 * max(size, n))))
        with progress(None, 'minimal picture', total=n, unit='img', leave=False) as bar:
            def make(numbers: range) -> torch.Tensor:
                bar.update(len(numbers))
                every = chosen(np.asarray(numbers))
                blocks = [every[start:start + _BLOCK] for start in range(0, len(every), _BLOCK)]
                return torch.cat(list(self._pool.map(self._taken, blocks))).to(self.device)
            found = answers(self.answer, make, n, batch)
        return found if target is None else found[:, target]

    def _taken(self, chosen: np.ndarray) -> torch.Tensor:
        """What the network takes of the pictures of parts chosen (n, n_part)."""
        return torch.stack([self.view.taken(Image.fromarray(one)) for one in self.minimal._pictures(chosen)])
