"""What the pictures of the interpretation examples have in common: a network, its pictures, and how maps are drawn."""

import argparse
import copy
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from digit_network import digit_network, untrained
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from dnnbrain.dnn import models
from dnnbrain.dnn.core import Stimulus
from dnnbrain.interpret.view import View
from dnnbrain.viz import imgarray_show

LAYERS = {'digits': ('conv1_relu', 'conv2_relu', 'conv3_relu', 'fc'),
          'AlexNet': ('conv1_relu', 'conv3_relu', 'conv5_relu', 'fc3')}


def arguments(doc: str, **more: dict) -> argparse.Namespace:
    """What the command line says; the folder is there, and random numbers are seeded.

    Parameters
    ----------
    doc : str
        Of the example.
    more : dict
        Name of an option -> what `add_argument` takes.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument('folder', nargs='?', default='interpret_out', type=Path)
    parser.add_argument('--steps', type=int, default=200, help='of synthesis')
    parser.add_argument('--epochs', type=int, default=8, help='of training on digits')
    for name, settings in more.items():
        parser.add_argument(f'--{name}', **settings)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    return given


@dataclass(frozen=True)
class Case:
    """A network, the pictures it is shown, and how much is done.

    Attributes
    ----------
    dnn, untrained : DNN
        The same network with and without knowledge.
    stim : Stimulus
    layers : tuple of str
        Three with maps, from early to late, and one that names things.
    shown : list of str
        A few pictures.
    n_iter : int
        Steps of synthesis.
    n_window : int
        Windows along a side that cover a picture.
    """

    dnn: models.DNN
    untrained: models.DNN
    stim: Stimulus
    layers: tuple[str, ...]
    shown: list[str]
    n_iter: int
    n_window: int

    @property
    def column(self) -> str:
        """Of the categories."""
        return 'condition' if 'condition' in self.stim.items else 'label'

    def picture(self, file) -> np.ndarray:
        """What the network sees of a picture, (h, w, 3) from 0 to 1."""
        return View(self.dnn).picture(file).permute(1, 2, 0).numpy()

    def named(self, file) -> int:
        """Number (from 1) of the unit that answers most in the last layer."""
        top = self.layers[3]
        return int(self.dnn.compute_activation(self.pixels(file)[None], top).get(top).argmax()) + 1

    def pixels(self, file) -> np.ndarray:
        """As `picture`, (3, h, w), uint8."""
        return np.uint8(np.round(self.picture(file) * 255)).transpose(2, 0, 1)


def opened(given: argparse.Namespace) -> Case:
    """The network and its pictures."""
    if given.net is None:
        dnn, stim = digit_network(given.folder, given.epochs)
        other, layers = untrained(), LAYERS['digits']
    else:
        network = getattr(models, given.net)
        other = network(pretrained=False, rng=0)
        dnn = network(pretrained=False, rng=1) if given.random else network()
        layers = given.layers or LAYERS.get(given.net)
        if given.stim is None or layers is None:
            raise SystemExit(f'--net needs --stim FILE.stim.csv and, but for AlexNet, --layers out of {dnn.layers}')
    if given.stim:
        stim = Stimulus()
        stim.load(given.stim)
    stim = stim if given.pictures is None else stim.sample(given.pictures, rng=0)
    labels = stim.get('label') if 'label' in stim.items else np.arange(len(stim))
    rows = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
    shown = [stim.files()[row] for row in rows][2:8:2]
    return Case(dnn, other, stim, tuple(layers), shown, given.steps, given.windows)


def forgetful(case: Case, n: int | None = None) -> models.DNN:
    """The network with random weights in its last `n` modules, or in all but the first."""
    dnn = copy.deepcopy(case.dnn)
    pairs = [pair for pair in zip(dnn.model.modules(), case.untrained.model.modules(), strict=True)
             if pair[0]._parameters]
    for module, random in pairs[1:] if n is None else pairs[-n:]:
        module.load_state_dict(random.state_dict())
    return dnn


def colored(values: np.ndarray, over: np.ndarray | None = None) -> np.ndarray:
    """A map (h, w) in colours, red above 0 and blue below, by its own scale; over a picture, where one is given."""
    values = (values / (np.percentile(np.abs(values), 99.5) or 1)).clip(-1, 1)
    colors = colormaps['coolwarm'](values / 2 + 0.5)[..., :3]
    if over is None:
        return colors
    cover = 0.9 * np.abs(values)[..., None] ** 0.75
    return cover * colors + (1 - cover) * over.mean(2, keepdims=True)


def draw(rows: list, titles: list, labels: list[str], side: float = 1.15) -> Figure:
    """Rows of pictures with a title each."""
    n_col = len(rows[0])
    lines = max(str(title).count('\n') for row in titles for title in row) + 1
    return imgarray_show([one for row in rows for one in row], len(rows), n_col, labels, frame_on=False,
                         figsize=(side * n_col + 0.3, (side + 0.14 * lines) * len(rows)),
                         img_names=[title for row in titles for title in row], show=False)


def save(figure: Figure, file: Path) -> None:
    """A small PNG of 256 colours."""
    made = io.BytesIO()
    figure.savefig(made, dpi=100)
    Image.open(made).convert('RGB').quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
