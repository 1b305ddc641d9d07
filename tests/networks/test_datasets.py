"""torch Datasets go straight into training, testing and extraction."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import CIFAR10, FakeData, ImageFolder

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import Resnet10
from dnnbrain.stimuli.torch_data import dataset_labels


@pytest.fixture
def cifar(tmp_path, rng, monkeypatch):
    """CIFAR10 in its own format, 20 pictures to train and 10 to test, of two classes told apart by colour."""
    folder = tmp_path / 'cifar-10-batches-py'
    folder.mkdir()
    for name, n in (*((f'data_batch_{k}', 4) for k in range(1, 6)), ('test_batch', 10)):
        labels = np.arange(n) % 2
        pixels = rng.integers(0, 60, (n, 3, 32, 32))
        pixels[np.arange(n), labels] += 150
        with open(folder / name, 'wb') as file:
            pickle.dump({'data': pixels.reshape(n, -1).astype(np.uint8), 'labels': labels.tolist()}, file)
    with open(folder / 'batches.meta', 'wb') as file:
        pickle.dump({'label_names': ['airplane', 'automobile']}, file)
    monkeypatch.setattr('torchvision.datasets.cifar.check_integrity', lambda *args: True)
    return tmp_path


def test_cifar_in_its_own_format(cifar):
    learn, judge = (CIFAR10(cifar, train=train) for train in (True, False))
    dnn = Resnet10(rng=0)
    dnn.replace_head(2, rng=0)
    dnn.train_transform = dnn.test_transform
    history = dnn.train(learn, 4, 'classification', torch.optim.Adam(dnn.model.parameters(), 1e-3),
                        data_validation=judge, batch_size=5, rng=0)
    assert history['score_validation'][-1] == 1
    assert dnn.test(judge, 'classification')['true_value'].tolist() == [0, 1] * 5
    assert dnn.predict(judge)['condition'].tolist() == ['airplane', 'automobile'] * 5


def test_labels_are_those_the_dataset_gives(cifar):
    """torchvision keeps the labels of the file in `targets`, whatever it makes of them."""
    data = CIFAR10(cifar, target_transform=lambda y: 1 - y)
    assert dataset_labels(data).tolist() == [data[i][1] for i in range(20)] == [1, 0] * 10
    dnn = Resnet10(rng=0)
    dnn.replace_head(2, rng=0)
    dnn.train(data, 1, 'classification', rng=0)
    assert dnn.classes is None


def test_the_same_as_the_pictures_themselves(cifar):
    data = CIFAR10(cifar)
    pixels, labels = data.data.transpose(0, 3, 1, 2), data.targets
    losses = []
    for shown, target in ((data, None), (pixels, labels)):
        dnn = Resnet10(rng=0)
        dnn.replace_head(2, rng=0)
        losses.append(dnn.train(shown, 2, 'classification', target=target, batch_size=5, rng=3)['step_loss'])
        activation = dnn.compute_activation(shown, 'layer1_basicblock0', batch_size=7)
    np.testing.assert_array_equal(losses[0], losses[1])
    assert activation.shape('layer1_basicblock0') == (20, 64, 32, 32) and activation.stim_ids is None


def test_tensors_are_taken_as_they_are(cifar):
    dnn = Resnet10(rng=0)
    as_pictures, as_tensors = CIFAR10(cifar), CIFAR10(cifar, transform=dnn.test_transform)
    a, b = (dnn.compute_activation(data, 'fc').get('fc') for data in (as_pictures, as_tensors))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_datasets_that_draw_random_numbers():
    """FakeData seeds torch's generator for every picture: several threads would mix them up."""
    data = FakeData(12, (3, 32, 32), 2)
    dnn = Resnet10(rng=0)
    once, again = (dnn.compute_activation(data, 'conv', batch_size=5, n_worker=n).get('conv') for n in (2, 0))
    np.testing.assert_array_equal(once, again)
    dnn.replace_head(2, rng=0)
    assert np.isfinite(dnn.train(data, 1, 'classification', rng=0, n_worker=2)['epoch_loss'][0])


def test_labels(cifar, stim, tmp_path):
    data = CIFAR10(cifar)
    assert dataset_labels(Subset(data, [3, 4, 5])).tolist() == [1, 0, 1]
    for name in ('cat', 'dog'):
        (tmp_path / 'sorted' / name).mkdir(parents=True)
        for picture in stim.get('stimID')[:3]:
            (tmp_path / 'sorted' / name / picture).write_bytes((stim.path / picture).read_bytes())
    folder = ImageFolder(tmp_path / 'sorted')
    np.testing.assert_array_equal(dataset_labels(folder), Stimulus.from_folder(tmp_path / 'sorted').get('label'))


def test_mistakes(cifar):
    dnn = Resnet10(rng=0)
    with pytest.raises(BadValue, match='gives pictures without labels; give target='):
        dnn.train(TensorDataset(torch.zeros(4, 3, 32, 32)), 1, 'classification')
    with pytest.raises(BadType, match='the picture from PIL or a tensor .3, h, w., not str'):
        dnn.compute_activation(Subset([('a', 1)] * 4, [0, 1]), 'fc')
    with pytest.raises(BadValue, match='the Dataset is empty'):
        dnn.compute_activation(Subset(CIFAR10(cifar), []), 'fc')
