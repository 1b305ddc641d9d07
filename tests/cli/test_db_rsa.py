"""db_rsa: layers against regions and subjects, from files to a table, settings and pictures."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import pdist
from scipy.stats import false_discovery_control, pearsonr, spearmanr, zscore

from dnnbrain.cli.db_rsa import METHODS
from dnnbrain.dnn.core import RDM, Stimulus
from dnnbrain.mapping.rsa.compare import METHODS as COMPARED

N = 14
IDS = [f'{i:02d}.png' for i in range(N)]
SUBJECTS = ('sub1', 'sub2', 'sub3')


@pytest.fixture(scope='module')
def truth():
    """Triangles: two layers (one drives IT), three subjects with V1 and IT."""
    rng = np.random.default_rng(5)
    late = rng.standard_normal((N, 4))
    layers = {'early': pdist(rng.standard_normal((N, 4))), 'late': pdist(late)}
    people = {name: {'V1': pdist(rng.standard_normal((N, 4))),
                     'IT': pdist(late + 0.5 * rng.standard_normal((N, 4)))} for name in SUBJECTS}
    return layers, people


@pytest.fixture
def files(truth, tmp_path, monkeypatch):
    """The same as files in the working directory; items of the brain stand in another order."""
    monkeypatch.chdir(tmp_path)
    layers, people = truth
    save('net', 'dRDM', {name: pairs[None] for name, pairs in layers.items()})
    other = np.random.default_rng(1).permutation(N)
    for name, regions in people.items():
        save(name, 'bRDM', regions, order=other)
    Stimulus({}, {'stimID': IDS[::-1], 'condition': ['tool', 'face'] * (N // 2)}).save('items.stim.csv')
    return tmp_path


def save(name, kind, rdms, ids=IDS, order=None):
    rdm = RDM(kind, ids)
    for key, pairs in rdms.items():
        rdm.set(key, pairs, triu=True)
    (rdm if order is None else rdm[order]).save(f'{name}.rdm.h5')


def table(place, name='rsa.csv'):
    return pd.read_csv(place / 'out' / name)


def test_one_brain(files, truth, run):
    layers, people = truth
    code, out, err = run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'sub1.rdm.h5', '-method', 'spearman', '-iter', '200',
                         '-sig', 'permutation', 'bootstrap', '-cate', 'items.stim.csv', '-out', 'out')
    assert code == 0 and not err
    found = table(files)
    assert found[['layer', 'roi']].to_numpy().tolist() == [['early', 'V1'], ['late', 'V1'], ['early', 'IT'],
                                                           ['late', 'IT']]
    expected = [spearmanr(layers[row.layer], people['sub1'][row.roi])[0] for row in found.itertuples()]
    np.testing.assert_allclose(found['r'], expected, atol=1e-12)
    np.testing.assert_allclose(found['fdr'], false_discovery_control(found['p']))
    assert found['p'][3] == pytest.approx(1 / 201) and found['p'][:3].min() > 0.03      # only the last is related
    assert ((found['low'] < found['r']) & (found['r'] < found['high'])).all() and found['low'][3] > 0
    assert found['ceiling_lower'].isna().all() and (found['n_subject'] == 1).all() and set(found['network']) == {'net'}
    assert 'late' in out and 'ceiling' not in out
    record = json.loads((files / 'out' / 'result.json').read_text())
    assert record['settings']['method'] == 'spearman' and record['settings']['n_item'] == N
    assert set(record['versions']) >= {'dnnbrain', 'numpy'} and not (files / 'out' / 'subjects.csv').exists()
    for name in ('rdms', 'profile', 'mds'):
        with Image.open(files / 'out' / f'{name}.png') as picture:
            assert picture.width > 400 and np.asarray(picture.convert('L')).std() > 5


def test_several_subjects(files, truth, run):
    layers, people = truth
    code, _, err = run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', *(f'{name}.rdm.h5' for name in SUBJECTS), '-iter',
                       '200', '-ceiling', '-sig', 'permutation', 'bootstrap', '-roi', 'IT', '-out', 'out')
    assert code == 0 and not err
    each, found = table(files, 'subjects.csv'), table(files)
    assert each['subject'].tolist() == [name for name in SUBJECTS for _ in layers]
    np.testing.assert_allclose(each['r'], [pearsonr(layers[row.layer], people[row.subject]['IT'])[0]
                                           for row in each.itertuples()], atol=1e-12)
    np.testing.assert_allclose(found['r'], each.groupby('layer')['r'].mean()[['early', 'late']])
    Z = zscore([people[name]['IT'] for name in SUBJECTS], axis=1)
    lower = np.mean([pearsonr(Z[i], np.delete(Z, i, axis=0).mean(axis=0))[0] for i in range(3)])
    upper = np.mean([pearsonr(row, Z.mean(axis=0))[0] for row in Z])
    np.testing.assert_allclose(found[['ceiling_lower', 'ceiling_upper']], [[lower, upper]] * 2)
    assert found['p'][1] == pytest.approx(1 / 201) and (found['n_subject'] == 3).all()


def test_keys_of_a_file_as_subjects(files, truth, run):
    save('IT', 'bRDM', {name: regions['IT'] for name, regions in truth[1].items()})
    run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', *(f'{name}.rdm.h5' for name in SUBJECTS), '-roi', 'IT', '-iter', '50',
        '-out', 'out')
    by_files = table(files)
    code, _, _ = run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'IT.rdm.h5', '-subjects', 'keys', '-iter', '50', '-out',
                     'out')
    assert code == 0
    pd.testing.assert_frame_equal(table(files), by_files)


def test_seed_and_jobs(files, run):
    found = []
    for more in (['-seed', '1'], ['-seed', '1', '-jobs', '2'], ['-seed', '2']):
        run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'sub1.rdm.h5', '-iter', '60', *more, '-out', 'out')
        found.append(table(files))
    pd.testing.assert_frame_equal(found[0], found[1])
    assert (found[0]['p'] != found[2]['p']).any()


def test_iterations_and_networks(files, truth, rng, run):
    """A row per channel; the name of the network tells two apart."""
    save('deep', 'dRDM', {'late': np.stack([pdist(rng.standard_normal((N, 3))) for _ in range(3)])})
    code, _, _ = run('db_rsa', '-drdm', 'net.rdm.h5', 'deep.rdm.h5', '-layer', 'late', '-brdm', 'sub1.rdm.h5', '-roi',
                     'IT', '-iter', '20', '-out', 'out')
    found = table(files)
    assert code == 0 and found[['network', 'iteration']].to_numpy().tolist() == [['net', 1], ['deep', 1], ['deep', 2],
                                                                                 ['deep', 3]]
    assert not (files / 'out' / 'profile.png').exists()


def test_layers_of_networks_with_other_names(files, truth, run):
    save('deep', 'dRDM', {'block': truth[0]['late'][None]})
    chosen = 'db_rsa', '-drdm', 'net.rdm.h5', 'deep.rdm.h5', '-brdm', 'sub1.rdm.h5', '-iter', '5', '-out', 'out'
    code, _, err = run(*chosen, '-layer', 'late')
    assert code == 2 and '-layer names no layer of deep.rdm.h5; name one of block' in err
    code, *_ = run(*chosen, '-layer', 'late', 'block', '-roi', 'IT')
    assert code == 0 and table(files)[['network', 'layer']].to_numpy().tolist() == [['net', 'late'], ['deep', 'block']]


@pytest.mark.parametrize('method', METHODS)
def test_methods(files, truth, method):
    from dnnbrain.brain.rsa_profile import rsa_profile
    from dnnbrain.mapping.rsa.compare import compare
    networks, people = ({name: RDM() for name in names} for names in (['net'], SUBJECTS[:1]))
    for rdm, name in [(networks['net'], 'net'), (people['sub1'], 'sub1')]:
        rdm.load(f'{name}.rdm.h5')
    found = rsa_profile(networks, people, method, sig=())
    expected = compare(list(truth[0].values()), list(truth[1]['sub1'].values()), method)
    np.testing.assert_allclose(found['r'], expected.T.ravel(), atol=1e-12)


def test_methods_are_those_of_the_library():
    assert set(METHODS) == set(COMPARED)


@pytest.mark.filterwarnings('default')
def test_without_ids_the_order_is_trusted_and_that_is_said(files, truth, run):
    save('plain', 'bRDM', truth[1]['sub1'], ids=None)
    _, _, err = run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'plain.rdm.h5', '-iter', '20', '-out', 'out')
    plain = table(files)
    assert err == 'Warning: an RDM has no item IDs; its items are taken to be in the order of the others\n'
    run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'sub1.rdm.h5', '-iter', '20', '-out', 'out')
    np.testing.assert_allclose(plain['r'], table(files)['r'])


@pytest.mark.filterwarnings('default')
def test_subjects_are_matched_where_the_network_has_no_ids(files, truth, run):
    """Else items of subjects whose files are in different orders would be mixed."""
    save('plain', 'dRDM', {'late': truth[0]['late'][None]}, ids=None)
    save('sub1', 'bRDM', truth[1]['sub1'])
    Stimulus({}, {'stimID': IDS[::-1], 'condition': list('abcdefg') * 2}).save('items.stim.csv')
    code, _, _ = run('db_rsa', '-drdm', 'plain.rdm.h5', '-brdm', 'sub1.rdm.h5', 'sub2.rdm.h5', '-iter', '20', '-out',
                     'out', '-cate', 'items.stim.csv')
    each = table(files, 'subjects.csv').query('roi == "IT"')
    assert code == 0
    np.testing.assert_allclose(each['r'], [pearsonr(truth[0]['late'], truth[1][name]['IT'])[0]
                                           for name in ('sub1', 'sub2')], atol=1e-12)


def test_a_folder_holds_one_analysis(files, truth, run):
    save('deep', 'dRDM', {'late': np.stack(list(truth[0].values()))})
    run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'sub1.rdm.h5', 'sub2.rdm.h5', '-iter', '5', '-out', 'out')
    assert (files / 'out' / 'subjects.csv').exists() and (files / 'out' / 'profile.png').exists()
    run('db_rsa', '-drdm', 'deep.rdm.h5', '-brdm', 'sub1.rdm.h5', '-iter', '5', '-out', 'out')
    assert sorted(path.name for path in (files / 'out').iterdir()) == ['mds.png', 'rdms.png', 'result.json', 'rsa.csv']


@pytest.mark.parametrize('args, words', [
    (['-brdm', 'other.rdm.h5'], "1 items are not in other: 00.png"),
    (['-brdm', 'few.rdm.h5'], 'items are not in few'),
    (['-brdm', 'net.rdm.h5'], '-brdm net.rdm.h5 holds RDMs of layers (dRDM); give it to -drdm'),
    (['-brdm', 'sub1.rdm.h5', 'sub1.rdm.h5'], '-brdm names a file twice'),
    (['-brdm', 'sub1.rdm.h5', 'IT.rdm.h5'], 'must have the same regions: sub1 has V1, IT, and IT has IT'),
    (['-brdm', 'sub1.rdm.h5', 'sub2.rdm.h5', '-subjects', 'keys'], '-subjects keys takes one file of -brdm, not 2'),
    (['-brdm', 'sub1.rdm.h5', '-ceiling'], 'a ceiling needs the RDMs of several subjects, and one came'),
    (['-brdm', 'sub1.rdm.h5', 'sub2.rdm.h5', '-sig', 'bootstrap'], 'two subjects are too few to be drawn again'),
    (['-brdm', 'sub1.rdm.h5', '-roi', 'V9'], "-roi 'V9' is not in sub1.rdm.h5"),
    (['-brdm', 'sub1.rdm.h5', '-layer', 'lat'], "-layer 'lat' is not in net.rdm.h5; did you mean 'late'?"),
    (['-brdm', 'sub1.rdm.h5', '-cate', 'few.stim.csv'], '4 stimuli are not in the table: 10.png'),
    (['-brdm', 'sub1.rdm.h5', '-cate', 'bare.stim.csv'], "no column 'label' or 'condition'"),
    (['-brdm', 'sub1.rdm.h5', '-cate', 'few.stim.csv', '-column', 'kind'], "column 'kind' is not in"),
    (['-brdm', 'sub1.rdm.h5', '-column', 'kind'], '-column needs -cate'),
    (['-brdm', 'nowhere.rdm.h5'], "'nowhere.rdm.h5' does not exist"),
    (['-brdm', 'sub1.rdm.h5', '-method', 'person'], "'person' is not one of 'pearson'"),
    (['-brdm', 'sub1.rdm.h5', '-out', 'net.rdm.h5'], 'is a file; give a folder'),
])
def test_wrong_input(files, truth, run, args, words):
    regions = truth[1]['sub1']
    save('other', 'bRDM', regions, ids=['x.png', *IDS[1:]])
    save('few', 'bRDM', {'V1': regions['V1'][:10]}, ids=IDS[:5])
    save('IT', 'bRDM', {'IT': regions['IT']})
    Stimulus({}, {'stimID': IDS[:10], 'condition': ['a'] * 10}).save('few.stim.csv')
    Stimulus({}, {'stimID': IDS}).save('bare.stim.csv')
    code, _, err = run('db_rsa', '-drdm', 'net.rdm.h5', '-out', 'out', *args)
    assert code == 2 and words in err and len(err.splitlines()) == 1
    assert not (files / 'out').exists()


@pytest.mark.filterwarnings('default')
def test_categories_by_row_where_there_are_no_ids(files, truth, run):
    save('net', 'dRDM', {name: pairs[None] for name, pairs in truth[0].items()}, ids=None)
    save('sub1', 'bRDM', truth[1]['sub1'], ids=None)
    Stimulus({}, {'stimID': IDS[:10], 'condition': ['a'] * 10}).save('few.stim.csv')
    code, _, err = run('db_rsa', '-drdm', 'net.rdm.h5', '-brdm', 'sub1.rdm.h5', '-cate', 'few.stim.csv', '-out', 'out')
    assert code == 2 and 'has 10 rows for RDMs of 14 items without IDs' in err
