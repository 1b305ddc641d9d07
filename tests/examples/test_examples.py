"""The transfer examples run as they stand and show what their first paragraphs claim."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import DNN, Resnet10, Vgg11_bn

EXAMPLES = Path(__file__).parents[2] / 'examples'


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """Where all examples write, so that the network they start from is pretrained once."""
    return tmp_path_factory.mktemp('examples')


def printed(name, folder, *more):
    """What an example prints; it must end well and without warnings."""
    # Small networks gain nothing from a second thread, and lose much where other tests want the same cores.
    done = subprocess.run([sys.executable, EXAMPLES / name, folder, *more], capture_output=True, text=True,
                          env=os.environ | {'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr
    assert 'Warning' not in done.stderr
    return done.stdout


def numbers(pattern, text):
    return [float(number) for number in re.findall(pattern, text, re.MULTILINE)]


def slow(test):
    """Mark a test that trains networks."""
    return pytest.mark.slow(pytest.mark.timeout(900)(test))


def width(picture):
    with Image.open(picture) as image:
        return image.width


@slow
def test_dnnbrain(folder):
    out = printed('transfer_dnnbrain.py', folder)
    finetune, fixed = numbers(r'test accuracy (\S+)', out)
    assert finetune > fixed > 0.9 and finetune > 0.96
    assert '4,900,677 parameters learn' in out and '2,565 parameters learn' in out      # 513 x 5 of the head
    assert 'step_loss, epoch_loss, score_train, loss_validation, score_validation' in out
    test = Stimulus()
    test.load(folder / 'test.stim.csv')
    again = Resnet10.load(folder / 'resnet10_finetune.pth')
    assert again.test(test, 'classification')['score'] == pytest.approx(finetune, abs=0.003)    # one picture
    assert 'Flip' not in repr(again.train_transform)
    assert width(folder / 'dnnbrain_curves.png') > 1000


@slow
def test_pytorch(folder):
    out = printed('transfer_pytorch.py', folder)
    finetuned, fixed = numbers(r'test accuracy (\S+)', out)
    assert finetuned > fixed > 0.9 and finetuned > 0.95
    best, = numbers(r'epoch (\d+) validated best', out)
    scores = [float(row.split()[4]) for row in re.findall(r'^ +[1-6] .*', out, re.MULTILINE)]
    assert len(scores) == 6 and scores[int(best) - 1] == max(scores)
    cached, whole = re.search(r'an epoch takes (\S+) s, and (\S+) s', out).groups()
    assert float(cached) < float(whole) / 10
    assert Resnet10.load(folder / 'pytorch_finetuned.pth').classes == ['five', 'six', 'seven', 'eight', 'nine']
    assert width(folder / 'pytorch_predictions.png') > 1000 and width(folder / 'pytorch_curves.png') > 1000


@slow
def test_vgg(folder):
    out = printed('transfer_vgg.py', folder)
    assert '30 threes, 30 eights' in out
    assert '50,178 learn and 9,225,984 are frozen' in out       # 512 x 7 x 7 inputs and a bias, for two classes
    assert len(numbers(r'batch \d+ of 12: loss (\S+)', out)) == 12
    accuracy, = numbers(r'accuracy (\S+) of 179', out)
    confusion = numbers(r'(\d+) for (?:three|eight)', out)
    assert sum(confusion) == 179
    assert accuracy == pytest.approx((confusion[0] + confusion[3]) / 179, abs=0.001)
    assert accuracy > 0.9
    assert Vgg11_bn.load(folder / 'vgg_threes_and_eights.pth').classes == ['three', 'eight']
    first, second = numbers(r'^ +[12] +(?:three|eight) +(\S+)$', out)
    assert first >= second and first + second == pytest.approx(1, abs=0.001)
    assert width(folder / 'vgg_pictures.png') > 900 and width(folder / 'vgg_predictions.png') > 900


@slow
def test_embeddings(folder):
    out = printed('transfer_embeddings.py', folder)
    joined, finetuned, loaded, cached = numbers(r'test accuracy (\d\.\d+)', out)
    assert min(joined, cached) > 0.93 and abs(joined - cached) < 0.03
    assert finetuned >= joined and finetuned == loaded
    assert DNN.load(folder / 'embeddings_whole.pth').layers[-2:] == ['avgpool', 'head']
    assert width(folder / 'embeddings_structure.png') > 800


@slow
def test_rates(folder):
    printed('transfer_rates.py', folder)
    table = pd.read_csv(folder / 'rates.csv', index_col='recipe')
    good = table.loc[['one small rate', 'small, head large']]
    assert good['first epoch'].min() > table.drop(good.index)['first epoch'].max()
    assert table.loc[['one large rate', 'not pretrained'], 'first epoch'].max() < 0.5
    assert table['test'].drop('frozen').min() > 0.9 > table.loc['frozen', 'last epoch']
    assert width(folder / 'rates.png') > 700


@slow
def test_rsa_92images(folder, small_92images):
    """On files of the same structure; the numbers of the paper need the real ones."""
    source, _, (monkey, human), _ = small_92images
    out = printed('rsa_92images.py', folder / 'rsa', '--data', source, '--random')
    r, = numbers(r'human against monkey: r = (\S+),', out)
    assert r == pytest.approx(np.corrcoef(human, monkey)[0, 1], abs=0.001)
    ends = [float(x) for row in re.findall(r'noise ceiling, \w+: (\S+) to (\S+) ', out) for x in row]
    assert ends[0] < ends[1] and ends[2] < ends[3]
    table = pd.read_csv(folder / 'rsa' / 'rsa.csv')
    assert table['layer'].tolist()[::7] == ['conv1_relu', 'fc3'] and (table['ceiling_upper'].round(3) == ends[3]).all()
    assert all(width(folder / 'rsa' / f'{name}.png') > 400 for name in ('areas', 'areas_mds', 'rdms', 'profile', 'mds'))


@slow
def test_interpret_digits(folder):
    """Every picture, of a network that has hardly learnt, and few digits; then one of another network."""
    folder = folder / 'interpret'
    out = printed('interpret_digits.py', folder, '--epochs', '2', '--steps', '2', '--pictures', '60', '--windows', '6')
    score, = numbers(r'names (\S+) of 719', out)
    assert score > 0.8
    names = re.findall(r'interpret_(\w+)\.png', out)
    assert names == ['saliency', 'sanity', 'synthesis', 'channels', 'where', 'fields', 'minimal', 'rotation']
    assert min(width(folder / f'interpret_{name}.png') for name in names) > 500
    stim = folder / 'digit_network' / 'digits.stim.csv'
    printed('interpret_digits.py', folder / 'any', '--net', 'Resnet10', '--random', '--layers', 'relu', 'layer1',
            'layer2', 'fc', '--stim', stim, '--pictures', '20', '--windows', '4', '--only', 'where')
    assert width(folder / 'any' / 'interpret_where.png') > 500


@slow
def test_interpret_voxel(folder):
    """What is made for a voxel drives it more than every real picture does."""
    folder = folder / 'interpret'
    out = printed('interpret_voxel.py', folder, '--epochs', '2', '--steps', '20', '--resolution', '24')
    found = re.findall(r'predicted to give (\S+) and gives (\S+), the best real one (\S+)', out)
    assert len(found) > 1 and all(float(true) > float(real) for _, true, real in found)
    assert width(folder / 'interpret_voxel.png') > 800 and width(folder / 'interpret_voxel_settings.png') > 500


def test_a_pretrained_network_that_is_there_is_taken(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from pretraining import pretrained
    there = tmp_path / 'resnet10_digits_01234.pth'
    there.touch()
    assert pretrained(tmp_path) == there and there.stat().st_size == 0


def test_parts_for_training_validation_and_test_share_no_picture(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from pretraining import new_digits
    parts = new_digits(tmp_path)
    assert [len(part) for part in parts] == [269, 179, 448]
    assert len({name for part in parts for name in part.get('stimID')}) == 269 + 179 + 448
    assert all(set(part.get('condition')) == set('56789') for part in parts)
