"""What a person may get wrong: exit code 2, one sentence, nothing half-written."""

import nibabel as nib
import numpy as np
import pytest

from dnnbrain.dnn.core import Activation, Mask, Stimulus


@pytest.fixture
def folder(tmp_path, pictures, rng, models, monkeypatch):
    """Good files, and a bad one of each kind; weights that AlexNet() finds."""
    monkeypatch.setenv('DNNBRAIN_DATA', str(models))
    stim = Stimulus({'type': 'image', 'path': str(pictures)},
                    {'stimID': [f'{i:02d}.png' for i in range(12)], 'label': np.arange(12) % 2, 'run': [1] * 12})
    stim.save(tmp_path / 'good.stim.csv')
    stim[:, ['stimID']].save(tmp_path / 'unlabelled.stim.csv')
    other = stim[()]
    other.set('stimID', [f'{i}.jpg' for i in range(12)])
    other.save(tmp_path / 'missing.stim.csv')
    far = stim[()]
    far.set('label', np.arange(12) + 5)
    far.save(tmp_path / 'far.stim.csv')
    away = stim[()]
    away.set('stimID', ['../x.png'] * 12)
    away.save(tmp_path / 'away.stim.csv')
    (tmp_path / 'bad.stim.csv').write_text('type=image\npath=.\ndata=stimID,label\na.png\n')
    (tmp_path / 'bad.pth').write_text('no weights')
    (tmp_path / 'notes.txt').write_text('see the other page')
    Mask('conv5', [300]).save(tmp_path / 'far.dmask.csv')
    activation = Activation('conv5', rng.standard_normal((12, 3, 2, 2)).astype(np.float32))
    activation.save(tmp_path / 'good.act.h5')
    (tmp_path / 'cut.act.h5').write_bytes((tmp_path / 'good.act.h5').read_bytes()[:-900])
    for name, n in (('good', 12), ('short', 11)):
        image = nib.Nifti1Image(rng.standard_normal((3, 3, 3, n)).astype(np.float32), np.eye(4))
        nib.save(image, tmp_path / f'{name}.nii.gz')
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4) * [2, 1, 1, 1]), tmp_path / 'elsewhere.nii.gz')
    (tmp_path / 'bad.nii.gz').write_bytes((tmp_path / 'good.nii.gz').read_bytes()[:100])
    return tmp_path


ACT = {'-net': 'AlexNet', '-layer': 'conv5', '-stim': 'good.stim.csv', '-out': 'x.act.h5'}
TRAIN = {'-net': 'AlexNet', '-stim': 'good.stim.csv', '-epoch': '1', '-out': 'x.pth'}
ENCODE = {'-anal': 'mv', '-act': 'good.act.h5', '-resp': 'good.nii.gz', '-model': 'ridge', '-out': 'out'}

