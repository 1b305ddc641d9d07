"""Options of db_encode, db_corr, db_decode, dnn_probe, db_topo: those of 1.0, and what a person may get wrong."""

import importlib
from contextlib import contextmanager

import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.cli._mapping import measures_of
from dnnbrain.dnn.core import Stimulus

SELECTION, RESPONSES, FIT = 'act layer chn dmask', 'resp bmask roi', 'anal model scoring cv'
OPTIONS_OF_1_0 = {
    'db_corr': f'{SELECTION} iteraxis {RESPONSES} out', 'db_encode': f'{SELECTION} iteraxis {RESPONSES} {FIT} out',
    'db_decode': f'{SELECTION} {RESPONSES} {FIT} out', 'dnn_probe': f'{SELECTION} iteraxis stim beh {FIT} out',
    'db_topo': 'act layer hrf resp bmask out'}


@pytest.mark.parametrize('command', OPTIONS_OF_1_0)
def test_options_of_1_0_are_there(command):
    params = importlib.import_module(f'dnnbrain.cli.{command}').main.params
    found = {name for param in params for name in param.opts}
    assert {f'-{name}' for name in OPTIONS_OF_1_0[command].split()} <= found


def test_jobs_limits_threads_while_it_runs(run, out, monkeypatch):
    limits = []

    @contextmanager
    def limited(n):
        limits.append(n)
        yield
        limits.append('back')
    monkeypatch.setattr('threadpoolctl.threadpool_limits', limited)
    assert run('db_corr', *'-act x.act.h5 -resp once.nii.gz -jobs 3 -out'.split(), out)[0] == 0
    assert limits == [3, 'back']


