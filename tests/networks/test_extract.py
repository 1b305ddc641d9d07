"""Activations against plain hooks, numpy selection and pooling; nothing is left behind."""

import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image
from torchvision.transforms import Compose, Normalize, Resize, ToTensor

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.pool import POOLINGS
from dnnbrain.dnn.core import Activation, Mask
from dnnbrain.dnn.models import DNN, AlexNet
from dnnbrain.stimuli.loaders import split_transform


def transformed(pictures, dnn, n=12):
    """The pictures as 1.0 showed them, made without our readers."""
    return torch.stack([dnn.test_transform(Image.open(pictures / f'{i:02d}.png').convert('RGB')) for i in range(n)])


def by_hooks(model, pixels, paths):
    """One layer per pass, each copied before the next module can touch it."""
    found = {}
    for path in paths:
        handle = model.get_submodule(path).register_forward_hook(
            lambda m, a, out, path=path: found.__setitem__(path, out.detach().clone()))
        with torch.no_grad():
            model(pixels)
        handle.remove()
    return found


def as_it_was(dnn):
    return not any(m._forward_hooks for m in dnn.model.modules())


def test_alexnet_equals_hooks_on_torchvisions_own(published, stim, pictures):
    """Every layer, in one pass: pre-ReLU values of convolutions included."""
    dnn = AlexNet()
    activation = dnn.compute_activation(stim, dnn.layers, batch_size=5)
    paths = [dnn.layer2path(layer) for layer in dnn.layers]
    truth = by_hooks(published, transformed(pictures, dnn), paths)
    for layer, path in zip(dnn.layers, paths, strict=True):
        expected = truth[path].numpy()
        found = activation.get(layer)
        assert found.dtype == np.float32
        assert found.shape == (expected.shape if expected.ndim == 4 else (*expected.shape, 1, 1))
        np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5, atol=1e-6, err_msg=layer)
    assert activation.get('conv1').min() < -0.5 and activation.get('fc2').min() < 0
    assert activation.stim_ids.tolist() == stim.get('stimID').tolist()


def test_mask_picks_what_numpy_picks(tiny, stim):
    whole = tiny.compute_activation(stim, ['conv', 'fc'])
    mask = Mask('fc', [3, 1])
    mask.set('conv', (4, 1, 1), rows=range(2, 5), columns=np.array([10, 1]))
    part = tiny.compute_activation(stim, mask)
    assert part.layers == ['fc', 'conv']
    np.testing.assert_array_equal(part.get('fc'), whole.get('fc')[:, [2, 0]])
    np.testing.assert_array_equal(part.get('conv'), whole.get('conv')[:, [3, 0, 0]][:, :, 1:4][..., [9, 0]])


@pytest.mark.parametrize('method', POOLINGS)
def test_pooling_of_nan_is_nan(tiny, stim, method):
    handle = tiny.model[0].register_forward_hook(lambda module, args, out: out.index_fill(1, torch.tensor(2), np.nan))
    found = tiny.compute_activation(stim[:2], 'conv', method).get('conv')[..., 0, 0]
    handle.remove()
    np.testing.assert_array_equal(np.isnan(found), [[False, False, True, False]] * 2)


@pytest.mark.parametrize('method', POOLINGS)
def test_pooling_on_the_way_equals_pooling_afterwards(tiny, stim, method):
    """Also the median of an even number of positions, which torch and numpy define differently."""
    for mask in (Mask('conv'), Mask('conv', [2, 1], rows=[1, 4])):
        pooled = tiny.compute_activation(stim, mask, method)
        after = tiny.compute_activation(stim, mask).pool(method)
        assert pooled.shape('conv') == after.shape('conv')
        np.testing.assert_allclose(pooled.get('conv'), after.get('conv'), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('batch_size', [1, 5, 12, 32])
def test_streamed_equals_kept(tiny, stim, tmp_path, batch_size):
    kept = tiny.compute_activation(stim, ['relu', 'conv'])
    streamed = tiny.compute_activation(stim, ['relu', 'conv'], batch_size=batch_size, out=tmp_path / 'x.act.h5')
    again = Activation()
    again.load(tmp_path / 'x.act.h5')
    for activation in (streamed, again):
        assert activation.layers == ['relu', 'conv'] and activation.stim_ids.tolist() == kept.stim_ids.tolist()
        for layer in kept.layers:
            np.testing.assert_allclose(activation.get(layer), kept.get(layer), atol=1e-6)
    assert again.meta['network'] == 'DNN' and again.meta['layer_paths'] == {'relu': '1', 'conv': '0'}
    assert len(again.meta['weights']) == 64 and 'torch' in again.meta['versions']


def test_arrays_are_stimuli(tiny, rng):
    pixels = rng.integers(0, 256, (3, 3, 12, 12), dtype=np.uint8)
    expected = tiny.model[0](torch.from_numpy(pixels / 255).float()).detach().numpy()
    activation = tiny.compute_activation(pixels, '0')
    np.testing.assert_allclose(activation.get('0'), expected, atol=1e-6)
    assert activation.stim_ids is None


class Counted(nn.Module):
    """Uses one ReLU twice and never uses another layer."""

    def __init__(self):
        super().__init__()
        self.relu, self.conv, self.unused, self.last = nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 2, 1)
        self.ran_last = 0
        self.last.register_forward_hook(lambda *_: setattr(self, 'ran_last', self.ran_last + 1))

    def forward(self, x):
        return self.last(self.relu(self.conv(self.relu(x))))


