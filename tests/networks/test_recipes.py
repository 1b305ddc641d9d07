"""Schedules, weights of classes, precision, the best epoch, checkpoints: against torch used by hand."""

import copy
import logging
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn as nn
from sklearn.utils.class_weight import compute_class_weight
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.networks.lessons import shuffled_batches
from dnnbrain.networks.steps import loss_function


@pytest.fixture
def data(rng):
    """Pictures mostly of one colour, and which: 24 stimuli of three classes, unequally many."""
    labels = np.repeat([0, 1, 2], [12, 8, 4])
    pixels = rng.integers(0, 60, (24, 3, 12, 12))
    pixels[np.arange(24), labels] += 150
    return pixels.astype(np.uint8), labels


def by_hand(dnn, data, n_epoch, optimizer, after_epoch=lambda: None, loss_of=nn.functional.cross_entropy, seed=5):
    """Losses per step of a plain torch loop; only the order of the pictures is taken from us."""
    x, y = torch.from_numpy(data[0] / 255).float(), torch.from_numpy(data[1])
    order, losses = np.random.default_rng(seed), []
    dnn.model.train()
    for _ in range(n_epoch):
        losses.append([])
        for keys in shuffled_batches(len(y), 8, order):
            index = [i for i, _ in keys]
            optimizer.zero_grad()
            loss = loss_of(dnn.model(x[index]), y[index])
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
        after_epoch()
    return losses


def ours(dnn, data, n_epoch, optimizer=None, **kwargs):
    settings = {'target': data[1], 'batch_size': 8, 'augment': False, 'rng': 5}
    return dnn.train(data[0], n_epoch, 'classification', optimizer, **settings | kwargs)


def sgd(dnn, rate=0.1):
    return torch.optim.SGD(dnn.model.parameters(), rate, momentum=0.9)


def validated(data):
    return {'data_validation': data[0][::2], 'target_validation': data[1][::2]}


@pytest.mark.parametrize('schedule', [lambda o: StepLR(o, 2, 0.1), lambda o: CosineAnnealingLR(o, 5)])
def test_sgd_with_a_schedule_equals_torch(tiny, data, schedule):
    mine = copy.deepcopy(tiny)
    optimizer = sgd(mine)
    scheduler = schedule(optimizer)
    expected = by_hand(mine, data, 5, optimizer, scheduler.step)
    optimizer = sgd(tiny)
    found = ours(tiny, data, 5, optimizer, scheduler=schedule(optimizer))
    np.testing.assert_allclose(found['step_loss'], expected, atol=1e-6)


def test_the_scheduler_brings_its_optimizer(tiny, data):
    optimizer = sgd(tiny)
    history = ours(tiny, data, 3, scheduler=StepLR(optimizer, 1, 0.5))
    assert [rate for rate, in history['lr']] == [0.1, 0.05, 0.025]


def test_plateau_watches_the_validation_loss(tiny, data):
    optimizer = sgd(tiny, 1e-5)                                         # too small for anything to get better
    plateau = ReduceLROnPlateau(optimizer, factor=0.1, patience=1, threshold=0.1)
    history = ours(tiny, data, 5, optimizer, scheduler=plateau, **validated(data))
    np.testing.assert_allclose(np.log10(history['lr'])[:, 0], [-5, -5, -5, -6, -6])


def test_warmup_grows_in_equal_steps_to_the_full_rate(tiny, data):
    """SGD without momentum: the length of each step is the rate times the gradient."""
    rates = []

    class Noting(torch.optim.SGD):
        def step(self, closure=None):
            rates.append(self.param_groups[0]['lr'])
            return super().step(closure)
    optimizer = Noting(tiny.model.parameters(), 0.6)
    history = ours(tiny, data, 4, optimizer, warmup=2, scheduler=StepLR(optimizer, 1, 0.5))
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.3, *(0.3 * np.array([4, 5, 6]) / 6), *[0.15] * 3, *[0.075] * 3])
    assert [rate for rate, in history['lr']] == [0.6, 0.3, 0.15, 0.075]


