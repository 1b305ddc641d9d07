"""Training against a hand-written loop; what is frozen stays; targets and scores are right."""

import copy
import random

import numpy as np
import pytest
import torch
import torch.nn as nn
from sklearn.metrics import r2_score

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.models import DNN
from dnnbrain.networks.freezing import train_mode
from dnnbrain.networks.heads import prepare_transfer
from dnnbrain.networks.lessons import shuffled_batches


def state(dnn):
    return {name: value.detach().clone() for name, value in dnn.model.state_dict().items()}


def colours(n, rng, noise=40):
    """Pictures (n, 3, 12, 12) mostly red (0), green (1) or blue (2), with their labels."""
    labels = np.arange(n) % 3
    pixels = rng.integers(0, noise, (n, 3, 12, 12))
    pixels[np.arange(n), labels] += 180
    return pixels.astype(np.uint8), labels


def test_equals_a_hand_written_loop(tiny, rng):
    """Two epochs of Adam, step by step; the only thing taken from us is the order of the pictures."""
    pixels, labels = colours(20, rng)
    mine = copy.deepcopy(tiny)
    x, y = torch.from_numpy(pixels / 255).float(), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(mine.model.parameters(), 0.01)
    expected = []
    order = np.random.default_rng(5)
    for _ in range(2):
        losses = []
        for keys in shuffled_batches(20, 8, order):
            index = [i for i, _ in keys]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(mine.model(x[index]), y[index])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        expected.append(losses)
    found = tiny.train(pixels, 2, 'classification', torch.optim.Adam(tiny.model.parameters(), 0.01), target=labels,
                       batch_size=8, augment=False, rng=5)
    np.testing.assert_allclose(found['step_loss'], expected, atol=1e-6)
    np.testing.assert_allclose(found['epoch_loss'], [np.average(e, weights=[8, 8, 4]) for e in expected], atol=1e-6)
    for name, value in state(mine).items():
        torch.testing.assert_close(tiny.model.state_dict()[name], value)


def test_learns_and_scores(tiny, rng):
    pixels, labels = colours(60, rng)
    other, other_labels = colours(30, rng)
    result = tiny.train(pixels, 15, 'classification', torch.optim.Adam(tiny.model.parameters(), 0.02), target=labels,
                        data_train=True, data_validation=other, target_validation=other_labels, batch_size=10, rng=0)
    assert result['score_validation'][-1] > 0.95 and result['score_train'][-1] > 0.95
    assert len(result['step_loss']) == 15 and len(result['step_loss'][0]) == 6
    tested = tiny.test(other, 'classification', target=other_labels)
    assert tested['score'] == result['score_validation'][-1]
    assert tested['pred_value'].shape == (30, 3) and (np.sort(tested['pred_value']) == [0, 1, 2]).all()
    with torch.no_grad():
        ranked = tiny.model(torch.from_numpy(other / 255).float()).argsort(descending=True).numpy()
    np.testing.assert_array_equal(tested['pred_value'], ranked)
    np.testing.assert_array_equal(tested['true_value'], other_labels)


def test_same_seed_same_result_for_any_number_of_workers(tiny, stim):
    losses = []
    for n_worker in (0, 2):
        dnn = copy.deepcopy(tiny)
        losses.append(dnn.train(stim, 2, 'classification', batch_size=5, n_worker=n_worker, rng=3)['step_loss'])
    assert losses[0] == losses[1]
    torch.manual_seed(11)
    a = copy.deepcopy(tiny).train(stim, 1, 'classification')['step_loss']
    torch.manual_seed(11)
    assert copy.deepcopy(tiny).train(stim, 1, 'classification')['step_loss'] == a


def test_transforms_may_draw_from_any_generator(tiny, stim):
    def shaken(picture):
        tensor = tiny.test_transform(picture)
        return tensor + random.random() + np.random.rand() + torch.rand(())       # noqa: NPY002
    tiny.train_transform = shaken
    before = random.getstate(), np.random.get_state()[1].tolist()                 # noqa: NPY002
    losses = [copy.deepcopy(tiny).train(stim, 2, 'classification', batch_size=5, n_worker=n, rng=3)['step_loss']
              for n in (0, 0, 2)]
    assert losses[0] == losses[1] == losses[2]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before       # noqa: NPY002


