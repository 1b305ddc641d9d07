"""Command lines as DNNBrain 1.0 documents them, with every option spelt as there, run on small files."""

import importlib
import shlex

import pytest

from dnnbrain.dnn.core import Mask, Stimulus

SELECT = '-act x.act.h5 -layer conv'
LINES = {
    'brain_roi': ['-nif once.nii.gz -mask mask.nii -method mean -out OUT.roi.h5'],
    'brain_rsa': ['-nif once.nii.gz -bmask mask.nii -roi 1 -cate beh.stim.csv -metric euclidean -zscore '
                  '-out OUT.rdm.h5'],
    'db_corr': [f'{SELECT} -chn 1 2 -iteraxis channel -resp once.nii.gz -bmask mask.nii -out OUT',
                '-act x.act.h5 -dmask units.dmask.csv -resp x.roi.h5 -roi V1 FFA -out OUT'],
    'db_encode': [f'-anal mv {SELECT} -iteraxis row_col -resp x.roi.h5 -roi V1 FFA -model glm '
                  '-scoring explained_variance -cv 3 -out OUT',
                  f'-anal uv {SELECT} -resp once.nii.gz -bmask mask.nii -model lasso -cv 3 -out OUT'],
    'db_decode': [f'-anal uv -resp once.nii.gz -bmask mask.nii {SELECT} -model glm -scoring explained_variance -cv 3 '
                  '-out OUT', '-anal mv -resp x.roi.h5 -roi V1 V4 -act x.act.h5 -layer fc -model lasso -out OUT'],
    'db_hrf': [f'{SELECT} fc -stim events.stim.csv -tr 2 -n_vol 40 -ops 100 -out OUT.act.h5'],
    'db_info': ['AlexNet', 'x.act.h5', 'x.roi.h5', 'beh.stim.csv', 'units.dmask.csv'],
    'db_topo': ['-act x.act.h5 -layer conv -resp once.nii.gz -bmask mask.nii -out OUT'],
    'dnn_ablation': ['-act x.act.h5 -dmask units.dmask.csv -out OUT.act.h5'],
    'dnn_rotation': ['-act x.act.h5 -alpha 0.5 -out OUT.act.h5'],
    'dnn_act': ['-net AlexNet -layer conv5 fc3 -chn 1 2 -stim two.stim.csv -pool max -out OUT.act.h5',
                '-net AlexNet -dmask net.dmask.csv -stim two.stim.csv -out OUT.act.h5'],
    'dnn_fe': [f'{SELECT} -meth pca 2 -axis chn -out OUT.act.h5',
               f'{SELECT} -meth hist 3 -axis row_col -out OUT.act.h5'],
    'dnn_finetune': ['-net AlexNet -layer readout -stim pics.stim.csv -dmask net.dmask.csv -rmeas label -cvfold 3 '
                     '-out OUT -epoch 1'],
    'dnn_mask': [f'{SELECT} -chn 2 -out OUT.act.h5', '-act x.act.h5 -dmask units.dmask.csv -out OUT.act.h5'],
    'dnn_pool': [f'{SELECT} -meth L2 -out OUT.act.h5'],
    'dnn_minstim': ['-net AlexNet -stim two.stim.csv -layer conv5 -chn 1 -out OUT'],
    'dnn_optstim': ['-net AlexNet -prior one.stim.csv -layer fc3 -channel 1 -outdir OUT -iter 2'],
    'dnn_probe': [f'-anal mv {SELECT} -stim beh.stim.csv -beh mood age -model lasso -scoring explained_variance -cv 3 '
                  '-out OUT', f'-anal uv {SELECT} -iteraxis channel -stim beh.stim.csv -beh label -model lrc -out OUT',
                  f'-anal uv {SELECT} -stim beh.stim.csv -beh mood -model corr -out OUT'],
    'dnn_rf_sw': ['-net AlexNet -layer conv5 -chn 1 -stim one.stim.csv -wsize 100 90 -stride 60 70 -metric max '
                  '-out OUT'],
    'dnn_rf_us': ['-net AlexNet -stim one.stim.csv -layer conv5 -chn 1 -ip_metric bicubic -up_thres 0.9 -out OUT'],
    'dnn_rsa': [f'{SELECT} -iteraxis channel -metric euclidean -zscore -out OUT.rdm.h5',
                '-act x.act.h5 -cate beh.stim.csv -metric correlation -out OUT.rdm.h5'],
    'dnn_saliency': ['-net AlexNet -layer conv5 -chn 1 2 -stim one.stim.csv -meth guided -mode gray -cmap coolwarm '
                     '-vmin 0 -vmax 1 -out OUT', '-net AlexNet -layer fc3 -chn 5 -stim one.stim.csv -meth vanilla '
                     '-mode RGB -out OUT'],
    'dnn_topstim': ['-net AlexNet -top 2 -stim two.stim.csv -layer conv5 fc3 -chn 1 2 -out OUT'],
    'dnn_view': ['-net AlexNet -layer conv5 -chn 1 2 -stim one.stim.csv -cmap coolwarm -vmin 0 -vmax 1 -out OUT'],
}
CUDA = ('dnn_act', 'dnn_topstim')       # -cuda is known, though there may be no GPU


@pytest.fixture
def files(mapping_files, pictures, models, tmp_path, monkeypatch):
    """All files that the lines name, and the folder in which they are."""
    for file in mapping_files.iterdir():
        (tmp_path / file.name).symlink_to(file)
    names = [f'{i:02d}.png' for i in range(12)]
    for name, n in (('one', 1), ('two', 2), ('pics', 12)):
        Stimulus({'type': 'image', 'path': str(pictures)},
                 {'stimID': names[:n], 'label': [i % 3 for i in range(n)]}).save(tmp_path / f'{name}.stim.csv')
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in range(24)], 'duration': [1.] * 24,
                                              'onset': [3. * i for i in range(24)]}).save(tmp_path / 'events.stim.csv')
    Mask('conv', [1], rows=[1, 2]).save(tmp_path / 'units.dmask.csv')
    Mask('fc3', [1, 2, 3]).save(tmp_path / 'net.dmask.csv')
    monkeypatch.setenv('DNNBRAIN_DATA', str(models))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('command, line', [(name, line) for name, lines in LINES.items() for line in lines])
def test_a_line_of_1_0_runs(run, files, command, line):
    code, out, err = run(command, *shlex.split(line.replace('OUT', 'made')))
    assert code == 0, err
    assert 'Traceback' not in err
    made = [file for file in files.rglob('*') if file.is_file() and file.name.startswith('made') or
            'made' in file.relative_to(files).parts[:-1]]
    assert out if command == 'db_info' else made


@pytest.mark.parametrize('command', CUDA)
def test_cuda_is_known(command):
    main = importlib.import_module(f'dnnbrain.cli.{command}').main
    assert '-cuda' in [name for parameter in main.params for name in parameter.opts]


def test_every_command_of_1_0_has_a_line():
    import pkgutil

    import dnnbrain.cli
    ours = {module.name for module in pkgutil.iter_modules(dnnbrain.cli.__path__) if not module.name.startswith('_')}
    assert set(LINES) <= ours and len(LINES) == 24
