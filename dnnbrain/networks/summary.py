"""What the layers of a network put out, hold and cost, without showing it a picture."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from dnnbrain._checks import BadInput
from dnnbrain.networks.axes import as_maps, channels_first
from dnnbrain.networks.fields import Field, receptive_fields
from dnnbrain.networks.layers import split_call
from dnnbrain.networks.state import as_model, home_of, visiting


def layer_table(dnn) -> pd.DataFrame:
    """One row per named layer.

    Parameters
    ----------
    dnn : DNN
        May be without memory for its parameters (on the meta device).

    Returns
    -------
    table : DataFrame
        layer, path, shape (of one stimulus, 'n_chn x n_row x n_col'), bytes (of its activation,
        float32), rf and jump (size and step of the receptive field in pixels, '-' where it is the
        whole picture or not defined; see `receptive_fields`), n_param, learns ('yes', 'no', 'partly',
        '-' without parameters), mult_adds (of the convolutions, products and attention in it).
    """
    shapes, home = {}, home_of(dnn._network())
    paths = {layer: dnn.layer2path(layer) for layer in dnn.layers}

    def note(layer):
        calls = iter(range(1, split_call(layer)[1] + 1))

        def hook(module, args, output):
            if next(calls, None) == split_call(layer)[1]:
                shapes[layer] = _shape(channels_first(dnn, module, output), layer)
        return hook

    handles = [dnn.layer2module(layer).register_forward_hook(note(layer)) for layer in dnn.layers]
    learning = [p for p in dnn.model.parameters() if p.requires_grad]
    try:
        for p in learning:                       # or FlopCounterMode trips over one that is shown to a module
            p.requires_grad_(False)
        with visiting(dnn.model, home), torch.inference_mode(), FlopCounterMode(display=False) as counted:
            dnn.model.eval()
            dnn.model(as_model(dnn.model, torch.zeros(1, *dnn.input_shape, device=home)))
    finally:
        for handle in handles:
            handle.remove()
        for p in learning:
            p.requires_grad_(True)
    fields = receptive_fields(dnn.model)
    flops = {path.partition('.')[2]: sum(found.values()) for path, found in counted.get_flop_counts().items()}
    return pd.DataFrame([{
        'layer': layer, 'path': path, 'shape': ' x '.join(map(str, shapes.get(layer, ()))),
        'bytes': 4 * int(torch.Size(shapes.get(layer, (0,))).numel()), **_seen(fields.get(path, ()), layer),
        **_held(dnn.layer2module(layer)),
        'mult_adds': flops.get(path, 0) // 2,
    } for layer, path in paths.items()])


def _shape(output, layer: str) -> tuple[int, ...]:
    """Of one stimulus, as its activation has it; (n_feat,) of vectors, () of what is no activation."""
    if getattr(output, 'ndim', 0) == 2:
        return tuple(output.shape[1:])
    try:
        return tuple(as_maps(output, layer, 1).shape[1:])
    except BadInput:
        return ()


def _seen(fields: Sequence[Field | None], layer: str) -> dict:
    call = split_call(layer)[1]
    field = fields[call - 1] if call <= len(fields) else None
    return {'rf': _sides(field and field.size), 'jump': _sides(field and field.jump)}


def _sides(lengths: tuple[int, ...] | None) -> str:
    """One number where all sides are equal."""
    return '-' if lengths is None else ' x '.join(map(str, lengths if len(set(lengths)) > 1 else lengths[:1]))


def _held(module: torch.nn.Module) -> dict:
    learn = {p.requires_grad for p in module.parameters()}
    told = {(True,): 'yes', (False,): 'no', (): '-'}.get(tuple(learn), 'partly')
    return {'n_param': sum(p.numel() for p in module.parameters()), 'learns': told}
