"""Reduction while extracting: the same as extracting whole and projecting with sklearn or the saved basis."""

import h5py
import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from dnnbrain.activation.basis import Basis
from dnnbrain.dnn.core import Activation

LAYERS = ['conv', 'fc']


@pytest.mark.parametrize('where', ['memory', 'file'])
def test_pca_of_a_training_list(tiny, stim, where, tmp_path):
    learned, tested = stim[:8], stim[8:]
    out = tmp_path / 'x.act.h5' if where == 'file' else None
    found = tiny.compute_activation(tested, LAYERS, reduce='pca:5', fit=learned, out=out, batch_size=3)
    train, test = (tiny.compute_activation(part, LAYERS) for part in (learned, tested))
    theirs = PCA(5, svd_solver='full').fit(train.get('conv').reshape(8, -1).astype(float))
    expected = theirs.transform(test.get('conv').reshape(4, -1))
    got = found.get('conv')
    assert got.shape == (4, 5, 1, 1) and list(found.stim_ids) == list(tested.get('stimID'))
    np.testing.assert_allclose(np.abs(got[:, :, 0, 0]), np.abs(expected), atol=1e-4)    # float32, signs are ours
    np.testing.assert_allclose(found.get('fc'), test.get('fc'), rtol=1e-5)              # 3 units: whole
    assert not list(tmp_path.glob('.fit-*'))


def test_random_directions_are_kept_beside_the_file(tiny, stim, tmp_path):
    found = tiny.compute_activation(stim, LAYERS, reduce='srp:20', rng=4, out=tmp_path / 'x.act.h5')
    basis = Basis.load(tmp_path / 'x.basis.h5')
    whole = tiny.compute_activation(stim, LAYERS)
    assert found.get('conv').shape == (12, 20, 1, 1)
    np.testing.assert_allclose(found.get('conv'), basis.transform(whole).get('conv'), atol=1e-5)
    again = tiny.compute_activation(stim, LAYERS, reduce='srp:20', rng=4)
    np.testing.assert_array_equal(again.get('conv'), found.get('conv'))
    used = tiny.compute_activation(stim, LAYERS, reduce=tmp_path / 'x.basis.h5')
    np.testing.assert_array_equal(used.get('conv'), found.get('conv'))
    assert not np.allclose(tiny.compute_activation(stim, 'conv', reduce='srp:20', rng=5).get('conv'), found.get('conv'))


def test_a_basis_fitted_once(tiny, stim, tmp_path):
    basis = tiny.fit_basis(stim[:8], LAYERS, 4, pool_method=None, batch_size=3)
    basis.save(tmp_path / 'y.basis.h5')
    one = tiny.compute_activation(stim, LAYERS, reduce=basis)
    shards = [tiny.compute_activation(stim, LAYERS, reduce=tmp_path / 'y.basis.h5', batch_size=3, shard=(i, 2),
                                      out=tmp_path / f'{i}.act.h5') for i in (1, 2)]
    merged = Activation.merge([tmp_path / f'{i}.act.h5' for i in (1, 2)], tmp_path / 'all.act.h5')
    np.testing.assert_allclose(merged.get('conv'), one.get('conv'), atol=1e-5)
    assert sum(len(shard) for shard in shards) == 12 and not (tmp_path / '1.basis.h5').exists()


