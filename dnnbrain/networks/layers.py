"""Names of layers: those of DNNBrain 1.0, derived by walking a network, and module paths."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn as nn

from dnnbrain._checks import BadType

_SUFFIX = ((nn.modules.batchnorm._BatchNorm, 'bn'), (nn.ReLU, 'relu'), (nn.modules.pooling._MaxPoolNd, 'maxpool'))


def feedforward_names(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Names in a plain feedforward network (AlexNet, VGG): conv1, conv1_bn, conv1_relu, fc1, ...

    Convolutions and fully connected layers are counted; what follows one is named after it.
    Dropout and average pooling have module paths only.
    """
    names, counts, owner = {}, {'conv': 0, 'fc': 0}, ''
    for path, module in _leaves(model):
        kind = 'conv' if isinstance(module, nn.modules.conv._ConvNd) else \
            'fc' if isinstance(module, nn.Linear) else None
        if kind:
            counts[kind] += 1
            owner = f'{kind}{counts[kind]}'
            names[owner] = tuple(path.split('.'))
        else:
            suffix = next((s for cls, s in _SUFFIX if isinstance(module, cls)), None)
            if suffix:
                names[f'{owner}_{suffix}'] = tuple(path.split('.'))
    return names


def residual_names(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Names in a ResNet: conv, bn, relu, maxpool, layer1_bottleneck0, ..., avgpool, fc.

    Blocks are named by their kind: bottleneck (ResNet-50 and deeper) or basicblock.
    """
    names = {}
    for child, module in model.named_children():
        if isinstance(module, nn.Sequential):
            for index, block in module.named_children():
                names[f'{child}_{type(block).__name__.lower()}{index}'] = (child, index)
        elif not isinstance(module, nn.Identity):
            names[child.removesuffix('1') if child in ('conv1', 'bn1') else child] = (child,)
    return names


def child_names(model: nn.Module, leave_out: tuple[str, ...] = (),
                count: dict[str, str] | None = None) -> dict[str, tuple[str, ...]]:
    """Names of the parts of an Inception network: its children under their own names.

    Parameters
    ----------
    leave_out : tuple of str
        Children without a name of DNNBrain 1.0.
    count : dict, optional
        Beginning of a child's name ('Conv2d' of 'Conv2d_1a_3x3') -> what it is counted as ('conv').
    """
    names, counts = {}, dict.fromkeys((count or {}).values(), 0)
    for child, _ in model.named_children():
        if child in leave_out:
            continue
        kind = (count or {}).get(child.partition('_')[0])
        if kind:
            counts[kind] += 1
        names[f'{kind}{counts[kind]}' if kind else child] = (child,)
    return names


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((path, m) for path, m in model.named_modules() if not any(m.children()))


def module_paths(model: nn.Module) -> list[list[str]]:
    """All paths of each module but the model itself; a module used at several places has several."""
    paths: dict[int, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if path:
            paths.setdefault(id(module), []).append(path)
    return list(paths.values())


def split_call(layer: str) -> tuple[str, int]:
    """A layer name and which of its calls is meant: 'relu#2' is the second time relu is used."""
    if not isinstance(layer, str):
        raise BadType(f'layer must be a name, not {layer!r}')
    name, found, number = layer.rpartition('#')
    return (name, int(number)) if found and number.isdigit() and int(number) > 0 else (layer, 1)
