"""What stands beside saved parameters rebuilds the network, whatever was done to it; no code is run."""

import json
import logging

import numpy as np
import pytest
import torch
import torch.nn as nn
from safetensors.torch import load_file
from torchvision import transforms

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.models import DNN, AlexNet, Googlenet, Resnet10, Resnet18, Vgg11
from dnnbrain.networks import blueprint
from dnnbrain.networks.blueprint import changes, describe_module, describe_transform, make_module, make_transform


@pytest.fixture
def net():
    return Resnet10(rng=0)


def answer(dnn):
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return dnn.eval()(x)


def saved(dnn, fname):
    dnn.save(fname)
    return json.loads((fname.parent / f'{fname.name}.json').read_text())


def own_head():
    return nn.Sequential(nn.Linear(512, 8), nn.LeakyReLU(0.3), nn.LayerNorm(8), nn.Dropout(0.25), nn.Linear(8, 2))


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_head_of_several_layers(net, tmp_path, suffix):
    net.model.fc = own_head()
    net.model.relu = nn.ELU(0.5)
    record = saved(net, tmp_path / f'x{suffix}')
    assert record['network'] == 'Resnet10' and set(record['made']['changed']) == {'fc', 'relu'}
    for again in (Resnet10.load(tmp_path / f'x{suffix}'), DNN.load(tmp_path / f'x{suffix}')):
        assert isinstance(again, Resnet10)
        assert torch.equal(answer(again), answer(net)) and str(again.model) == str(net.model)


def test_what_was_cut_and_joined(net, tmp_path):
    net.replace_head(4, rng=1)
    cut = net.cut('layer3')
    joined = cut.join(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 5)))
    twice = joined.cut('head.1').join(nn.Linear(256, 2))
    twice.model.head.bias = None
    for number, dnn in enumerate((cut, joined, twice)):
        record = saved(dnn, tmp_path / f'{number}.pth')
        again = DNN.load(tmp_path / f'{number}.pth')
        assert torch.equal(answer(again), answer(dnn)) and again.layers == dnn.layers
        assert record['network'] == 'Resnet10'
        assert torch.equal(answer(Resnet10.load(tmp_path / f'{number}.pth')), answer(dnn))
        assert saved(again, tmp_path / 'again.pth')['made'] == record['made']


def test_transforms_come_back(net, tmp_path):
    net.train_transform = net.test_transform = transforms.Compose([
        transforms.Resize((30, 34), transforms.InterpolationMode.NEAREST), transforms.ToTensor(),
        transforms.Normalize([0.1, 0.2, 0.3], [1, 2, 3])])
    net.img_size = (30, 34)
    net.save(tmp_path / 'x.pth')
    again = Resnet10.load(tmp_path / 'x.pth')
    picture = transforms.ToPILImage()(torch.rand(3, 50, 40, generator=torch.Generator().manual_seed(1)))
    assert again.img_size == (30, 34)
    for kind in ('train_transform', 'test_transform'):
        assert torch.equal(getattr(again, kind)(picture), net.test_transform(picture))


def test_the_published_transform_comes_back_and_can_be_overruled(tmp_path):
    net = Resnet18(pretrained=False, preprocess='weights', rng=0)
    net.save(tmp_path / 'x.pth')
    picture = transforms.ToPILImage()(torch.rand(3, 300, 260, generator=torch.Generator().manual_seed(1)))
    again = Resnet18.load(tmp_path / 'x.pth')
    torch.testing.assert_close(again.test_transform(picture), net.test_transform(picture), atol=1e-6, rtol=0)
    full = Resnet18.load(tmp_path / 'x.pth', preprocess='full')
    assert torch.equal(full.test_transform(picture), Resnet18(pretrained=False).test_transform(picture))


def test_a_transform_without_description_is_said(net, tmp_path, caplog):
    usual = str(net.test_transform)
    net.test_transform = lambda picture: transforms.ToTensor()(picture) * 2
    net.save(tmp_path / 'x.pth')
    with caplog.at_level(logging.WARNING):
        again = Resnet10.load(tmp_path / 'x.pth')
    assert 'the test_transform of this network cannot be made' in caplog.text
    assert str(again.test_transform) == usual


class Odd(nn.Linear):
    """Something that dnnbrain does not know."""


def test_what_cannot_be_rebuilt_is_said(net, tmp_path):
    net.model.fc = Odd(512, 2)
    net.save(tmp_path / 'x.pth')
    with pytest.raises(BadValue, match='fc was replaced by Odd, which cannot be made .*load_state_dict'):
        Resnet10.load(tmp_path / 'x.pth')
    state = torch.load(tmp_path / 'x.pth', weights_only=True)
    net.model.load_state_dict(state)
    (tmp_path / 'x.pth.json').unlink()
    assert torch.equal(answer(Resnet10.load(tmp_path / 'x.pth')), answer(net))       # sizes come from the tensors


