"""What networks take pictures for, and what stands beside saved weights."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.models import AlexNet, Resnet10
from dnnbrain.networks.predict import class_names


def test_equals_softmax_by_hand(tiny, stim, pictures):
    table = tiny.predict(stim, top=3)
    x = torch.stack([tiny.test_transform(Image.open(pictures / f'{i:02d}.png')) for i in range(12)])
    with torch.no_grad():
        probability = tiny.model(x).softmax(1).numpy()
    assert list(table) == ['stimID', 'rank', 'label', 'probability'] and len(table) == 36
    assert table['stimID'].tolist() == np.repeat(stim.get('stimID'), 3).tolist()
    np.testing.assert_array_equal(table['label'].to_numpy().reshape(12, 3), np.argsort(-probability, axis=1))
    np.testing.assert_allclose(table['probability'].to_numpy().reshape(12, 3), -np.sort(-probability), rtol=1e-5)
    assert tiny.predict(stim)['label'].tolist() == tiny.test(stim, 'classification', target=[0] * 12)[
        'pred_value'][:, 0].tolist()


def test_one_picture_by_name_or_from_pil(tiny, stim, pictures):
    whole = tiny.predict(stim, top=2)
    for one in (pictures / '03.png', str(pictures / '03.png'), Image.open(pictures / '03.png')):
        found = tiny.predict(one, top=2)
        np.testing.assert_array_equal(found['label'], whole['label'][6:8])
        np.testing.assert_allclose(found['probability'], whole['probability'][6:8], rtol=1e-5)


def test_names_are_learnt_saved_and_loaded(stim, tmp_path):
    dnn = Resnet10(rng=0)
    dnn.replace_head(3, rng=0)
    history = dnn.train(stim, 2, 'classification', batch_size=6, rng=0)
    assert dnn.classes == ['cat', 'dog', '2'] and dnn.history is history
    dnn.save(tmp_path / 'x.pth')
    again = Resnet10.load(tmp_path / 'x.pth')
    assert again.classes == dnn.classes and again.history == history
    table = again.predict(stim)
    assert table['condition'].tolist() == [dnn.classes[label] for label in table['label']]
    record = json.loads((tmp_path / 'x.pth.json').read_text())
    assert record['network'] == 'Resnet10' and record['history']['epoch_loss'] == history['epoch_loss']
    again.replace_head(2)
    assert again.classes is None and 'condition' not in again.predict(stim)


def test_weights_load_without_what_stands_beside_them(stim, tmp_path):
    dnn = Resnet10(rng=0)
    dnn.save(tmp_path / 'x.pth')
    (tmp_path / 'x.pth.json').unlink()
    assert Resnet10.load(tmp_path / 'x.pth').classes is None
    (tmp_path / 'x.pth.json').write_text('{"classes": ')
    with pytest.raises(BadValue, match='x.pth.json.*cannot be read .*; mend or remove it'):
        Resnet10.load(tmp_path / 'x.pth')


def test_published_networks_know_their_classes(published, stim):
    dnn = AlexNet()
    assert len(dnn.classes) == 1000 and dnn.classes[281] == 'tabby'
    assert dnn.predict(stim[:2])['condition'].isin(dnn.classes).all()
    assert AlexNet(pretrained=False, rng=0).classes is None


def test_names_that_do_not_belong_together(stim):
    assert class_names(stim, 2) == ['cat', 'dog']
    stim.set('condition', ['cat', 'dog'] * 5 + ['cat', 'cow'])
    assert class_names(stim, 2) is None
    stim.set('condition', ['pet'] * 12)
    assert class_names(stim, 2) is None
    assert class_names(np.zeros((2, 3, 4, 4)), 2) is None


def test_mistakes(tiny, tmp_path, stim):
    with pytest.raises(BadValue, match='top must be from 1 to the 3 classes of DNN, not 4'):
        tiny.predict(stim, top=4)
    with pytest.raises(BadPath, match='does not exist'):
        tiny.predict(tmp_path / 'no.png')
