"""dnn_mask, dnn_pool, dnn_fe, db_hrf: from file to file, in memory that does not grow with the layer."""

import numpy as np
import pytest

from dnnbrain.activation.pool import POOLINGS
from dnnbrain.brain.algo import convolve_hrf
from dnnbrain.dnn.base import dnn_fe
from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.io.act_h5 import DiskLayer


@pytest.fixture
def folder(rng, tmp_path, monkeypatch):
    """60 stimuli of two layers in x.act.h5, the events of a scan in run.stim.csv, wrong files too."""
    monkeypatch.chdir(tmp_path)
    activation = Activation('conv', rng.normal(size=(60, 8, 5, 4)).astype(np.float32))
    activation.set('fc', rng.normal(size=(60, 20, 1, 1)).astype(np.float32))
    activation.stim_ids, activation.meta = np.array([f'{i}.png' for i in range(60)]), {'network': 'AlexNet'}
    activation.save('x.act.h5')
    Mask('conv', channels=[7, 2], rows=[1, 3]).save('x.dmask.csv')
    shown = {'stimID': [f'{i}.png' for i in (3, 59, 3, 10)]}
    Stimulus({'type': 'image', 'path': '.'}, shown | {'onset': [0.5, 4, 9, 13.3], 'duration': [1, 1, 2, 0]}).save(
        'run.stim.csv')
    Stimulus({'type': 'image', 'path': '.'}, shown).save('bare.stim.csv')
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': ['z.png'], 'onset': [1], 'duration': [1]}).save('z.stim.csv')
    return tmp_path


def loaded(path='out.act.h5'):
    activation = Activation()
    activation.load(path)
    return activation


@pytest.mark.parametrize('options, layers', [
    ('-layer fc', {'fc': np.s_[:]}),
    ('-layer conv -chn 7 2', {'conv': np.s_[:, [6, 1]]}),
    ('-layer fc conv -chn 3 8', {'fc': np.s_[:, [2]], 'conv': np.s_[:, [7]]}),
    ('-dmask x.dmask.csv', {'conv': np.s_[:, [[6], [1]], [[0, 2]]]}),
    ('', {'conv': np.s_[:], 'fc': np.s_[:]}),
])
def test_mask(folder, run, options, layers):
    assert run('dnn_mask', '-act', 'x.act.h5', *options.split(), '-out', 'out.act.h5')[0] == 0
    found, whole = loaded(), loaded('x.act.h5')
    assert found.layers == list(layers) and found.stim_ids[59] == '59.png' and found.meta['network'] == 'AlexNet'
    for layer, units in layers.items():
        np.testing.assert_array_equal(found.get(layer), whole.get(layer)[units])


@pytest.mark.parametrize('method', POOLINGS)
def test_pool(folder, run, method):
    assert run('dnn_pool', '--act', 'x.act.h5', '-layer', 'conv', '-meth', method, '-out', 'out.act.h5')[0] == 0
    maps = loaded('x.act.h5').get('conv').astype(float).reshape(60, 8, 20)
    expected = {'max': maps.max(2), 'mean': maps.mean(2), 'median': np.median(maps, 2), 'L1': np.abs(maps).sum(2),
                'L2': np.linalg.norm(maps, axis=2)}[method]
    np.testing.assert_allclose(loaded().get('conv')[..., 0, 0], expected, rtol=1e-5, atol=1e-6)
    assert loaded().meta['pool'] == method and loaded().layers == ['conv']


def test_commands_pool_as_the_engine_does():
    from dnnbrain.cli import _network
    assert tuple(_network.POOLINGS.choices) == POOLINGS


@pytest.mark.parametrize('meth', ['pca 3', 'pca 0.8', 'hist 4', 'psd 3', 'srp 3'])
@pytest.mark.parametrize('axis', [None, 'chn', 'row_col'])
def test_fe(folder, run, meth, axis):
    options = ['-axis', axis] if axis else []
    code, out, err = run('dnn_fe', '-act', 'x.act.h5', '-layer', 'conv', '-meth', *meth.split(), *options,
                         '-out', 'out.act.h5')
    assert (code, out, err) == (0, '', '')
    method, number = meth.split()
    number = float(number) if '.' in number else int(number)
    expected = loaded('x.act.h5').mask('conv').fe(method, number, axis) if method == 'srp' else \
        Activation('conv', dnn_fe(loaded('x.act.h5').get('conv'), method, number, axis))
    np.testing.assert_allclose(loaded().get('conv'), expected.get('conv'), atol=1e-5)
    assert loaded().meta['fe'].items() >= {'method': method, 'n_feat': number, 'axis': axis}.items()
    assert loaded().stim_ids[59] == '59.png'


