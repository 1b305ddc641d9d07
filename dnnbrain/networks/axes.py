"""The axes of what layers put out: stimuli, channels, then places, whatever order a network keeps them in.

Swin, and parts of ConvNeXt, MaxViT and others keep channels on the last axis. What a module is says so for most
(convolutions and what is called 2d work on the second axis, fully connected layers and layer norm on the last). Others
leave the axes as they come; in networks of torchvision and timm, whose maps have the shape of the picture, the shape
tells. Nobody else's network is judged by shapes: maps of eight channels may have eight rows and one column.
"""

from __future__ import annotations

import math

import torch
import torch.nn as nn
from torch.fx import GraphModule
from torchvision.ops import Permute

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.tokens import patch_grid

_ON_THE_SECOND = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.modules.pooling._MaxPoolNd,
                  nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd,
                  nn.modules.pooling._AdaptiveAvgPoolNd)
_WITH_MAPS_LIKE_PICTURES = ('torchvision.models', 'timm.')

TOKENS = ('all', 'cls', 'mean', 'patch')


def channels_first(dnn, module: nn.Module, output, side: str = 'output'):
    """What a module puts out (or takes), maps as (n, n_chn, n_row, n_col); a view, and all else as it is.

    Of several outputs (attention puts out its weights too) the first counts.
    """
    if isinstance(output, tuple | list | dict) and len(output):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    if isinstance(output, torch.Tensor) and output.ndim == 4 and channels_last(dnn, module, output.shape[1:], side):
        return output.permute(0, 3, 1, 2)
    return output


def channels_last(dnn, module: nn.Module, shape, side: str = 'output') -> bool:
    """Whether maps that a module puts out (or takes) have their channels on the last axis.

    Parameters
    ----------
    shape : sequence of three int
        Of the maps of one stimulus.
    """
    told = told_by_kind(module, side)
    if told is None and any(type(part).__module__.startswith(_WITH_MAPS_LIKE_PICTURES) for part in dnn.model.modules()):
        told = _told_by_shape(shape, dnn.input_shape[-2:] if dnn.img_size else (1, 1))
    return _told_by_others(dnn.model, module) if told is None else told


def told_by_kind(module: nn.Module, side: str = 'output') -> bool | None:
    """`channels_last` for modules that work on a certain axis; None for all others."""
    if isinstance(module, Permute):
        return list(module.dims) == ([0, 2, 3, 1] if side == 'output' else [0, 3, 1, 2])
    if isinstance(module, _ON_THE_SECOND) or '2d' in type(module).__name__:         # such as LayerNorm2d
        return False
    if isinstance(module, nn.Linear | nn.LayerNorm) or getattr(module, 'channel_dim', None) == -1:
        return True                                                                 # the last is timm's response norm
    return None


def _told_by_shape(shape, picture) -> bool | None:
    """By which two of three axes have the shape of the picture."""
    def fits(height: int, width: int) -> bool:
        return abs(height - width * picture[0] / picture[1]) < 1
    first, last = fits(*shape[1:]), fits(*shape[:2])
    return None if first == last else last


def _told_by_others(model: nn.Module, module: nn.Module) -> bool:
    """By what a module is made of; if it has no weights, by the module before it, or by the one it belongs to."""
    if isinstance(module, nn.Sequential) and len(module):
        return _told_by_the_last(model, list(module))
    made_of = [part for part in module.modules() if part._parameters]
    told = {told_by_kind(part) for part in made_of} - {None}         # parameters of its own tell nothing
    if made_of:
        return told == {True}
    parent = next((one for one in model.modules() if any(child is module for child in one.children())), None)
    if isinstance(parent, nn.Sequential):
        place = next(i for i, child in enumerate(parent) if child is module)
        return place > 0 and _told_by_the_last(model, list(parent)[:place])
    return parent is not None and parent is not model and _told_by_others(model, parent)


def _told_by_the_last(model: nn.Module, modules: list[nn.Module]) -> bool:
    told = told_by_kind(modules[-1])
    return _told_by_others(model, modules[-1]) if told is None else told


