"""A network as an object: subclassing, kernels, saving, loading."""

import numpy as np
import pytest
import torch
import torch.nn as nn

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.models import DNN, AlexNet, Resnet50


def test_subclass_as_the_docs_of_1_0_teach():
    class Mine(DNN):
        def __init__(self):
            super().__init__()
            self.model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(8, 2))
            self.layer2loc = {'conv': ('0',)}
            self.img_size = (2, 2)
    dnn = Mine()
    assert dnn.layers == ['conv'] and dnn.layer2module('conv') is dnn.model[0]
    assert dnn.layer2module('2') is dnn.model[2] and dnn.name == 'Mine'
    assert dnn.eval() is dnn and not dnn.model.training
    x = torch.rand(1, 3, 2, 2)
    assert torch.equal(dnn(x), dnn.model(x))


def test_without_names_module_paths_are_the_layers(tiny):
    tiny.layer2loc = {}
    assert tiny.layers == ['0', '1', '2', '3', '4']


def test_get_kernel_counts_from_1(tiny):
    weight = tiny.model[0].weight.detach().numpy()
    np.testing.assert_array_equal(tiny.get_kernel('conv'), weight)
    np.testing.assert_array_equal(tiny.get_kernel('conv', 2), weight[[1]])
    np.testing.assert_array_equal(tiny.get_kernel('conv', [4, 1]), weight[[3, 0]])
    tiny.get_kernel('conv')[:] = 0
    assert tiny.model[0].weight.abs().max() > 0
    with pytest.raises(BadValue, match='kernel .* 5 is out of range; they count from 1 to 4'):
        tiny.get_kernel('conv', 5)
    with pytest.raises(BadValue, match="'relu' of DNN has no weights"):
        tiny.get_kernel('relu')


def test_saved_files_are_plain_state_dicts(tiny, tmp_path):
    tiny.save(tmp_path / 'x.pth')
    state = torch.load(tmp_path / 'x.pth', weights_only=True)
    assert all(torch.equal(state[name], value) for name, value in tiny.model.state_dict().items())
    assert sorted(f.name for f in tmp_path.iterdir()) == ['x.pth', 'x.pth.json']


@pytest.mark.parametrize('head', [nn.Linear(4096, 2), nn.Linear(4096, 2, bias=False), nn.Linear(4096, 1000)])
def test_load_rebuilds_a_changed_head_from_the_file(published, tmp_path, head):
    dnn = AlexNet()
    dnn.model.classifier[6] = head
    dnn.save(tmp_path / 'x.pth')
    back = AlexNet.load(tmp_path / 'x.pth')
    x = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(back.eval()(x), dnn.eval()(x))
    assert back.model.classifier[6].out_features == head.out_features
    assert all(p.requires_grad and p.device.type == 'cpu' for p in back.model.parameters())


def test_load_with_other_preprocessing(published, tmp_path):
    AlexNet().save(tmp_path / 'x.pth')
    assert AlexNet.load(tmp_path / 'x.pth', preprocess='weights').test_transform.crop_size == [224]


def test_files_of_old_torch_lack_batch_counts(tmp_path):
    from dnnbrain.dnn.models import Resnet18
    dnn = Resnet18(pretrained=False, rng=0)
    state = {name: v for name, v in dnn.model.state_dict().items() if not name.endswith('num_batches_tracked')}
    torch.save(state, tmp_path / 'old.pth')
    back = Resnet18.load(tmp_path / 'old.pth')
    assert torch.equal(back.model.fc.weight, dnn.model.fc.weight) and back.model.bn1.num_batches_tracked == 0


