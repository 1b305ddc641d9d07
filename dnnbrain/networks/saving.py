"""Keeping a network in a file, and getting it back as it was."""

from __future__ import annotations

import torch

from dnnbrain._checks import BadValue
from dnnbrain.networks.record import apply_record, read_record, record_of, write_record
from dnnbrain.networks.registry import NETWORKS, is_known
from dnnbrain.networks.structure import build, can_be_built, leaf
from dnnbrain.networks.weights import load_into, read_state, write_state


def save(dnn, fname) -> None:
    """Write the parameters as a plain state dict (.pth, .safetensors), and beside it what is known of them.

    ``NAME.pth.json`` holds what `load` rebuilds the network from (which one, replaced parts, cuts,
    joined heads, transforms), and class names, settings of the training, history and versions.
    """
    text = record_of(dnn)                        # first, so that a file without its record is never left
    write_state(dnn._network(), fname)
    write_record(text, fname)


def load(cls, fname, **kwargs):
    """A network with the parameters of a file, changed as that one was.

    Parameters
    ----------
    fname : str
        A ``.pth`` or ``.safetensors`` written by `save`, or by torch from ``model.state_dict()``. Without
        the ``.json`` beside it, a changed head is rebuilt from the sizes of the tensors. No code in it is run.
    **kwargs
        Go to the class, such as ``preprocess='weights'``, which then overrules the transforms of the file.

    Returns
    -------
    dnn : DNN
        Of this class; or, if the network was cut or joined, made from one of this class.

    Raises
    ------
    BadValue
        The file holds another network, or one with parts that cannot be rebuilt.

    Notes
    -----
    ``DNN.load`` reads any network of the registry that was saved with its ``.json``.
    """
    state, record = read_state(fname), read_record(fname)
    plan = record['made'] if record else {'network': cls.__name__}
    bottom, anyone = leaf(plan), cls.__name__ == 'DNN'
    if anyone and not can_be_built(plan):
        raise BadValue(f'{str(fname)!r} does not say how its network is built; use the load of its class, such as '
                       'AlexNet.load, or build it again and use dnn.model.load_state_dict')
    if bottom != cls.__name__ and can_be_built(plan) and is_known(cls.__name__):
        raise BadValue(f'{str(fname)!r} holds {bottom}, not {cls.__name__}; use '
                       f'{bottom if bottom in NETWORKS else "DNN"}.load')
    dnn = build(plan, None if anyone else cls, **kwargs)
    dnn._fit(dnn._network(), state)
    if record and record.get('dtype'):
        dnn.model.to(getattr(torch, record['dtype']))
    load_into(dnn._network(), state, dnn.name)
    dnn._name_layers()
    dnn.classes = None
    if record:
        apply_record(dnn, record, transforms='preprocess' not in kwargs)
    return dnn