@pytest.mark.parametrize('how', [{'reduce': 'pca:5'}, {'reduce': 'srp:6', 'rng': 1}])
def test_resumed_in_the_same_basis(tiny, stim, how, tmp_path, monkeypatch):
    how = how | {'fit': stim[:8]} if 'pca' in how['reduce'] else how
    whole = tiny.compute_activation(stim, LAYERS, batch_size=4, out=tmp_path / 'whole.act.h5', **how)
    shown, forward = [], tiny.model[4].forward

    def breaks(x):
        shown.append(len(x))
        if len(shown) == 2 + 2 * ('fit' in how):            # in the second batch, after the fit's two
            raise KeyboardInterrupt
        return forward(x)
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(tiny.model[4], 'forward', breaks)
        tiny.compute_activation(stim, LAYERS, batch_size=4, out=tmp_path / 'x.act.h5', resume=True, **how)
    before = (tmp_path / 'x.basis.h5').stat().st_mtime_ns
    with monkeypatch.context() as counting:
        shown.clear()
        counting.setattr(tiny.model[4], 'forward', lambda x: (shown.append(len(x)), forward(x))[1])
        resumed = tiny.compute_activation(stim, LAYERS, batch_size=4, out=tmp_path / 'x.act.h5', resume=True, **how)
    assert sum(shown) == 12                                 # the training list is not shown again
    np.testing.assert_array_equal(resumed.get('conv'), whole.get('conv'))
    assert before <= (tmp_path / 'x.basis.h5').stat().st_mtime_ns
    with pytest.raises(ValueError, match='holds other content'):
        tiny.compute_activation(stim, LAYERS, batch_size=4, out=tmp_path / 'x.act.h5', resume=True, reduce='srp:7')


def test_after_mask_and_pooling(tiny, stim, tmp_path):
    from dnnbrain.dnn.core import Mask
    mask = Mask('conv', channels=[2, 4])
    basis = tiny.fit_basis(stim, mask, 1, 'max')
    found = tiny.compute_activation(stim, mask, 'max', reduce=basis).get('conv')
    pooled = tiny.compute_activation(stim, mask, 'max').get('conv').reshape(12, 2)
    theirs = PCA(1).fit_transform(pooled.astype(float))
    np.testing.assert_allclose(np.abs(found[:, 0, 0]), np.abs(theirs), atol=1e-5)
    with pytest.raises(ValueError, match='mask, pooling and size of pictures'):
        tiny.compute_activation(stim, mask, reduce=basis)


@pytest.mark.parametrize(('how', 'message'), [
    ({'reduce': 'pca:5'}, 'learned from a training list; give it as fit'),
    ({'reduce': 'srp:5', 'fit': 1}, 'leave fit out'),
    ({'fit': 1}, "fit goes with reduce='pca:N'"),
    ({'reduce': 'pca:5', 'fit': 1, 'shard': (1, 2), 'batch_size': 2}, 'each shard would fit components of its own'),
    ({'reduce': 3}, 'reduce must be'), ({'reduce': 'pca:x'}, 'give srp:N or pca:N'),
    ({'reduce': 'none.basis.h5'}, 'does not exist'), ({'reduce': 'NONE.BASIS.H5'}, 'does not exist'),
    ({'reduce': 'srp:5', 'rng': np.random.default_rng(0)}, 'rng must be a whole number'),
])
def test_wrong_input(tiny, stim, how, message):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        tiny.compute_activation(stim, 'conv', **how)
    assert isinstance(tiny.model[0], torch.nn.Conv2d) and not tiny.model[0]._forward_hooks


def test_a_training_list_with_nan(tiny, stim):
    handle = tiny.model[0].register_forward_hook(lambda module, args, out: out.index_fill(0, torch.tensor(0), np.nan))
    with pytest.raises(ValueError, match="layer 'conv' holds NaN or infinite activations for 1 stimuli"):
        tiny.fit_basis(stim, LAYERS, 3)
    handle.remove()


@pytest.mark.parametrize('what', ['fewer units', 'no group', 'units beyond'])
def test_a_basis_that_does_not_fit_together(tiny, stim, tmp_path, what):
    tiny.compute_activation(stim, 'conv', reduce='srp:5', out=tmp_path / 'x.act.h5')
    with h5py.File(tmp_path / 'x.basis.h5', 'r+') as file:
        if what == 'fewer units':
            file['conv'].attrs['shape'] = [4, 1, 1]
        elif what == 'units beyond':
            file['conv/indices'][0] = 10_000
        else:
            del file['conv']
            file['conv'] = np.zeros(3)
    with pytest.raises(ValueError, match='does not fit together; fit or draw it anew|not a basis that dnnbrain wrote'):
        tiny.compute_activation(stim, 'conv', reduce=tmp_path / 'x.basis.h5')


