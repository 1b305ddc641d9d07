"""Reports: what is read, said and warned of, against numbers set by hand."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import urlparse

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from torchvision import transforms
from torchvision.transforms._presets import ImageClassification

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.brain.responses import Responses
from dnnbrain.brain.results import write_encoding
from dnnbrain.brain.rsa_profile import write_profile
from dnnbrain.brain.surfaces import SurfaceHeader
from dnnbrain.mapping.rdm import RDM
from dnnbrain.mapping.saving import write_scores
from dnnbrain.stimuli.clips import ClipTransform
from dnnbrain.stimuli.sounds import SoundTransform
from dnnbrain.viz.report import read_results, write_report
from dnnbrain.viz.report.brain import brain_section
from dnnbrain.viz.report.cautions import cautions
from dnnbrain.viz.report.methods import methods
from dnnbrain.viz.report.references import NETWORKS, REFERENCES, Citations
from dnnbrain.viz.report.scores import chance, fold_interval, layer_profile, significant
from dnnbrain.viz.report.seen import shown_as
from dnnbrain.viz.report.volume_viewer import _frame
from dnnbrain.viz.report.wording import number

SHAPE = (4, 3, 2)
META = {'network': 'AlexNet', 'weights': 'ab' * 32, 'transform': 'Compose(\n Resize(size=[224, 224], x)\n Normalize())',
        'command': ['dnn_act', '-stim', 'lab/shown.stim.csv'], 'versions': {'torch': '2.9'}, 'pool': 'max'}
ASKED = {'command': 'db_encode', 'anal': 'mv', 'model': 'ridge', 'scoring': 'correlation', 'cv': 3, 'seed': 7,
         'resp': 'sub/bold.nii.gz', 'bmask': 'v1.nii.gz', 'alpha': [], 'perm': None, 'ceiling': False, 'stim': None,
         'group': None, 'hrf': False, 'iteraxis': None}


def volume(shape=SHAPE, code=2):
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_sform(np.diag([3, 3, 3, 1]), code)
    n = int(np.prod(shape))
    return Responses(np.zeros((30, n)), '.nii.gz', None, header, None, shape)


def scores(n, *means, rng=0):
    """Layer -> scores (1, n, 3) around a mean."""
    noise = np.random.default_rng(rng).normal(0, 0.05, (1, n, 3))
    return {f'conv{i}': {'score': mean + noise} for i, mean in enumerate(means, 1)}


@pytest.fixture
def encode(tmp_path):
    """Write an encoding; its folder."""
    def write(result=None, responses=None, name='encoding', top=None, fold=(1, 2, 3) * 10, **asked):
        responses = responses or volume()
        result = result or scores(responses.values.shape[1], 0.2, 0.4)
        write_encoding(tmp_path / name, result, responses, ASKED | asked, META, ceiling=top, fold=list(fold))
        return tmp_path / name
    return write


def read(folder):
    return read_results([folder])[0]


class Page(HTMLParser):
    """Tags with their attributes, ids, and text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.name = [], [], ''
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.name = tag

    def handle_data(self, data):
        if self.name not in ('script', 'style'):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def tables(self):
        """Name -> table of every CSV in the page."""
        links = [attrs for attrs in self.all('a') if 'download' in attrs]
        return {attrs['download']: pd.read_csv(io.BytesIO(base64.b64decode(attrs['href'].split(',', 1)[1])))
                for attrs in links}