def as_maps(output, layer: str, n: int, tokens: str = 'all', dnn=None) -> torch.Tensor:
    """The output of a module for n stimuli as (n, n_chn, n_row, n_col); clips keep (n, n_chn, n_frame, n_row, n_col).

    Fully connected layers get one position; tokens (n, n_token, n_feat) become n_feat channels
    with a row per token.

    Parameters
    ----------
    tokens : {'all', 'cls', 'mean', 'patch'}
        All of them, the class token, their mean, or those of patches.
    dnn : DNN
        Whose layer it is; needed for 'cls' and 'patch'.
    """
    if not isinstance(output, torch.Tensor):
        raise BadType(f'layer {layer!r} puts out {type(output).__name__}, not one tensor; choose a layer inside it')
    if output.ndim < 2 or len(output) != n:
        raise BadValue(f'layer {layer!r} puts out {tuple(output.shape)} for {n} stimuli: not one answer per stimulus')
    if output.ndim == 3:
        return _some_tokens(output.transpose(1, 2), layer, tokens, dnn)[..., None]
    return output[..., None, None] if output.ndim == 2 else output


def _some_tokens(found: torch.Tensor, layer: str, tokens: str, dnn) -> torch.Tensor:
    """Tokens (n, n_feat, n_token) that are asked for."""
    if tokens == 'all':
        return found
    if tokens == 'mean':
        return found.mean(2, keepdim=True)
    grid = token_grid(dnn, found.shape[2])
    n_prefix = told_prefix(dnn.model) if grid is None else grid[0]
    if tokens == 'patch':
        if n_prefix >= found.shape[2]:
            raise BadValue(f"layer {layer!r} has no tokens of patches; take tokens='all'")
        return found[:, :, n_prefix:]
    if n_prefix == 0 or getattr(dnn.model, 'cls_token', '') is None:
        raise BadValue(f"layer {layer!r} has no class token; take tokens='mean', 'patch' or 'all'")
    return found[:, :, :1]


def token_grid(dnn, n_token: int) -> tuple[int, int, int] | None:
    """(class token and registers, rows, columns) of tokens that are the patches of a picture; None if they are not.

    Patches alone are found by their number: of many networks some layers have a class token, others none.
    """
    windows = told_by_timm(dnn.model, 'mask_spatial_shape')
    if windows is not None and math.prod(windows) != n_token:            # those of Hiera come window by window
        return None
    picture, told = dnn.input_shape[-2:] if dnn.img_size else (1, 1), told_prefix(dnn.model)
    patches = patch_grid(n_token - told, picture)
    return (told, *patches[1:]) if patches is not None and patches[0] == 0 else patch_grid(n_token, picture)


def as_patches(maps, dnn, layer: str):
    """Tokens (n, n_chn, n_token, 1), arrays or tensors, as the grid (n, n_chn, n_row, n_col) of patches that they are.

    Raises
    ------
    BadValue
        They are not one per patch, row by row.
    """
    grid = token_grid(dnn, maps.shape[2])
    if grid is None:
        raise BadValue(f'the {maps.shape[2]} tokens of layer {layer!r} are no patches of the picture, row by row, with '
                       'a class token and registers or without')
    before, *sides = grid
    return maps[:, :, before:].reshape(*maps.shape[:2], *sides)


def told_prefix(model: nn.Module) -> int:
    """How many tokens come before those of patches: class token and registers, as timm says; else one."""
    told = told_by_timm(model, 'num_prefix_tokens')
    if told is not None:
        return told
    return int(not type(model).__module__.startswith('timm.') or getattr(model, 'cls_token', None) is not None)


def told_by_timm(model: nn.Module, name: str):
    """An attribute of a model or a part of it, or what was kept of it when the model was cut; None if it has none."""
    found = (getattr(part, name, part.meta.get(name) if isinstance(part, GraphModule) else None)
             for part in model.modules())
    return next((value for value in found if value is not None), None)