def test_the_wrong_class(tmp_path):
    AlexNet(pretrained=False, rng=0).save(tmp_path / 'x.pth')
    with pytest.raises(BadValue, match="x.pth' holds AlexNet, not Vgg11; use AlexNet.load"):
        Vgg11.load(tmp_path / 'x.pth')
    (tmp_path / 'x.pth.json').unlink()
    with pytest.raises(BadValue, match='does not say how its network is built'):
        DNN.load(tmp_path / 'x.pth')


class Mine(Resnet10):
    """A class of the user's own."""


def test_a_class_of_ones_own(tmp_path):
    mine = Mine(rng=0)
    mine.replace_head(2, rng=0)
    mine.model.relu = mine.model.layer1[0].relu = nn.ELU()
    assert saved(mine, tmp_path / 'x.pth')['made']['network'] == 'Mine'
    assert torch.equal(answer(Mine.load(tmp_path / 'x.pth')), answer(mine))
    with pytest.raises(BadValue, match='does not say how its network is built'):
        DNN.load(tmp_path / 'x.pth')


def test_safetensors_is_the_plain_format(net, tmp_path):
    net.model.again = net.model.fc                       # the format knows no shared tensors
    net.save(tmp_path / 'x.safetensors')
    state = load_file(tmp_path / 'x.safetensors')
    assert list(state) and all(torch.equal(state[name], value) for name, value in net.model.state_dict().items())
    net.model.load_state_dict(state)
    whole = (tmp_path / 'x.safetensors').read_bytes()
    (tmp_path / 'x.safetensors').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(BadValue, match='x.safetensors. is truncated or not of safetensors'):
        Resnet10.load(tmp_path / 'x.safetensors')
    assert sorted(f.name for f in tmp_path.iterdir()) == ['x.safetensors', 'x.safetensors.json']


def test_how_it_was_trained_is_kept(net, stim, tmp_path):
    net.replace_head(2, rng=0)
    sgd = torch.optim.SGD(net.param_groups({'layer4': 1e-4, 'fc': 1e-3}), momentum=0.9)
    net.train(stim, 1, 'classification', sgd, data_validation=stim, class_weight=np.array([1, 2]), keep_best=True,
              batch_size=6, rng=7)
    training = saved(net, tmp_path / 'x.pth')['training']
    assert training['optimizer'] == 'SGD' and training['class_weight'] == [1, 2] and training['rng'] == 7
    rates = [(g['name'], g['lr'], g['momentum']) for g in training['groups']]
    assert rates == [('layer4', 1e-4, 0.9), ('fc', 1e-3, 0.9)]
    taught = [*net.model.layer4.parameters(), *net.model.fc.parameters()]
    assert training['n_learning'] == sum(p.numel() for p in taught)
    assert Resnet10.load(tmp_path / 'x.pth').history.settings == training


@pytest.mark.parametrize('plan', [{'type': 'system'}, {'type': '__import__'}, {'type': 'Odd', 'unknown': True}, {}])
def test_only_what_is_in_the_table_is_made(plan):
    for make in (make_module, make_transform):
        with pytest.raises(BadValue, match='cannot be made'):
            make(plan)


@pytest.mark.parametrize('module', [
    nn.Linear(3, 4, bias=False), nn.Conv2d(3, 4, (3, 1), padding='same', groups=1), nn.Conv1d(2, 2, 1, stride=2),
    nn.BatchNorm2d(4, momentum=None), nn.LayerNorm((2, 5)), nn.GroupNorm(2, 4), nn.PReLU(), nn.MaxPool2d(3, 2, 1),
    nn.AdaptiveAvgPool2d((1, None)), nn.Softplus(2), nn.Sequential(nn.GELU('tanh'), nn.Sequential(nn.Dropout(0.2)))])
def test_modules_are_described_and_made(module):
    plan = json.loads(json.dumps(describe_module(module)))
    made = make_module(plan)
    assert repr(made) == repr(module) and describe_module(made) == plan and not changes(made, module)
    shapes = {name: value.shape for name, value in module.state_dict().items()}
    assert {name: value.shape for name, value in made.state_dict().items()} == shapes


@pytest.mark.parametrize('transform', [
    transforms.Resize(5), transforms.Resize((5, 6)), transforms.CenterCrop(4), transforms.RandomResizedCrop((4, 5)),
    transforms.RandomCrop(3, 1), transforms.RandomHorizontalFlip(0.3), transforms.RandomVerticalFlip(),
    transforms.RandomRotation(10), transforms.Pad(2), transforms.Grayscale(3), transforms.RandomGrayscale(),
    transforms.GaussianBlur(3), transforms.ColorJitter(0.1, hue=0.2)])
def test_transforms_are_described_and_made(transform):
    plan = json.loads(json.dumps(describe_transform(transform)))
    made = make_transform(plan)
    assert describe_transform(made) == plan
    picture = transforms.ToPILImage()(torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(1)))
    results = []
    for each in (transform, made):
        torch.manual_seed(0)
        results.append(transforms.ToTensor()(each(picture)))
    assert torch.equal(*results)


