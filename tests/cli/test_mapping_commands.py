"""db_encode, db_corr, db_decode, dnn_probe: every option, the same numbers as from Python, files, wrong input."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from dnnbrain.brain.core import BrainDecoder, BrainEncoder
from dnnbrain.brain.responses import Responses
from dnnbrain.dnn.core import Activation, DnnProbe, Mask, Stimulus
from dnnbrain.mapping.inference.ceiling import noise_ceiling
from dnnbrain.mapping.mapper import make_mapping
from dnnbrain.mapping.model_sets import load_models
from dnnbrain.mapping.models import load_model
from dnnbrain.mapping.unit_chance import units_by_chance

N = 24


def loaded(name, *args):
    found = Activation() if name.endswith('act.h5') else Stimulus()
    found.load(name, *args)
    return found


def ok(run, command, *args):
    code, table, err = run(command, *' '.join(map(str, args)).split())
    assert code == 0, err
    return table


def same(path, values):
    np.testing.assert_allclose(np.load(path), values, rtol=1e-6, atol=1e-9)


class TestEncode:
    @pytest.mark.parametrize('anal, model, more, settings', [
        ('mv', 'ridge', '-alpha 1 10 100 -zscore', {'alphas': (1, 10, 100), 'standardise': True}),
        ('mv', 'glm', '', {}),
        ('mv', 'lasso', '-alpha 0.1', {'alpha': 0.1}),
        ('mv', 'pls', '-n_components 3', {'n_components': 3}),
        ('uv', 'glm', '-selection in_sample', {'selection': 'in_sample'}),
        ('uv', 'lasso', '-alpha .2', {'alpha': 0.2}),
        ('uv', 'corr', '', {}),
        ('mv', 'svc', '-C 2', {'C': 2}),
        ('uv', 'lrc', '-C .5', {'C': 0.5}),
    ])
    def test_each_model_as_from_python(self, run, out, anal, model, more, settings):
        resp = 'labels.roi.h5' if model in ('svc', 'lrc') else 'x.roi.h5'
        ok(run, 'db_encode', '-anal', anal, '-act x.act.h5 -layer conv -resp', resp, '-model', model, more,
           '-cv 4 -seed 3 -out', out)
        encoder = BrainEncoder(Responses.load(resp).values, anal, model, 4, rng=3, **settings)
        found = encoder.encode_dnn(loaded('x.act.h5'))['conv']
        for key in set(found) - {'model', 'conf_m'}:
            same(out / 'conv' / f'{key}.npy', found[key])
        if model == 'corr':
            assert not (out / 'conv' / 'model.h5').exists()
            return
        models, X = load_models(out / 'conv' / 'model.h5'), loaded('x.act.h5')
        if anal == 'mv':
            np.testing.assert_allclose(models[0, 0].predict(X, train=X).astype(float),
                                       found['model'][0, 0].predict(X, train=X).astype(float), rtol=1e-6)
        else:
            unit = X.get('conv')[(slice(None), *(found['location'][0, 1] - 1))]
            assert models.shape == found['model'].shape
            np.testing.assert_array_equal(models[0, 1].predict(unit), found['model'][0, 1].predict(unit))
        if 'conf_m' in found:                                      # 2 and 3 classes in one array
            matrices = np.load(out / 'conv' / 'conf_m.npy')
            np.testing.assert_array_equal(matrices[0, 0, 1, :2, :2], found['conf_m'][0, 0, 1])
            np.testing.assert_array_equal(matrices[0, 1, 1], found['conf_m'][0, 1, 1])
            assert matrices.shape == (1, 2, 4, 3, 3) and not matrices[0, 0, :, 2].any()

    def test_joined_by_id_with_runs_ceiling_and_permutations(self, run, out):
        """Volumes in another order give the same ceiling, and in the same folds the same scores."""
        table = ok(run, 'db_encode', '-anal mv -act x.act.h5 -resp twice.nii.gz -bmask mask.nii -stim twice.stim.csv',
                   '-model ridge -alpha 5 -scoring correlation -ceiling -perm 19 -seed 1 -jobs 1 -out', out)
        assert table.split()[:6] == ['layer', 'mean', 'median', 'max', 'n_voxel', 'n_preferred']
        responses, shown = Responses.load('twice.nii.gz', 'mask.nii'), loaded('twice.stim.csv').get('stimID')
        encoder = BrainEncoder(responses.values, 'mv', 'ridge', 3, 'correlation', stim_ids=shown, alphas=5, rng=1)
        expected = encoder.encode_dnn(loaded('x.act.h5'), n_perm=19)
        ceiling = noise_ceiling(responses.values, shown).of('correlation')
        inside = nib.load('mask.nii').get_fdata() == 1
        assert nib.load(out / 'ceiling.nii.gz').get_fdata()[inside] == pytest.approx(ceiling)
        for layer, found in expected.items():
            for key in ('score', 'p', 'p_family'):
                same(out / layer / f'{key}.npy', found[key])
            maps = {name: nib.load(out / layer / f'{name}.nii.gz').get_fdata() for name in
                    ('score', 'p', 'p_family', 'score_normalised')}
            assert all(np.isnan(values[~inside]).all() for values in maps.values())
            score = found['score'][0].mean(axis=-1)
            assert maps['score'][inside] == pytest.approx(score)
            assert maps['p_family'][inside] == pytest.approx(found['p_family'][0])
            assert maps['score_normalised'][inside] == pytest.approx(score / ceiling)
            load_model(out / layer / 'model.h5').predict(loaded('x.act.h5'), train=loaded('x.act.h5'))
        record = json.loads((out / 'result.json').read_text())
        assert record['settings'] | {'cv': 3, 'seed': 1, 'perm': 19, 'alpha': [5.0], 'command': 'db_encode'} == \
            record['settings']
        assert record['n_vol'] == 2 * N and record['n_meas'] == 10 and record['versions']['numpy'] == np.__version__
        assert len(record['fold']) == 2 * N and set(record['fold']) == {1, 2, 3}
        assert record['fold'][:N] == record['fold'][N:]              # both presentations of a stimulus
        scores = pd.read_csv(out / 'scores.csv')
        assert scores.columns.tolist() == ['layer', 'fold', 'n', 'mean', 'median'] and len(scores) == 6
        assert scores['mean'][4] == pytest.approx(expected['fc']['score'][0, :, 1].mean())

    def test_another_order_of_volumes(self, run, out):
        """A fold is a set of runs, whatever the order of the rows."""
        for name in ('twice', 'mixed'):
            ok(run, 'db_encode', '-anal mv -act x.act.h5 -resp', f'{name}.nii.gz -stim {name}.stim.csv -group run',
               '-cv 4 -model ridge -alpha 1 -out', out / name)
        first, second = (np.sort(np.load(out / name / 'fc' / 'score.npy'), axis=-1) for name in ('twice', 'mixed'))
        np.testing.assert_allclose(first, second, rtol=1e-5)

    @pytest.mark.filterwarnings('default')
    def test_repeats_in_several_groups_are_told(self, run, out):
        table = loaded('twice.stim.csv')
        table.set('half', np.arange(2 * N) // N)
        table.save(out.parent / 'half.stim.csv')
        args = '-anal mv -act x.act.h5 -layer fc -resp twice.nii.gz -model glm -cv 2 -group half -stim'.split()
        _, _, err = run('db_encode', *args,
                        out.parent / 'half.stim.csv', '-out', out)
        assert err.startswith('Warning: 24 stimuli are shown in several groups, so that models are tested on stimuli')

    def test_iterations_and_resampled_mask(self, run, out):
        ok(run, 'db_encode', '-anal uv -act x.act.h5 -layer conv -iteraxis row_col -resp once.nii.gz -bmask fine.nii',
           '-resample -model glm -out', out)
        place = out / 'conv' / 'row_col'
        assert np.load(place / 'score.npy').shape == (4, 12, 3) and np.load(place / 'location.npy').shape == (4, 12, 3)
        assert nib.load(place / 'score.nii.gz').shape == (3, 2, 2, 4)
        assert load_models(place / 'model.h5').shape == (4, 12)
        scores = pd.read_csv(out / 'scores.csv')
        assert scores[['row', 'column', 'fold']].drop_duplicates().shape == (12, 3) and scores['row'].max() == 2

    @pytest.mark.parametrize('axis, options, expected', [
        ('channel', '-layer conv -chn 2', {'channel': [2, 2]}),
        ('row_col', '-dmask {}', {'row': [2, 2], 'column': [2, 1]})])
    def test_iterations_by_their_number_in_the_network(self, run, out, axis, options, expected):
        """They were counted among those that -chn or -dmask kept."""
        mask = out.parent / 'x.dmask.csv'
        Mask('conv', 'all', [2], [2, 1]).save(mask)
        ok(run, 'db_encode', '-anal mv -act x.act.h5 -resp once.nii.gz -model glm -cv 2 -iteraxis', axis,
           *options.format(mask).split(), '-out', out)
        scores = pd.read_csv(out / 'scores.csv')
        scores = scores[scores['fold'] == 1] if axis == 'row_col' else scores
        assert {name: scores[name].tolist() for name in expected} == expected

    def test_banded(self, run, out):
        ok(run, 'db_encode', '-anal mv -act x.act.h5 -resp x.roi.h5 -roi FFA V1 -model banded -scoring r2 -out', out)
        encoder = BrainEncoder(Responses.load('x.roi.h5', None, ['FFA', 'V1']).values, 'mv', 'banded', 3, 'r2')
        found = encoder.encode_dnn(loaded('x.act.h5'))
        same(out / 'conv' / 'score.npy', found['conv']['score'])
        same(out / 'conv' / 'unique.npy', found['conv']['unique'])
        same(out / 'joint.npy', found['fc']['joint'])
        X = loaded('x.act.h5')
        np.testing.assert_allclose(load_model(out / 'model.h5').predict(X, train=X),
                                   found['fc']['model'][0, 0].predict(X, train=X))
        assert pd.read_csv(out / 'joint.csv').columns.tolist() == ['FFA', 'V1']
        assert pd.read_csv(out / 'scores.csv').columns.tolist() == ['layer', 'roi', 'fold', 'score']

    def test_a_scan(self, run, out):
        """Volumes are points in time, which see the layer through the haemodynamic response."""
        events = Stimulus({'type': 'image', 'path': '.'}, {'stimID': [f'{i}.png' for i in range(N)],
                                                           'onset': np.arange(N) * 4.0, 'duration': np.full(N, 2.0)})
        events.save(out.parent / 'events.stim.csv')
        ok(run, 'db_encode', '-anal mv -act x.act.h5 -layer fc -resp twice.nii.gz -model ridge -hrf -stim',
           out.parent / 'events.stim.csv', '-out', out)
        encoder = BrainEncoder(Responses.load('twice.nii.gz').values, 'mv', 'ridge', 3, stim_ids=events.get('stimID'),
                               hrf=(events.get('onset'), events.get('duration'), 2.0))
        same(out / 'fc' / 'score.npy', encoder.encode_dnn(loaded('x.act.h5'))['fc']['score'])
        fold = json.loads((out / 'result.json').read_text())['fold']
        assert np.count_nonzero(np.diff(fold)) == 2                     # stretches of time


class TestCorr:
    @pytest.mark.parametrize('axis', [None, 'channel'])
    def test_regions(self, run, out, axis):
        ok(run, 'db_corr', '-act x.act.h5 -resp x.roi.h5 -roi V1 FFA -perm 19 -seed 2',
           f'-iteraxis {axis}' if axis else '', '-out', out)
        encoder = BrainEncoder(Responses.load('x.roi.h5', None, ['V1', 'FFA']).values, 'uv', 'corr', rng=2)
        for layer, found in encoder.encode_dnn(loaded('x.act.h5'), axis, n_perm=19).items():
            place = out / layer / axis if axis else out / layer
            np.testing.assert_allclose(pd.read_csv(place / 'score.csv')[['V1', 'FFA']], found['score'])
            np.testing.assert_allclose(pd.read_csv(place / 'p_family.csv'), found['p_family'])
            same(place / 'location.npy', found['location'])

    def test_maps(self, run, out):
        ok(run, 'db_corr', '-act x.act.h5 -layer conv -chn 2 -resp twice.nii.gz -bmask mask.nii -ceiling',
           '-stim twice.stim.csv -out', out)
        inside = nib.load('mask.nii').get_fdata() == 1
        Y = Responses.load('twice.nii.gz', 'mask.nii').values
        X = np.tile(loaded('x.act.h5').get('conv')[:, 1].reshape(N, -1), (2, 1))
        r = np.corrcoef(X.T, Y.T)[:4, 4:]
        largest = r[np.abs(r).argmax(axis=0), np.arange(10)]
        assert nib.load(out / 'conv' / 'score.nii.gz').get_fdata()[inside] == pytest.approx(largest, rel=1e-5)
        assert (np.load(out / 'conv' / 'location.npy')[0, :, 0] == 1).all()        # of what was selected
        assert (out / 'conv' / 'score_normalised.nii.gz').exists()


class TestDecode:
    @pytest.mark.parametrize('anal, model', [('mv', 'ridge'), ('mv', 'pls'), ('uv', 'lasso'), ('uv', 'corr')])
    def test_as_from_python(self, run, out, anal, model):
        table = ok(run, 'db_decode', '-anal', anal, '-resp once.nii.gz -bmask mask.nii -act x.act.h5 -model', model,
                   '-out', out)
        values = Responses.load('once.nii.gz', 'mask.nii').values
        decoder = BrainDecoder(values, anal, model, 3)
        for layer, found in decoder.decode_dnn(loaded('x.act.h5')).items():
            for key in set(found) - {'model'}:
                same(out / layer / f'{key}.npy', found[key])
            if anal == 'mv':
                model_ = load_model(out / layer / 'model.h5')
                np.testing.assert_allclose(model_.predict(values[:4]), found['model'][0, 0, 0].predict(values[:4]))
        scores = pd.read_csv(out / 'scores.csv')
        assert scores['layer'].nunique() == 2 and 'n_unit' in table
        assert len(scores) == (2 if model == 'corr' else 6)

    @pytest.mark.parametrize('anal, model', [('mv', 'glm'), ('uv', 'corr')])
    def test_permutations(self, run, out, anal, model):
        ok(run, 'db_decode', '-anal', anal, '-resp twice.nii.gz -stim twice.stim.csv -group run -act x.act.h5 -perm 19',
           '-model', model, '-scoring r2 -seed 5 -out', out)
        shown, values = loaded('twice.stim.csv'), Responses.load('twice.nii.gz').values
        mapping, groups = make_mapping(anal, model, 3, 'r2', rng=5), shown.get('run')
        rows = [int(name.removesuffix('.png')) for name in shown.get('stimID')]
        expected = units_by_chance(values, loaded('x.act.h5'), mapping, rows, groups, n_perm=19, within=groups,
                                   together=shown.get('stimID'))
        for layer, found in expected.items():
            same(out / layer / 'p.npy', found['p'])
            same(out / layer / 'p_family.npy', found['p_family'])
        assert np.load(out / 'fc' / 'p_family.npy').min() == 0.05

    def test_joined_by_id(self, run, out):
        for name in ('twice', 'mixed'):
            ok(run, 'db_decode', '-anal mv -act x.act.h5 -layer fc -resp', f'{name}.nii.gz -stim {name}.stim.csv',
               '-group run -cv 4 -model glm -out', out / name)
        first, second = (np.sort(np.load(out / name / 'fc' / 'score.npy'), axis=-1) for name in ('twice', 'mixed'))
        np.testing.assert_allclose(first, second, rtol=1e-4)


class TestProbe:
    @pytest.mark.parametrize('anal, model, beh, axis', [
        ('mv', 'ridge', ['mood', 'age'], None), ('uv', 'corr', ['mood', 'age'], 'channel'),
        ('uv', 'glm', ['age'], 'row_col'), ('mv', 'lrc', ['condition', 'label'], None), ('uv', 'svc', ['label'], None)])
    def test_as_from_python(self, run, out, anal, model, beh, axis):
        """Rows of -stim come in another order than the activations."""
        more = '-perm 9' if model == 'corr' else ''
        table = ok(run, 'dnn_probe', '-anal', anal, '-act x.act.h5 -stim beh.stim.csv -beh', *beh, '-model', model,
                   f'-iteraxis {axis}' if axis else '', more, '-out', out)
        stim = loaded('beh.stim.csv')
        measures = np.column_stack([stim.get(name) for name in beh])
        probe = DnnProbe(loaded('x.act.h5'), anal, model, 3, stim_ids=stim.get('stimID'))
        for layer, found in probe.probe(measures, axis, n_perm=9 if more else 0).items():
            place = out / layer / axis if axis else out / layer
            for key in set(found) - {'model', 'conf_m'}:
                same(place / f'{key}.npy', found[key])
            if model != 'corr':
                assert load_models(place / 'model.h5')[0, 0] is not None
            if 'conf_m' in found:
                matrices = np.load(place / 'conf_m.npy')
                np.testing.assert_array_equal(matrices[0, -1, 2], found['conf_m'][0, -1, 2])
                assert matrices.sum() == N * len(beh)                # every stimulus is held out once
        scores, record = pd.read_csv(out / 'scores.csv'), json.loads((out / 'result.json').read_text())
        assert set(scores['measure']) == set(beh) and all(name in table for name in beh)
        assert ('channel' in scores) == (axis == 'channel') and record['settings']['beh'] == beh
        if model == 'lrc':
            assert record['classes'] == {'condition': ['cat', 'dog'], 'label': ['0', '1', '2']}
            assert len(record['fold']['label']) == N

    def test_rows_are_joined(self, run, out):
        """mood is fc's first unit with noise; by the order of rows nothing would be found."""
        ok(run, 'dnn_probe', '-anal uv -act x.act.h5 -stim beh.stim.csv -beh mood -model corr -out', out)
        assert np.load(out / 'fc' / 'score.npy')[0, 0] > 0.9
        np.testing.assert_array_equal(np.load(out / 'fc' / 'location.npy'), [[[1, 1, 1]]])

