"""VGGish: sounds through every verb of a network."""

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.dnn.models import DNN, AlexNet, VGGish, VGGishModel
from dnnbrain.networks.hearing import groups
from dnnbrain.utils.vggish_input import wavfile_to_examples

RATE = 16000
LAYERS = ['conv1', 'conv6_maxpool', 'fc2_relu', 'fc3']
CLOSE = {'rtol': 1e-4, 'atol': 1e-5}        # float32, batches of another size


@pytest.fixture(scope='module')
def sounds(tmp_path_factory):
    """A table of five sounds of 1 to 4 examples: noise and tones."""
    folder, rng = tmp_path_factory.mktemp('sounds'), np.random.default_rng(0)
    for name, seconds in zip('abcde', (1, 3, 2, 4.1, 1.2), strict=True):
        time = np.arange(round(seconds * RATE)) / RATE
        sound = 0.1 * rng.uniform(-1, 1, len(time)) if name in 'ace' else 0.5 * np.sin(2 * np.pi * 700 * time)
        soundfile.write(folder / f'{name}.wav', sound, RATE)
    return Stimulus({'type': 'audio', 'path': str(folder)},
                    {'stimID': [f'{name}.wav' for name in 'abcde'], 'label': [0, 1, 0, 1, 0],
                     'condition': ['noise', 'tone', 'noise', 'tone', 'noise']})


@pytest.fixture(scope='module')
def dnn():
    return VGGish(pretrained=False, rng=0).eval()


@pytest.fixture(scope='module')
def truth(dnn, sounds):
    """Layers of each file, example by example, by torch's functions on the weights."""
    model, found = dnn.model, []
    for file in sounds.files():
        x, one = wavfile_to_examples(file), {}
        with torch.inference_mode():
            for place in (0, 3, 6, 8, 11, 13):
                x = F.conv2d(x, model.features[place].weight, model.features[place].bias, padding=1)
                if place == 0:
                    one['conv1'] = x.clone()
                x = F.relu(x)
                if place in (0, 3, 8, 13):
                    x = F.max_pool2d(x, 2)
            one['conv6_maxpool'] = x.clone()
            x = x.numpy().transpose(0, 2, 3, 1).reshape(len(x), -1)        # rows, columns, channels, as in TensorFlow
            for place in (0, 2, 4):
                weight, bias = (p.numpy(force=True) for p in model.embeddings[place].parameters())
                x = x @ weight.T + bias
                if place < 4:
                    x = np.maximum(x, 0)
                    one['fc2_relu'] = x[..., None, None]
            one['fc3'] = x[..., None, None]
        found.append({layer: np.asarray(value) for layer, value in one.items()})
    return found


@pytest.fixture
def published(dnn, tmp_path, monkeypatch):
    """Files of 1.0 with the weights of `dnn` and a random rotation, which is returned."""
    eigen_vectors = np.linalg.qr(np.random.default_rng(1).standard_normal((128, 128)))[0].astype('f4') * 40
    means = np.random.default_rng(2).standard_normal((128, 1)).astype('f4') / 40
    (tmp_path / 'models').mkdir()
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    torch.save(dnn.model.state_dict(), tmp_path / 'models' / 'vggish.pth')
    torch.save({'pca_eigen_vectors': eigen_vectors, 'pca_means': means}, tmp_path / 'models' / 'vggish_pca.pth')
    return eigen_vectors, means[:, 0]


def test_shapes_are_those_of_the_published_weights():
    with torch.device('meta'):
        shapes = {name: tuple(value.shape) for name, value in VGGishModel().state_dict().items()}
    widths = [(0, 1, 64), (3, 64, 128), (6, 128, 256), (8, 256, 256), (11, 256, 512), (13, 512, 512)]
    expected = {f'features.{place}.weight': (n_out, n_in, 3, 3) for place, n_in, n_out in widths}
    expected |= {'embeddings.0.weight': (4096, 12288), 'embeddings.2.weight': (4096, 4096),
                 'embeddings.4.weight': (128, 4096)}
    assert {name: shape for name, shape in shapes.items() if 'weight' in name} == expected
    assert sum(np.prod(shape) for shape in shapes.values()) == 72_141_184


def test_layers_are_averaged_over_the_examples_of_a_file(dnn, sounds, truth):
    activation = dnn.compute_activation(sounds, LAYERS, batch_size=3)
    assert activation.layers == LAYERS and activation.stim_ids.tolist() == sounds.get('stimID').tolist()
    for layer in LAYERS:
        expected = np.stack([one[layer].mean(axis=0) for one in truth])
        np.testing.assert_allclose(activation.get(layer), expected, **CLOSE)


