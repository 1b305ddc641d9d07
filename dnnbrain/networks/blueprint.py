"""Modules and transforms as plain values, and made again from them: no code is kept, and none is run.

Only what torch and torchvision name, with plain settings, can be described; of anything else the name of its type is
kept, for people to read, and marked as unknown.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn as nn
from torch import fx
from torchvision import transforms
from torchvision.transforms._presets import ImageClassification

from dnnbrain._checks import BadValue
from dnnbrain.networks.units import Units
from dnnbrain.stimuli.clips import ClipTransform
from dnnbrain.stimuli.sounds import SoundTransform

_CONV = 'in_channels out_channels kernel_size stride padding dilation groups bias padding_mode'
_NORM = 'num_features eps momentum affine track_running_stats'
MODULES = {
    'Linear': 'in_features out_features bias', 'Conv1d': _CONV, 'Conv2d': _CONV, 'Conv3d': _CONV,
    'BatchNorm1d': _NORM, 'BatchNorm2d': _NORM, 'BatchNorm3d': _NORM,
    'LayerNorm': 'normalized_shape eps elementwise_affine bias', 'GroupNorm': 'num_groups num_channels eps affine',
    'ReLU': 'inplace', 'ReLU6': 'inplace', 'LeakyReLU': 'negative_slope inplace', 'ELU': 'alpha inplace',
    'GELU': 'approximate', 'SiLU': 'inplace', 'Hardswish': 'inplace', 'Softplus': 'beta threshold',
    'PReLU': 'num_parameters', 'Tanh': '', 'Sigmoid': '', 'Identity': '', 'Softmax': 'dim', 'LogSoftmax': 'dim',
    'Dropout': 'p inplace', 'Dropout2d': 'p inplace', 'Flatten': 'start_dim end_dim',
    'MaxPool2d': 'kernel_size stride padding dilation return_indices ceil_mode',
    'AvgPool2d': 'kernel_size stride padding ceil_mode count_include_pad divisor_override',
    'AdaptiveAvgPool2d': 'output_size', 'AdaptiveMaxPool2d': 'output_size return_indices',
}
TRANSFORMS = {
    'Resize': 'size interpolation max_size antialias', 'CenterCrop': 'size', 'ToTensor': '', 'PILToTensor': '',
    'Normalize': 'mean std', 'ConvertImageDtype': 'dtype',
    'RandomResizedCrop': 'size scale ratio interpolation antialias',
    'RandomCrop': 'size padding pad_if_needed fill padding_mode', 'RandomHorizontalFlip': 'p',
    'RandomVerticalFlip': 'p', 'RandomRotation': 'degrees interpolation expand center fill',
    'Pad': 'padding fill padding_mode',
    'Grayscale': 'num_output_channels', 'RandomGrayscale': 'p', 'GaussianBlur': 'kernel_size sigma',
    'ColorJitter': 'brightness contrast saturation hue',
}


def describe_module(module: nn.Module) -> dict:
    """A module as plain values: its type and settings, or for a Sequential its parts by name."""
    if type(module) is nn.Sequential:
        parts = {name: describe_module(part) for name, part in module.named_children()}
        return {'type': 'Sequential', 'parts': parts}
    if type(module) is Units:
        return {'type': 'Units', 'dmask': module.dmask.to_dict()}
    return _described(module, nn, MODULES)


def make_module(plan: dict) -> nn.Module:
    """The module of a description, with fresh weights.

    Raises
    ------
    BadValue
        It is, or holds, something that could not be described.
    """
    if plan.get('type') == 'Sequential':
        made = nn.Sequential()
        for name, part in plan['parts'].items():
            made.add_module(name, make_module(part))
        return made
    if plan.get('type') == 'Units':
        return Units(plan['dmask'])
    return _made(plan, nn, MODULES)


def describe_transform(transform: Callable | None) -> dict | None:
    """A transform of torchvision as plain values."""
    if type(transform) is transforms.Compose:
        return {'type': 'Compose', 'steps': [describe_transform(step) for step in transform.transforms]}
    if type(transform) is ImageClassification:       # what torchvision publishes with weights
        return describe_transform(transforms.Compose([
            transforms.Resize(transform.resize_size, transform.interpolation, antialias=transform.antialias),
            transforms.CenterCrop(transform.crop_size), transforms.ToTensor(),
            transforms.Normalize(transform.mean, transform.std)]))
    if type(transform) is SoundTransform:
        return {'type': 'SoundTransform'}
    if type(transform) is ClipTransform:
        return {'type': 'ClipTransform', 'frames': describe_transform(transform.frames), 'n_frame': transform.n_frame,
                'size': _plain(transform.size)}
    return None if transform is None else _described(transform, transforms, TRANSFORMS)


def make_transform(plan: dict | None) -> Callable | None:
    """The transform of a description."""
    if plan is None:
        return None
    if plan.get('type') == 'Compose':
        return transforms.Compose([make_transform(step) for step in plan['steps']])
    if plan.get('type') == 'SoundTransform':
        return SoundTransform()
    if plan.get('type') == 'ClipTransform':
        return ClipTransform(make_transform(plan['frames']), plan['n_frame'], plan['size'])
    return _made(plan, transforms, TRANSFORMS)


def changes(fresh: nn.Module, model: nn.Module, path: str = '') -> dict[str, dict]:
    """Module path -> description, for what differs in a model from a fresh one of its kind."""
    ours, theirs = describe_module(model), describe_module(fresh)
    if _kind(model) is not _kind(fresh) or ('unknown' not in ours and 'parts' not in ours and ours != theirs):
        return {path: ours}
    children, before = dict(model.named_children()), dict(fresh.named_children())
    if type(model) is nn.Sequential and list(children) != list(before) or set(children) - set(before):
        return {path: ours}
    found = {f'{path}.{name}' if path else name: {'type': 'None'} for name in before if name not in children}
    for name, child in children.items():
        found |= changes(before[name], child, f'{path}.{name}' if path else name)
    return found


def _kind(module: nn.Module) -> type:
    return fx.GraphModule if isinstance(module, fx.GraphModule) else type(module)    # each has a class of its own


def _described(thing, source, table: dict[str, str]) -> dict:
    name = type(thing).__name__
    if name not in table or type(thing) is not getattr(source, name):
        return {'type': name, 'unknown': True}
    values = {key: thing.bias is not None if key == 'bias' else _plain(getattr(thing, key))
              for key in table[name].split()}
    if name == 'ColorJitter':                    # None stands for what was not given, and may not be given
        values = {key: value for key, value in values.items() if value is not None}
    return {'type': name} | values


def _plain(value):
    """Tuples as lists, enumerations by their values, types of numbers by name: what JSON gives back."""
    if hasattr(value, 'tolist'):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, torch.dtype) else getattr(value, 'value', value)


def _made(plan: dict, source, table: dict[str, str]):
    name = plan.get('type')
    if name not in table or plan.get('unknown'):
        raise BadValue(f'{name} cannot be made from its description')
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in plan.items()
                if key in table[name].split()}
    if 'interpolation' in settings:
        settings['interpolation'] = transforms.InterpolationMode(settings['interpolation'])
    if 'dtype' in settings:
        settings['dtype'] = getattr(torch, settings['dtype'].removeprefix('torch.'))
    if name == 'Resize' and isinstance(settings['size'], tuple):
        settings['size'] = list(settings['size'])
    return getattr(source, name)(**settings)
