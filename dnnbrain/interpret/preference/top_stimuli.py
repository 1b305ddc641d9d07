"""The stimuli that drive each channel, unit or voxel most, found in one pass that keeps no activations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch

from dnnbrain._checks import BadType, BadValue, choice, whole_number
from dnnbrain.activation.activation import Activation
from dnnbrain.activation.mask import as_mask
from dnnbrain.activation.pool import POOLINGS, pool_maps
from dnnbrain.interpret.preference.units import unit_columns
from dnnbrain.networks.extract import BATCH_SIZE, check_places, check_settings, stream
from dnnbrain.networks.state import pick_device
from dnnbrain.stimuli.loaders import part_of, picture_set

TARGET = 'target'


def top_stimuli(source, k: int = 10, stimuli=None, dmask=None, *, target=None, metric: str = 'max', unit: bool = False,
                device=None, batch_size: int = BATCH_SIZE, n_worker: int | None = None) -> pd.DataFrame:
    """The `k` stimuli that drive each channel most.

    Parameters
    ----------
    source : DNN, Activation, or the name of a ``.act.h5``
        A network is shown the stimuli once, for all layers; a file is read once, in blocks. Neither keeps more than
        the best so far and one batch.
    k : int
    stimuli : Stimulus, ndarray of shape (n_stim, 3, height, width), uint8, or torch Dataset
        Of a network only.
    dmask : Mask, str or sequence of str, optional
        Layers and channels. Of a network needed, if there is no target.
    target : ModelTarget or ChannelTarget, optional
        Voxels of a fitted model in place of layers.
    metric : {'max', 'mean', 'median', 'L1', 'L2'}
        What is made of the map of a channel.
    unit : bool
        Every unit by itself, not the map of a channel.
    device, batch_size, n_worker
        As in `DNN.compute_activation`.

    Returns
    -------
    table : DataFrame
        A row per channel and rank: layer, channel (its number in the network), with `unit` also row and column, of
        clips frame; of a target in their place target, such as 'voxel 3'. Then rank (from 1), stimID, and value.
        Stimuli without IDs go by their number, from 0. Of equal values the stimulus that comes first ranks first; one
        that comes several times counts once.

    Raises
    ------
    BadValue
        There are fewer than `k` stimuli, or a layer puts out NaN.
    """
    choice('metric', metric, POOLINGS)
    if whole_number(k, 'k') is None or k < 1:
        raise BadValue(f'k must be at least 1, not {k}')
    if target is not None and (dmask is not None or unit):
        raise BadValue('a target names its own layers and numbers; leave dmask and unit out')
    if isinstance(source, str | os.PathLike):
        source, fname = Activation(), source
        source.load(fname)
    if isinstance(source, Activation):
        if stimuli is not None:
            raise BadValue('activations hold the answers to their own stimuli; leave stimuli out')
        ids, best = _of_activation(source, k, dmask, target, metric, unit)
    elif hasattr(source, 'layer2path'):
        pooling = None if unit or target is not None else metric
        ids, best = _of_network(source, k, stimuli, dmask, target, pooling, device, batch_size, n_worker)
    else:
        raise BadType(f'source must be a DNN, an Activation or the name of its .act.h5, not {type(source).__name__}')
    return pd.concat([best.table(layer, ids, target) for layer in best.layers], ignore_index=True)


class BestSoFar:
    """Of each unit the `k` stimuli with the largest values, while they come in batches; a sink of `stream`.

    Parameters
    ----------
    k : int
    dmask : dict
        Numbers of the channels, rows and columns of each layer in the network, as `Mask.to_dict` has them.
    unit : bool
        Whether single units come, or one number per channel.
    """

    rows = 0

    def __init__(self, k: int, dmask: dict, unit: bool = False):
        self.k, self.dmask, self.unit = k, dmask, unit
        self._state: dict[str, tuple] = {}      # layer -> stimuli seen, values and stimuli (k, n_unit), best first
        self._before: dict[str, tuple] = {}     # the same before the last batch
        self._shapes: dict[str, tuple[int, ...]] = {}

    def __enter__(self) -> BestSoFar:
        return self

    def __exit__(self, *error) -> None:
        """Nothing to close."""

    @property
    def layers(self) -> list[str]:
        return list(self._state)

    def put(self, layer: str, activ: torch.Tensor) -> None:
        """Take what a layer answers to the next stimuli, (n, n_chn, ...)."""
        came = activ.flatten(1)
        came = came if came.dtype == torch.float64 else came.float()
        if not bool(came.isfinite().all()):
            bad = int((~came.isfinite()).any(1).sum())
            raise BadValue(f'layer {layer!r} holds NaN or infinite activations for {bad} stimuli')
        self._shapes[layer] = tuple(activ.shape[1:])
        none = came[:0], torch.zeros(0, came.shape[1], dtype=torch.int64, device=came.device)
        seen, values, who = self._before[layer] = self._state.get(layer, (0, *none))
        numbers = torch.arange(seen, seen + len(came), device=came.device)[:, None].expand_as(came)
        if len(values) < self.k:
            self._state[layer] = seen + len(came), *_merged(values, who, came, numbers, self.k)
            return
        columns = (came.amax(0) > values[-1]).nonzero()[:, 0]          # few, once many stimuli have come
        better = _merged(*(table[:, columns] for table in (values, who, came, numbers)), self.k)
        values, who = values.clone(), who.clone()
        values[:, columns], who[:, columns] = better
        self._state[layer] = seen + len(came), values, who

    def batch_done(self) -> None:
        """Nothing to note."""

    def go_back(self, rows: int) -> None:
        """Forget what came after the first `rows` stimuli, with which the last batch began."""
        for layer, (seen, *_) in self._state.items():
            if seen > rows:
                self._state[layer] = self._before[layer]

    def table(self, layer: str, ids: np.ndarray, target=None) -> pd.DataFrame:
        """A row per unit and rank."""
        _, values, who = self._state[layer]
        k, n_unit = values.shape
        names = {TARGET: np.asarray(target.names)} if target is not None else \
            unit_columns(layer, self._shapes[layer], self.dmask.get(layer, {}), self.unit)
        return pd.DataFrame({name: np.repeat(column, k) for name, column in names.items()}
                            | {'rank': np.tile(np.arange(1, k + 1), n_unit),
                               'stimID': ids[who.T.flatten().cpu().numpy()],
                               'value': values.T.flatten().cpu().numpy()})


def _merged(values, who, came, numbers, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of old and new values (n, n_unit) in each column, best first; what was there goes before equals."""
    values, order = torch.cat([values, came]).sort(dim=0, descending=True, stable=True)
    return values[:k].clone(), torch.cat([who, numbers]).gather(0, order[:k])