ENCODE = {'-anal': 'mv', '-act': 'x.act.h5', '-resp': 'once.nii.gz', '-model': 'ridge'}
DECODE = ENCODE | {'-model': 'glm'}
PROBE = {'-anal': 'mv', '-act': 'x.act.h5', '-stim': 'beh.stim.csv', '-beh': 'mood', '-model': 'ridge'}
CORR = {'-act': 'x.act.h5', '-resp': 'once.nii.gz'}
WRONG = [
    ('db_encode', ENCODE | {'-model': 'corr'}, '-model corr does not go with -anal mv; choose from ridge, glm'),
    ('db_encode', ENCODE | {'-model': 'glm', '-alpha': '1'}, '-alpha is a setting of ridge, banded, lasso'),
    ('db_encode', ENCODE | {'-model': 'lasso', '-alpha': '1 2'}, '-alpha of lasso is one penalty, not 2'),
    ('db_encode', ENCODE | {'-n_components': '3'}, '-n_components is a setting of pls'),
    ('db_encode', ENCODE | {'-C': '3'}, '-C is a setting of lrc, svc; leave it out with -model ridge'),
    ('db_encode', ENCODE | {'-selection': 'nested'}, '-selection is how uv chooses'),
    ('db_encode', ENCODE | {'-anal': 'uv', '-model': 'glm', '-zscore': ''}, '-zscore goes with -anal mv'),
    ('db_encode', ENCODE | {'-anal': 'uv', '-model': 'glm', '-perm': '9'}, 'models are fitted anew to every'),
    ('db_encode', ENCODE | {'-ceiling': ''}, '-ceiling needs -stim'),
    ('db_encode', ENCODE | {'-ceiling': '', '-stim': 'beh.stim.csv'}, '0 of 24 stimuli were shown more than once'),
    ('db_encode', ENCODE | {'-hrf': ''}, '-hrf needs -stim with onset and duration'),
    ('db_encode', ENCODE | {'-hrf': '', '-stim': 'beh.stim.csv'}, "column 'onset' is not in -stim, which -hrf needs"),
    ('db_encode', ENCODE | {'-tr': '2'}, '-tr goes with -hrf'),
    ('db_encode', ENCODE | {'-resp': 'twice.nii.gz', '-stim': 'beh.stim.csv'}, '24 stim_ids came for 48 volumes'),
    ('db_encode', ENCODE | {'-bmask': 'fine.nii'}, 'resample'),
    ('db_encode', ENCODE | {'-glass': '', '-iteraxis': 'channel'}, '-glass draws held-out scores of whole layers'),
    ('db_encode', ENCODE | {'-model': 'svc'}, 'a classifier predicts labels'),
    ('db_encode', ENCODE | {'-jobs': '0'}, '0 is not in the range x>=1'),
    ('db_corr', CORR | {'-group': 'run'}, '-group needs -stim'),
    ('db_corr', CORR | {'-layer': 'conv9'}, "'conv9' is not in the activation"),
    ('db_corr', CORR | {'-out': 'x.act.h5'}, "-out 'x.act.h5' is a file; give a folder"),
    ('db_decode', DECODE | {'-model': 'svc'}, "'svc' is not one of"),
    ('db_decode', DECODE | {'-scoring': 'nice'}, "scoring 'nice' is not known"),
    ('db_decode', DECODE | {'-resp': 'twice.nii.gz'}, '24 stimuli and'),
    ('db_topo', CORR, 'layer fc has no maps of at least 2 x 2 positions'),
    ('db_topo', CORR | {'-layer': 'conv', '-model': 'glm', '-alpha': '1'}, 'alphas are penalties of ridge'),
    ('db_topo', CORR | {'-layer': 'conv', '-model': 'corr', '-scoring': 'r2'}, "model 'corr' is scored by correlation"),
    ('db_topo', CORR | {'-layer': 'conv', '-fov': '0'}, '0.0 is not in the range x>0'),
    ('db_topo', CORR | {'-layer': 'conv', '-hrf': '', '-stim': 'beh.stim.csv', '-group': 'run'}, "'run' is not in the"),
    ('dnn_probe', PROBE | {'-beh': 'condition'}, "-beh 'condition' holds text, and this model predicts numbers"),
    ('dnn_probe', PROBE | {'-beh': 'joy'}, "'joy' is not in the stimulus table"),
    ('dnn_probe', PROBE | {'-model': 'lrc'}, 'a classifier predicts labels'),
    ('dnn_probe', PROBE | {'-model': 'banded', '-layer': 'fc'}, 'banded ridge needs at least two different layers'),
]


@pytest.mark.parametrize('command, options, says', WRONG, ids=lambda value: value if isinstance(value, str) else '')
def test_one_sentence_and_nothing_written(run, mapping_files, out, command, options, says):
    before = sorted(file.name for file in mapping_files.iterdir())
    args = [word for name, value in ({'-out': str(out)} | options).items() for word in (name, *value.split())]
    code, table, err = run(command, *args)
    assert code == 2 and table == '' and says in err, err
    assert len(err.splitlines()) == 1 and not out.exists()
    assert sorted(file.name for file in mapping_files.iterdir()) == before


@pytest.mark.parametrize('column, labels', [('word', ['Tür, rot', '', 'Äpfel', '']),
                                            ('number', [1.0, np.nan, 2, np.nan])])
def test_labels_that_are_missing(column, labels):
    """An empty cell was a class of its own, and so was 'nan'."""
    stimuli = Stimulus({}, {'stimID': list('abcd'), column: labels, 'word2': list('xyxy')})
    with pytest.raises(BadValue, match=f"-beh '{column}' has no entry for 2 rows; leave these rows out"):
        measures_of(stimuli, [column, 'word2'], labels=True)


def test_a_folder_that_only_looks_writable(run, out, monkeypatch):
    import tempfile

    def full(**_):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(tempfile, 'TemporaryFile', full)
    code, _, err = run('db_corr', '-act', 'x.act.h5', '-resp', 'once.nii.gz', '-out', out)
    assert code == 2 and 'cannot be written to: No space left on device' in err