@pytest.fixture
def counted():
    from torchvision.transforms import ToTensor
    return DNN(Counted(), img_size=(8, 8), test_transform=ToTensor())


def test_each_call_of_a_shared_module(counted, rng):
    pixels = rng.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    activation = counted.compute_activation(pixels, ['relu', 'relu#2', 'relu#1'])
    first = torch.from_numpy(pixels / 255).float()
    with torch.no_grad():
        second = counted.model.conv(first).relu().numpy()
    np.testing.assert_allclose(activation.get('relu'), first, atol=1e-6)
    np.testing.assert_array_equal(activation.get('relu'), activation.get('relu#1'))
    np.testing.assert_allclose(activation.get('relu#2'), second, atol=1e-6)
    for layer in ('relu#3', 'unused'):
        with pytest.raises(BadValue, match=f"'{layer}' is used [02] times"):
            counted.compute_activation(pixels, layer)


def test_the_pass_stops_after_the_last_layer_asked_for(counted, rng):
    pixels = rng.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    counted.compute_activation(pixels, ['conv'])
    assert counted.model.ran_last == 0
    counted.compute_activation(pixels, ['last'])
    assert counted.model.ran_last == 1


def test_tokens_and_tuples(rng):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.pair = nn.Flatten(2), nn.LSTM(64, 5, batch_first=True)

        def forward(self, x):
            return self.pair(self.tokens(x))
    from torchvision.transforms import ToTensor
    dnn = DNN(Odd(), img_size=(8, 8), test_transform=ToTensor())
    pixels = rng.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    tokens = dnn.compute_activation(pixels, 'tokens').get('tokens')
    assert tokens.shape == (2, 64, 3, 1)                        # 64 features, 3 tokens
    np.testing.assert_allclose(tokens[1, 9, 2, 0], pixels[1, 2, 1, 1] / 255, rtol=1e-6)
    flat = pixels.reshape(2, 3, 64) / 255
    for which, expected in (('cls', flat[:, :1]), ('mean', flat.mean(1, keepdims=True)), ('patch', flat[:, 1:])):
        found = dnn.compute_activation(pixels, 'tokens', tokens=which).get('tokens')
        np.testing.assert_allclose(found[..., 0], expected.transpose(0, 2, 1), rtol=1e-6)
    first = dnn.compute_activation(pixels, 'pair').get('pair')                  # of (output, (h, c)) the first
    with torch.inference_mode():
        output, _ = dnn.model.eval()(torch.from_numpy(pixels / 255).float())
    np.testing.assert_allclose(first[..., 0], output.numpy().transpose(0, 2, 1), rtol=1e-6)
    dnn.model.train()
    assert as_it_was(dnn)


