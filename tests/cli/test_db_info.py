"""db_info: every kind of file, the self-check, completion; and the words that all commands share."""

import importlib
import os
import shutil
import subprocess
import sys

import click
import nibabel as nib
import numpy as np
import pytest
import torch

from dnnbrain.dnn.models import Resnet10
from dnnbrain.io.model_h5 import write_model_h5


def images(folder):
    """A file of each family, and what is to be said of it."""
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, 3), np.int16), np.diag([2, 2, 3, 1])), folder / 'v.nii.gz')
    nib.save(nib.MGHImage(np.zeros((7, 1, 1), np.float32), np.eye(4)), folder / 's.mgz')
    arrays = [nib.gifti.GiftiDataArray(np.zeros(9, np.float32), 'NIFTI_INTENT_SHAPE', meta={'Name': name})
              for name in ('conv1', 'fc')]
    nib.save(nib.GiftiImage(darrays=arrays), folder / 'g.shape.gii')
    model = nib.cifti2.BrainModelAxis.from_mask(np.ones(8, bool), name='CortexLeft')
    for name, axis in (('c.dscalar.nii', nib.cifti2.ScalarAxis(['conv1', 'fc'])),
                       ('t.dtseries.nii', nib.cifti2.SeriesAxis(0, 1.5, 2))):
        nib.save(nib.Cifti2Image(np.zeros((2, 8), np.float32), (axis, model)), folder / name)
    return {'v.nii.gz': ['4 x 5 x 6 x 3 int16', 'voxels of 2 x 2 x 3 mm', 'volumes: 3', 'orientation: RAS'],
            's.mgz': ['MGHImage: 7 x 1 x 1'], 'g.shape.gii': ['2 arrays of 9 vertices', 'maps: conv1, fc'],
            'c.dscalar.nii': ['2 x 8', 'maps: conv1, fc', 'cortex_left: 8 vertices'],
            't.dtseries.nii': ['points in time: 2, 1.5 seconds apart']}


def others(folder):
    """Weights, models, histories and results."""
    net = Resnet10(pretrained=False, rng=0)
    net.replace_head(3)
    net.classes = ['cat', 'dog', 'owl']
    net.save(folder / 'w.pth')
    net.save(folder / 'w.safetensors')
    torch.save({'a': torch.zeros(2, 3)}, folder / 'old.pth', _use_new_zipfile_serialization=False)
    write_model_h5(folder / 'm.h5', {'conv': ({'coef': np.zeros((5, 2)), 'intercept': np.zeros(2)}, {}, None)},
                   {'kind': 'layer'})
    (folder / 'x.history.csv').write_text('epoch,score\n1,0.5\n2,0.75\n')
    (folder / 'out').mkdir()
    (folder / 'out' / 'result.json').write_text('{"settings": {"cv": 3, "layer": ["conv1", "fc"]}, "versions": {}}')
    return {'w.pth': ['network: Resnet10', 'classes: cat, dog, owl', 'conv1.weight: (64, 3, 3, 3)'],
            'w.safetensors': ['network: Resnet10', 'bn1.weight: (64,)'],
            'old.pth': ['tensors: 1, 6 numbers', 'a: (2, 3)'],
            'm.h5': ['model of dnnbrain: layer', 'coef (5, 2)'], 'x.history.csv': ['epochs: 2', 'score 0.75'],
            'out': ['cv: 3', 'layer: conv1, fc']}


@pytest.mark.parametrize('make', [images, others])
def test_every_kind_of_file_is_described(run, tmp_path, make):
    for name, says in make(tmp_path).items():
        code, out, err = run('db_info', tmp_path / name)
        assert code == 0 and all(part in out for part in says), (name, out, err)


