"""What the layers of a network put out, without running it on anything."""

from __future__ import annotations

import pandas as pd
import torch

from dnnbrain.networks.state import home_of, visiting


def layer_table(dnn) -> pd.DataFrame:
    """Name, module path, shape and bytes per stimulus of every named layer.

    Parameters
    ----------
    dnn : DNN
        May be without memory for its parameters (on the meta device).
    """
    shapes, paths = {}, {layer: dnn.layer2path(layer) for layer in dnn.layers}

    def note(layer):
        def hook(module, args, output):
            shapes[layer] = tuple(getattr(output, 'shape', ())[1:])
        return hook

    handles = [dnn.layer2module(layer).register_forward_hook(note(layer)) for layer in dnn.layers]
    try:
        with visiting(dnn.model, home_of(dnn.model)), torch.inference_mode():
            dnn.model.eval()
            dnn.model(torch.zeros(1, 3, *dnn.img_size, device=home_of(dnn.model)))
    finally:
        for handle in handles:
            handle.remove()
    return pd.DataFrame([{
        'layer': layer, 'path': path, 'shape': ' x '.join(map(str, shapes.get(layer, ()))),
        'bytes': 4 * int(torch.Size(shapes.get(layer, (0,))).numel()),
    } for layer, path in paths.items()])