def test_a_broken_picture_in_a_worker_is_one_sentence(tiny, stim, tmp_path):
    for name in stim.get('stimID'):
        (tmp_path / name).write_bytes((stim.path / name).read_bytes())
    broken = tmp_path / '04.png'
    whole = broken.read_bytes()
    broken.write_bytes(whole[:2000] + bytes(100) + whole[2100:])       # only decoding finds it
    stim.header['path'] = str(tmp_path)
    said = []
    for n_worker in (0, 2):
        with pytest.raises(BadValue) as caught:
            tiny.train(stim, 1, 'classification', n_worker=n_worker, rng=0)
        said.append(str(caught.value))
    assert said[0] == said[1] and said[0].startswith('picture ') and 'cannot be read' in said[0]


def test_seeded_training_leaves_the_generator_alone(tiny, stim):
    before = torch.get_rng_state()
    tiny.train(stim, 1, 'classification', rng=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_arrays_are_augmented_anew_in_every_epoch(tiny, rng):
    """1.0 augmented them once."""
    pixels, labels = colours(4, rng)
    seen = []
    tiny.train_transform = _Noting(tiny.train_transform, seen)
    tiny.train(pixels, 3, 'classification', target=labels, rng=0)
    assert len(seen) == 12 and len({x.numpy().tobytes() for x in seen}) == 12


class _Noting:
    def __init__(self, transform, seen):
        self.transform, self.seen = transform, seen

    def __call__(self, picture):
        self.seen.append(self.transform(picture))
        return self.seen[-1]


def test_validation_has_its_own_labels(tiny, stim, rng):
    """1.0 scored it against the training target."""
    pixels, labels = colours(30, rng)
    data, targets = colours(12, rng)
    Adam = torch.optim.Adam
    result = tiny.train(pixels, 10, 'classification', Adam(tiny.model.parameters(), 0.03), target=labels,
                        data_validation=data, target_validation=(targets + 1) % 3, batch_size=8, rng=0)
    assert result['score_validation'][-1] < 0.1                       # right answers, wrong labels
    with pytest.raises(BadValue, match='data_validation has no targets.*target_validation='):
        tiny.train(pixels, 1, 'classification', target=labels, data_validation=data)
    result = tiny.train(pixels, 1, 'classification', target=labels, data_validation=stim)
    assert len(result['score_validation']) == 1


def test_classes_one_by_one(tiny, rng):
    """Against a network whose answers are known: it says the brightest channel."""
    pixels, labels = colours(9, rng)
    tiny.model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    wrong = labels.copy()
    wrong[:3] = [1, 1, 2]                                               # said 0, 1, 2
    tested = tiny.test(pixels, 'classification', target=wrong)
    assert tested['confusion'].tolist() == [[2, 0, 0], [1, 3, 0], [0, 0, 3]]
    np.testing.assert_allclose(tested['score_classes'], [1, 3 / 4, 1])
    assert tested['score'] == 8 / 9 and tested['score_top5'] == 1
    assert np.isnan(tiny.test(pixels, 'classification', target=labels % 2)['score_classes'][2])


class TestFrozen:
    @pytest.fixture
    def net(self):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU(inplace=True),
                              nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        from torchvision.transforms import ToTensor
        return DNN(model, img_size=(12, 12), train_transform=ToTensor(), test_transform=ToTensor())

    def test_frozen_parameters_and_statistics_are_bit_identical(self, net, rng):
        pixels, labels = colours(16, rng)
        for param in net.model.parameters():
            param.requires_grad = False
        net.model[6] = nn.Linear(4, 3)
        before = state(net)
        net.train(pixels, 3, 'classification', torch.optim.Adam(net.model[6].parameters(), 0.01), target=labels)
        after = state(net)
        for name in before:
            assert torch.equal(before[name], after[name]) == (not name.startswith('6')), name

    def test_without_freezing_statistics_move(self, net, rng):
        pixels, labels = colours(16, rng)
        before = state(net)
        net.train(pixels, 1, 'classification', target=labels)
        assert not torch.equal(before['1.running_mean'], net.model[1].running_mean)

    def test_modes(self, net):
        train_mode(net.model)
        assert all(m.training for m in net.model.modules())
        net.model.requires_grad_(False)
        net.model[6].requires_grad_(True)
        train_mode(net.model)
        assert [m.training for m in net.model] == [False] * 6 + [True]
        net.model[0].requires_grad_(True)
        train_mode(net.model)
        assert [m.training for m in net.model] == [True, False, True, True, True, True, True]

    def test_what_the_optimizer_does_not_hold_is_frozen(self, net, rng):
        """The usual linear probe: only the head in the optimizer, nothing said about requires_grad."""
        pixels, labels = colours(16, rng)
        before = state(net)
        net.train(pixels, 2, 'classification', torch.optim.Adam(net.model[6].parameters(), 0.01), target=labels)
        for name, value in state(net).items():
            assert torch.equal(before[name], value) == (not name.startswith('6')), name

    def test_dropout_written_as_a_function_in_a_frozen_part_is_off(self, rng):
        class Body(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 12)

            def forward(self, x):
                return nn.functional.dropout(self.conv(x).flatten(1), 0.5, self.training)
        from torchvision.transforms import ToTensor
        seen = []
        model = nn.Sequential(Body(), nn.Linear(4, 3))
        model[0].requires_grad_(False)
        model[1].register_forward_pre_hook(lambda m, args: seen.append(args[0].detach()))
        pixels, labels = colours(16, rng)
        DNN(model, img_size=(12, 12), train_transform=ToTensor(), test_transform=ToTensor()).train(
            pixels, 1, 'classification', target=labels, rng=0)
        assert not any((x == 0).any() for x in seen)

    def test_modes_are_restored(self, net, rng):
        pixels, labels = colours(8, rng)
        net.model.eval()
        net.train(pixels, 1, 'classification', target=labels)
        assert not any(m.training for m in net.model.modules())

    @pytest.mark.parametrize('scenario', ['finetune', 'fixed', 'scratch'])
    def test_scenarios(self, net, scenario):
        learning = prepare_transfer(net, scenario, 5, rng=0)
        assert net.model[6].out_features == 5 and net.model[6].weight.requires_grad
        assert len(learning) == (2 if scenario == 'fixed' else 6)
        kept = net.model[6]
        prepare_transfer(net, scenario, None)
        assert net.model[6] is kept and kept.weight.requires_grad

    def test_everything_frozen(self, net, rng):
        pixels, labels = colours(8, rng)
        adam = torch.optim.Adam(net.model[0].parameters())
        net.model[0].requires_grad_(False)
        with pytest.raises(BadValue, match='every parameter of the optimizer is frozen'):
            net.train(pixels, 1, 'classification', adam, target=labels)
        net.model.requires_grad_(False)
        with pytest.raises(BadValue, match='every parameter of the network is frozen'):
            net.train(pixels, 1, 'classification', target=labels)

    def test_optimizer_made_before_the_head_was_replaced(self, net, rng):
        pixels, labels = colours(8, rng)
        adam = torch.optim.Adam(net.model.parameters())
        net.replace_head(3)
        with pytest.raises(BadValue, match='make it after replacing layers'):
            net.train(pixels, 1, 'classification', adam, target=labels)


class TestRegression:
    def test_decimals_are_kept_and_shapes_agree(self, tiny, rng):
        """1.0 cut targets to integers and broadcast (n,) against (n, 1)."""
        pixels = rng.integers(0, 256, (40, 3, 12, 12), dtype=np.uint8)
        y = pixels[:, 0].mean(axis=(1, 2)) / 10 - 12.75               # small decimals of both signs
        tiny.replace_head(1, rng=0)
        result = tiny.train(pixels, 1, 'regression', torch.optim.SGD(tiny.model.parameters(), 0.0), target=y,
                            data_train=True, batch_size=40, augment=False)
        tested = tiny.test(pixels, 'regression', target=y)
        assert tested['pred_value'].shape == tested['true_value'].shape == (40, 1)
        np.testing.assert_allclose(tested['true_value'][:, 0], y, rtol=1e-6)
        loss = np.square(tested['pred_value'][:, 0] - y).mean()
        np.testing.assert_allclose(result['epoch_loss'][0], loss, rtol=1e-5)
        assert result['score_train'][0] == pytest.approx(r2_score(y, tested['pred_value'][:, 0]), rel=1e-5)

    def test_score_is_the_mean_r2_of_outputs(self, tiny, rng):
        """1.0 gave the squared correlation over everything: it is kept under its own name."""
        pixels = rng.integers(0, 256, (30, 3, 12, 12), dtype=np.uint8)
        y = rng.standard_normal((30, 3)) * [1, 10, 100]
        tested = tiny.test(pixels, 'regression', target=y)
        expected = r2_score(y, tested['pred_value'], multioutput='raw_values')
        np.testing.assert_allclose(tested['score_outputs'], expected, rtol=1e-5)
        assert tested['score'] == pytest.approx(expected.mean(), rel=1e-5)
        each = [np.corrcoef(y[:, k], tested['pred_value'][:, k])[0, 1] for k in range(3)]
        np.testing.assert_allclose(tested['correlation'], each, rtol=1e-4)
        r = np.corrcoef(y.ravel(), tested['pred_value'].ravel())[0, 1]
        assert tested['squared_pearson'] == pytest.approx(r ** 2, rel=1e-4)

    def test_learns_several_outputs_from_a_table(self, tiny, stim):
        y = np.stack([np.linspace(-1, 1, 12), np.linspace(1, -1, 12), np.zeros(12)], axis=1)
        first = tiny.test(stim, 'regression', target=y)['pred_value']
        tiny.train(stim, 60, 'regression', torch.optim.Adam(tiny.model.parameters(), 0.01), target=y, augment=False)
        last = tiny.test(stim, 'regression', target=y)
        assert np.square(last['pred_value'] - y).mean() < 0.9 * np.square(first - y).mean()
        assert np.isnan(last['score_outputs'][2])                     # a constant output has no r2


def test_last_batch_of_one_joins_the_one_before():
    rng = np.random.default_rng(0)
    sizes = {n: [len(keys) for keys in shuffled_batches(n, 4, rng)] for n in (1, 4, 5, 8, 9, 10)}
    assert sizes == {1: [1], 4: [4], 5: [5], 8: [4, 4], 9: [4, 5], 10: [4, 4, 2]}
    first, second = ([i for keys in shuffled_batches(50, 7, rng) for i, _ in keys] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(50)) and first != second


@pytest.mark.parametrize('change, error, says', [
    ({'target': [0, 1, 2, 3]}, BadValue, r'label 3 of data is outside the 3 classes of DNN \(0 to 2\)'),
    ({'target': [0, -1, 2, 1]}, BadValue, 'label -1 of data is outside'),
    ({'target': [0, 1, 2]}, BadValue, '4 stimuli, but 3 targets'),
    ({'target': [0, 1.5, 2, 1]}, BadValue, "for other values use task='regression'"),
    ({'target': None}, BadValue, "data has no targets: give a table with a column 'label'"),
    ({'target': ['a', 'b', 'c', 'd']}, BadType, 'must be numbers'),
    ({'task': 'regression'}, BadValue, 'data has 1 values per stimulus, but DNN puts out 3'),
    ({'task': 'regression', 'target': np.full((4, 3), np.nan)}, BadValue, 'must be finite'),
    ({'task': 'ranking'}, BadValue, "'ranking' is not known"),
    ({'method': 'inception'}, BadValue, "needs auxiliary classifiers, and DNN has none"),
    ({'n_epoch': 0}, BadValue, 'n_epoch, batch_size and log_every must be at least 1'),
    ({'device': 'warp'}, BadValue, "device 'warp' is not available"),
    ({'data_validation': np.zeros((2, 3, 12, 12), np.uint8), 'target_validation': [0, 9]}, BadValue,
     'label 9 of data_validation is outside'),
])
def test_mistakes(tiny, rng, change, error, says):
    before = state(tiny)
    with pytest.raises(error, match=says):
        tiny.train(**{'data': colours(4, rng)[0], 'n_epoch': 1, 'task': 'classification', 'target': [0, 1, 2, 0]}
                   | change)
    assert all(torch.equal(before[name], value) for name, value in state(tiny).items())
