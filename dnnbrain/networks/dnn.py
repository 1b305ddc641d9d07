"""A network with named layers: look at pictures, learn, keep what it learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn as nn

from dnnbrain._checks import BadType, BadValue, choice, listing, positions
from dnnbrain.networks import freezing, heads
from dnnbrain.networks.ablation import ablate, ablated, random_lesion, restore
from dnnbrain.networks.cutting import cut_dnn, join
from dnnbrain.networks.drawing import draw_structure
from dnnbrain.networks.evaluate import test
from dnnbrain.networks.extract import compute_activation
from dnnbrain.networks.functional import functional_operations, refuse_functional
from dnnbrain.networks.held_out import cross_validate
from dnnbrain.networks.history import History
from dnnbrain.networks.layers import module_paths, split_call
from dnnbrain.networks.predict import predict
from dnnbrain.networks.readout import readout
from dnnbrain.networks.reduce import fit_basis
from dnnbrain.networks.registry import from_timm, from_torchvision
from dnnbrain.networks.saving import load, save
from dnnbrain.networks.summary import layer_table
from dnnbrain.networks.train import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class DNN:
    """Any network. Fill the attributes by hand or in a subclass.

    Parameters
    ----------
    model : Module, optional
    layer2loc : dict, optional
        Layer name -> tuple of module keys, such as ``{'conv1': ('features', '0')}``. Every module
        path ('features.0') names a layer too.
    img_size : tuple of int, optional
        (height, width) in pixels.
    train_transform, test_transform : callable, optional
        PIL picture -> tensor (3, height, width), for training (augmented) and for looking.

    Attributes
    ----------
    classes : list of str or None
        Names of the classes, from the column 'condition' of the stimuli it was trained on.
    history : History or None
        What the last training left.
    aux_heads : tuple of str
        Paths of the last layers of auxiliary classifiers, whose outputs follow the main one in training.
    aux_weight : float
        What the loss of each of them counts with ``train(method='inception')``.
    made : dict or None
        Of a network that was cut or joined: from what (`dnnbrain.networks.structure`).
    kept : tuple of str
        Plain attributes of the model that are saved with it.
    lesions : tuple of Lesion
        What `ablate` has silenced.
    """

    classes: list[str] | None = None        # set on the class for subclasses with an __init__ of their own
    history: History | None = None
    aux_heads: tuple[str, ...] = ()
    aux_weight: float = 0.3
    made: dict | None = None
    _named_parts: list | None = None        # what the network was made of when its layers were named
    kept: tuple[str, ...] = ()
    lesions: tuple = ()
    img_size: tuple[int, int] | None = None
    train_transform: Callable | None = None
    test_transform: Callable | None = None

    def __init__(self, model: nn.Module | None = None, *, layer2loc: dict | None = None,
                 img_size: tuple[int, int] | None = None, train_transform: Callable | None = None,
                 test_transform: Callable | None = None):
        self.model = model
        self.layer2loc: dict[str, tuple[str, ...]] = layer2loc or {}
        self.img_size = img_size
        self.train_transform = train_transform
        self.test_transform = test_transform
        self._drop_stale_names()

    # The work is done by functions of one file each; here they are verbs of a network.
    compute_activation = compute_activation
    functional_operations = functional_operations
    fit_basis = fit_basis
    train = train
    test = test
    predict = predict
    param_groups = freezing.param_groups
    cut = cut_dnn
    join = join
    readout = readout
    cross_validate = cross_validate
    save = save
    load = classmethod(load)
    ablate = ablate
    ablated = ablated
    restore = restore
    random_lesion = random_lesion
    from_torchvision = staticmethod(from_torchvision)
    from_timm = staticmethod(from_timm)

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def layers(self) -> list[str]:
        """Names of layers, from the picture upwards; module paths where there are no names."""
        self._drop_stale_names()
        if self.layer2loc:
            return list(self.layer2loc)
        return [name for paths in module_paths(self._network()) for name in
                (paths if len(paths) == 1 else [f'{paths[0]}#{k}' for k in range(1, len(paths) + 1)])]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one transformed stimulus, (3, height, width) for pictures, (3, n_frame, height, width) for clips."""
        if self.img_size is None:
            raise BadValue(f'{self.name} has no img_size; set it to the (height, width) of its pictures')
        shape_of = getattr(self.test_transform, 'input_shape', None)
        return (3, *self.img_size) if shape_of is None else shape_of(self.img_size)

    def layer2path(self, layer: str) -> str:
        """Module path of a layer given by its name or path; '#2' asks for its second call.

        Raises
        ------
        BadValue
            The network has no such layer, or it is an operation without a module; or its module stands at
            several places, so that the call that is meant must be said.
        """
        name, _ = split_call(layer)
        self._drop_stale_names()
        path = '.'.join(str(key) for key in self.layer2loc[name]) if name in self.layer2loc else name
        places = next((paths for paths in module_paths(self._network()) if path in paths), None)
        if places is None:
            refuse_functional(self, name)
            choice('layer', name, self.layers, owner=self.name)
        if len(places) > 1 and '#' not in layer:
            raise BadValue(f'layer {layer!r} is one module at {len(places)} places ({listing(places)}); say which use '
                           f"of it is meant: '{layer}#1', '{layer}#2', ...")
        return path

    def _drop_stale_names(self) -> None:
        """Name the layers anew if parts were replaced by hand since they were named."""
        parts = [] if self.model is None else [(path, type(module)) for path, module in self.model.named_modules()]
        if self._named_parts not in (None, parts):
            self._name_layers()
        self._named_parts = parts

    def layer2module(self, layer: str) -> nn.Module:
        """The module that computes a layer."""
        return self._network().get_submodule(self.layer2path(layer))

    def get_kernel(self, layer: str, kernels=None) -> np.ndarray:
        """Weights of a layer.

        Parameters
        ----------
        kernels : int or sequence of int, optional
            Numbers from 1; all by default.

        Returns
        -------
        weights : ndarray of shape (n_kernel, n_channel, n_row, n_col), or (n_kernel, n_feat) for Linear
        """
        weight = getattr(self.layer2module(layer), 'weight', None)
        if weight is None:
            raise BadValue(f'layer {layer!r} of {self.name} has no weights')
        values = weight.detach().cpu().numpy().copy()
        index = positions(kernels, len(values), f'kernel of layer {layer!r}')
        return values if index is None else values[index]

    def replace_head(self, n_out: int, layer: str | None = None, rng: int | None = None) -> nn.Linear | nn.Conv2d:
        """A fresh last fully connected layer with `n_out` outputs; returned, to be optimised.

        Parameters
        ----------
        n_out : int
            Classes, or outputs of a regression.
        layer : str, optional
            What it replaces: a fully connected layer, or a whole classifier ('classifier'). The
            last fully connected layer by default, and with it those of auxiliary classifiers.
        rng : int, optional
            Seed of the initial weights.
        """
        head = heads.replace_head(self._network(), n_out, layer and self.layer2path(layer), rng)
        for path in self.aux_paths() if layer is None else ():
            heads.replace_head(self.model, n_out, path, rng)
        self.classes = None
        self._name_layers()
        return head

    def aux_paths(self) -> list[str]:
        """Paths of the last layers of the auxiliary classifiers that the network still has."""
        return [path for path in self.aux_heads if _has(self._network(), tuple(path.split('.')))]

    def freeze(self, *layers: str) -> DNN:
        """Let layers stay as they are in training; all by default.

        Parameters
        ----------
        *layers : str
            Names ('conv1'), module paths ('features', 'layer4'), beginnings of names (``'layer1_'``),
            or 'all but head'.

        Notes
        -----
        Frozen batch norm and dropout run in eval mode while the network is trained.
        """
        return freezing.set_learning(self, layers, False)

    def unfreeze(self, *layers: str) -> DNN:
        """Let layers learn again, named as in `freeze`; all by default."""
        return freezing.set_learning(self, layers, True)

    def summary(self) -> pd.DataFrame:
        """A row per named layer: path, shape, bytes, parameters, whether they learn, multiply-adds."""
        return layer_table(self)

    def show(self) -> Figure:
        """The named layers as a drawing: sizes, kinds, shapes, and what is frozen. Opens no window."""
        return draw_structure(self)

    def eval(self) -> DNN:
        """Put the network in eval mode."""
        self._network().eval()
        return self

    @classmethod
    def _empty(cls, **kwargs) -> DNN:
        """A network to be filled from a file."""
        return cls(**kwargs)

    @staticmethod
    def _plain() -> type[DNN]:
        """Class of what is cut from this network or joined to it."""
        return DNN

    @staticmethod
    def _fit(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        """Make a network that is to be filled from a file like the one the file is of; here as it is."""

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """The forward pass of a batch of transformed pictures (n, 3, height, width)."""
        return self._network()(inputs)

    def _name_layers(self) -> None:
        """Names of the layers after the network has changed: here those whose module is still there."""
        self.layer2loc = {name: loc for name, loc in self.layer2loc.items() if _has(self._network(), loc)}

    def _network(self) -> nn.Module:
        if not isinstance(self.model, nn.Module):
            raise BadType(f'{self.name} has no network yet; set its attribute model to a torch.nn.Module')
        return self.model


def _has(model: nn.Module, loc: tuple) -> bool:
    """Whether a model has a module at a tuple of keys."""
    for key in loc:
        model = getattr(model, '_modules', {}).get(str(key))
    return model is not None