class TestTheWorldIsLeftAsFound:
    def modes(self, dnn):
        return [m.training for m in dnn.model.modules()]

    def test_after_success(self, tiny, stim):
        tiny.model.train()
        tiny.model[1].eval()
        modes = self.modes(tiny)
        before = [p.detach().clone() for p in tiny.model.parameters()]
        tiny.compute_activation(stim, ['conv', 'fc'])
        assert self.modes(tiny) == modes and as_it_was(tiny)
        assert all(torch.equal(a, b) and b.requires_grad for a, b in zip(before, tiny.model.parameters(), strict=True))
        tiny.model(torch.rand(1, 3, 12, 12)).sum().backward()          # not an inference tensor

    @pytest.mark.parametrize('crash', ['channel', 'picture', 'forward'])
    def test_after_a_crash(self, tiny, stim, tmp_path, pictures, crash, monkeypatch):
        tiny.model.train()
        modes, mask = self.modes(tiny), Mask('conv', [5] if crash == 'channel' else [1])
        if crash == 'picture':
            whole = (pictures / '00.png').read_bytes()
            for i in range(12):
                (tmp_path / f'{i:02d}.png').write_bytes(whole if i != 7 else whole[:1000] + bytes(2000) + whole[3000:])
            stim.header['path'] = str(tmp_path)
        if crash == 'forward':
            monkeypatch.setattr(tiny.model[0], 'forward', lambda x: 1 / 0)
        out = tmp_path / 'out'
        out.mkdir()
        error, says = {'channel': (BadValue, "channel of layer 'conv' 5 is out of range; they count from 1 to 4"),
                       'picture': (BadValue, '07.png.* cannot be read'),
                       'forward': (ZeroDivisionError, 'division')}[crash]
        with pytest.raises(error, match=says):
            tiny.compute_activation(stim, mask, batch_size=2, out=out / 'x.act.h5')
        assert self.modes(tiny) == modes and as_it_was(tiny)
        assert [f.name for f in out.iterdir()] == (['x.act.h5.part'] if crash == 'picture' else [])


@pytest.mark.parametrize('change, says', [
    ({'dmask': 'conv9'}, r"'conv9' is not in DNN; did you mean 'conv'\? choose from conv, relu, fc"),
    ({'dmask': []}, 'names no layer'),
    ({'pool_method': 'avg'}, "'avg' is not known"),
    ({'batch_size': 0}, 'batch_size must be at least 1'),
    ({'device': 'cuda:7'}, "device 'cuda:7' is not available"),
    ({'out': 'no/such/folder/x.act.h5'}, 'does not exist; make it first'),
])
def test_mistakes(tiny, stim, change, says):
    with pytest.raises((BadValue, FileNotFoundError), match=says):
        tiny.compute_activation(**{'stimuli': stim, 'dmask': 'conv'} | change)


def test_a_network_without_a_model():
    with pytest.raises(BadType, match='set its attribute model'):
        DNN().compute_activation(np.zeros((1, 3, 4, 4), np.uint8), 'conv')