def _of_network(dnn, k: int, stimuli, dmask, target, metric, device, batch_size, n_worker) -> tuple:
    if stimuli is None or dmask is None and target is None:
        raise BadValue('a network needs stimuli, and layers (dmask) or a target')
    check_settings(metric, 'float32', 'all', 'raise', batch_size, n_worker)
    mask = as_mask(dmask if target is None else target.layers)
    check_places(dnn, mask, None, False)
    device = pick_device(dnn._network(), device)
    ids = stimuli.get('stimID') if hasattr(stimuli, 'get') else np.arange(len(stimuli))
    first = _first_rows(ids)
    if len(first) < len(ids):
        stimuli, ids = part_of(stimuli, first), ids[first]
    pictures = picture_set(stimuli, dnn.test_transform)
    best = BestSoFar(_at_most(k, pictures.n_stim), mask.to_dict(), metric is None)
    stream(dnn, pictures, mask, metric, best, device, batch_size, n_worker,
           take=None if target is None else _predicting(target))
    return ids, best


def _of_activation(activ: Activation, k: int, dmask, target, metric: str, unit: bool) -> tuple:
    activ = activ if dmask is None else activ.mask(dmask)
    if activ.stim_ids is not None and len(first := _first_rows(activ.stim_ids)) < len(activ):
        activ = activ[first]
    ids = np.arange(len(activ)) if activ.stim_ids is None else np.asarray(activ.stim_ids)
    best = BestSoFar(_at_most(k, len(activ)), activ.meta.get('dmask', {}), unit)
    if target is not None:
        for maps in _together(activ, target.layers):
            best.put(TARGET, target(maps))
        return ids, best
    for layer in activ.layers:
        for _, block in activ.blocks(layer):
            best.put(layer, torch.from_numpy(block if unit else pool_maps(block, metric)))
    return ids, best


def _together(activ: Activation, layers: tuple[str, ...]) -> Iterator[dict[str, torch.Tensor]]:
    """Layers of the same stimuli, some at a time."""
    for start in range(0, len(activ), BATCH_SIZE):
        part = activ[start:start + BATCH_SIZE]
        yield {layer: torch.from_numpy(part.get(layer)).float() for layer in layers}


def _predicting(target) -> Callable:
    """Layers come one after the other; when all are there, the target makes its numbers of them."""
    held: dict[str, torch.Tensor] = {}

    def take(put: Callable) -> Callable:
        def hold(layer: str, maps: torch.Tensor) -> None:
            held[layer] = maps.clone()                          # what comes next may write in place
            if len(held) == len(target.layers):
                whole = dict(held)
                held.clear()                                    # before what may run out of memory
                put(TARGET, target(whole))
        return hold
    return take


def _first_rows(ids: np.ndarray) -> np.ndarray:
    """Rows (from 0) in which a stimulus comes for the first time."""
    return np.sort(np.unique(np.asarray(ids), return_index=True)[1])


def _at_most(k: int, n_stim: int) -> int:
    if k > n_stim:
        raise BadValue(f'the best {k} were asked for, but there are {n_stim} different stimuli')
    return k