class TestBadFiles:
    def test_wrong_layers_and_shapes(self, tiny, tmp_path):
        tiny.save(tmp_path / 'x.pth')
        with pytest.raises(BadValue, match='holds DNN, not AlexNet; use DNN.load'):
            AlexNet.load(tmp_path / 'x.pth')
        (tmp_path / 'x.pth.json').unlink()
        with pytest.raises(BadValue, match='do not belong to AlexNet: missing'):
            AlexNet.load(tmp_path / 'x.pth')
        with torch.device('meta'):
            state = AlexNet._empty().model.state_dict()
        state = {name: torch.zeros(1).expand(value.shape) for name, value in state.items()}
        state['features.0.weight'] = torch.zeros(64, 3, 7, 7)
        torch.save(state, tmp_path / 'y.pth')
        with pytest.raises(BadValue, match=r'features.0.weight has shape \(64, 3, 7, 7\), not \(64, 3, 11, 11\)'):
            AlexNet.load(tmp_path / 'y.pth')

    def test_no_file_no_torch_file_truncated(self, tiny, tmp_path):
        with pytest.raises(BadPath, match='does not exist'):
            AlexNet.load(tmp_path / 'x.pth')
        (tmp_path / 'x.pth').write_text('hello')
        with pytest.raises(BadValue, match='truncated or not a file of torch.save'):
            AlexNet.load(tmp_path / 'x.pth')
        tiny.save(tmp_path / 'y.pth')
        whole = (tmp_path / 'y.pth').read_bytes()
        (tmp_path / 'y.pth').write_bytes(whole[:len(whole) // 2])
        with pytest.raises(BadValue, match='truncated'):
            AlexNet.load(tmp_path / 'y.pth')
        with pytest.raises(BadValue, match='must end in .pth'):
            AlexNet.load(tmp_path / 'x.npy')

    def test_code_in_a_file_is_never_run(self, tmp_path):
        torch.save(nn.Linear(1, 1), tmp_path / 'x.pth')              # a pickled object
        with pytest.raises(BadValue, match='save model.state_dict'):
            AlexNet.load(tmp_path / 'x.pth')
        torch.save({'a': 1}, tmp_path / 'x.pth')
        with pytest.raises(BadValue, match='does not hold a state dict'):
            AlexNet.load(tmp_path / 'x.pth')

    def test_a_place_that_cannot_be_written(self, tiny, tmp_path):
        with pytest.raises(BadPath, match='make it first'):
            tiny.save(tmp_path / 'no' / 'x.pth')


def test_replace_head_is_seeded(tiny):
    first = tiny.replace_head(7, rng=1).weight.detach().clone()
    assert tiny.model[4].out_features == 7
    assert torch.equal(first, tiny.replace_head(7, rng=1).weight)
    with pytest.raises(BadValue, match='no fully connected layer'):
        DNN(nn.Sequential(nn.Conv2d(3, 2, 1))).replace_head(2)


def test_a_whole_classifier_is_replaced_saved_and_loaded(tmp_path, stim):
    dnn = AlexNet(pretrained=False, rng=0)
    head = dnn.replace_head(2, layer='classifier', rng=1)
    assert dnn.model.classifier is head and head.in_features == 256 * 6 * 6
    assert dnn.layers[-2:] == ['conv5_maxpool', 'fc1'] and dnn.layer2path('fc1') == 'classifier'
    dnn.save(tmp_path / 'x.pth')
    again = AlexNet.load(tmp_path / 'x.pth')
    assert again.layers == dnn.layers
    both = [net.compute_activation(stim[:2], 'fc1').get('fc1') for net in (dnn, again)]
    np.testing.assert_array_equal(*both)
    with pytest.raises(BadValue, match="'features' is Sequential, which is no fully connected layer and holds none"):
        dnn.replace_head(2, layer='features')
    with pytest.raises(BadValue, match="layer 'clasifier' is not in AlexNet"):
        dnn.replace_head(2, layer='clasifier')
    with pytest.raises(BadValue, match='at least 1 output'):
        dnn.replace_head(0)


def test_summary_against_counting_by_hand(tiny):
    """conv 3 -> 4 of 3 x 3 on 12 x 12 pictures, fc 16 -> 3."""
    table = tiny.freeze('conv').summary().set_index('layer')
    assert table['n_param'].to_dict() == {'conv': 3 * 4 * 9 + 4, 'relu': 0, 'fc': 16 * 3 + 3}
    assert table['mult_adds'].to_dict() == {'conv': 27 * 4 * 10 * 10, 'relu': 0, 'fc': 48}
    assert table['learns'].to_dict() == {'conv': 'no', 'relu': '-', 'fc': 'yes'}
    assert table['shape'].to_dict() == {'conv': '4 x 10 x 10', 'relu': '4 x 10 x 10', 'fc': '3'}


def test_summary_of_a_network_that_publishes_its_count():
    """ResNet-50: 25.6 million parameters, 4.09 thousand million multiply-adds (torchvision's model page)."""
    dnn = Resnet50._empty()
    dnn.layer2loc = {'all': ('layer1',)} | {name: (name,) for name in ('conv1', 'layer2', 'layer3', 'layer4', 'fc')}
    table = dnn.summary()
    assert table['mult_adds'].sum() / 1e9 == pytest.approx(4.09, abs=0.01)
    assert sum(p.numel() for p in dnn.model.parameters()) == 25_557_032


def test_a_class_of_ones_own_is_loaded_as_it_is_made(tmp_path):
    class Mine(AlexNet):
        def __init__(self, extra=3):
            super().__init__(pretrained=False, rng=extra)
            self.img_size, self.extra = (64, 64), extra
            self.replace_head(2, rng=0)
    dnn = Mine(extra=5)
    dnn.save(tmp_path / 'x.pth')
    again = Mine.load(tmp_path / 'x.pth', extra=7)
    assert again.img_size == (64, 64) and again.extra == 7
    for a, b in zip(dnn.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