def test_the_call_of_1_0_gives_examples_one_by_one(dnn, sounds, truth):
    arrays = dnn.compute_activation(str(sounds.files()[1]), LAYERS)
    assert isinstance(arrays, list) and [len(array) for array in arrays] == [3] * 4
    for array, layer in zip(arrays, LAYERS, strict=True):
        np.testing.assert_allclose(array, truth[1][layer], **CLOSE)
    both, = dnn.compute_activation(sounds.files()[:2], 'fc3')
    np.testing.assert_allclose(both, np.concatenate([truth[0]['fc3'], truth[1]['fc3']]), **CLOSE)


def test_masks_pooling_and_files(dnn, sounds, truth, tmp_path):
    mask = Mask('conv1', channels=[7, 3], rows=[1, 96], columns=[64])
    picked = dnn.compute_activation(sounds, mask, out=tmp_path / 'x.act.h5')
    expected = np.stack([one['conv1'].mean(axis=0) for one in truth])[:, [6, 2]][:, :, [0, 95]][..., [63]]
    np.testing.assert_allclose(picked.get('conv1'), expected, **CLOSE)
    loaded = Activation()
    loaded.load(tmp_path / 'x.act.h5')
    np.testing.assert_array_equal(loaded.get('conv1'), picked.get('conv1'))
    assert loaded.stim_ids.tolist() == sounds.get('stimID').tolist()
    pooled = dnn.compute_activation(sounds, 'conv1', 'max').get('conv1')[..., 0, 0]
    np.testing.assert_allclose(pooled, [one['conv1'].max(axis=(2, 3)).mean(axis=0) for one in truth], **CLOSE)


def test_examples_as_an_array_or_a_dataset(dnn, sounds, truth):
    examples = wavfile_to_examples(sounds.files()[3])
    for stimuli in (examples, examples.numpy(), torch.utils.data.TensorDataset(examples, torch.arange(4))):
        np.testing.assert_allclose(dnn.compute_activation(stimuli, 'fc3').get('fc3'), truth[3]['fc3'], **CLOSE)


def test_calling_it(published, sounds, truth):
    """Embeddings of a file, of its waveform and of its examples; post-processed as AudioSet defines it."""
    file = sounds.files()[3]
    plain, whole = VGGish(postprocess=False), VGGish()
    embeddings = truth[3]['fc3'][..., 0, 0]
    samples, rate = soundfile.read(file)
    for x in ((file,), (str(file),), (samples, rate), (wavfile_to_examples(file),)):
        np.testing.assert_allclose(plain(*x).detach(), embeddings, **CLOSE)
    eigen_vectors, means = published
    rotated = np.stack([eigen_vectors @ (row - means) for row in plain(file).detach().numpy()])
    exact = (np.clip(rotated, -2, 2) + 2) * 255 / 4
    steps = whole(file)
    assert steps.dtype == torch.uint8 and steps.shape == (4, 128) and len(np.unique(steps)) > 50
    assert (steps.numpy() <= exact + 1e-3).all() and (steps.numpy() > exact - 1 - 1e-3).all()      # cut, not rounded
    np.testing.assert_allclose(whole.compute_activation(sounds, 'fc3').get('fc3')[3, :, 0, 0], embeddings.mean(axis=0),
                               **CLOSE)


def test_what_it_cannot_be_called_with(dnn, published):
    with pytest.raises(BadValue, match='fs is missing'):
        dnn(np.zeros(20000))
    with pytest.raises(BadValue, match='shorter than an example of 0.975 s'):
        dnn(np.zeros(2000), RATE)
    with pytest.raises(BadValue, match=r'examples must be floats of shape \(n, 1, 96, 64\)'):
        dnn(torch.zeros(1, 3, 96, 64))
    with pytest.raises(BadValue, match='make it with preprocess=True'):
        VGGish(pretrained=False, preprocess=False)(np.zeros(20000), RATE)
    with pytest.raises(BadValue, match="preprocess of VGGish must be True or False, not 'full'"):
        VGGish(preprocess='full')
    changed = VGGish()
    changed.replace_head(2)
    with pytest.raises(BadValue, match='embeddings of 128 values, not 2; set pca = None'):
        changed(torch.zeros(1, 1, 96, 64))


def test_files_and_where_to_put_them(published, dnn, tmp_path):
    models = tmp_path / 'models'
    assert torch.equal(VGGish().model.features[0].weight, dnn.model.features[0].weight)
    torch.save({'pca_eigen_vectors': torch.eye(128), 'pca_means': torch.zeros(128)}, models / 'vggish_pca.pth')
    assert torch.equal(VGGish().pca[0], torch.eye(128))                 # tensors do too
    torch.save({'pca_means': torch.zeros(128)}, models / 'vggish_pca.pth')
    with pytest.raises(BadValue, match='vggish_pca.pth must hold pca_eigen_vectors'):
        VGGish()
    torch.save({'pca_means': print}, models / 'vggish_pca.pth')
    with pytest.raises(BadValue, match='does not hold plain tensors'):
        VGGish()
    (models / 'vggish_pca.pth').unlink()
    with pytest.raises(BadPath, match='does not publish weights vggish_pca.pth; get https://.* and put it at .*models'):
        VGGish()
    VGGish(postprocess=False)
    (models / 'vggish.pth').unlink()
    with pytest.raises(BadPath, match='does not publish weights vggish.pth; get https://'):
        VGGish(postprocess=False)


