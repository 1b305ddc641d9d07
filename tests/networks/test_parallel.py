"""Two processes under torchrun give the curve of one, on the CPU (gloo)."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn as nn

from dnnbrain.networks.parallel import Team, find_team

SCRIPT = '''
import json, os, sys
import numpy as np, torch, torch.nn as nn
from torchvision import transforms
from dnnbrain.dnn.models import DNN

torch.set_num_threads(1)
rank = int(os.environ.get('RANK', 0))
noise = np.random.default_rng(0)
y = noise.integers(0, 3, 23)
x = noise.integers(0, 60, (23, 3, 12, 12)).astype(np.uint8)
x[np.arange(23), y] += 120
look = transforms.Compose([transforms.Resize((12, 12)), transforms.ToTensor()])
learn = transforms.Compose([transforms.RandomResizedCrop(12), transforms.ToTensor()])

def network(seed=3):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                          nn.Linear(32, 6), nn.BatchNorm1d(6, momentum=None), nn.ReLU(), nn.Linear(6, 3))
    return DNN(model, img_size=(12, 12), train_transform=learn, test_transform=look)

def said(dnn, history):
    history.pop('seconds')
    return {'history': history, 'state': {k: v.tolist() for k, v in dnn.model.state_dict().items()}}

out = {}
dnn = network()
sgd = torch.optim.SGD(dnn.model.parameters(), 0.1, momentum=0.9)
out['classes'] = said(dnn, dnn.train(x, 3, 'classification', sgd, target=y, data_train=True, data_validation=x[:9],
                                     target_validation=y[:9], batch_size=7, class_weight=[1, 5, 0.2], warmup=1,
                                     label_smoothing=0.1, keep_best='loss', checkpoint='a.ckpt', rng=0))
dnn = network(seed=3 + rank)                    # as an unseeded script: the first process decides
torch.manual_seed(5)
sgd = torch.optim.SGD(dnn.model.parameters(), 0.1)      # Adam would step by rounding errors: biases before batch norm
out['values'] = said(dnn, dnn.train(x, 2, 'regression', sgd, target=np.eye(3)[y], batch_size=11))
dnn = network().freeze('all but head')
adam = torch.optim.Adam(dnn.model[8].parameters(), 0.01)
out['cached'] = said(dnn, dnn.train(x, 2, 'classification', adam, target=y, batch_size=8, cache_features=True,
                                    data_validation=x, target_validation=y, rng=1))
try:
    network().train(x[rank:], 1, 'classification', target=y[rank:], rng=0)
    out['divided'] = ''
except ValueError as error:
    out['divided'] = str(error)
n_stop = []
dnn = network()
dnn.train(x, 9, 'classification', target=y, rng=0, callback=lambda dnn, history: n_stop.append(1) or
          rank == int(os.environ.get('WORLD_SIZE', 1)) - 1)
out['stopped'] = len(n_stop)
out['forward_left'] = [name for name, m in dnn.model.named_modules() if 'forward' in vars(m)]
json.dump(out, open(f'{sys.argv[1]}{rank}.json', 'w'))
'''


def numbers(values):
    """All numbers in lists of lists."""
    return sum(map(numbers, values), []) if isinstance(values, list) else [values]


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    """Batch norm, class weights, smoothing, warm-up, validation, features, resuming; batches that do not divide."""
    (tmp_path / 'script.py').write_text(SCRIPT)
    single = subprocess.run([sys.executable, '-W', 'error', 'script.py', 'one'], cwd=tmp_path, capture_output=True,
                            text=True)
    assert single.returncode == 0, single.stderr[-3000:]
    (tmp_path / 'a.ckpt').unlink()
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2',
                '--no-python', sys.executable, '-W', 'error']
    both = subprocess.run([*torchrun, 'script.py', 'two'], cwd=tmp_path, capture_output=True, text=True)
    assert both.returncode == 0, both.stderr[-3000:]
    one, first, second = (json.loads((tmp_path / f'{name}.json').read_text()) for name in ('one0', 'two0', 'two1'))
    for part in ('classes', 'values', 'cached'):
        assert first[part] == second[part], part
        for key, values in one[part]['history'].items():
            for a, b in zip(numbers(values), numbers(first[part]['history'][key]), strict=True):
                assert a == pytest.approx(b, abs=2e-5), (part, key)
        for name, value in one[part]['state'].items():
            np.testing.assert_allclose(first[part]['state'][name], value, atol=2e-4, err_msg=f'{part} {name}')
    assert one['stopped'] == first['stopped'] == second['stopped'] == 1
    assert not first['forward_left'] and not one['divided']
    assert 'the processes were given different stimuli or targets; seed what divides them' in second['divided']
    again = subprocess.run([*torchrun, 'script.py', 'again'], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]          # the checkpoint says that training is over
    resumed = json.loads((tmp_path / 'again0.json').read_text())['classes']
    assert resumed['state'] == first['classes']['state']


@pytest.mark.parametrize('n', [2, 5, 8])
@pytest.mark.parametrize('size', [1, 2, 3])
def test_shares_are_a_partition(n, size):
    shares = [Team(rank, size).share(list(range(n))) for rank in range(size)]
    assert sum(shares, []) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone(monkeypatch):
    monkeypatch.delenv('WORLD_SIZE', raising=False)
    team = find_team()
    assert team == Team(0, 1) and team.total(1.5, 2) == [1.5, 2] and team.gather('x') == ['x']
    model = nn.Sequential(nn.BatchNorm1d(2))
    with team.one_batch(model) as arrive:
        assert 'forward' not in vars(model[0]) and not model[0].weight._post_accumulate_grad_hooks and arrive() is None
    before = torch.get_rng_state()
    team.equalise(model)
    assert torch.equal(torch.get_rng_state(), before)