def test_fe_settings(folder, run):
    base = ['dnn_fe', '-act', 'x.act.h5', '-layer', 'conv', '-out', 'out.act.h5', '-meth']
    found = {}
    for name, options in {'1': 'srp 4 -seed 1', '2': 'srp 4 -seed 2', 'again': 'srp 4 -seed 1', 'hist': 'hist 4',
                          'own': 'hist 4 -bins per_stimulus'}.items():
        assert run(*base, *options.split())[0] == 0
        found[name] = loaded().get('conv')
    np.testing.assert_array_equal(found['1'], found['again'])
    assert not np.allclose(found['1'], found['2']) and (found['hist'] != found['own']).any()


def test_a_command_may_replace_its_input(folder, run):
    expected = loaded('x.act.h5').pool('max').get('conv')
    assert run('dnn_pool', '-act', 'x.act.h5', '-meth', 'max', '-out', 'x.act.h5')[0] == 0
    np.testing.assert_array_equal(loaded('x.act.h5').get('conv'), expected)


@pytest.mark.parametrize('options, settings', [
    ('', {}), ('-ops 1000', {'ops': 1000}), ('-hrf glover', {'model': 'glover'}),
    ('-hrf fir -delay 1 3', {'model': 'fir', 'delays': [1, 3]})])
def test_hrf(folder, run, options, settings):
    assert run('db_hrf', '-act', 'x.act.h5', '-layer', 'conv', '-stim', 'run.stim.csv', '-tr', 1.5, '-n_vol', 30,
               *options.split(), '-out', 'out.act.h5')[0] == 0
    shown = loaded('x.act.h5').get('conv')[[3, 59, 3, 10]]
    expected = convolve_hrf(shown.reshape(4, -1), [0.5, 4, 9, 13.3], [1, 1, 2, 0], 30, 1.5, **settings)
    found = loaded()
    np.testing.assert_allclose(found.get('conv').reshape(30, -1), expected, atol=1e-6)
    assert found.stim_ids is None and found.meta['hrf']['tr'] == 1.5 and found.meta['network'] == 'AlexNet'


def test_hrf_of_a_response_with_spaces(folder, run):
    assert run('db_hrf', '-act', 'x.act.h5', '-stim', 'run.stim.csv', '-tr', 2, '-n_vol', 20, '-hrf',
               'spm + derivative', '-out', 'out.act.h5')[0] == 0
    assert loaded().shape('conv') == (20, 16, 5, 4) and loaded().shape('fc') == (20, 40, 1, 1)


@pytest.mark.parametrize('command, rest', [
    ('dnn_mask', '-layer conv -chn 1 2 3'), ('dnn_pool', '-meth max'), ('dnn_fe', '-meth pca 3'),
    ('dnn_fe', '-meth hist 3 -axis chn'), ('db_hrf', '-stim all.stim.csv -tr 2 -n_vol 900'),
])
def test_a_layer_is_never_held_whole(rng, run, tmp_path, monkeypatch, command, rest):
    """What is read at once, and what is written at once, is a small part of the layer."""
    monkeypatch.chdir(tmp_path)
    activation = Activation('conv', rng.normal(size=(800, 8, 12, 12)).astype(np.float32))
    activation.stim_ids = np.arange(800).astype(str)
    activation.save('x.act.h5')
    Stimulus({'type': 'image', 'path': '.'}, {'stimID': np.arange(800).astype(str), 'onset': np.arange(800) * 2.2,
                                              'duration': np.ones(800)}).save('all.stim.csv')
    sizes, read = [], DiskLayer.__getitem__

    def counted(layer, slices):
        block = read(layer, slices)
        sizes.append(block.nbytes)
        return block
    monkeypatch.setattr(DiskLayer, '__getitem__', counted)
    for name in ('features.N_BYTES', 'principal.N_BYTES', 'hrf._BUDGET'):
        monkeypatch.setattr(f'dnnbrain.activation.{name}', 2 ** 16)
    monkeypatch.setattr(Activation.blocks, '__defaults__', ('stim', 2 ** 16))
    assert run(command, '-act', 'x.act.h5', *rest.split(), '-out', 'out.act.h5')[0] == 0
    assert len(sizes) > 8 and max(sizes) <= 800 * 8 * 144 * 4 / 20


