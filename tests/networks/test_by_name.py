"""Optimizers and schedules from text are those of torch."""

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from dnnbrain._checks import BadValue
from dnnbrain.networks.recipes import layer_rates, optimizer_by_name, scheduler_by_name


@pytest.mark.parametrize('name, kind', [('adam', torch.optim.Adam), ('adamw', torch.optim.AdamW),
                                        ('sgd', torch.optim.SGD)])
def test_optimizers(tiny, name, kind):
    optimizer = optimizer_by_name(tiny, name, 0.2)
    assert type(optimizer) is kind and optimizer.param_groups[0]['lr'] == 0.2
    assert len(optimizer.param_groups[0]['params']) == 4
    tiny.freeze('conv')
    optimizer = optimizer_by_name(tiny, name, 0.2, {'fc': 0.3})
    assert [(g['lr'], len(g['params'])) for g in optimizer.param_groups] == [(0.3, 2)]
    assert optimizer_by_name(tiny, 'sgd', momentum=0.9).param_groups[0]['momentum'] == 0.9


def test_schedules(tiny):
    optimizer = optimizer_by_name(tiny, 'sgd', 1.0)
    step = scheduler_by_name(optimizer, 'step:3:0.2', 10)
    assert type(step) is StepLR and (step.step_size, step.gamma) == (3, 0.2)
    plateau = scheduler_by_name(optimizer, 'plateau:4', 10)
    assert type(plateau) is ReduceLROnPlateau and (plateau.patience, plateau.factor) == (4, 0.1)
    cosine = scheduler_by_name(optimizer, 'cosine', 10)
    assert type(cosine) is CosineAnnealingLR and cosine.T_max == 10


def test_rates():
    assert layer_rates(['layer4=1e-4', 'fc=0.1']) == {'layer4': 1e-4, 'fc': 0.1}


def test_mistakes(tiny):
    for text in ('fc', 'fc=', '=1', 'fc=fast', 'fc=-1', 'fc=nan'):
        with pytest.raises(BadValue, match='must read like layer4=1e-4'):
            layer_rates([text])
    for text in ('step:0', 'step:a', 'step:1:2', 'step:1:0.1:4', 'cosine:3', 'plateau:1.5'):
        with pytest.raises(BadValue, match='must read like step:7:0.1'):
            scheduler_by_name(optimizer_by_name(tiny), text, 3)
    with pytest.raises(BadValue, match="schedule 'stepp' is not known; did you mean 'step'"):
        scheduler_by_name(optimizer_by_name(tiny), 'stepp', 3)
    with pytest.raises(BadValue, match="momentum goes with optimizer 'sgd'"):
        optimizer_by_name(tiny, 'adam', momentum=0.9)