def test_page_stands_alone(encode, tmp_path):
    page = Page(write_report([encode()], tmp_path / 'r.html'))
    asked_for = [attrs[key] for _, attrs in page.tags for key in ('src', 'srcset', 'data') if attrs.get(key)]
    asked_for += [attrs['href'] for attrs in page.all('link')]
    assert asked_for and all(address.startswith('data:') for address in asked_for)
    for attrs in page.all('a'):
        scheme = urlparse(attrs['href']).scheme
        assert scheme in ('', 'data') or attrs['href'].startswith('https://doi.org/10.')
    ids = [attrs['id'] for _, attrs in page.tags if 'id' in attrs]
    assert len(set(ids)) == len(ids)
    for attrs in page.all('a'):
        assert not attrs['href'].startswith('#') or attrs['href'][1:] in ids
    assert all(len(attrs['alt']) > 20 for attrs in page.all('img'))
    assert all(attrs.get('scope') in ('col', 'row') for attrs in page.all('th'))
    assert all(attrs.get('type') == 'button' for attrs in page.all('button'))
    assert page.all('html')[0]['lang'] == 'en'
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch('h[1-6]', tag)]
    assert headings[0] == 1 and all(b - a <= 1 for a, b in zip(headings, headings[1:], strict=False))


def test_tables_behind_pictures_are_the_numbers(encode, tmp_path):
    result = scores(24, 0.2, 0.4)
    tables = Page(write_report([encode(result)], tmp_path / 'r.html')).tables()
    profile = tables['encoding_encoding_layers.csv']
    assert np.allclose(profile['r'], [found['score'].mean() for found in result.values()])       # 7 digits are written
    maps = tables['encoding_encoding_maps.csv']
    assert np.allclose(maps['conv2'], result['conv2']['score'].mean(axis=-1)[0], atol=1e-5)
    assert maps[['i', 'j', 'k']].max().tolist() == list(SHAPE)
    assert np.allclose(maps[['x_mm', 'y_mm', 'z_mm']], 3 * (maps[['i', 'j', 'k']] - 1))


def test_interval_is_that_of_nadeau_and_bengio(encode):
    """By hand: variance (1 / 3 + 1 / 2) s^2 for three folds, two degrees of freedom."""
    low, high = fold_interval([0.5], [0.1], [3])
    half = stats.t.ppf(0.975, 2) * 0.1 * np.sqrt(1 / 3 + 1 / 2)
    assert np.allclose([low[0], high[0]], [0.5 - half, 0.5 + half])
    assert np.isnan(fold_interval([0.5], [np.nan], [1])).all()
    result = scores(24, 0.3)
    row = layer_profile(read(encode(result))).iloc[0]
    folds = result['conv1']['score'][0].mean(axis=0)
    low, high = fold_interval([folds.mean()], [folds.std(ddof=1)], [3])
    assert np.allclose([row['r'], row['low'], row['high']], [folds.mean(), low[0], high[0]])


def test_methods_say_what_was_done(encode):
    said = methods(read(encode(perm=500, ceiling=True, stim='shown.stim.csv', alpha=[0.1, 10])), Citations())
    for part in ('two layers (conv1 and conv2) of AlexNet (Krizhevsky et al., 2012)', 'SHA-256 abababababab',
                 'stimuli of shown.stim.csv, resized to 224 × 224 pixels and normalised', 'the maximum over positions',
                 'The responses of 24 voxels (bold.nii.gz) inside the mask v1.nii.gz to 30 stimulus presentations',
                 'ridge regression (Hoerl & Kennard, 1970', 'from 0.1 and 10.', "Pearson's correlation",
                 'in three folds of 10 presentations that kept presentations of the same stimulus together',
                 '500 permutations', 'p = (1 + b) / (1 + n)', 'Noise ceilings', 'seed 7', 'torch 2.9', 'numpy'):
        assert part in said, (part, said)
    assert '{' not in said and 'None' not in said and '  ' not in said


