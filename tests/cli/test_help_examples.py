"""The example at the end of each command's help runs as it is printed."""

import importlib
import pkgutil
import shlex

import nibabel as nib
import numpy as np
import pytest

import dnnbrain.cli
from dnnbrain.dnn.core import RDM, Activation, Mask, Stimulus

NAMES = [module.name for module in pkgutil.iter_modules(dnnbrain.cli.__path__) if not module.name.startswith('_')]
N = 110         # stimuli of stored activations: pca 100 needs so many
OTHERS = {'db_report': 'its results are made in tests/cli/test_db_report.py'}
LONG = {'dnn_train': ['-epoch', '1'], 'dnn_finetune': ['-epoch', '1'], 'dnn_optstim': ['-iter', '1'],
        'dnn_rf_sw': ['-stride', '40', '40']}


def words_of(name):
    """The example, without the name of the command."""
    main = importlib.import_module(f'dnnbrain.cli.{name}').main
    example = main.epilog.split('Example:\n')[1]
    first, *words = shlex.split(example)
    assert first == name
    return words


@pytest.fixture(scope='module')
def world(tmp_path_factory, pictures):
    """Everything that examples name: pictures, stored activations, responses, RDMs."""
    folder, rng = tmp_path_factory.mktemp('world'), np.random.default_rng(0)
    names = [f'{i:02d}.png' for i in range(12)]
    for stem in ('shown', 'train', 'val', 'cats'):
        n = 1 if stem == 'cats' else 12
        Stimulus({'type': 'image', 'path': str(pictures)},
                 {'stimID': names[:n], 'label': np.arange(n) % 2, 'condition': ['cat', 'dog'] * 6 if n > 1 else ['cat']}
                 ).save(folder / f'{stem}.stim.csv')
    ids = [f'{i}.png' for i in range(N)]
    for stem in ('pictures', 'run1', 'scanner'):
        Stimulus({'type': 'image', 'path': str(pictures)},
                 {'stimID': ids, 'condition': ['cat', 'dog'] * (N // 2), 'onset': 3.0 * np.arange(N),
                  'duration': np.ones(N), 'run': np.arange(N) % 5}).save(folder / f'{stem}.stim.csv')
    activation = Activation('conv3', rng.standard_normal((N, 2, 3, 3)).astype(np.float32))
    for layer, shape in (('conv5', (N, 8, 4, 4)), ('fc2', (N, 4, 1, 1)), ('fc3', (N, 3, 1, 1))):
        activation.set(layer, rng.standard_normal(shape).astype(np.float32))
    activation.stim_ids = np.array(ids)
    activation.save(folder / 'pictures.act.h5')
    for stem, n in (('bold', N), ('shown', 12)):
        image = nib.Nifti1Image(rng.standard_normal((3, 3, 2, n)).astype(np.float32), np.eye(4))
        nib.save(image, folder / f'{stem}.nii.gz')
    (folder / 'betas.nii.gz').symlink_to(folder / 'bold.nii.gz')
    areas = rng.integers(1, 3, (3, 3, 2)).astype(np.uint8)
    for stem in ('mask', 'areas', 'v1', 'v4'):
        nib.save(nib.Nifti1Image(areas if stem == 'areas' else (areas > 1).astype(np.uint8), np.eye(4)),
                 folder / f'{stem}.nii.gz')
    (folder / 'areas.csv').write_text('number,name\n1,V1\n2,V2\n')
    Mask('conv5', [1, 2]).save(folder / 'units.dmask.csv')
    Mask('conv5', [1, 2], rows=[1], columns=[1]).save(folder / 'conv5.dmask.csv')
    for stem, kind in (('alexnet', 'dRDM'), ('sub1', 'bRDM'), ('sub2', 'bRDM'), ('sub3', 'bRDM')):
        rdm = RDM()
        rdm.rdm_type, rdm.item_ids = kind, ids[:12]
        for key in ('conv1', 'fc1') if kind == 'dRDM' else ('IT',):
            values = rng.random(66) + 0.1
            rdm.set(key, values[None] if kind == 'dRDM' else values, triu=True)
        rdm.save(folder / f'{stem}.rdm.h5')
    Stimulus({'type': 'image', 'path': str(pictures)}, {'stimID': ids[:12], 'condition': ['cat', 'dog'] * 6}
             ).save(folder / 'twelve.stim.csv')
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_an_example_runs_as_printed(run, world, models, tmp_path, monkeypatch, name):
    if name in OTHERS:
        assert OTHERS[name]
        return
    monkeypatch.setenv('DNNBRAIN_DATA', str(models))
    monkeypatch.chdir(tmp_path)
    for file in world.iterdir():
        (tmp_path / file.name).symlink_to(file)
    words = words_of(name)
    stand_ins = {}
    if '-net' in words and name != 'dnn_train':          # networks see 12 pictures that are there
        stand_ins = {'pictures.stim.csv': 'shown.stim.csv', 'bold.nii.gz': 'shown.nii.gz'}
    if name == 'db_rsa':
        stand_ins = {'pictures.stim.csv': 'twelve.stim.csv'}
    for printed, there in stand_ins.items():
        (tmp_path / printed).unlink()
        (tmp_path / printed).symlink_to(world / there)
    if name == 'dnn_act':
        (tmp_path / 'pictures.act.h5').unlink()
    before = set(tmp_path.rglob('*'))
    code, out, err = run(name, *words, *LONG.get(name, []))
    assert code == 0 and 'Traceback' not in err, err
    assert name == 'db_info' or set(tmp_path.rglob('*')) - before
