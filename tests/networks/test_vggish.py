"""VGGish: sounds through every verb of a network."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import torch.nn as nn
import torch.nn.functional as F

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.dnn.models import DNN, AlexNet, VGGish, VGGishModel
from dnnbrain.io.act_resume import ResumableWriter
from dnnbrain.networks.estimate import estimate
from dnnbrain.networks.gathering import gathered, spans
from dnnbrain.networks.hearing import SoundDNN
from dnnbrain.networks.sinks import InMemory
from dnnbrain.stimuli.sounds import Sound, SoundTransform
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


class TestBatches:
    owners = np.array([0, 1, 1, 1, 2, 2, 3])

    def test_they_begin_anew_with_every_so_many_sounds(self):
        assert spans(self.owners, 1) == [range(i, i + 1) for i in range(7)]
        assert spans(self.owners, 2) == [range(0, 2), range(2, 4), range(4, 6), range(6, 7)]
        assert spans(self.owners, 2, start=2) == [range(4, 6), range(6, 7)]
        assert spans(self.owners, 3) == [range(0, 3), range(3, 6), range(6, 7)]
        assert spans(self.owners, 9) == [range(0, 7)]
        assert spans(np.arange(5), 2) == [range(0, 2), range(2, 4), range(4, 5)]       # pictures
        assert spans(self.owners, 2, start=4) == []

    @pytest.mark.parametrize('batch_size', [1, 2, 3, 7])
    def test_means_of_pieces(self, batch_size, rng):
        """Whatever the batches, and if each is broken off once after some layers have answered."""
        values = {layer: rng.standard_normal((7, *shape)).astype('f4') for layer, shape in (('a', (4, 1, 1)),
                                                                                            ('b', (2, 3, 3)))}
        sink = InMemory(['a', 'b'], 4, None, {'dtype': 'float32'})
        rows = gathered(sink, self.owners)
        for start in range(0, 7, batch_size):
            part = slice(start, start + batch_size)
            rows.put('a', torch.as_tensor(values['a'][part]) * 100)
            rows.go_back(start)
            for layer in ('b', 'a'):
                rows.put(layer, torch.as_tensor(values[layer][part]))
            rows.batch_done()
        for layer in ('a', 'b'):
            expected = [values[layer][self.owners == k].mean(axis=0) for k in range(4)]
            np.testing.assert_allclose(sink.activation().get(layer), expected, rtol=1e-5, atol=1e-6)
        assert gathered(sink, np.arange(7)) is sink


class TestOneEngine:
    """What pictures have, sounds have: on a small network, which computes the same layers in any run."""

    LAYERS = ['conv', 'fc']

    @pytest.fixture
    def net(self):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 3, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
        net = SoundDNN(model, layer2loc={'conv': ('0',), 'fc': ('3',)}, img_size=(96, 64))
        net.train_transform = net.test_transform = SoundTransform()
        return net

    @pytest.fixture
    def mine(self, sounds, tmp_path):
        """The sounds in another order: d.wav, the longest, first. Files may be changed."""
        shutil.copytree(sounds.path, tmp_path / 'sounds')
        return Stimulus({'type': 'audio', 'path': str(tmp_path / 'sounds')},
                        {'stimID': [f'{name}.wav' for name in 'dabce']})

    def same(self, found, expected):
        assert found.layers == expected.layers and list(found.stim_ids) == list(expected.stim_ids)
        for layer in found.layers:
            np.testing.assert_array_equal(found.get(layer), expected.get(layer))

    @pytest.mark.parametrize('batch_size', [1, 2, 32])
    def test_a_file_holds_what_memory_does(self, net, mine, tmp_path, batch_size):
        kept = net.compute_activation(mine, self.LAYERS, batch_size=batch_size)
        for n_worker in (0, 3):
            self.same(net.compute_activation(mine, self.LAYERS, batch_size=batch_size, n_worker=n_worker,
                                             out=tmp_path / 'x.act.h5'), kept)
        assert kept.meta['pool'] is None and kept.meta['transform'] == 'SoundTransform()'
        expected = [net.model[0](wavfile_to_examples(file)).mean(0).detach() for file in mine.files()]
        np.testing.assert_allclose(kept.get('conv'), torch.stack(expected), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(('moment', 'rest'), [(1, 'abcde'), (2, 'bce'), (3, 'bce'), (5, 'e')])
    def test_resumed(self, net, mine, tmp_path, moment, rest, monkeypatch):
        """After as many batches as made sounds whole; from where the batches of an unbroken run begin anew."""
        whole = net.compute_activation(mine, self.LAYERS, batch_size=2, out=tmp_path / 'whole.act.h5')
        count, usual, shown, example = [0], ResumableWriter.batch_done, [], Sound.example
        settings = {'batch_size': 2, 'out': tmp_path / 'x.act.h5', 'resume': True}

        def broken(self):
            count[0] += 1
            usual(self)
            if count[0] == moment:
                raise KeyboardInterrupt
        monkeypatch.setattr(ResumableWriter, 'batch_done', broken)
        monkeypatch.setattr('dnnbrain.io.act_writer.chunk_shape', lambda shape, size: (1, *shape[1:]))
        with pytest.raises(KeyboardInterrupt):
            net.compute_activation(mine, self.LAYERS, **settings)
        monkeypatch.undo()
        monkeypatch.setattr(Sound, 'example', lambda self, k: shown.append(self.path.stem) or example(self, k))
        self.same(net.compute_activation(mine, self.LAYERS, **settings), whole)
        assert ''.join(sorted(set(shown))) == rest
        shown.clear()
        self.same(net.compute_activation(mine, self.LAYERS, **settings), whole)
        assert shown == []                                              # it is there

    def test_other_content_is_refused(self, net, mine, tmp_path):
        settings = {'out': tmp_path / 'x.act.h5', 'resume': True}
        net.compute_activation(mine, 'fc', **settings)
        soundfile.write(mine.files()[1], np.zeros(RATE), RATE)
        with pytest.raises(BadValue, match='holds other content'):
            net.compute_activation(mine, 'fc', **settings)
        again = net.compute_activation(mine, 'fc', overwrite=True, **settings)
        self.same(again, net.compute_activation(mine, 'fc'))
        examples = wavfile_to_examples(mine.files()[0])
        net.compute_activation(examples, 'fc', out=tmp_path / 'y.act.h5')
        with pytest.raises(BadValue, match='holds other content'):      # as many, but not the same
            net.compute_activation(examples + 1, 'fc', out=tmp_path / 'y.act.h5', resume=True)

    def test_shards_merged_are_one_run(self, net, mine, tmp_path):
        whole = net.compute_activation(mine, self.LAYERS, batch_size=2)
        parts = [tmp_path / f'{i}.act.h5' for i in (1, 2, 3)]
        for i, part in enumerate(parts, 1):
            net.compute_activation(mine, self.LAYERS, batch_size=2, out=part, shard=(i, 3))
        self.same(Activation.merge(parts, tmp_path / 'm.act.h5'), whole)

    def test_types_are_of_the_means(self, net, mine):
        exact = net.compute_activation(mine, 'conv').get('conv')
        half = net.compute_activation(mine, 'conv', dtype='float16').get('conv')
        assert half.dtype == np.float16
        np.testing.assert_array_equal(half, exact.astype(np.float16))

    def test_what_cannot_be_heard_is_left_out(self, net, mine):
        mine.files()[2].unlink()
        mine.files()[3].write_text('no sound')
        soundfile.write(mine.files()[4], np.zeros(15599), RATE)
        found = net.compute_activation(mine, 'fc', on_error='skip')
        assert list(found.stim_ids) == ['d.wav', 'a.wav']
        problems = dict(found.meta['skipped'])
        assert problems['b.wav'] == 'missing' and problems['c.wav'].startswith('not a readable sound')
        assert problems['e.wav'] == 'shorter than an example of 0.975 s' and len(problems) == 3
        self.same(found, net.compute_activation(mine[[0, 1]], 'fc'))
        with pytest.raises(BadValue, match='3 of 3 stimuli .* cannot be shown: .*e.wav .shorter than an example'):
            net.compute_activation(mine[2:], 'fc', on_error='skip')

    def test_batches_that_do_not_fit_into_memory(self, net, mine, caplog):
        expected = net.compute_activation(mine, self.LAYERS, batch_size=1)
        limit = net.model[2].register_forward_hook(full_above(2))
        found = net.compute_activation(mine, self.LAYERS, batch_size=8)
        limit.remove()
        assert [r.getMessage()[:5] for r in caplog.records if 'do not fit' in r.getMessage()] == ['8 sti', '4 sti']
        for layer in self.LAYERS:
            np.testing.assert_allclose(found.get(layer), expected.get(layer), rtol=1e-5, atol=1e-6)

    def test_a_disk_that_cannot_hold_it(self, net, mine, tmp_path, monkeypatch):
        monkeypatch.setattr('shutil.disk_usage', lambda path: SimpleNamespace(free=-10 ** 9))
        with pytest.raises(BadValue, match='the activations need about .* GB free'):
            net.compute_activation(mine, self.LAYERS, out=tmp_path / 'x.act.h5')
        assert not list(tmp_path.glob('x.act.h5*'))

    def test_estimate_counts_examples(self, net, mine):
        found = estimate(net, mine, self.LAYERS)
        assert (found.n_stim, found.n_shown) == (5, 11)
        assert found.table['shape'].tolist() == ['5 x 3 x 12 x 8', '5 x 2 x 1 x 1']
        assert found.n_bytes == 4 * 5 * (3 * 12 * 8 + 2)
        assert '5 stimuli are shown in 11 pieces' in str(found) and 'pieces' not in str(
            estimate(net, wavfile_to_examples(mine.files()[0]), 'fc'))


def full_above(most):
    def hook(module, args, output):
        if len(output) > most:
            raise torch.OutOfMemoryError('CUDA out of memory')
    return hook


def test_the_command(sounds, dnn, run, tmp_path, monkeypatch):
    monkeypatch.setattr('dnnbrain.cli.dnn_act.open_network', lambda *args: dnn)
    sounds.save(tmp_path / 'x.stim.csv')
    asked = ['-net', 'VGGish', '-layer', 'conv1', '-pool', 'max', '-stim', tmp_path / 'x.stim.csv', '-out',
             tmp_path / 'x.act.h5', '-batch', 2]
    code, said, _ = run('dnn_act', *asked, '-dry-run')
    assert code == 0 and '5 x 64 x 1 x 1' in said and '5 stimuli are shown in 11 pieces' in said
    assert run('dnn_act', *asked, '-resume')[0] == 0
    loaded = Activation()
    loaded.load(tmp_path / 'x.act.h5')
    np.testing.assert_array_equal(loaded.get('conv1'), dnn.compute_activation(sounds, 'conv1', 'max',
                                                                              batch_size=2).get('conv1'))


def test_stimuli_of_another_kind_are_refused(dnn, sounds, stim, tmp_path):
    with pytest.raises(BadValue, match="hears sounds .* are of type 'image'"):
        dnn.compute_activation(stim, 'fc3')
    with pytest.raises(BadType, match='stimuli must be a Stimulus'):
        dnn.compute_activation(3, 'fc3')
    with pytest.raises(BadValue, match=r'examples must be floats of shape \(n, 1, 96, 64\), not torch.uint8'):
        dnn.compute_activation(np.zeros((2, 3, 8, 8), np.uint8), 'fc3')
    with pytest.raises(BadValue, match='1 of 1 stimuli cannot be shown: .*none.wav .missing.'):
        dnn.compute_activation(str(tmp_path / 'none.wav'), 'fc3')
    with pytest.raises(BadValue, match="not at stimuli of type 'audio'"):
        AlexNet(pretrained=False).compute_activation(sounds, 'fc3')