@pytest.mark.parametrize(('asked', 'part'), [
    ({'model': 'lasso', 'alpha': [2.0]}, 'lasso regression (Tibshirani, 1996; Pedregosa et al., 2011) with the penalty '
                                         '2'),
    ({'model': 'pls', 'n_components': 4}, 'four components'),
    ({'model': 'glm', 'zscore': True}, 'more units than stimuli), after standardising'),
    ({'model': 'banded'}, 'banded ridge regression over all layers jointly'),
    ({'anal': 'uv', 'model': 'svc'}, 'with C = 0.025, with the unit chosen within the training data'),
    ({'anal': 'uv', 'model': 'lrc', 'selection': 'in_sample'}, 'with the unit chosen by the score that is reported'),
    ({'command': 'db_corr', 'model': None}, 'the unit with the largest absolute correlation was taken'),
    ({'hrf': True, 'tr': 2.0}, 'a repetition time of 2 s'),
    ({'group': 'run', 'perm': 99}, 'that did not divide any run'),
    ({'iteraxis': 'channel'}, 'separately for each channel'),
    ({'alpha': [3.0]}, 'with the penalty 3.'),
])
def test_methods_of_each_setting(encode, asked, part):
    assert part in methods(read(encode(**asked)), Citations())


@pytest.mark.parametrize('transform, words', [
    (transforms.Compose([transforms.Resize((64, 96)), transforms.ToTensor()]), ['resized to 64 × 96 pixels']),
    (transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.Normalize([0.5], [0.5])]),
     ['resized to 256 pixels along the shorter side', 'cropped to the central 224 × 224 pixels',
      'normalised by mean and standard deviation per colour']),
    (ImageClassification(crop_size=224, resize_size=236),
     ['resized to 236 pixels along the shorter side', 'cropped to the central 224 × 224 pixels',
      'normalised by mean and standard deviation per colour']),
    (ClipTransform(transforms.CenterCrop((112, 112)), 16, (128, 171)),
     ['as 16 frames each', 'resized to 128 × 171 pixels', 'cropped to the central 112 × 112 pixels']),
    (SoundTransform(), []), (None, []),
])
def test_methods_say_what_was_seen(transform, words):
    assert shown_as(str(transform)) == words


def test_methods_need_no_setting(tmp_path):
    """Python code may write any settings, and other tools activations without a history."""
    write_encoding(tmp_path / 'own', scores(24, 0.3), volume(), {'mine': object}, {})
    said = methods(read(tmp_path / 'own'), Citations())
    assert 'Activations of one layer (conv1) of a network were taken.' in said and 'None' not in said


def test_counting():
    assert [number(n, 'stimulus') for n in (1, 2, 1200)] == ['one stimulus', 'two stimuli', '1,200 stimuli']


def test_every_reference_has_its_parts():
    for short, text, doi in REFERENCES.values():
        year = re.search(r', (\d{4})$', short)[1]
        assert f'({year})' in text and text.startswith(re.split(',| et | &', short)[0])
        assert doi is None or doi.startswith('10.')
    assert {key for _, key in NETWORKS} <= set(REFERENCES)


def warned(result):
    return ' '.join(one['text'] for one in cautions(result))