def test_it_learns_from_examples_and_is_judged_by_files(sounds, tmp_path):
    dnn = VGGish(pretrained=False, rng=0)
    dnn.replace_head(2, rng=0)
    dnn.freeze('all but head')
    optimizer = torch.optim.Adam(dnn.model.embeddings[4].parameters(), 0.01)
    history = dnn.train(sounds, 8, 'classification', optimizer, batch_size=4, rng=0, data_validation=sounds,
                        cache_features=True)
    assert [len(steps) for steps in history['step_loss']] == [3] * 8         # 11 examples in batches of 4
    assert history['epoch_loss'][-1] < history['epoch_loss'][0] and dnn.classes == ['noise', 'tone']
    found = dnn.test(sounds, 'classification')
    assert found['pred_value'].shape == (5, 2) and found['score'] == 1
    table = dnn.predict(sounds)
    assert table['condition'].tolist() == sounds.get('condition').tolist()
    assert table['stimID'].tolist() == sounds.get('stimID').tolist()
    dnn.save(tmp_path / 'x.pth')
    for again in (VGGish.load(tmp_path / 'x.pth'), DNN.load(tmp_path / 'x.pth')):
        assert again.predict(sounds).equals(table) and again.pca is None


def test_answers_to_a_file_are_means_over_its_examples(dnn, sounds, truth):
    target = np.random.default_rng(0).standard_normal((5, 128))
    found = dnn.test(sounds, 'regression', target)
    np.testing.assert_allclose(found['pred_value'], [one['fc3'].mean(axis=0)[:, 0, 0] for one in truth], **CLOSE)


def test_parts_of_it_hear_too(dnn, sounds, truth, tmp_path):
    part = dnn.cut('conv6_maxpool')
    assert part.input_shape == dnn.input_shape == (1, 96, 64)
    expected = np.stack([one['conv6_maxpool'].mean(axis=0) for one in truth])
    np.testing.assert_allclose(part.compute_activation(sounds, 'conv6_maxpool').get('conv6_maxpool'), expected, **CLOSE)
    reader = dnn.readout('fc2_relu', 3, rng=0)
    reader.freeze('all but head')
    reader.train(sounds, 1, 'regression', target=np.zeros((5, 3)), rng=0)
    assert reader.test(sounds, 'regression', np.zeros((5, 3)))['pred_value'].shape == (5, 3)
    reader.save(tmp_path / 'x.pth')
    np.testing.assert_array_equal(VGGish.load(tmp_path / 'x.pth').compute_activation(sounds, 'head').get('head'),
                                  reader.compute_activation(sounds, 'head').get('head'))


def test_cross_validation_leaves_files_out(dnn, sounds):
    reader = dnn.readout('fc2_relu', 2, rng=0)
    reader.freeze('all but head')
    splits = [([0, 1, 2], [3, 4]), ([2, 3, 4], [0, 1])]
    found = reader.cross_validate(sounds, 1, 'classification', [tuple(map(np.array, s)) for s in splits], rng=0)
    assert found['score'].shape == (1, 2) and found['pred_value'][2] == -1


def test_it_is_described(dnn):
    assert dnn.summary().set_index('layer').loc['conv6_maxpool', 'shape'] == '512 x 6 x 4'
    dnn.show()


def test_groups_are_of_whole_sounds():
    owners = np.array([0, 1, 1, 1, 2, 2, 3])
    assert groups(owners, 1) == [slice(0, 1), slice(1, 4), slice(4, 6), slice(6, 7)]
    assert groups(owners, 3) == [slice(0, 4), slice(4, 7)]
    assert groups(owners, 99) == [slice(0, 7)]


def test_stimuli_of_another_kind_are_refused(dnn, sounds, stim, tmp_path):
    with pytest.raises(BadValue, match="hears sounds .* are of type 'image'"):
        dnn.compute_activation(stim, 'fc3')
    with pytest.raises(BadType, match='stimuli must be a Stimulus'):
        dnn.compute_activation(3, 'fc3')
    with pytest.raises(BadValue, match=r'examples must be floats of shape \(n, 1, 96, 64\), not torch.uint8'):
        dnn.compute_activation(np.zeros((2, 3, 8, 8), np.uint8), 'fc3')
    with pytest.raises(BadValue, match='1 of 1 stimuli .* none.wav .missing.'):
        dnn.compute_activation(str(tmp_path / 'none.wav'), 'fc3')
    with pytest.raises(BadValue, match="not at stimuli of type 'audio'"):
        AlexNet(pretrained=False).compute_activation(sounds, 'fc3')
    with pytest.raises(BadValue, match='there is no resume for them'):
        dnn.compute_activation(sounds, 'fc3', resume=True, out=tmp_path / 'x.act.h5')