def test_a_basis_that_was_deleted_is_made_again(tiny, stim, tmp_path):
    how = {'reduce': 'pca:3', 'fit': stim[:8], 'out': tmp_path / 'x.act.h5', 'resume': True}
    tiny.compute_activation(stim, LAYERS, **how)
    before, stamp = Basis.load(tmp_path / 'x.basis.h5').digest(), (tmp_path / 'x.act.h5').stat().st_mtime_ns
    (tmp_path / 'x.basis.h5').unlink()
    tiny.compute_activation(stim, LAYERS, **how)
    assert Basis.load(tmp_path / 'x.basis.h5').digest() == before
    assert (tmp_path / 'x.act.h5').stat().st_mtime_ns == stamp


def test_where_the_basis_goes_is_looked_at_first(tiny, stim, tmp_path, caplog):
    (tmp_path / 'x.basis.h5').mkdir()
    for how in ({'reduce': 'srp:5'}, {'reduce': 'pca:3', 'fit': stim}):
        with pytest.raises(ValueError, match="basis file .*x.basis.h5' is a folder"):
            tiny.compute_activation(stim, LAYERS, out=tmp_path / 'x.act.h5', **how)
    assert [f.name for f in tmp_path.iterdir()] == ['x.basis.h5'] and not caplog.text


def test_a_fit_that_breaks_off_is_gone(tiny, stim, tmp_path, caplog, monkeypatch):
    forward, shown = tiny.model[4].forward, []

    def breaks(x):
        shown.append(x)
        if len(shown) == 3:
            raise KeyboardInterrupt
        return forward(x)
    monkeypatch.setattr(tiny.model[4], 'forward', breaks)
    with pytest.raises(KeyboardInterrupt):
        tiny.compute_activation(stim, LAYERS, batch_size=2, reduce='pca:3', fit=stim, out=tmp_path / 'x.act.h5')
    assert not list(tmp_path.glob('*.h5*')) and not list(tmp_path.glob('.fit-*')) and 'resume' not in caplog.text


def test_no_basis_stays_where_the_disk_refuses(tiny, stim, tmp_path, monkeypatch):
    monkeypatch.setattr('dnnbrain.io.act_resume.shutil.disk_usage', lambda path: type('Usage', (), {'free': -1e12})())
    with pytest.raises(ValueError, match='choose another disk'):
        tiny.compute_activation(stim, LAYERS, reduce='srp:5', out=tmp_path / 'x.act.h5')
    assert not list(tmp_path.glob('x.*h5*'))


def test_command(stim, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stim[:8].save('learn.stim.csv')
    stim[8:].save('test.stim.csv')
    what = ['-net', 'Resnet10', '-random', '-seed', '1', '-layer', 'conv1', 'fc', '-out', 'x.act.h5']
    code, said, _ = run('dnn_act', *what, '-stim', 'test.stim.csv', '-reduce', 'pca:5', '-dry-run')
    assert code == 0 and '4 x 5 x 1 x 1' in said and not list(tmp_path.glob('x.*'))
    assert run('dnn_act', *what, '-stim', 'test.stim.csv', '-reduce', 'pca:5', '-fit', 'learn.stim.csv')[0] == 0
    first = Activation()
    first.load('x.act.h5')
    found = first.get('conv1')
    assert found.shape == (4, 5, 1, 1) and first.meta['reduce'].startswith('pca:5')
    assert run('dnn_act', *what[:-1], 'y.act.h5', '-stim', 'test.stim.csv', '-reduce', 'x.basis.h5')[0] == 0
    again = Activation()
    again.load('y.act.h5')
    np.testing.assert_array_equal(again.get('conv1'), found)
    code, _, said = run('dnn_act', *what, '-stim', 'test.stim.csv', '-reduce', 'pca:5')
    assert code == 2 and 'learned from a training list' in said