@pytest.mark.filterwarnings('ignore:8 of 24 voxels')
def test_cautions(encode, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = scores(24, 0.2, 0.4)
    for found in result.values():
        found['score'][0, :6] = np.nan
    (tmp_path / 'shown.stim.csv').write_text('type=image\npath=.\ndata=stimID\n' + 'a.png\nb.png\nc.png\n' * 10)
    fold = [1] * 22 + [2] * 4 + [3] * 4
    said = warned(read(encode(result, perm=10, stim='shown.stim.csv', top=np.linspace(0, 1, 24), fold=fold)))
    for part in ('6 of 24 voxels or regions (25 %) have no score', 'smallest fold holds four rows',
                 'differ much in size', 'three stimuli of 3 were shown in several folds',
                 'With ten permutations p cannot be below 0.091; nothing',
                 '8 of 24 voxels or regions have a low noise ceiling'):      # r < sqrt(.1) in steps of 1 / 23
        assert part in said, (part, said)
    assert warned(read(encode(name='kept', stim='shown.stim.csv'))).count('several folds') == 0
    assert [one['level'] for one in cautions(read(tmp_path / 'encoding'))][-1] == 'note'


@pytest.mark.parametrize(('asked', 'part'), [
    ({'selection': 'in_sample'}, 'it is too high'), ({'iteraxis': 'channel'}, 'best of several channels'),
    ({'command': 'db_corr'}, 'no permutation test says how much'), ({'perm': 200}, 'take 1,000 or more'),
    ({}, 'No noise ceiling was computed'),
])
def test_cautions_of_settings(encode, asked, part):
    assert part in warned(read(encode(**asked)))


def test_permutation_shares(encode):
    result = scores(24, 0.3)
    result['conv1'] |= {'p': np.linspace(0, 1, 24)[None], 'p_family': np.ones((1, 24))}
    table = significant(read(encode(result)))
    assert table['p < .05'].item() == 2 / 24 and table['p_family < .05'].item() == 0
    assert significant(read(encode(name='none'))) is None


@pytest.mark.parametrize('odd', ['one layer', 'all NaN', 'a NaN map', 'no fold', 'a flat volume', 'large'])
def test_page_stands_when_something_is_missing(encode, tmp_path, odd):
    responses = {'a flat volume': volume((6, 1, 1)), 'large': volume((200, 3, 2))}.get(odd, volume())
    n = responses.values.shape[1]
    result = scores(n, 0.3) if odd == 'one layer' else scores(n, 0.3, 0.2)
    for layer in ['conv1', 'conv2'][:{'all NaN': 2, 'a NaN map': 1}.get(odd, 0)]:
        result[layer]['score'][:] = np.nan
    if odd == 'no fold':
        result = {layer: {'score': found['score'][..., 0]} for layer, found in result.items()}
    folder = encode(result, responses, command='db_corr' if odd == 'no fold' else 'db_encode')
    text = ' '.join(Page(write_report([folder], tmp_path / 'r.html')).text)
    assert ('no voxel has a score' in text) == (odd == 'all NaN')
    assert ('On the brain' in text) and ('nan' not in text.split('Tables')[0].lower().replace('hold nan', ''))


def surface(n, **meta):
    return Responses(np.zeros((30, n)), '.func.gii', None, SurfaceHeader(n, ((0, {}),), meta), None, (n, 1, 1))


@pytest.mark.parametrize(('n', 'meta', 'resp', 'sides', 'part'), [
    (10242, {'AnatomicalStructurePrimary': 'CortexRight'}, 'x.func.gii', ['right'], 'arrow keys'),
    (10242, {}, 'rh.bold.func.gii', ['right'], 'arrow keys'), (10242, {}, 'x.func.gii', ['left'], 'No file says'),
    (20484, {}, 'x.func.gii', ['left', 'right'], 'arrow keys'), (642, {}, 'x.func.gii', None, 'fsaverage5 only'),
])
def test_surfaces(encode, n, meta, resp, sides, part):
    section = brain_section(read(encode(scores(n, 0.3, 0.4), surface(n, **meta), resp=resp)), 'x')
    assert part in section['statement']
    assert (section['viewer'] and list(section['viewer']['meshes'])) == sides
    if sides:
        held = np.frombuffer(base64.b64decode(section['viewer']['maps'][1]['sides'][sides[-1]]), '<f4')
        expected = scores(n, 0.3, 0.4)['conv2']['score'].mean(axis=-1)[0, -10242:]
        assert np.allclose(held, expected, atol=1e-6)
        places = base64.b64decode(section['viewer']['meshes'][sides[0]]['places'])
        assert len(places) == 10242 * 3 * 2


def test_cifti_is_told_of(encode):
    axis = nib.cifti2.BrainModelAxis.from_mask(np.ones(24, bool), 'CIFTI_STRUCTURE_CORTEX_LEFT')
    header = nib.Cifti2Image(np.zeros((1, 24)), (nib.cifti2.ScalarAxis(['x']), axis)).header
    responses = Responses(np.zeros((30, 24)), '.dscalar.nii', None, header, None, (24, 1, 1))
    section = brain_section(read(encode(responses=responses)), 'x')
    assert section['viewer'] is None and '24 grayordinates' in section['statement'] and section['csv']


def test_maps_share_what_is_the_same(encode):
    viewer = brain_section(read(encode()), 'x')['viewer']
    assert [one['name'] for one in viewer['maps']] == ['conv1', 'conv2', 'preferred layer']
    assert viewer['shared'] and all('@@0@@' in one['html'] for one in viewer['maps'])
    assert all('http' not in re.sub(r'http://www.w3.org/\S*|@\S*http\S*', '', one['html']) for one in viewer['maps'])


@pytest.mark.parametrize(('shape', 'inside', 'step'), [((12, 9, 8), slice(5, 8), 1), ((300, 9, 8), slice(20, 280), 3)])
def test_what_is_cut_out_keeps_its_place(shape, inside, step):
    affine = np.array([[2, 0, 0.1, -20], [0, -3, 0, 5], [0.2, 0, 4, 7], [0, 0, 0, 1]])
    known, world = np.zeros(shape, bool), np.indices(shape).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    known[inside] = True
    box, moved = _frame(known, affine)
    here = world.reshape(*shape, 3)[box]
    found = np.indices(here.shape[:3]).reshape(3, -1).T @ moved[:3, :3].T + moved[:3, 3]
    assert np.allclose(found, here.reshape(-1, 3))
    assert box[0].step == step and max(here.shape[:3]) <= 96 and known[box].sum() >= known.sum() / step ** 3


def test_regions_have_panels_and_no_map(encode, tmp_path):
    responses = Responses(np.zeros((30, 2)), '.roi.h5', ['V1', 'a<b'])
    folder = encode(scores(2, 0.3, 0.4), responses, top=np.array([0.8, 0.6]), resp='x.roi.h5')
    profile = layer_profile(read(folder))
    assert profile.groupby('roi')['ceiling'].first().to_dict() == {'V1': 0.8, 'a<b': 0.6}
    out = write_report([folder], tmp_path / 'r.html')
    assert 'On the brain' not in out.read_text() and 'a&lt;b' in out.read_text() and 'a<b' not in out.read_text()


def test_layers_of_other_axes_stay_in_the_profile(tmp_path):
    """Clips have frames and maps have none: layers without this column were left out of profile and table."""
    clip, fc = np.array([[[0.1, 0.3]], [[0.5, 0.7]]]), np.array([[[0.2, 0.4]]])
    place = {'row': np.array([1, 1]), 'column': np.array([1, 1])}
    table = write_scores(
        tmp_path / 'probe', {'clip': {'score': clip}, 'fc': {'score': fc}},
        {'command': 'dnn_probe', 'anal': 'mv', 'model': 'ridge', 'cv': 2, 'beh': ['mood'], 'iteraxis': 'row_col'},
        ['mood'], 'row_col', {'clip': {'frame': np.array([1, 2])} | place, 'fc': {k: v[:1] for k, v in place.items()}})
    profile = layer_profile(read(tmp_path / 'probe')).set_index('layer')
    assert profile['r'].to_dict() == pytest.approx({'clip': 0.6, 'fc': 0.3})
    assert profile['n_iteration'].to_dict() == {'clip': 2, 'fc': 1}
    assert table['best'].tolist() == pytest.approx([0.6, 0.3]) and 'score' not in table


def test_probe(tmp_path):
    """Six of ten right, the most frequent class is 0.7 of all."""
    matrix = np.array([[5, 2], [2, 1]])
    conf_m = np.empty((1, 1, 2), dtype=object)
    conf_m[0, 0, 0], conf_m[0, 0, 1] = matrix, 0 * matrix
    write_scores(tmp_path / 'probe', {'fc': {'score': np.array([[[0.5, 0.7]]]), 'conf_m': conf_m}},
                 {'command': 'dnn_probe', 'anal': 'mv', 'model': 'lrc', 'cv': 2, 'beh': ['mood']}, ['mood'], n_stim=10,
                 classes={'mood': ['glad', 'sad']}, fold={'mood': [1, 2] * 5})
    result = read(tmp_path / 'probe')
    assert result.kind == 'probe' and chance(result) == {'mood': 0.7}
    assert 'logistic regression' in methods(result, Citations()) and 'five rows' in warned(result)
    page = Page(write_report([tmp_path / 'probe'], tmp_path / 'r.html'))
    assert page.tables()['probe_probe_confusion.csv']['count'].tolist() == [5, 2, 2, 1]


def rsa_table():
    return pd.DataFrame({'network': 'net', 'layer': ['a', 'b'], 'iteration': 1, 'roi': 'V1', 'r': [0.1, 0.3], 'p': 0.01,
                         'fdr': 0.01, 'low': [0.0, 0.2], 'high': [0.2, 0.4], 'ceiling_lower': 0.05,
                         'ceiling_upper': 0.6, 'n_subject': 1})


def test_rsa_without_its_files(tmp_path):
    write_profile(tmp_path / 'rsa', rsa_table(), None, {
        'method': 'spearman', 'sig': ['permutation'], 'iter': 99, 'n_item': 9, 'drdm': ['gone.rdm.h5'],
        'brdm': ['gone.rdm.h5']})
    result = read(tmp_path / 'rsa')
    said, told = methods(result, Citations()), warned(result)
    assert "Spearman's rank correlation" in said and '99 random permutations' in said
    for part in ('With 99 permutations', 'RDMs of 9 items', 'one subject', 'noise ceiling of V1 begins below 0.1'):
        assert part in told
    assert len(Page(write_report([tmp_path / 'rsa'], tmp_path / 'r.html')).all('img')) == 1


def test_rsa_draws_its_files(tmp_path, rng):
    ids = [f'{i}.png' for i in range(12)]
    pairs = {name: rng.random(66) for name in ('a', 'b', 'V1')}
    layers, region = RDM('dRDM', ids), RDM('bRDM', ids)
    layers.set('a', pairs['a'][None], triu=True)
    layers.set('b', pairs['b'][None], triu=True)
    region.set('V1', pairs['V1'], triu=True)
    (tmp_path / 'rdms').mkdir()
    layers.save(tmp_path / 'rdms' / 'net.rdm.h5')
    region.save(tmp_path / 'rdms' / 'sub.rdm.h5')
    write_profile(tmp_path / 'rsa', rsa_table(), None, {          # as named from a folder above
        'method': 'pearson', 'sig': [], 'drdm': ['rdms/net.rdm.h5'], 'brdm': ['rdms/sub.rdm.h5'], 'layer': 'all',
        'roi': 'all', 'subjects': ['sub'], 'seed': 0})
    page = Page(write_report([tmp_path / 'rsa'], tmp_path / 'r.html'))
    assert len(page.all('img')) == 3
    table = page.tables()['rsa_rsa_rdms.csv']
    assert all(np.allclose(table[name], values, atol=1e-6) for name, values in pairs.items())
    assert page.tables()['rsa_rsa_mds.csv'].groupby('matrix').size().to_dict() == {'V1': 12, 'b': 12}


def history(folder, name='mine', **columns):
    table = {'epoch': [1, 2, 3], 'epoch_loss': [2.0, 1.0, 0.5], 'loss_validation': [1.0, 0.5, 0.9],
             'score_validation': [0.5, 0.8, 0.7]} | columns
    pd.DataFrame({key: values for key, values in table.items() if values is not None}) \
        .to_csv(folder / f'{name}.history.csv', index=False)


def test_training(tmp_path):
    history(tmp_path)
    (tmp_path / 'mine.pth.json').write_text(json.dumps({
        'network': 'Resnet18', 'classes': ['cat', 'dog'], 'training': {
            'network': 'Resnet18', 'n_param': 100, 'n_learning': 10, 'n_stim': 50, 'n_epoch': 3, 'batch_size': 8,
            'optimizer': 'Adam', 'groups': [{'lr': 0.001}], 'rng': 0, 'n_validation': 20, 'augment': True}}))
    result = read(tmp_path / 'mine.history.csv')
    said = methods(result, Citations())
    for part in ('Resnet18 (He et al., 2016)', 'two classes apart (cat and dog)',
                 'Of its 100 parameters 10 were learnt', 'three epochs with batches of 8',
                 'Adam (Kingma & Ba, 2015) at a learning rate of 0.001', 'mirroring'):
        assert part in said, (part, said)
    told = warned(result)
    assert 'rose from 0.5 (epoch 2) to 0.9' in told and '0.11' in told and 'fell by 50 %' in told
    assert read(tmp_path).folder == result.folder
    page = Page(write_report([tmp_path / 'mine.pth.json'], tmp_path / 'r.html'))
    assert page.tables()['mine_training_history.csv']['epoch_loss'].tolist() == [2, 1, 0.5]


def test_training_without_validation_or_record(tmp_path):
    history(tmp_path, loss_validation=None, score_validation=None)
    result = read(tmp_path)
    assert 'no validation' in warned(result) and 'trained for three epochs' in methods(result, Citations())
    assert write_report([tmp_path], tmp_path / 'r.html').exists()


def test_finetuning_folder(tmp_path):
    table = pd.DataFrame({'epoch': [1, 2] * 2, 'epoch_loss': [1, 0.5] * 2, 'training': ['one', 'one', 'all', 'all']})
    table.to_csv(tmp_path / 'history.csv', index=False)
    pd.DataFrame({'fold': [1, 2], 'score': [0.5, 0.6]}).to_csv(tmp_path / 'scores.csv', index=False)
    result = read(tmp_path)
    assert result.kind == 'finetuning' and 'two folds of cross-validation' in methods(result, Citations())
    assert write_report([tmp_path], tmp_path / 'r.html').exists()


def test_several_results_have_a_table_of_contents(encode, tmp_path):
    history(tmp_path)
    page = Page(write_report([encode(), tmp_path / 'mine.history.csv'], tmp_path / 'r.html', 'My <study>'))
    assert [attrs['href'] for attrs in page.all('a')[:3]] == ['#content', '#result-1', '#result-2']
    assert 'My <study>' in page.text


def test_wrong_input(encode, tmp_path):
    folder, out = encode(), tmp_path / 'r.html'
    (tmp_path / 'empty').mkdir()
    cases = [([tmp_path / 'no'], out, BadPath, 'does not exist'),
             ([tmp_path / 'empty'], out, BadValue, 'holds no result'),
             ([tmp_path], out, BadValue, 'name the folders in it that do: encoding'), ([], out, BadValue, 'no result'),
             ([folder, folder], out, BadValue, 'twice'), ([folder], tmp_path / 'r.pdf', BadValue, 'must end in .html'),
             ([folder], tmp_path / 'no' / 'r.html', BadPath, 'does not exist'), (folder, out, BadValue, 'brackets'),
             ([folder / 'scores.csv'], out, BadValue, 'is no result')]
    for results, where, kind, part in cases:
        with pytest.raises(kind, match=part):
            write_report(results, where)
    assert not out.exists()


@pytest.mark.parametrize(('file', 'text', 'part'), [
    ('result.json', '{"settings": {', 'cannot be read'), ('result.json', '[1]', 'no record of a result'),
    ('result.json', '{}', "has no 'settings'"), ('result.json', '\x80', 'cannot be read'),
    ('scores.csv', None, 'has no scores.csv'), ('scores.csv', 'layer,fold,mean\n', 'has no rows'),
    ('scores.csv', '', 'cannot be read'),
])
def test_damaged_files(encode, file, text, part):
    folder = encode()
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text, encoding='latin-1')
    with pytest.raises(BadValue, match=part):
        read_results([folder])