CASES = [
    ('dnn_act', ACT | {'-net': 'AlexNt'}, "'AlexNt' is not known; did you mean 'AlexNet'"),
    ('dnn_act', ACT | {'-layer': 'conv9'}, "layer 'conv9' is not in AlexNet; did you mean"),
    ('dnn_act', ACT | {'-chn': '257'}, "channel of layer 'conv5' 257 is out of range; they count from 1 to 256"),
    ('dnn_act', ACT | {'-chn': '0'}, 'channel 0 is out of range'),
    ('dnn_act', ACT | {'-chn': '1 2', '-layer': 'conv5 fc1 fc2'}, '3 layers take one channel each'),
    ('dnn_act', ACT | {'-layer': None}, 'give layers'),
    ('dnn_act', ACT | {'-dmask': 'far.dmask.csv'}, 'either layers or a mask file'),
    ('dnn_act', ACT | {'-layer': None, '-dmask': 'far.dmask.csv'}, '300 is out of range'),
    ('dnn_act', ACT | {'-layer': None, '-dmask': 'no.dmask.csv'}, 'does not exist'),
    ('dnn_act', ACT | {'-stim': 'no.stim.csv'}, "stimulus file 'no.stim.csv' does not exist"),
    ('dnn_act', ACT | {'-stim': 'bad.stim.csv'}, 'row 1 of the table'),
    ('dnn_act', ACT | {'-stim': 'missing.stim.csv'}, '12 of 12 stimuli in'),
    ('dnn_act', ACT | {'-stim': 'away.stim.csv'}, "'../x.png' leaves the folder"),
    ('dnn_act', ACT | {'-stim': 'good.csv'}, 'must end in .stim.csv'),
    ('dnn_act', ACT | {'-out': 'x.h5'}, "-out 'x.h5' must end in .act.h5"),
    ('dnn_act', ACT | {'-out': 'no/x.act.h5'}, "the folder 'no' does not exist; make it first"),
    ('dnn_act', ACT | {'-weights': 'bad.pth'}, 'not a file of torch.save'),
    ('dnn_act', ACT | {'-weights': 'no.pth'}, "weights file 'no.pth' does not exist"),
    ('dnn_act', ACT | {'-net': 'Resnet18'}, 'resnet18.pth could not be downloaded'),
    ('dnn_act', ACT | {'-net': 'Resnet10'}, 'nobody publishes weights as resnet10.pth; put yours'),
    ('dnn_act', ACT | {'-stim': '.'}, "stimulus file '.' is a folder; make a table of the files in it: python -c"),
    ('dnn_act', ACT | {'-device': 'cuda:9'}, "device 'cuda:9' is not available"),
    ('dnn_act', ACT | {'-pool': 'avg'}, "'avg' is not one of"),
    ('dnn_act', ACT | {'-batch': '0'}, '0 is not in the range x>=1'),
    ('dnn_act', ACT | {'-seed': '4294967296'}, '4294967296 is not in the range 0<=x<=4294967295'),
    ('dnn_act', ACT | {'-worker': '-1'}, '-1 is not in the range x>=0'),
    ('dnn_act', ACT | {'-weights': 'no.pth', '-stim': 'no.stim.csv', '-random': ''},
     '-weights and -random contradict each other'),
    ('dnn_act', ACT | {'-chnl': '1'}, "No such option '-chnl'. Did you mean '-chn'"),
    ('dnn_act', ACT | {'-net': None}, 'give a network (-net AlexNet) and stimuli'),
    ('dnn_train', TRAIN | {'-stim': 'unlabelled.stim.csv'}, "-stim has no targets: give a table with a column 'label'"),
    ('dnn_train', TRAIN | {'-val': 'unlabelled.stim.csv'}, 'data_validation has no targets'),
    ('dnn_train', TRAIN | {'-val': 'far.stim.csv'}, 'label 16 of data_validation is outside the 2 classes'),
    ('dnn_train', TRAIN | {'-stim': 'missing.stim.csv'}, 'cannot be shown'),
    ('dnn_train', TRAIN | {'-scenario': 'freeze'}, "'freeze' is not one of"),
    ('dnn_train', TRAIN | {'-net': 'nonet'}, "'nonet' is not known"),
    ('dnn_train', TRAIN | {'-out': 'x.pt7'}, 'must end in .pth'),
    ('dnn_train', TRAIN | {'-out': 'no/x.pth'}, 'make it first'),
    ('dnn_train', TRAIN | {'-lr': '-1'}, '-1.0 is not in the range'),
    ('dnn_train', TRAIN | {'-lr': 'nan'}, 'nan is not a finite number'),
    ('dnn_train', TRAIN | {'-lr': 'inf'}, 'inf is not a finite number'),
    ('dnn_train', TRAIN | {'-lr': '1e999'}, 'inf is not a finite number'),
    ('dnn_train', TRAIN | {'-seed': '-1'}, '-1 is not in the range 0<=x<=4294967295'),
    ('dnn_train', TRAIN | {'-worker': '-1'}, '-1 is not in the range x>=0'),
    ('dnn_train', TRAIN | {'-weights': 'no.pth', '-stim': 'no.stim.csv', '-scenario': 'scratch'},
     '-weights and -scenario scratch contradict each other'),
    ('dnn_train', TRAIN | {'-epoch': 'many'}, "'many' is not a valid integer"),
    ('db_encode', ENCODE | {'-anal': 'uv'}, '-model ridge does not go with -anal uv; choose from corr, glm'),
    ('db_encode', ENCODE | {'-act': 'cut.act.h5'}, "activation file 'cut.act.h5' is truncated"),
    ('db_encode', ENCODE | {'-act': 'no.act.h5'}, 'does not exist'),
    ('db_encode', ENCODE | {'-layer': 'conv4'}, "'conv4' is not in the activation; did you mean 'conv5'"),
    ('db_encode', ENCODE | {'-layer': 'conv5', '-chn': '4'}, '4 is out of range; they count from 1 to 3'),
    ('db_encode', ENCODE | {'-chn': '1'}, '-chn needs -layer'),
    ('db_encode', ENCODE | {'-resp': 'short.nii.gz'}, '12 stimuli and the brain 11 volumes'),
    ('db_encode', ENCODE | {'-resp': 'bad.nii.gz'}, 'cannot be read'),
    ('db_encode', ENCODE | {'-resp': 'good.img'}, 'must end in .nii, .nii.gz, .mgh'),
    ('db_encode', ENCODE | {'-bmask': 'elsewhere.nii.gz'}, 'another space'),
    ('db_encode', ENCODE | {'-bmask': 'good.nii.gz'}, 'must be one volume'),
    ('db_encode', ENCODE | {'-roi': 'V1'}, 'go with a .roi.h5'),
    ('db_encode', ENCODE | {'-cv': '1'}, '1 is not in the range x>=2'),
    ('db_encode', ENCODE | {'-cv': '13'}, 'cv must be from 2 to the number of samples (12)'),
    ('db_encode', ENCODE | {'-model': 'tree'}, "'tree' is not one of"),
    ('db_encode', ENCODE | {'-scoring': 'accuracy'}, "'accuracy' cannot be told from the predictions of a regressor"),
    ('db_encode', ENCODE | {'-group': 'run'}, '-group needs -stim'),
    ('db_encode', ENCODE | {'-stim': 'good.stim.csv', '-group': 'session'}, "'session' is not in the stimulus table"),
    ('db_encode', ENCODE | {'-stim': 'good.stim.csv', '-group': 'run'}, r'number of groups (1)'),
    ('db_encode', ENCODE | {'-out': 'good.act.h5'}, "is a file; give a folder"),
    ('db_encode', ENCODE | {'-alpha': '0'}, '0.0 is not in the range x>0'),
    ('db_encode', ENCODE | {'-alpha': '1 nan'}, 'nan is not a finite number'),
    ('db_encode', ENCODE | {'-alpha': 'inf'}, 'inf is not a finite number'),
    ('db_encode', ENCODE | {'-seed': '-1'}, '-1 is not in the range 0<=x<=4294967295'),
    ('db_info', {'AlexNt': None}, "did you mean 'AlexNet'"),
    ('db_info', {'no.stim.csv': None}, "NAME 'no.stim.csv' does not exist"),
    ('db_info', {'cut.act.h5': None}, 'is truncated'),
    ('db_info', {'bad.stim.csv': None}, 'row 1 of the table'),
    ('db_info', {'.': None}, "'.' is a folder without results; if it holds stimuli, make a table"),
    ('db_info', {'notes.txt': None}, 'of no kind that dnnbrain knows'),
    ('db_info', {'bad.nii.gz': None}, 'cannot be read as a brain image'),
    ('db_info', {'bad.pth': None}, 'is truncated or not a file of torch.save'),
    ('db_info', {'-x': None, 'AlexNet': None}, "No such option '-x'"),
]


