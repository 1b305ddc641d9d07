"""Keeping a network in a file, and getting it back as it was."""

from __future__ import annotations

from dnnbrain._checks import BadValue
from dnnbrain.networks.record import apply_record, read_record, write_record
from dnnbrain.networks.registry import NETWORKS
from dnnbrain.networks.structure import build, leaf
from dnnbrain.networks.weights import load_into, read_state, write_state


def save(dnn, fname) -> None:
    """Write the parameters as a plain state dict (.pth, .safetensors), and beside it what is known of them.

    ``NAME.pth.json`` holds what `load` rebuilds the network from (which one, replaced parts, cuts,
    joined heads, transforms), and class names, settings of the training, history and versions.
    """
    write_state(dnn._network(), fname)
    write_record(dnn, fname)


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
    if anyone and bottom not in NETWORKS:
        raise BadValue(f'{str(fname)!r} does not say which network of dnnbrain it holds; use the load of its '
                       'class, such as AlexNet.load')
    if bottom != cls.__name__ and {bottom, cls.__name__} <= set(NETWORKS):
        raise BadValue(f'{str(fname)!r} holds {bottom}, not {cls.__name__}; use {bottom}.load')
    dnn = build(plan, None if anyone else cls, **kwargs)
    dnn._fit(dnn._network(), state)
    load_into(dnn._network(), state, dnn.name)
    dnn._name_layers()
    dnn.classes = None
    if record:
        apply_record(dnn, record, transforms='preprocess' not in kwargs)
    return dnn