FE, HRF = '-act x.act.h5 -out out.act.h5 -meth', '-act x.act.h5 -out out.act.h5 -n_vol 20'


def test_a_number_far_too_large_is_no_traceback(folder, run, monkeypatch):
    def too_much(*args):
        raise MemoryError('Unable to allocate 23.8 GiB')
    monkeypatch.setattr('dnnbrain.activation.hrf._kernels', too_much)
    before = sorted(folder.iterdir())
    code, _, err = run('db_hrf', *HRF.split(), '-tr', '2', '-stim', 'run.stim.csv')
    assert code == 1 and 'db_hrf: Unable to allocate 23.8 GiB' in err and sorted(folder.iterdir()) == before


@pytest.mark.parametrize('command, args, said', [
    ('dnn_mask', '-act no.act.h5 -out out.act.h5', 'does not exist'),
    ('dnn_mask', '-act x.act.h5 -out out.h5', "-out 'out.h5' must end in .act.h5"),
    ('dnn_mask', '-act x.act.h5 -out no/out.act.h5', "the folder 'no' does not exist"),
    ('dnn_mask', '-act x.act.h5 -chn 1 -out out.act.h5', '-chn needs -layer'),
    ('dnn_mask', '-act x.act.h5 -layer fc fc -chn 1 2 -out out.act.h5', 'a layer stands twice among fc, fc'),
    ('dnn_mask', '-act x.act.h5 -layer fd -out out.act.h5', 'choose from conv, fc'),
    ('dnn_mask', '-act x.act.h5 -layer fc -chn 21 -out out.act.h5', '21 is out of range; they count from 1 to 20'),
    ('dnn_mask', '-act x.act.h5 -layer fc -dmask x.dmask.csv -out out.act.h5', 'give either layers or a mask file'),
    ('dnn_pool', '-act x.act.h5 -meth min -out out.act.h5', "'min' is not one of"),
    ('dnn_fe', f'{FE} ica 3', "'ica' is not one of"),
    ('dnn_fe', f'{FE} pca', 'requires 2 arguments'),
    ('dnn_fe', f'{FE} pca ten', "-meth pca needs a number, such as 10, not 'ten'"),
    ('dnn_fe', f'{FE} pca 1.5', 'n_feat 1.5 is neither a whole number'),
    ('dnn_fe', f'{FE} pca nan', 'n_feat nan is neither a whole number'),
    ('dnn_fe', f'{FE} pca 21', "n_feat 21 is out of range for pca of layer 'fc', 60 stimuli and 20 units"),
    ('dnn_fe', f'{FE} hist 0', 'n_feat must be a whole number from 1 on for hist, not 0'),
    ('dnn_fe', f'{FE} hist 10000000', 'out of range for hist; give 1 to 1048576 bins'),
    ('dnn_fe', f'{FE} pca 3 -seed 1', '-seed goes with -meth srp; pca draws nothing'),
    ('dnn_fe', f'{FE} srp 3 -bins common', '-bins goes with -meth hist, not srp'),
    ('db_hrf', f'{HRF} -tr 2 -stim no.stim.csv', 'does not exist'),
    ('db_hrf', f'{HRF} -tr 2 -stim bare.stim.csv', "column 'onset' is not in 'bare.stim.csv'"),
    ('db_hrf', f'{HRF} -tr 2 -stim z.stim.csv', 'z.png'),
    ('db_hrf', f'{HRF} -tr 0 -stim run.stim.csv', '0.0 is not in the range x>0'),
    ('db_hrf', f'{HRF} -tr 2 -stim run.stim.csv -hrf fir', '-delay and -hrf fir go together'),
    ('db_hrf', f'{HRF} -tr 2 -stim run.stim.csv -delay 1', '-delay and -hrf fir go together'),
    ('db_hrf', f'{HRF} -tr 2 -stim run.stim.csv -hrf boxcar', "'boxcar' is not one of"),
])
def test_one_sentence_and_nothing_written(folder, run, command, args, said):
    before = sorted(folder.iterdir())
    code, out, err = run(command, *args.split())
    assert code == 2 and said in err and len(err.strip().splitlines()) == 1 and 'Traceback' not in err
    assert sorted(folder.iterdir()) == before and out == ''