class TestOddNetworks:
    """What labs write themselves."""

    def look(self, dnn, pixels, layers, **kwargs):
        return dnn.compute_activation(pixels, layers, **kwargs)

    @pytest.fixture
    def pixels(self, rng):
        return rng.integers(0, 256, (6, 3, 12, 12), dtype=np.uint8)

    def net(self, model, **names):
        return DNN(model, layer2loc={name: (path,) for name, path in names.items()}, img_size=(12, 12),
                   train_transform=ToTensor(), test_transform=ToTensor())

    def test_a_module_at_two_places_is_asked_for_by_use(self, pixels):
        relu = nn.ReLU()
        model = nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu)
        dnn = self.net(model)
        assert dnn.layers == ['0', '1#1', '1#2', '2']
        first, second = (dnn.compute_activation(pixels, f'1#{k}').get(f'1#{k}') for k in (1, 2))
        x = torch.from_numpy(pixels / 255).float()
        with torch.no_grad():
            np.testing.assert_allclose(first, model[:2](x), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(second, model(x), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(dnn.compute_activation(pixels, '3#2').get('3#2'), second)
        with pytest.raises(BadValue, match=r"layer '3' is one module at 2 places \(1, 3\); say which use"):
            dnn.compute_activation(pixels, '3')

    def test_a_layer_that_does_not_answer_per_stimulus(self, pixels, tmp_path):
        class Position(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(1, 7))

            def forward(self):
                return self.weight

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.position, self.conv, self.fc = Position(), nn.Conv2d(3, 7, 12), nn.Linear(1, 2)

            def forward(self, x):
                x = self.conv(x).flatten(1) + self.position()
                return self.fc(x.view(-1, 1)).view(len(x), -1)
        dnn = self.net(Net())
        for layer, shape in (('position', r'\(1, 7\)'), ('fc', r'\(14, 2\)')):
            for out in (None, tmp_path / 'x.act.h5'):
                with pytest.raises(BadValue, match=f'{layer!r} puts out {shape} for 2 stimuli: not one answer per'):
                    dnn.compute_activation(pixels, layer, batch_size=2, out=out)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
    def test_networks_in_other_precision(self, tiny, pixels, dtype):
        expected = tiny.compute_activation(pixels, ['conv', 'fc'])
        tiny.model.to(dtype)
        assert tiny.replace_head(3, rng=0).weight.dtype == dtype
        found = tiny.compute_activation(pixels, ['conv', 'fc'])
        assert found.get('conv').dtype == np.float32
        atol = 1e-6 if dtype is torch.float64 else 0.02
        np.testing.assert_allclose(found.get('conv'), expected.get('conv'), atol=atol)
        assert np.isfinite(tiny.train(pixels, 1, 'classification', target=[0, 1, 2] * 2, rng=0)['epoch_loss'][0])

    def test_outputs_that_are_no_vector(self, pixels):
        class Two(nn.Module):
            def forward(self, x):
                return x, x
        with pytest.raises(BadValue, match='DNN puts out tuple for 1 pictures'):
            self.net(nn.Sequential(nn.Conv2d(3, 2, 1), Two())).train(pixels, 1, 'classification', target=[0, 1] * 3)
        with pytest.raises(BadValue, match=r'DNN puts out \(2, 12, 12\) per picture; targets need a vector'):
            self.net(nn.Conv2d(3, 2, 1)).test(pixels, 'classification', target=[0, 1] * 3)
        with pytest.raises(BadValue, match='6 stimuli, but 1 targets'):
            self.net(nn.Flatten()).test(pixels, 'classification', target=3)
        with pytest.raises(BadValue, match='the array holds no pictures'):
            self.net(nn.Sequential(nn.Conv2d(3, 2, 1))).compute_activation(pixels[:0], '0')

    def test_a_head_replaced_by_hand_renames_the_layers(self, pixels):
        dnn = AlexNet(pretrained=False, rng=0)
        dnn.model.classifier = nn.Linear(9216, 2)
        assert dnn.layers[-2:] == ['conv5_maxpool', 'fc1'] and dnn.layer2path('fc1') == 'classifier'
        assert dnn.compute_activation(pixels, 'fc1').shape('fc1') == (6, 2, 1, 1)
        with pytest.raises(BadValue, match="layer 'fc3' is not in AlexNet"):
            dnn.compute_activation(pixels, 'fc3')


class TestTransforms:
    @pytest.mark.parametrize('middle', [np.array, lambda picture: picture.convert('L').convert('RGB')])
    def test_steps_of_ones_own_are_kept_as_they_are(self, tiny, rng, middle):
        """Only torchvision's own steps on PIL pictures are known to allow normalising a whole batch."""
        pixels = rng.integers(0, 256, (3, 3, 12, 12), dtype=np.uint8)
        tiny.test_transform = Compose([Resize((12, 12)), middle, ToTensor(), Normalize([0.5] * 3, [0.2] * 3)])
        one, finish = split_transform(tiny.test_transform)
        pictures = [Image.fromarray(p.transpose(1, 2, 0)) for p in pixels]
        expected = torch.stack([tiny.test_transform(p) for p in pictures])
        assert torch.equal(finish(torch.stack([one(p) for p in pictures])), expected)
        tiny.compute_activation(pixels, 'fc')

    def test_a_transform_that_ends_too_early(self, tiny, stim):
        tiny.test_transform = Resize((12, 12))
        with pytest.raises(BadType, match='must end in a tensor .* but gives Image'):
            tiny.compute_activation(stim, 'fc')


@pytest.mark.parametrize(('compression', 'stored'), [('auto', 'lzf'), ('none', None), ('gzip', 'gzip')])
def test_compression_of_the_file(tiny, stim, tmp_path, compression, stored):
    import h5py
    found = tiny.compute_activation(stim, ['conv', 'relu'], out=tmp_path / 'x.act.h5', compression=compression)
    with h5py.File(tmp_path / 'x.act.h5') as file:
        assert file['relu'].compression == stored and file['conv'].compression == (stored if stored == 'gzip' else None)
    np.testing.assert_array_equal(found.get('relu'), tiny.compute_activation(stim, 'relu').get('relu'))
    with pytest.raises(ValueError, match='compression .zip. is not known'):
        tiny.compute_activation(stim, 'conv', out=tmp_path / 'y.act.h5', compression='zip')
