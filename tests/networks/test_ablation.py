"""Lesions: silent units, nothing left behind, controls of the same size."""

import copy
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from dnnbrain._checks import BadType, BadValue
from dnnbrain.activation.lesion import other_units
from dnnbrain.dnn.core import Activation, Mask
from dnnbrain.dnn.models import DNN, AlexNet, Resnet10
from dnnbrain.networks.ablation import has_lesions, random_lesion


@pytest.fixture
def alexnet():
    return AlexNet(pretrained=False, rng=0).eval()


def n_hooks(dnn):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in dnn.model.modules())


def answers(dnn, x):
    with torch.inference_mode():
        return dnn.eval()(x)


class TestWhatIsSilent:
    def test_like_a_network_without_the_channel(self, alexnet):
        """Weights and bias of the channel at zero by hand."""
        by_hand, x = copy.deepcopy(alexnet.model), torch.rand(2, 3, 224, 224)
        with torch.no_grad():
            for number in (3, 7):
                by_hand.features[3].weight[number - 1], by_hand.features[3].bias[number - 1] = 0, 0
        with alexnet.ablated('conv2', [3, 7]):
            torch.testing.assert_close(answers(alexnet, x), answers(by_hand, x))
            assert not torch.equal(answers(alexnet, x), answers(copy.deepcopy(by_hand), 2 * x))
        assert not torch.allclose(answers(alexnet, x), answers(by_hand, x), atol=1e-7)

    def test_batch_norm_does_not_revive_it(self):
        """As if the affine part of batch norm were zero too; 1.0 left a constant there."""
        dnn, x = Resnet10(rng=0), torch.rand(2, 3, 32, 32)
        with torch.no_grad():
            dnn.model.bn1.bias += 1
            dnn.model.bn1.running_mean += 0.5
        by_hand = copy.deepcopy(dnn.model)
        with torch.no_grad():
            by_hand.bn1.weight[4], by_hand.bn1.bias[4] = 0, 0
        with dnn.ablated('conv', 5):
            torch.testing.assert_close(answers(dnn, x), answers(by_hand, x))
            handle = dnn.model.bn1.register_forward_pre_hook(lambda module, args: (args[0].clone(),))
            torch.testing.assert_close(answers(dnn, x), answers(by_hand, x))      # also if others exchange its input
            handle.remove()

    def test_units_of_several_layers(self, alexnet, stim):
        """Against numpy: what is named is zero, all else of the first layer as before."""
        mask = Mask('conv1', [2, 5], rows=[1, 3], columns=[4])
        mask.set('fc2', [10, 20])
        before = alexnet.compute_activation(stim[:3], ['conv1', 'fc2', 'fc3'])
        with alexnet.ablated(mask):
            after = alexnet.compute_activation(stim[:3], ['conv1', 'fc2', 'fc3'])
        expected = before.get('conv1').copy()
        expected[np.ix_(range(3), [1, 4], [0, 2], [3])] = 0
        np.testing.assert_array_equal(after.get('conv1'), expected)
        assert (after.get('fc2')[:, [9, 19]] == 0).all() and np.count_nonzero(after.get('fc2')) > 3 * 4000
        assert not np.allclose(after.get('fc3'), before.get('fc3'))

    def test_one_use_of_a_shared_module(self, stim):
        dnn = Resnet10(rng=0)
        names = ['layer1.0.relu#1', 'layer1.0.relu#2']
        before = dnn.compute_activation(stim[:2], names)
        with dnn.ablated('layer1.0.relu#2', [1]):
            after = dnn.compute_activation(stim[:2], names)
        np.testing.assert_array_equal(after.get(names[0]), before.get(names[0]))
        assert (after.get(names[1])[:, 0] == 0).all()
        np.testing.assert_array_equal(after.get(names[1])[:, 1:], before.get(names[1])[:, 1:])

    def test_channels_of_tokens_are_features(self, rng):
        dnn = DNN.from_timm('test_vit', pretrained=False, rng=0)
        pictures = rng.integers(0, 256, (1, 3, 160, 160), dtype=np.uint8)
        before = dnn.compute_activation(pictures, 'block2').get('block2')
        with dnn.ablated('block2', [1, 3]):
            after = dnn.compute_activation(pictures, 'block2').get('block2')
        assert (after[:, [0, 2]] == 0).all() and (before[:, [0, 2]] != 0).any()
        np.testing.assert_array_equal(np.delete(after, [0, 2], 1), np.delete(before, [0, 2], 1))

    def test_attention_keeps_its_second_output(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.attention = torch.nn.MultiheadAttention(4, 1, batch_first=True)

            def forward(self, x):
                return self.attention(x, x, x)[0]
        net, x = DNN(Net().eval()), torch.rand(2, 5, 4)
        with net.ablated('attention', 2):
            found = net(x)
        assert (found[..., 1] == 0).all() and torch.equal(found[..., [0, 2, 3]], net(x)[..., [0, 2, 3]])

    def test_gradients(self, tiny):
        x = torch.rand(1, 3, 12, 12)
        with tiny.ablated('conv', 2):
            tiny(x).sum().backward()
        gradient = tiny.model[0].weight.grad
        assert (gradient[1] == 0).all() and (gradient[[0, 2, 3]] != 0).any()

    def test_testing_and_predicting(self, tiny, stim):
        with torch.no_grad():
            tiny.model[4].bias.copy_(torch.tensor([0., 2., 1.]))
        with tiny.ablated('relu'):                     # nothing but the bias of fc is left
            assert (tiny.test(stim, 'classification')['pred_value'] == [1, 2, 0]).all()
            assert (tiny.predict(stim)['label'] == 1).all()


class TestNothingIsLeft:
    def test_after_the_block_after_an_error_and_after_restoring(self, tiny, tmp_path):
        x, n = torch.rand(1, 3, 12, 12), n_hooks(tiny)
        before, state = answers(tiny, x), copy.deepcopy(tiny.model.state_dict())
        with pytest.raises(KeyError), tiny.ablated('conv', 1):
            raise KeyError
        assert n_hooks(tiny) == n
        assert tiny.ablate('conv', 1) is None
        tiny.ablate('fc')
        assert (answers(tiny, x) == 0).all()
        tiny.save(tmp_path / 'x.pth')
        assert all(torch.equal(v, state[k]) for k, v in torch.load(tmp_path / 'x.pth', weights_only=True).items())
        tiny.restore()
        tiny.restore()
        assert n_hooks(tiny) == n and torch.equal(answers(tiny, x), before) and tiny.lesions == ()

    def test_lesions_in_lesions(self, tiny):
        tiny.ablate('conv', 1)
        with tiny.ablated('conv', 2):
            pass
        with torch.inference_mode():
            maps = tiny.model[0](torch.rand(1, 3, 12, 12))
        assert has_lesions(tiny.model) and maps is not None
        seen = tiny.compute_activation(np.zeros((1, 3, 20, 20), np.uint8), 'conv').get('conv')
        assert (seen[:, 0] == 0).all() and (seen[:, 1] != 0).any()

    def test_a_copy_has_lesions_of_its_own(self, tiny):
        x = torch.rand(1, 3, 12, 12)
        whole = answers(tiny, x)
        tiny.ablate('relu')
        twin = copy.deepcopy(tiny)
        tiny.restore()
        assert torch.equal(answers(tiny, x), whole) and not torch.equal(answers(twin, x), whole)
        twin.restore()
        assert torch.equal(answers(twin, x), whole) and not has_lesions(twin.model)

    def test_modes_are_kept(self, tiny):
        tiny.model.train()
        with tiny.ablated('conv', 1):
            assert all(m.training for m in tiny.model.modules())

    @pytest.mark.parametrize('arguments, kind, sentence', [
        (('conv', [5]), BadValue, "channel of layer 'conv' 5 is out of range; they count from 1 to 4"),
        (('conv9',), BadValue, "layer 'conv9' is not in DNN"),
        (('conv#2',), BadValue, "layer 'conv#2' is used 1 times in a forward pass of DNN; ask for an earlier call"),
        (({'conv': {'chn': [1]}, 'fc': {'chn': [9]}},), BadValue, '9 is out of range'),
        ((['conv', 'fc'], [1]), BadType, 'channels go with the name of one layer, not with list'),
        (([],), BadValue, 'names no layer'),
    ])
    def test_wrong_input_is_said_at_once(self, tiny, arguments, kind, sentence):
        n = n_hooks(tiny)
        with pytest.raises(kind, match=sentence):
            tiny.ablate(*arguments)
        assert n_hooks(tiny) == n and tiny.lesions == ()

    def test_an_ablated_network_is_not_cut(self, tiny):
        tiny.ablate('conv', 1)
        with pytest.raises(BadValue, match='DNN cannot be cut while it is ablated; dnn.restore'):
            tiny.cut('relu')


class TestRandomLesions:
    def test_other_channels_of_the_same_number(self, alexnet):
        mask = Mask('conv1', range(1, 21), rows=[2, 3])
        mask.set('fc1', [1, 4096])
        controls = [random_lesion(alexnet, mask, seed) for seed in (1, 1, 2)]
        assert controls[0].to_dict() == controls[1].to_dict() != controls[2].to_dict()
        found = controls[0].get('conv1')
        assert len(set(found['chn'])) == 20 and not set(found['chn']) & set(range(1, 21)) and max(found['chn']) <= 64
        assert found['row'] == [2, 3] and found['col'] == 'all' and len(controls[0].get('fc1')['chn']) == 2
        with alexnet.ablated(alexnet.random_lesion(mask, 1)):
            pass
        assert not has_lesions(alexnet.model)

    def test_every_other_channel_is_as_likely(self):
        drawn = np.concatenate([other_units(Mask('a', [1, 2]), {'a': (1, 7, 1, 1)}, seed).get('a')['chn']
                                for seed in range(2000)])
        counts = np.bincount(drawn, minlength=8)[3:]
        assert counts.sum() == 4000 and abs(counts - 800).max() < 5 * np.sqrt(800)

    def test_rows_where_no_channel_is_named(self):
        assert other_units(Mask('a', rows=[1, 2]), {'a': (1, 7, 4, 4)}).get('a') == \
            {'chn': 'all', 'row': [3, 4], 'col': 'all'}

    @pytest.mark.parametrize('mask, sentence', [
        (Mask('a'), "takes layer 'a' whole"), (Mask('a', [1, 2, 3, 4]), 'names 4 of 7 channels .* only 3 others'),
        (Mask('a', [8]), '8 is out of range'),
    ])
    def test_not_possible(self, mask, sentence):
        with pytest.raises(BadValue, match=sentence):
            other_units(mask, {'a': (1, 7, 4, 4)})

    def test_sizes_must_be_known(self, tiny):
        tiny.img_size = None
        with tiny.ablated('conv', 1), nullcontext(), pytest.raises(BadValue, match='has no img_size'):
            tiny.random_lesion(Mask('conv', [1]))


class TestCommand:
    @pytest.fixture
    def files(self, rng, tmp_path):
        activation = Activation('conv', rng.standard_normal((300, 6, 5, 4)).astype(np.float32))
        activation.set('fc', rng.standard_normal((300, 8, 1, 1)).astype(np.float32))
        activation.stim_ids = np.array([f'{i:03}.png' for i in range(300)])
        activation.meta = {'network': 'X', 'key': 'k'}
        activation.save(tmp_path / 'a.act.h5')
        mask = Mask('conv', [2, 6], columns=[1, 3])
        mask.save(tmp_path / 'm.dmask.csv')
        return activation, ['-act', tmp_path / 'a.act.h5', '-dmask', tmp_path / 'm.dmask.csv', '-out',
                            tmp_path / 'b.act.h5']

    def load(self, files):
        activation = Activation()
        activation.load(files[1][-1])
        return activation

    def test_units_are_zero_and_all_else_is_kept(self, run, files):
        assert run('dnn_ablation', *files[1]) == (0, '', '')
        after, expected = self.load(files), files[0].get('conv').copy()
        expected[:, [1, 5], :, 0] = expected[:, [1, 5], :, 2] = 0
        np.testing.assert_array_equal(after.get('conv'), expected)
        np.testing.assert_array_equal(after.get('fc'), files[0].get('fc'))
        assert after.layers == ['conv', 'fc'] and after.stim_ids.tolist() == files[0].stim_ids.tolist()
        assert after.meta['network'] == 'X' and 'key' not in after.meta
        assert after.meta['ablated']['conv'] == {'chn': [2, 6], 'row': 'all', 'col': [1, 3]}

    def test_random_control(self, run, files):
        assert run('dnn_ablation', *files[1], '-random', '-seed', 3)[0] == 0
        gone = (self.load(files).get('conv') == 0).all(axis=(0, 2))
        assert gone.sum() == 4 and not gone[[1, 5]].any() and gone[:, [0, 2]].sum() == 4

    def test_memory_is_bounded(self, files, monkeypatch):
        """No block is larger than asked for; a copy of the whole layer never is in memory."""
        sizes, blocks = [], Activation.blocks

        def small(self, layer, axis='stim', n_bytes=0):
            for rows, block in blocks(self, layer, axis, 2 ** 14):
                sizes.append(block.nbytes)
                yield rows, block
        monkeypatch.setattr(Activation, 'blocks', small)
        monkeypatch.setattr(Activation, 'get', None)
        from dnnbrain.activation.lesion import save_lesioned
        activation = Activation()
        activation.load(files[1][1])
        save_lesioned(activation, Mask('conv', [1]), files[1][-1])
        assert len(sizes) > 4 and max(sizes) < 300 * 6 * 5 * 4 * 4 / 2

    @pytest.mark.parametrize('change, sentence', [
        ({'-out': 'b.h5'}, 'must end in .act.h5'), ({'-act': 'no.act.h5'}, 'does not exist'),
        ({'-dmask': 'far.dmask.csv'}, '9 is out of range'), ({'-seed': 1}, '-seed goes with -random'),
        ({'-dmask': 'else.dmask.csv'}, "layer 'pool' is not in the activation"),
    ])
    def test_wrong_input(self, run, files, tmp_path, monkeypatch, change, sentence):
        monkeypatch.chdir(tmp_path)
        Mask('conv', [9]).save('far.dmask.csv')
        Mask('pool', [1]).save('else.dmask.csv')
        options = dict(zip(files[1][::2], files[1][1::2], strict=True)) | change
        code, _, err = run('dnn_ablation', *(part for pair in options.items() for part in pair))
        assert code == 2 and sentence in err and not (tmp_path / 'b.act.h5').exists()


def test_a_file_says_what_was_silenced(tiny, stim, tmp_path):
    out = tmp_path / 'x.act.h5'
    with tiny.ablated('conv', [2]):
        found = tiny.compute_activation(stim, 'fc', out=out)
    assert found.meta['lesions'] == ["conv: {'chn': [2], 'row': 'all', 'col': 'all'}"]
    for channels in ([1], None):
        with tiny.ablated('conv', channels), pytest.raises(BadValue, match='holds other content'):
            tiny.compute_activation(stim, 'fc', out=out, resume=True)
    with tiny.ablated('conv', [2]):
        tiny.compute_activation(stim, 'fc', out=out, resume=True)