@pytest.mark.parametrize('name, content, sentence', [
    ('x.history.csv', b'\xff\xfe\x00', "'x.history.csv' is damaged"),
    ('lab/result.json', b'[1, 2]', 'is not what a command of dnnbrain wrote'),
    ('lab/result.json', b'{"cut', 'is damaged'),
    ('lab/pictures.zip', b'', "'lab' is a folder"),
])
def test_damaged_and_unknown_ones_end_in_a_sentence(run, tmp_path, monkeypatch, name, content, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    code, _, err = run('db_info', name.partition('/')[0])
    assert code == 2 and sentence in err


def test_the_self_check_passes_and_can_fail(run, monkeypatch):
    code, out, _ = run('db_info')
    assert code == 0, out
    assert f'torch {torch.__version__.partition("+")[0]}' in out and 'cpu:' in out and 'GB free' in out
    assert 'AlexNet: as it should be' in out and 'ridge: as it should be' in out
    monkeypatch.setattr('dnnbrain.cli._doctor.RIDGE', 0.9)
    monkeypatch.setattr('dnnbrain.cli._doctor._alexnet', lambda: 1 / 0)
    monkeypatch.setitem(sys.modules, 'timm', None)
    code, out, _ = run('db_info')
    assert code == 1 and 'ridge: FAILED: 0.765' in out and 'AlexNet: FAILED: ZeroDivisionError' in out
    assert "zoo: missing (timm): pip install 'dnnbrain[zoo]'" in out


def test_every_value_has_a_word_in_the_help():
    """Not click's own, such as INTEGER RANGE."""
    from dnnbrain.cli._completion import command_names
    for name in command_names():
        for option in importlib.import_module(f'dnnbrain.cli.{name}').main.params:
            assert option.metavar or isinstance(option.type, click.Choice) or getattr(option, 'is_flag', False) \
                or option.name in ('verbose', 'name'), (name, option.opts)


@pytest.mark.skipif(shutil.which('bash') is None, reason='bash is not installed')
@pytest.mark.parametrize('words, expected', [('dnn_act -net vgg1', 'plain,Vgg11'), ('dnn_act -stim x', 'file,x'),
                                             ('db_encode -out x', 'dir,x'), ('dnn_act -dry', 'plain,-dry-run')])
def test_the_shell_completes(run, words, expected):
    """What bash is told, by the very line that its script runs."""
    name, *rest = words.split()
    code, script, _ = run('db_info', '-completion', 'bash')
    assert code == 0 and f'_{name.upper()}_COMPLETE=bash_complete $1' in script
    assert subprocess.run(['bash', '-n'], input=script, text=True).returncode == 0
    told = {'COMP_WORDS': words, 'COMP_CWORD': str(len(rest)), f'_{name.upper()}_COMPLETE': 'bash_complete'}
    call = f'import sys; sys.argv[0] = "{name}"; from dnnbrain.cli.{name} import main; main(prog_name="{name}")'
    done = subprocess.run([sys.executable, '-c', call], env=os.environ | told, capture_output=True, text=True)
    assert expected in done.stdout.splitlines(), done.stderr


def test_a_missing_option_is_one_line_with_its_choices(run):
    code, _, err = run('db_encode', '-act', 'x.act.h5')
    assert code == 2 and "Missing option '-anal' / '--anal'. Choose from: uv, mv (see db_encode --help)\n" in err


def test_a_missing_picture_is_named_with_its_subfolder(run, tmp_path):
    (tmp_path / 'x.stim.csv').write_text('type=image\npath=.\ndata=stimID\ncat/1.png\n')
    code, _, err = run('dnn_act', '-net', 'Resnet10', '-random', '-layer', 'fc', '-stim', tmp_path / 'x.stim.csv',
                       '-out', tmp_path / 'x.act.h5')
    assert code == 2 and 'cannot be shown: cat/1.png (missing)' in err


@pytest.mark.parametrize('quiet', [False, True])
def test_quiet_hides_warnings_and_progress(run, monkeypatch, tmp_path, stim_file, quiet):
    import warnings

    from dnnbrain import _progress

    def warn(*args, **kwargs):
        for _ in range(2):                      # a layer after the other; it is said once
            warnings.warn('something is odd', stacklevel=1)
        shown.append(_progress.progress(range(2)).disable)
        return 'described'
    shown = []
    monkeypatch.setattr('sys.stderr.isatty', lambda: True, raising=False)
    monkeypatch.setattr('dnnbrain.io.describe._BY_SUFFIX', {'.stim.csv': warn})
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        code, out, err = run('db_info', stim_file, *(['-q'] if quiet else []))
    _progress.hidden = False
    assert code == 0 and out == 'described\n' and err.count('something is odd') == (not quiet)


def test_a_terminal_without_a_size_shows_progress_too(monkeypatch):
    import pty

    from dnnbrain._progress import progress
    leader, terminal = pty.openpty()
    with open(leader, 'rb', buffering=0) as screen, open(terminal, 'w') as stderr:
        monkeypatch.setattr('sys.stderr', stderr)
        list(progress(range(3), 'work'))
        print('THE END', file=stderr, flush=True)
        seen = b''
        while b'THE END' not in seen:           # it comes in pieces
            seen += screen.read(10000)
    assert 'work: 100%' in seen.decode()


def test_a_broken_off_command_leaves_no_half_file(run, monkeypatch, tmp_path, stim_file, models):
    monkeypatch.setenv('DNNBRAIN_DATA', str(models))

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt
    monkeypatch.setattr('dnnbrain.io.act_writer.ActWriter.write', interrupted)
    code, _, err = run('dnn_act', '-net', 'AlexNet', '-layer', 'fc3', '-stim', stim_file, '-out', tmp_path / 'x.act.h5')
    assert code == 1 and 'Aborted!' in err and not (tmp_path / 'x.act.h5').exists()