@pytest.mark.parametrize(('table', 'source', 'beside'), [
    (blueprint.MODULES, nn, {'device', 'dtype', 'init', 'bias'}), (blueprint.TRANSFORMS, transforms, {'inplace'})])
def test_every_setting_is_described(table, source, beside):
    """What is left out would come back as its default, in silence."""
    import inspect
    for name, described in table.items():
        takes = set(inspect.signature(getattr(source, name)).parameters) - beside - {'args', 'kwargs'}
        assert takes <= set(described.split()), name


def test_a_network_made_by_hand(tiny, tmp_path):
    tiny.model[0].stride = (2, 2)
    joined = tiny.cut('3').join(nn.Linear(16, 2))
    for number, dnn in enumerate((tiny, joined)):
        dnn.save(tmp_path / f'{number}.pth')
        again, x = DNN.load(tmp_path / f'{number}.pth'), torch.randn(2, 3, 12, 12)
        with torch.inference_mode():
            assert torch.equal(again.eval()(x), dnn.eval()(x))
        assert again.layers == dnn.layers and again.img_size == (12, 12)


class Own(DNN):
    """As 1.0's documentation teaches: without calling DNN's __init__, and only what is needed."""

    def __init__(self):
        self.model, self.layer2loc = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), {'fc': ('1',)}


def test_a_subclass_with_an_init_of_its_own(tmp_path):
    Own().save(tmp_path / 'x.pth')
    assert Own.load(tmp_path / 'x.pth').layers == ['fc']


def test_parts_that_were_taken_away(tmp_path):
    net = Googlenet(pretrained=False, rng=0)
    net.model.transform_input = False
    net.model.aux1 = net.model.aux2 = None
    net.model.aux_logits = False
    joined = net.join(nn.Linear(1000, 2))
    for number, dnn in enumerate((net, joined)):
        dnn.save(tmp_path / f'{number}.pth')
        again, x = DNN.load(tmp_path / f'{number}.pth').eval(), torch.randn(1, 3, 64, 64)
        with torch.inference_mode():
            assert torch.equal(again(x), dnn.eval()(x))


def test_names_of_layers_follow_what_was_replaced(tmp_path):
    """A classifier put together by hand has all the old places, with other things in them."""
    with torch.device('meta'):
        net = Vgg11._empty()
        net.model.classifier = nn.Sequential(nn.Dropout(), nn.Linear(25088, 16), nn.ReLU(), nn.Dropout(),
                                             nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    assert [net.layer2path(f'fc{k}') for k in (1, 2, 3)] == ['classifier.1', 'classifier.4', 'classifier.6']
    net.freeze('all but head')
    learns = {path.rpartition('.')[0] for path, p in net.model.named_parameters() if p.requires_grad}
    assert learns == {'classifier.1', 'classifier.4', 'classifier.6'}


@pytest.mark.parametrize('where', ['joined', 'replaced'])
def test_all_but_head_leaves_the_whole_new_head(net, where):
    head = nn.Sequential(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 2))
    if where == 'joined':
        net = net.cut('avgpool').join(head)
    else:
        net.model.fc = head
    net.freeze('all but head')
    assert {path for path, p in net.model.named_parameters() if p.requires_grad} == {
        f'{"head" if where == "joined" else "fc"}.{path}' for path, _ in head.named_parameters()}


def test_numbers_of_numpy_are_numbers(net, stim, tmp_path):
    net.replace_head(2, rng=np.int64(0))
    net.classes = np.array(['a', 'b'])
    same = {'target': np.arange(12) % 2, 'checkpoint': tmp_path / 'x.ckpt'}
    net.train(stim, np.int64(1), 'classification', batch_size=np.int32(6), rng=np.arange(1)[0], **same)
    net.train(stim, 2, 'classification', batch_size=6, rng=0, **same)
    net.save(tmp_path / 'x.pth')
    assert Resnet10.load(tmp_path / 'x.pth').classes == ['a', 'b']
    with pytest.raises(BadType, match='rng must be a whole number'):
        net.train(stim, 1, 'classification', rng=np.random.default_rng(0))


def test_what_cannot_be_written_leaves_no_file(net, tmp_path):
    net.history = {'epoch_loss': [object()]}
    with pytest.raises(AttributeError):
        net.save(tmp_path / 'x.pth')
    assert not list(tmp_path.iterdir())


def test_saving_and_loading_draw_no_random_numbers(net, tmp_path):
    joined = net.cut('avgpool').join(own_head())
    before = torch.get_rng_state()
    joined.save(tmp_path / 'x.pth')
    DNN.load(tmp_path / 'x.pth')
    assert torch.equal(torch.get_rng_state(), before)


def test_double_precision_comes_back(net, tmp_path):
    net.model.double()
    net.save(tmp_path / 'x.pth')
    again = Resnet10.load(tmp_path / 'x.pth')
    assert torch.equal(again.model.fc.weight, net.model.fc.weight) and again.model.fc.weight.dtype == torch.float64
