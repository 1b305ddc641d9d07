"""The structure of a network as a drawing: a box per layer, from the picture to the output."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import torch.nn as nn

from dnnbrain.networks.summary import layer_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

COLORS = {'convolution': '#4477aa', 'norm': '#ccbb44', 'activation': '#ee6677', 'pooling': '#aa3377',
          'fully connected': '#228833', 'block': '#66ccee', 'other': '#bbbbbb', 'picture': '#ffffff'}
KINDS = {'conv': 'convolution', 'batchnorm': 'norm', 'instancenorm': 'norm', 'normalization': 'norm',
         'activation': 'activation', 'pooling': 'pooling'}           # by file of torch.nn.modules

# Lengths in inches, type in points.
WIDEST, MARGIN, GAP, HEAD = 11.0, 0.15, 0.1, 0.62
LARGEST_MAP, MOST_CHANNELS, TALLEST_BAR, BAR, LEAST = 1.0, 0.45, 0.8, 0.08, 0.04
LONG_VECTOR = 4096                  # units of a bar as tall as any
LINE, NAME_SIZE, SHAPE_SIZE, KEY_SIZE, TITLE_SIZE = 0.125, 7, 6, 8, 9
LINE_LENGTH = 11                    # characters of a name after which it goes on in the next line


class Box(NamedTuple):
    """What is drawn for a layer; lengths in inches."""

    lines: list[str]        # the name, and last the shape
    kind: str
    learns: str
    width: float
    height: float
    room: float             # width with what is written below


def draw_structure(dnn) -> Figure:
    """The layers of a network from left to right, long networks in several rows.

    Boxes are as high as the side of the maps and as wide as their channels are many, both on a
    scale of square roots; vectors are bars, on a logarithmic one. What is frozen is hatched, and
    pale where nothing in it learns.

    Parameters
    ----------
    dnn : DNN
        With an `img_size`; its parameters may be on the meta device.

    Returns
    -------
    figure : Figure
        At most 11 inches wide. Opens no window; ``figure.savefig('structure.pdf')`` keeps it.
    """
    from matplotlib.figure import Figure
    boxes, title = _boxes(dnn), _title(dnn)
    rows, keys = _even_rows(boxes), _keys(boxes)
    width = 2 * MARGIN + max(_length(title, TITLE_SIZE), sum(_length(key.get_label(), KEY_SIZE) + 0.4 for key in keys),
                             *(sum(box.room + GAP for box in row) for row in rows))
    highest = [max(box.height for box in row) for row in rows]
    written = [LINE * max(len(box.lines) for box in row) for row in rows]
    height = HEAD + sum(highest) + sum(written) + 2 * GAP * len(rows)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    y = height - HEAD
    for row, high, text in zip(rows, highest, written, strict=True):
        _draw_row(axes, row, y - high / 2, y - high - GAP / 2, goes_on=row is not rows[-1])
        y -= high + text + 2 * GAP
    axes.text(MARGIN, height - MARGIN, title, size=TITLE_SIZE, va='top', parse_math=False)
    axes.legend(handles=keys, loc='upper left', bbox_to_anchor=(MARGIN, height - MARGIN - 0.17),
                bbox_transform=axes.transData, ncols=len(keys), frameon=False, fontsize=KEY_SIZE, handlelength=1.2,
                borderpad=0, borderaxespad=0, columnspacing=1.5)
    return figure


def _boxes(dnn) -> list[Box]:
    """A box for the picture and for each layer that is not the container of others."""
    table = layer_table(dnn)
    inner = [row for row in table.itertuples()
             if not any(path.startswith(f'{row.path}.') for path in table['path'])]
    layers = [('picture', dnn.input_shape, 'picture', '-')]
    layers += [(row.layer, _shape(row.shape), _kind(dnn.layer2module(row.layer)), row.learns) for row in inner]
    maps = [shape for _, shape, _, _ in layers if _is_map(shape)]
    side, channels = max(map(_side, maps)), max(map(_channels, maps))
    longest = max([LONG_VECTOR, *(math.prod(shape) for _, shape, _, _ in layers if not _is_map(shape))])
    boxes = []
    for name, shape, kind, learns in layers:
        if _is_map(shape):
            height, width = LARGEST_MAP * math.sqrt(_side(shape) / side), \
                MOST_CHANNELS * math.sqrt(_channels(shape) / channels)
        else:
            height, width = TALLEST_BAR * math.log(math.prod(shape) + 1, longest), BAR
        lines = [*_lines(name), '×'.join(map(str, shape))]
        room = max(width, *(_length(line, NAME_SIZE) for line in lines[:-1]), _length(lines[-1], SHAPE_SIZE))
        boxes.append(Box(lines, kind, learns, max(width, LEAST), max(height, LEAST), room))
    return boxes


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split(' x ')) if text else ()


def _is_map(shape: tuple[int, ...]) -> bool:
    """Whether the units have places; one place (2048 x 1 x 1) is a vector."""
    return len(shape) > 1 and math.prod(shape) > _channels(shape)


def _channels(shape: tuple[int, ...]) -> int:
    """Channels of maps (n_chn, ..., n_row, n_col), features of vectors and tokens (n_feat, n_token, 1)."""
    return shape[0]


def _side(shape: tuple[int, ...]) -> float:
    """Rows of maps; tokens are taken for a square."""
    return shape[-2] if shape[-1] > 1 else math.sqrt(shape[-2])


def _kind(module: nn.Module) -> str:
    """What colours a layer; a block with one convolution or product in it is that."""
    if any(module.children()):
        weighted = [kind for part in module.modules() if not any(part.children())
                    if (kind := _kind(part)) in ('convolution', 'fully connected')]
        return weighted[0] if len(weighted) == 1 else 'block'
    if isinstance(module, nn.Linear):
        return 'fully connected'
    files = [cls.__module__.removeprefix('torch.nn.modules.') for cls in type(module).__mro__]
    return next((KINDS[file] for file in files if file in KINDS), 'other')


def _lines(name: str) -> list[str]:
    """A name in lines that end at its '_' and '.', so that together they are the name."""
    lines = ['']
    for piece in re.findall(r'[^_.]*[_.]|[^_.]+', name):
        if lines[-1] and len(lines[-1] + piece) > LINE_LENGTH:
            lines.append('')
        lines[-1] += piece
    return lines


def _length(line: str, size: float) -> float:
    """Inches that a line takes."""
    from matplotlib.textpath import TextPath
    return TextPath((0, 0), line, size=size).get_extents().width / 72 if line else 0.0


def _even_rows(boxes: list[Box]) -> list[list[Box]]:
    """As few rows as fit, and these as even as can be: at the least width that needs no more of them."""
    fewest = len(_wrap(boxes, WIDEST))
    widths = (WIDEST * k / 100 for k in range(1, 101))
    return next(rows for rows in (_wrap(boxes, width) for width in widths) if len(rows) <= fewest)


def _wrap(boxes: list[Box], width: float) -> list[list[Box]]:
    rows, x = [[]], 2 * MARGIN
    for box in boxes:
        x += box.room + GAP
        if rows[-1] and x > width:
            rows.append([])
            x = 2 * MARGIN + box.room + GAP
        rows[-1].append(box)
    return rows


def _draw_row(axes: Axes, row: list[Box], middle: float, below: float, goes_on: bool) -> None:
    """Boxes around the height `middle`, on the line along which the picture goes, and names from `below` down."""
    from matplotlib.patches import Rectangle
    x = MARGIN
    for box in row:
        centre = x + box.room / 2
        axes.add_patch(Rectangle((centre - box.width / 2, middle - box.height / 2), box.width, box.height,
                                 gid=''.join(box.lines[:-1]), **_look(box.kind, box.learns)))
        for number, line in enumerate(box.lines):
            last = number == len(box.lines) - 1
            axes.text(centre, below - LINE * number, line, size=SHAPE_SIZE if last else NAME_SIZE, ha='center',
                      va='top', color='#666666' if last else 'black', parse_math=False)
        x += box.room + GAP
    axes.plot([MARGIN, x], [middle, middle], color='#999999', linewidth=0.8, zorder=0, marker='>', markersize=4,
              markevery=[1] if goes_on else [])


def _look(kind: str, learns: str) -> dict:
    from matplotlib.colors import to_rgb
    face = [1 - 0.4 * (1 - part) for part in to_rgb(COLORS[kind])] if learns == 'no' else COLORS[kind]
    return {'facecolor': face, 'edgecolor': '#333333', 'linewidth': 0.6,
            'hatch': '////' if learns in ('no', 'partly') else None}


def _keys(boxes: list[Box]) -> list[Patch]:
    """What the legend tells."""
    from matplotlib.patches import Patch
    kinds, learns = {box.kind for box in boxes}, {box.learns for box in boxes}
    keys = [Patch(label=kind, **_look(kind, '-')) for kind in COLORS if kind in kinds - {'picture'}]
    return keys + [Patch(label=label, **_look('other', told))
                   for told, label in (('no', 'frozen'), ('partly', 'partly frozen')) if told in learns]


def _title(dnn) -> str:
    total = sum(p.numel() for p in dnn.model.parameters())
    learning = sum(p.numel() for p in dnn.model.parameters() if p.requires_grad)
    return f'{dnn.name}: {total:,} parameters' + (f', of which {learning:,} learn' if learning < total else '')
