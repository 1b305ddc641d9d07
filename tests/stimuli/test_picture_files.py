"""Datasets written as picture files hold the same pictures and labels."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset
from torchvision import transforms
from torchvision.datasets import FakeData, ImageFolder

from dnnbrain import datasets
from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.core import Stimulus


class Pairs(Dataset):
    """A Dataset of what it is given, with names of classes."""

    def __init__(self, pairs, classes=None):
        self.pairs = pairs
        if classes is not None:
            self.classes = classes

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.pairs[index]


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (6, 10, 12, 3), dtype=np.uint8)


def stored(stim):
    return [np.asarray(Image.open(file)) for file in stim.files()]


def test_an_image_folder_comes_back(tmp_path, pixels):
    """ImageFolder has PIL pictures and classes, as CIFAR10 and most of torchvision."""
    for number, picture in enumerate(pixels):
        file = tmp_path / 'old' / ('dog' if number % 2 else 'cat') / f'{number}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
    stim = Stimulus.from_dataset(ImageFolder(tmp_path / 'old'), tmp_path / 'new')
    assert stim.get('stimID').tolist() == ['cat/0000.png', 'cat/0001.png', 'cat/0002.png',
                                           'dog/0003.png', 'dog/0004.png', 'dog/0005.png']
    assert stim.get('label').tolist() == [0, 0, 0, 1, 1, 1]
    assert stim.get('condition').tolist() == ['cat'] * 3 + ['dog'] * 3
    np.testing.assert_array_equal(stored(stim), pixels[[0, 2, 4, 1, 3, 5]])
    again = Stimulus()
    again.load(tmp_path / 'new' / 'stimuli.stim.csv')
    assert again.header == {'type': 'image', 'path': 'pictures'} and again.data.equals(stim.data)
    assert Stimulus.from_folder(tmp_path / 'new' / 'pictures').data.equals(stim.data)


def test_networks_see_the_same(tiny, tmp_path):
    data = FakeData(9, (3, 30, 40), 3)
    stim = Stimulus.from_dataset(data, tmp_path)
    assert stim.get('label').tolist() == [data[i][1] for i in range(9)] and 'condition' not in stim.items
    assert [name.split('/')[0] for name in stim.get('stimID')] == [str(label) for label in stim.get('label')]
    np.testing.assert_array_equal(tiny.compute_activation(stim, 'fc').get('fc'),
                                  tiny.compute_activation(data, 'fc').get('fc'))


@pytest.mark.parametrize('n_channel', [1, 3])
@pytest.mark.parametrize('change', [transforms.PILToTensor(), transforms.ToTensor()])
def test_tensors(tmp_path, pixels, n_channel, change):
    wanted = pixels[..., :n_channel].squeeze()
    pairs = [(change(Image.fromarray(picture)), torch.tensor(3)) for picture in wanted]
    stim = Stimulus.from_dataset(Pairs(pairs), tmp_path)
    np.testing.assert_array_equal(stored(stim), wanted)
    assert stim.get('label').tolist() == [3] * 6


def test_pictures_of_all_modes(tmp_path, pixels):
    rgb = Image.fromarray(pixels[0])
    stim = Stimulus.from_dataset(Pairs([(rgb.convert(mode), 0) for mode in ('L', 'P', 'RGBA', 'CMYK', '1')]), tmp_path)
    assert len(stim.check_files()) == 0
    assert [picture.ndim for picture in stored(stim)] == [2, 3, 3, 3, 3]
    np.testing.assert_array_equal(stored(stim)[2], pixels[0])


def test_a_part_of_a_dataset(tmp_path, pixels):
    data = Pairs([(Image.fromarray(picture), i) for i, picture in enumerate(pixels)], classes=list('abcdef'))
    stim = Stimulus.from_dataset(Subset(data, [4, 2]), tmp_path)
    assert stim.get('stimID').tolist() == ['4/0000.png', '2/0001.png'] and stim.items == ['stimID', 'label']
    np.testing.assert_array_equal(stored(stim), pixels[[4, 2]])


def test_names_become_safe_folders(tmp_path, pixels):
    names = ['a/b', '..', 'St. Bernard', ('tench', 'Tinca tinca')]
    data = Pairs([(Image.fromarray(pixels[i]), i) for i in range(4)], classes=names)
    stim = Stimulus.from_dataset(data, tmp_path / 'd')
    assert stim.get('stimID').tolist() == ['a_b/0000.png', '_/0001.png', 'St_Bernard/0002.png',
                                           'tench_Tinca_tinca/0003.png']
    assert stim.get('condition').tolist() == ['a/b', '..', 'St. Bernard', 'tench, Tinca tinca']
    assert len(stim.check_files()) == 0 and [p.name for p in tmp_path.iterdir()] == ['d']


def test_values_of_a_regression(tmp_path, pixels):
    values = [0.5, 2.25, -1.0]
    pairs = [(Image.fromarray(picture), value) for picture, value in zip(pixels, values, strict=False)]
    stim = Stimulus.from_dataset(Pairs(pairs), tmp_path)
    assert stim.get('label').tolist() == values and stim.get('label').dtype == float
    assert stim.get('stimID').tolist() == ['0000.png', '0001.png', '0002.png']
    assert sorted(f.name for f in (tmp_path / 'pictures').iterdir()) == ['0000.png', '0001.png', '0002.png']
    columns = TensorDataset(torch.zeros(2, 3, 4, 4), torch.tensor([[0.5], [1.5]]))
    assert Stimulus.from_dataset(columns, tmp_path / 'b').get('label').tolist() == [0.5, 1.5]


def test_one_picture_at_a_time_and_the_table_last(tmp_path, pixels):
    class Watching(Pairs):
        def __getitem__(self, index):
            assert len(list(tmp_path.rglob('*.png'))) == index
            assert not list(tmp_path.rglob('*.csv'))
            if index == fails:
                raise OSError('lost')
            return super().__getitem__(index)

    pairs = [(Image.fromarray(picture), 0) for picture in pixels]
    fails = None
    assert len(Stimulus.from_dataset(Watching(pairs), tmp_path)) == 6
    for file in [*tmp_path.rglob('*.png'), *tmp_path.rglob('*.csv')]:
        file.unlink()
    fails = 3
    with pytest.raises(OSError, match='lost'):
        Stimulus.from_dataset(Watching(pairs), tmp_path)
    assert not list(tmp_path.rglob('*.csv'))


def test_a_folder_pictures_in_the_working_directory(tmp_path, pixels, monkeypatch):
    """The table means the pictures beside it."""
    (tmp_path / 'here' / 'pictures').mkdir(parents=True)
    monkeypatch.chdir(tmp_path / 'here')
    stim = Stimulus.from_dataset(Pairs([(Image.fromarray(pixels[0]), 0)]), '../there')
    for found in (stim, datasets.digits('../digits', [3])):
        assert found.header['path'] == 'pictures' and len(found.check_files()) == 0


def test_mistakes(tmp_path, pixels):
    picture, tensor = Image.fromarray(pixels[0]), transforms.ToTensor()(pixels[0])
    normal = transforms.Normalize([0.5] * 3, [0.5] * 3)(tensor)
    for item, message in (
            ((normal, 0), 'item 1 goes from -1 to 1, not from 0 to 1; leave Normalize out of the transform'),
            ((tensor * 255, 0), 'goes from 0 to 255, not from 0 to 1'), ((tensor * torch.nan, 0), 'goes from nan'),
            ((tensor[None], 0), r'must have shape \(3, h, w\) or \(1, h, w\), not \(1, 3, 10, 12\)'),
            ((tensor.long(), 0), 'must be uint8 or float, not torch.int64'),
            ((pixels[0], 0), 'must be from PIL or a tensor .3, h, w., not ndarray'),
            ((picture, np.zeros(40)), r'label of item 1 has shape \(40,\); a table takes one number per picture'),
            ((picture, 'cat'), "must be a finite number, not 'cat'"), ((picture, np.nan), 'must be a finite number'),
            ((picture, 2), 'label 2 of item 1 has no name among the 2 classes'),
            ((picture, -1), 'label -1 of item 1 has no name'),
            (picture, r'item 1 of the Dataset is no \(picture, label\), but Image'),
    ):
        with pytest.raises((BadValue, BadType), match=message):
            Stimulus.from_dataset(Pairs([(picture, 0), item], classes=['a', 'b']), tmp_path)
    with pytest.raises(BadValue, match='the Dataset is empty'):
        Stimulus.from_dataset(Pairs([]), tmp_path)
    with pytest.raises(BadType, match='must have a length and items by number, which generator has not'):
        Stimulus.from_dataset((pair for pair in ()), tmp_path)
    with pytest.raises(BadValue, match='is a file; give a folder'):
        (tmp_path / 'x').write_text('x')
        Stimulus.from_dataset(Pairs([(picture, 0)]), tmp_path / 'x')
