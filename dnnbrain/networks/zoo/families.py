"""Names of stages, blocks and heads in the families of torchvision and timm."""

from __future__ import annotations

import re

import torch.nn as nn

from dnnbrain._checks import BadValue
from dnnbrain.networks.heads import head_path
from dnnbrain.networks.layers import residual_names

_STAGED = (('stem', r'features\.0|stem|patch_embed'), ('stage#1', r'features\.[1357]|stages\.\d+|layers\.\d+'))
_INVERTED = (('conv#1', r'features\.\d+', 'Conv2dNormActivation'), ('conv1', 'conv_stem'),
             ('stage#1', r'features\.\d+|blocks\.\d+', 'Sequential'), ('block#1', r'features\.\d+', 'InvertedResidual'),
             ('conv2', 'conv_head'))

# Kind of network -> (name, pattern of the whole path[, pattern of the kind of module]); '#2' counts from 2.
FAMILIES = {
    'ConvNeXt': _STAGED, 'SwinTransformer': _STAGED, 'SwinTransformerV2': _STAGED,
    'VisionTransformer': (('stem', 'conv_proj|patch_embed'), ('block#1', r'encoder\.layers\.\w+|blocks\.\d+'),
                          ('norm', r'encoder\.ln|norm')),
    'MaxVit': (('stem', 'stem'), ('stage#1', r'blocks\.\d+')),
    'EfficientNet': _INVERTED, 'MobileNetV2': _INVERTED, 'MobileNetV3': _INVERTED,
    'MNASNet': (('stage#1', r'layers\.\d+', 'Sequential'),),
    'RegNet': (('stem', 'stem'), ('stage#1', r'trunk_output\.block\d+|s\d')),
    'DenseNet': (('conv1', r'features\.conv0'), ('denseblock#1', r'features\.denseblock\d+'),
                 ('transition#1', r'features\.transition\d+'), ('norm', r'features\.norm5')),
    'ShuffleNetV2': (('conv1', 'conv1'), ('maxpool', 'maxpool'), ('stage#2', r'stage\d'), ('conv5', 'conv5')),
    'SqueezeNet': (('conv1', r'features\.0'), ('fire#2', r'features\.\d+', 'Fire')),
}
OTHERS = (('stem', 'stem|patch_embed'), ('stage#1', r'stages\.\d+'), ('block#1', r'blocks\.\d+', '.*Block.*'),
          ('norm', 'norm'))


def family_names(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Names of the parts of a network, from the picture upwards; the last is 'head', which gives the answer
    ('fc' where the network calls 'head' what holds more than that).

    ResNets and their kin have the names of ours (`residual_names`), but for the head. Networks of
    which nothing is known have no names, only module paths.
    """
    kind = type(model).__name__
    names = _residual(model) if kind == 'ResNet' else _matched(model, FAMILIES.get(kind, OTHERS))
    if not names:
        return {}
    try:
        head = head_path(model)
    except BadValue:
        return names
    taken = any(path == 'head' != head for path, _ in model.named_modules())    # by a container, whose path it is
    return names | {'fc' if taken else 'head': tuple(head.split('.'))}


def _residual(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Names as in our ResNets; a stem of several convolutions is one 'conv'."""
    return {'conv' if loc[0] == 'conv1' else name: loc[:1] if loc[0] == 'conv1' else loc
            for name, loc in residual_names(model).items() if name != 'fc'}


def _matched(model: nn.Module, rows: tuple) -> dict[str, tuple[str, ...]]:
    names, counts = {}, {}
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList):            # which puts nothing out itself
            continue
        for name, pattern, *kind in rows:
            if re.fullmatch(pattern, path) and all(re.fullmatch(k, type(module).__name__) for k in kind):
                base, counted, first = name.partition('#')
                counts[base] = counts.get(base, int(first or 0) - 1) + 1
                names[f'{base}{counts[base]}' if counted else name] = tuple(path.split('.'))
                break
    return names
