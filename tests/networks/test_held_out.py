"""Cross-validated training: scores of stimuli that were left out, and of nothing else."""

import copy

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from torch.utils.data import Dataset

from dnnbrain._checks import BadValue
from dnnbrain.dnn.models import Resnet10
from dnnbrain.stimuli.images import read_rgb

SGD = torch.optim.SGD


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (24, 3, 32, 32)).astype(np.uint8)


@pytest.fixture
def splits(pixels):
    return list(KFold(3, shuffle=True, random_state=0).split(pixels))


def taught(dnn, lr=0.01):
    return SGD([p for p in dnn.model.parameters() if p.requires_grad], lr)


def test_equals_training_by_hand(pixels, splits, rng):
    """Each fold anew, on z-scores of its training stimuli."""
    dnn = Resnet10(rng=0).readout('avgpool', 2, rng=0)
    y = rng.normal([10, -3], [4, 0.1], (24, 2)).astype(np.float32)
    before = copy.deepcopy(dnn.model.state_dict())
    found = dnn.cross_validate(pixels, 2, 'regression', splits, taught, y, batch_size=8, augment=False, rng=3)
    assert all(torch.equal(before[name], value) for name, value in dnn.model.state_dict().items())
    for fold, (learn, judge) in enumerate(splits):
        net = copy.deepcopy(dnn)
        mean, spread = y[learn].mean(0), y[learn].std(0)
        net.train(pixels[learn], 2, 'regression', taught(net), target=(y[learn] - mean) / spread, batch_size=8,
                  augment=False, rng=3)
        predicted = net.test(pixels[judge], 'regression', y[judge])['pred_value'] * spread + mean
        np.testing.assert_allclose(found['pred_value'][judge], predicted, rtol=1e-4)
        np.testing.assert_allclose(found['score'][:, fold], r2_score(y[judge], predicted, multioutput='raw_values'),
                                   atol=1e-3)
        r = [np.corrcoef(y[judge, k], predicted[:, k])[0, 1] for k in range(2)]
        np.testing.assert_allclose(found['correlation'][:, fold], r, atol=1e-3)


def test_learns_voxels_that_layers_drive_and_no_others(pixels, splits, rng):
    """A voxel matrix as target: a frozen trunk, 4 voxels that are linear in its units, 4 of noise."""
    dnn = Resnet10(rng=0)
    pixels[:, :2] = pixels[:, :2] * rng.random((24, 2, 1, 1))                      # pictures that differ in colour
    units = dnn.compute_activation(pixels, 'avgpool').get('avgpool')[..., 0, 0]
    U, S, _ = np.linalg.svd(units - units.mean(0), full_matrices=False)
    y = np.column_stack([(U * S)[:, :2] @ rng.normal(size=(2, 4)), rng.normal(size=(24, 4))])
    net = dnn.readout('avgpool', 8, rng=0).freeze('trunk')
    found = net.cross_validate(pixels, 100, 'regression', splits,
                               lambda fold: torch.optim.Adam(fold.model.head.parameters(), 0.01), y, batch_size=8,
                               augment=False, rng=0, cache_features=True)
    r = np.array([np.corrcoef(found['pred_value'][:, k], y[:, k])[0, 1] for k in range(8)])
    assert (r[:4] > 0.8).all() and np.abs(r[4:]).mean() < 0.5


def test_random_labels_are_predicted_at_chance(pixels, splits, rng):
    """Nothing of the left-out stimuli leaks: they are learnt by heart, and not predicted."""
    labels = np.arange(24) % 2
    dnn = Resnet10(rng=0)
    dnn.replace_head(2, rng=0)
    found = dnn.cross_validate(pixels, 12, 'classification', splits, target=labels, batch_size=8, augment=False,
                               data_train=True, rng=0)
    assert all(history['score_train'][-1] > 0.9 for history in found['history'])
    assert found['score'].shape == (1, 3) and 0.2 <= found['score'].mean() <= 0.8
    hits = [(found['pred_value'][judge] == labels[judge]).mean() for _, judge in splits]
    np.testing.assert_allclose(found['score'][0], hits)
    np.testing.assert_array_equal(found['true_value'], labels)


def test_tables_datasets_and_arrays_are_the_same(stim):
    dnn = Resnet10(rng=0)
    dnn.replace_head(2, rng=0)

    class Pictures(Dataset):
        def __len__(self):
            return len(stim)

        def __getitem__(self, index):
            return read_rgb(stim.files()[index]), int(stim.get('label')[index])
    parts = [(np.arange(8), np.arange(8, 12))]
    a, b = (dnn.cross_validate(data, 1, 'classification', parts, taught, augment=False, rng=0)
            for data in (stim, Pictures()))
    assert a['history'][0]['step_loss'] == b['history'][0]['step_loss']
    np.testing.assert_array_equal(a['pred_value'], b['pred_value'])
    assert (a['pred_value'][:8] == -1).all() and (a['pred_value'][8:] >= 0).all()


def test_what_belongs_to_one_training_is_refused(stim, splits):
    dnn = Resnet10(rng=0)
    with pytest.raises(BadValue, match='takes no checkpoint: each fold has its own'):
        dnn.cross_validate(stim, 1, 'classification', splits, checkpoint='a.ckpt')


def test_a_network_whose_output_is_bent_cannot_be_scaled(pixels, splits):
    dnn = Resnet10(rng=0)
    dnn.model.fc = torch.nn.Sequential(torch.nn.Linear(512, 1), torch.nn.Tanh())
    y = np.arange(24.0)
    with pytest.raises(BadValue, match='something follows the last fully connected layer of .*standardize=False'):
        dnn.cross_validate(pixels, 1, 'regression', splits, target=y)
    found = dnn.cross_validate(pixels, 1, 'regression', splits, target=y, standardize=False, augment=False, rng=0)
    assert (np.abs(found['pred_value']) <= 1).all()
    with pytest.raises(BadValue, match='puts out values, not classes; use test'):
        dnn.predict(pixels)