@pytest.mark.parametrize('command, options, says', CASES, ids=lambda v: v if isinstance(v, str) else '')
def test_one_sentence_and_nothing_written(run, folder, monkeypatch, command, options, says):
    from urllib.error import URLError
    monkeypatch.chdir(folder)
    monkeypatch.setenv('TORCH_HOME', str(folder))

    def offline(*args, **kwargs):
        raise URLError('no network')
    monkeypatch.setattr('dnnbrain.io.download.urlopen', offline)
    before = {f.name: f.stat().st_mtime_ns for f in folder.iterdir()}
    args = []
    for name, value in options.items():
        if command == 'db_info':
            args.append(name)
        elif value is not None:
            args += [name, *value.split()]
    code, out, err = run(command, *args)
    assert code == 2 and out == ''
    assert says in err, err
    assert 'Traceback' not in err
    assert len(err.splitlines()) == 1, err
    assert {f.name: f.stat().st_mtime_ns for f in folder.iterdir()} == before


def test_a_full_disk_is_one_sentence(run, folder, monkeypatch):
    from dnnbrain.io.act_writer import ActWriter

    def full(self, block):
        raise OSError(28, 'No space left on device')
    monkeypatch.chdir(folder)
    monkeypatch.setattr(ActWriter, 'write', full)
    code, out, err = run('dnn_act', *(word for pair in ACT.items() for word in pair))
    assert code == 1 and err == "Error: dnn_act: the disk of 'x.act.h5' is full; make room, then resume\n"
    assert not [f for f in folder.iterdir() if 'x.act.h5' in f.name]


def test_verbose_shows_where(run, folder, monkeypatch, caplog):
    monkeypatch.chdir(folder)
    run('dnn_act', *(word for pair in (ACT | {'-layer': 'conv9', '-vv': ''}).items() for word in pair if word))
    assert 'Traceback' in caplog.text
