"""Sheets of predictions tell what the network says, and green from red."""

import matplotlib.pyplot
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms

from dnnbrain import viz
from dnnbrain._checks import BadType
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import DNN

GREEN, RED, BLACK = '#1a7f37', '#c62828', 'black'
COLOURS = ('red', 'green', 'blue')


@pytest.fixture
def sees_colour():
    """A network whose three outputs are twice the means of red, green and blue."""
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3, bias=False))
    torch.nn.init.eye_(model[2].weight).data.mul_(2)
    return DNN(model, img_size=(8, 8), test_transform=transforms.ToTensor())


@pytest.fixture
def patches():
    """(6, 3, 8, 8): plain red, green, blue, red, green, blue."""
    return np.broadcast_to(255 * np.eye(3, dtype=np.uint8)[np.arange(6) % 3, :, None, None], (6, 3, 8, 8))


@pytest.fixture
def table(patches, tmp_path):
    """The patches as files; the truth told of the last two is not what they are."""
    for number, pixels in enumerate(patches):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / f'{number}.png')
    told = [0, 1, 2, 0, 2, 1]
    return Stimulus({'type': 'image', 'path': str(tmp_path)},
                    {'stimID': [f'{i}.png' for i in range(6)], 'label': told, 'condition': [COLOURS[i] for i in told]})


def shown(figure):
    filled = [axes for axes in figure.axes if axes.images]
    return ([axes.get_title() for axes in filled], [axes.title.get_color() for axes in filled],
            [np.asarray(axes.images[0].get_array()) for axes in filled])


SURE = f'{np.exp(2) / (np.exp(2) + 2):.0%}'         # softmax of (2, 0, 0)


def test_names_probabilities_and_colours(sees_colour, table, patches):
    sees_colour.classes = list(COLOURS)
    titles, colours, pixels = shown(viz.show_predictions(sees_colour, table))
    assert titles == [f'{name} ({SURE})\ntrue: {true}' for name, true in
                      zip(COLOURS * 2, table.get('condition'), strict=True)]
    assert colours == [GREEN] * 4 + [RED] * 2
    np.testing.assert_array_equal(pixels, patches.transpose(0, 2, 3, 1))
    assert matplotlib.pyplot.get_fignums() == []


def test_labels_where_there_are_no_names(sees_colour, table):
    titles, colours, _ = shown(viz.show_predictions(sees_colour, table[:, ['stimID', 'label']], n=5))
    assert titles[4] == f'1 ({SURE})\ntrue: 2' and colours == [GREEN] * 4 + [RED]


def test_names_count_more_than_numbers(sees_colour, table):
    """A table may number its classes otherwise; where its names are others, its numbers count."""
    sees_colour.classes = list(COLOURS)
    table.set('label', table.get('label') + 5)
    assert shown(viz.show_predictions(sees_colour, table))[1] == [GREEN] * 4 + [RED] * 2
    table.set('label', table.get('label') - 5)
    table.set('condition', ['rot', 'grün', 'blau'] * 2)
    titles, colours, _ = shown(viz.show_predictions(sees_colour, table))
    assert colours == [GREEN] * 4 + [RED] * 2 and titles[1] == f'green ({SURE})\ntrue: grün'


def test_where_no_truth_is_known(sees_colour, table, patches):
    table.set('label', np.arange(6) / 4)
    for stimuli in (patches, torch.from_numpy(patches.copy()), table[:, ['stimID']], table[:, ['stimID', 'label']]):
        titles, colours, _ = shown(viz.show_predictions(sees_colour, stimuli, n=3))
        assert titles == [f'{label} ({SURE})' for label in range(3)] and colours == [BLACK] * 3


class Drawn(Dataset):
    """Patches of a colour that is drawn whenever one is asked for, with its label."""

    def __init__(self, transform=None):
        self.rng, self.transform = np.random.default_rng(0), transform or (lambda picture: picture)

    def __len__(self):
        return 30

    def __getitem__(self, index):
        label = int(self.rng.integers(3))
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[..., label] = 255
        return self.transform(Image.fromarray(pixels)), label


@pytest.mark.parametrize('transform', [None, transforms.ToTensor(), transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)])])
def test_datasets_that_never_show_the_same_twice(sees_colour, transform):
    sees_colour.classes = list(COLOURS)
    titles, colours, pixels = shown(viz.show_predictions(sees_colour, Drawn(transform), n=20, rng=0))
    assert len(titles) == 20 and set(colours) == {GREEN}
    for title, picture in zip(titles, pixels, strict=True):
        true = COLOURS.index(title.partition('\ntrue: ')[2])
        assert picture.mean(axis=(0, 1)).argmax() == true and picture.max() == (255 if transform is None else 1)
        assert picture.min() == 0


def test_any_of_them(sees_colour, table):
    table.set('condition', table.get('stimID'))
    figures = [viz.show_predictions(sees_colour, table, n=2, rng=seed) for seed in range(12)]
    drawn = {tuple(title.partition('true: ')[2] for title in shown(figure)[0]) for figure in figures}
    assert len(drawn) > 5 and all(a < b for a, b in drawn)


def test_mistakes(sees_colour):
    with pytest.raises(BadType, match='stimuli must be a Stimulus, a uint8 array .* or a torch Dataset, not str'):
        viz.show_predictions(sees_colour, 'x.png')