class TestLoss:
    def test_class_weights_equal_torch(self, tiny, data):
        weight = torch.tensor([1.0, 2.0, 5.0])
        mine = copy.deepcopy(tiny)
        expected = by_hand(mine, data, 2, sgd(mine), loss_of=nn.CrossEntropyLoss(weight, label_smoothing=0.1))
        found = ours(tiny, data, 2, sgd(tiny), class_weight=[1, 2, 5], label_smoothing=0.1)
        np.testing.assert_allclose(found['step_loss'], expected, atol=1e-6)

    def test_balanced_equals_sklearn(self, data):
        found = loss_function('classification', data[1], 3, 'balanced').weight
        np.testing.assert_allclose(found, compute_class_weight('balanced', classes=np.arange(3), y=data[1]), rtol=1e-6)
        found = loss_function('classification', data[1], 5, 'balanced').weight
        assert found[3:].tolist() == [0, 0]

    def test_validation_loss(self, tiny, data):
        history = ours(tiny, data, 1, sgd(tiny, 1e-12), **validated(data))
        x, y = torch.from_numpy(data[0][::2] / 255).float(), torch.from_numpy(data[1][::2])
        with torch.no_grad():
            expected = nn.functional.cross_entropy(tiny.model(x), y).item()
        assert history['loss_validation'][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('precision', ['bf16', 'fp16'])
def test_low_precision_follows_float32(tiny, data, precision):
    exact = ours(copy.deepcopy(tiny), data, 3, **{'optimizer': None})['epoch_loss']
    dnn = copy.deepcopy(tiny)
    found = ours(dnn, data, 3, precision=precision)['epoch_loss']
    np.testing.assert_allclose(found, exact, rtol=0.02)
    assert found != exact and all(p.dtype == torch.float32 for p in dnn.model.parameters())


class TestKeepBest:
    @pytest.mark.parametrize('by', ['score', 'loss'])
    def test_the_weights_of_the_best_epoch_come_back(self, tiny, data, by):
        states = []
        history = ours(tiny, data, 12, sgd(tiny, 0.5), keep_best=by, **validated(data),
                       callback=lambda dnn, history: states.append(copy.deepcopy(dnn.model.state_dict())))
        measured = history[f'{by}_validation']
        best = int(np.argmax(measured) if by == 'score' else np.argmin(measured))
        assert history['best_epoch'] == best + 1 < 12, 'this rate was to be too large to end with the best'
        for name, value in tiny.model.state_dict().items():
            assert torch.equal(value, states[best][name])
        tested = tiny.test(data[0][::2], 'classification', target=data[1][::2])
        assert tested['score'] == history['score_validation'][best]

    def test_patience(self, tiny, data):
        history = ours(tiny, data, 30, sgd(tiny, 1e-12), patience=3, **validated(data))
        assert len(history['epoch_loss']) == 4 and history['best_epoch'] == 1

    def test_a_callback_may_stop(self, tiny, data):
        assert len(ours(tiny, data, 9, callback=lambda dnn, h: len(h['epoch_loss']) == 2)['epoch_loss']) == 2

    def test_a_loss_that_is_not_finite(self, tiny, data):
        states = []
        keep = {'callback': lambda dnn, history: states.append(copy.deepcopy(dnn.model.state_dict()))}
        optimizer = sgd(tiny, 0.01)

        class Explode(StepLR):
            def step(self, *args):
                super().step(*args)
                optimizer.param_groups[0]['lr'] = 1e38 if self.last_epoch == 2 else 0.01
        says = r'the loss became (nan|inf) in epoch 3, batch \d of 3; try a smaller.*the last whole epoch'
        with pytest.raises(BadValue, match=says):
            ours(tiny, data, 9, optimizer, scheduler=Explode(optimizer, 1), **keep)
        assert len(states) == 2
        for name, value in tiny.model.state_dict().items():
            assert torch.equal(value, states[-1][name])


def test_history_as_a_table(tiny, data, tmp_path):
    groups = tiny.param_groups({'conv': 0.1, 'fc': 0.01})
    history = ours(tiny, data, 2, torch.optim.SGD(groups), **validated(data))
    history.to_csv(tmp_path / 'h.csv')
    table = pd.read_csv(tmp_path / 'h.csv')
    assert list(table) == ['epoch', 'epoch_loss', 'loss_validation', 'score_validation', 'lr_1', 'lr_2', 'seconds']
    assert table['lr_1'].tolist() == [0.1, 0.1] and table['epoch'].tolist() == [1, 2]
    np.testing.assert_allclose(table['epoch_loss'], history['epoch_loss'])


def test_log_every_so_many_batches(tiny, data, caplog):
    with caplog.at_level(logging.INFO, 'dnnbrain'):
        history = ours(tiny, data, 1, sgd(tiny), log_every=2)
    mean = np.mean(history['step_loss'][0][:2])
    assert f'epoch 1, batch 2 of 3: loss {mean:.4f}' in caplog.text and 'batch 3' not in caplog.text


class TestCheckpoint:
    def settings(self, dnn):
        optimizer = torch.optim.Adam(dnn.model.parameters(), 0.02)
        return {'optimizer': optimizer, 'scheduler': StepLR(optimizer, 2, 0.5), 'warmup': 1, 'keep_best': 'loss'}

    @pytest.mark.parametrize('rng_seed', [5, None])
    def test_going_on_equals_going_through(self, tiny, data, tmp_path, rng_seed):
        dnns = [copy.deepcopy(tiny) for _ in range(3)]
        torch.manual_seed(1)
        through = ours(dnns[0], data, 6, rng=rng_seed, **self.settings(dnns[0]), **validated(data))
        torch.manual_seed(1)
        ours(dnns[1], data, 6, rng=rng_seed, **self.settings(dnns[1]), **validated(data),
             checkpoint=tmp_path / 'x.ckpt', callback=lambda dnn, h: len(h['epoch_loss']) == 3)
        torch.manual_seed(99)
        gone_on = ours(dnns[2], data, 6, rng=rng_seed, **self.settings(dnns[2]), **validated(data),
                       checkpoint=tmp_path / 'x.ckpt')
        for key in ('step_loss', 'epoch_loss', 'loss_validation', 'score_validation', 'lr', 'best_epoch'):
            assert gone_on[key] == through[key], key
        for a, b in zip(dnns[0].model.parameters(), dnns[2].model.parameters(), strict=True):
            assert torch.equal(a, b)

    @pytest.mark.slow
    def test_really_killed(self, stim_file, tmp_path):
        """SIGKILL in the middle of an epoch; the next process goes on to the same curve as an unbroken one."""
        script = tmp_path / 'train.py'
        script.write_text(textwrap.dedent('''
            import os, signal, sys
            import torch
            from dnnbrain.dnn.core import Stimulus
            from dnnbrain.dnn.models import Resnet10
            stim = Stimulus(); stim.load(sys.argv[1])
            dnn = Resnet10(rng=0); dnn.replace_head(2, rng=0)
            seen = []
            def transform(picture, usual=dnn.train_transform):
                seen.append(1)
                if sys.argv[3] == 'kill' and len(seen) == 30:
                    os.kill(os.getpid(), signal.SIGKILL)
                return usual(picture)
            dnn.train_transform = transform
            history = dnn.train(stim, 4, 'classification', batch_size=5, rng=0,
                                checkpoint=None if sys.argv[2] == '-' else sys.argv[2])
            print(history['step_loss'], [float(p.sum()) for p in dnn.model.parameters()])
        '''))

        def train(checkpoint, what):
            return subprocess.run([sys.executable, script, stim_file, checkpoint, what], capture_output=True, text=True)
        file = str(tmp_path / 'x.ckpt')
        assert train(file, 'kill').returncode == -signal.SIGKILL and os.path.exists(file)
        gone_on, through = train(file, 'live'), train('-', 'live')
        assert gone_on.returncode == 0 and gone_on.stdout == through.stdout, gone_on.stderr

    @pytest.mark.parametrize(('change', 'said'), [
        ({'label_smoothing': 0.1}, 'label_smoothing'), ({'class_weight': [1, 2, 1]}, 'class_weight'),
        ({'optimizer': 0.3}, 'lr '), ({'target': np.arange(20) % 2}, 'data '), ({'validated': True}, 'n_validation')])
    def test_another_training_does_not_go_on(self, tiny, data, tmp_path, change, said):
        pixels, labels = data[0], data[1]
        same = {'target': labels, 'batch_size': 8, 'rng': 0, 'checkpoint': tmp_path / 'x.ckpt'}

        def sgd(lr=0.1):
            return torch.optim.SGD(tiny.model.parameters(), lr)
        tiny.train(pixels, 1, 'classification', sgd(), **same)
        optimizer = sgd(change.pop('optimizer', 0.1))
        if change.pop('validated', False):
            change = {'data_validation': pixels, 'target_validation': labels}
        if 'target' in change:
            change['target'] = change['target'][:1].repeat(len(labels))
        with pytest.raises(BadValue, match=f'comes from another training .*{said}'):
            tiny.train(pixels, 2, 'classification', optimizer, **same | change)

    def test_finished_training_is_not_repeated(self, tiny, data, tmp_path):
        first = ours(tiny, data, 2, checkpoint=tmp_path / 'x.ckpt')
        before = [p.clone() for p in tiny.model.parameters()]
        assert ours(tiny, data, 2, checkpoint=tmp_path / 'x.ckpt') == first
        assert all(torch.equal(a, b) for a, b in zip(before, tiny.model.parameters(), strict=True))
        assert len(ours(tiny, data, 3, checkpoint=tmp_path / 'x.ckpt')['epoch_loss']) == 3

    def test_mistakes(self, tiny, data, tmp_path):
        ours(tiny, data, 1, checkpoint=tmp_path / 'x.ckpt')
        with pytest.raises(BadValue, match='comes from another training .rng 5 there, 6 here.; remove it'):
            ours(tiny, data, 2, checkpoint=tmp_path / 'x.ckpt', rng=6)
        (tmp_path / 'x.ckpt').write_bytes((tmp_path / 'x.ckpt').read_bytes()[:500])
        with pytest.raises(BadValue, match='is truncated'):
            ours(tiny, data, 2, checkpoint=tmp_path / 'x.ckpt')
        with pytest.raises(BadPath, match='make it first'):
            ours(tiny, data, 2, checkpoint=tmp_path / 'no' / 'x.ckpt')
        with pytest.raises(BadValue, match='must end in .ckpt'):
            ours(tiny, data, 2, checkpoint=tmp_path / 'x.pth')


@pytest.mark.parametrize('change, error, says', [
    ({'keep_best': True}, BadValue, 'need data_validation'), ({'patience': 2}, BadValue, 'need data_validation'),
    ({'keep_best': 'accuracy'}, BadValue, "keep_best 'accuracy' is not known"),
    ({'warmup': -1}, BadValue, 'warmup must not be negative'), ({'precision': 'fp8'}, BadValue, "'fp8' is not known"),
    ({'scheduler': 3}, BadType, 'scheduler must be one of'), ({'label_smoothing': 1}, BadValue, 'from 0 to below 1'),
    ({'class_weight': [1, 2]}, BadValue, '3 weights that are not negative'),
    ({'class_weight': 'fair'}, BadValue, "class_weight 'fair' is not known"),
    ({'log_every': 0}, BadValue, 'must be at least 1'),
])
def test_mistakes(tiny, data, change, error, says):
    before = [p.clone() for p in tiny.model.parameters()]
    with pytest.raises(error, match=says):
        ours(tiny, data, 1, **change)
    assert all(torch.equal(a, b) for a, b in zip(before, tiny.model.parameters(), strict=True))


def test_a_scheduler_of_another_optimizer(tiny, data):
    with pytest.raises(BadValue, match='scheduler belongs to another optimizer'):
        ours(tiny, data, 1, sgd(tiny), scheduler=StepLR(sgd(tiny), 1))
    with pytest.raises(BadValue, match="go with task='classification'"):
        tiny.train(data[0], 1, 'regression', target=np.zeros((24, 3)), class_weight='balanced')


def test_what_is_no_optimizer(tiny, data):
    pixels, labels = data[0], data[1]
    for wrong in (torch.optim.Adam, 'adam'):
        with pytest.raises(BadType, match='optimizer must be made of the parameters that learn'):
            tiny.train(pixels, 1, 'classification', wrong, target=labels)
    with pytest.raises(BadValue, match='LBFGS goes over a batch several times'):
        tiny.train(pixels, 1, 'classification', torch.optim.LBFGS(tiny.model.parameters()), target=labels)
    for wrong in (torch.optim.Adam, torch.optim.Adam(tiny.model.parameters())):
        with pytest.raises(BadType, match='optimizer must be a function of a network'):
            tiny.cross_validate(pixels, 1, 'classification', [(np.arange(5), np.arange(5, 8))], wrong, target=labels)


def test_a_loss_that_is_not_finite_leaves_the_rates_as_they_were(tiny, data):
    pixels, labels = data[0], data[1]
    sgd = torch.optim.SGD(tiny.model.parameters(), 1e30)
    with pytest.raises(BadValue, match='the loss became'):
        tiny.train(pixels, 3, 'classification', sgd, target=labels, batch_size=2, warmup=2, rng=0)
    assert sgd.param_groups[0]['lr'] == 1e30


def test_scores_that_are_not_numbers_are_not_the_best(tiny, data, caplog):
    pixels = data[0]
    values, before = np.random.default_rng(0).normal(size=(len(pixels), 3)), tiny.model[4].weight.clone()
    history = tiny.train(pixels, 2, 'regression', torch.optim.SGD(tiny.model.parameters(), 0.01), target=values,
                         data_validation=pixels[:4], target_validation=np.ones((4, 3)), keep_best='score', rng=0)
    assert history['best_epoch'] is None and 'score_validation is nan in epoch 1' in caplog.text
    assert not torch.equal(before, tiny.model[4].weight)
