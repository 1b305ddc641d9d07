"""The 92 pictures, parsed from files of the same structure; downloads are tested in tests/io/test_download.py."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat
from scipy.spatial.distance import squareform

from dnnbrain import datasets
from dnnbrain._checks import BadPath, BadValue
from dnnbrain.datasets import images92
from dnnbrain.datasets.images92 import PICTURES, SESSIONS
from dnnbrain.io.download import data_home


@pytest.fixture(scope='module')
def source(small_92images):
    """Both files with twelve pictures, three subjects and two sessions, and what is in them."""
    return small_92images


def test_parsed(source, tmp_path):
    folder, pixels, pairs, sessions = source
    data = datasets.fetch_92images(folder, out=tmp_path / 'here')
    stim = data.stimuli
    assert stim.get('stimID')[[0, 11]].tolist() == ['01_human_bodypart.png', '12_natural_inanimate.png']
    assert stim.get('condition').tolist() == np.repeat(['human bodypart', 'human face', 'nonhuman face',
                                                        'natural inanimate'], 3).tolist()
    assert stim.get('label').tolist() == np.repeat(range(4), 3).tolist()
    assert stim.get('animacy').tolist() == ['animate'] * 9 + ['inanimate'] * 3
    assert stim.get('face').tolist() == [0] * 3 + [1] * 6 + [0] * 3 and stim.get('human').tolist() == [1] * 6 + [0] * 6
    for file, expected in zip(stim.files(), pixels, strict=True):
        assert file.parent == tmp_path / 'here' / 'pictures'
        with Image.open(file) as image:
            np.testing.assert_array_equal(np.asarray(image), expected)
    assert data.areas.keys == ['hIT', 'mIT'] and data.subjects.keys == ['BE', 'KO', 'SN']
    np.testing.assert_array_equal(data.areas.get('mIT', triu=True), pairs[0])
    np.testing.assert_array_equal(data.areas.get('hIT'), squareform(pairs[1]))
    np.testing.assert_allclose(data.sessions, sessions, atol=1e-7)              # single precision in the file
    np.testing.assert_allclose(data.subjects.get('KO'), sessions[1].mean(axis=0), atol=1e-7)
    for rdm in (data.areas, data.subjects):
        assert list(rdm.item_ids) == stim.get('stimID').tolist()
        assert list(rdm.descriptors['category']) == stim.get('condition').tolist()


def test_table_is_found_whatever_lies_in_the_working_directory(source, tmp_path, monkeypatch):
    (tmp_path / 'pictures').mkdir()
    monkeypatch.chdir(tmp_path)
    stim = datasets.fetch_92images(source[0], out=tmp_path / 'out').stimuli
    assert stim.path == tmp_path / 'out' / 'pictures' and len(stim.check_files()) == 0


def test_pictures_go_to_the_cache_by_default(source, tmp_path, monkeypatch):
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path / 'data'))
    stim = datasets.fetch_92images(source[0]).stimuli
    assert stim.path == tmp_path / 'data' / 'datasets' / '92images' / 'pictures'
    assert {p.suffix for p in stim.path.iterdir()} == {'.png'}                  # no parts left
    monkeypatch.delenv('DNNBRAIN_DATA')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    assert data_home() == datasets.data_home() == tmp_path / 'cache' / 'dnnbrain'


def change(folder, new, name, edit):
    """A copy of the source in which one file is edited."""
    new.mkdir()
    for file in folder.iterdir():
        (new / file.name).write_bytes(file.read_bytes())
    mat = {key: value for key, value in loadmat(new / name).items() if not key.startswith('__')}
    edit(mat)
    savemat(new / name, mat)


@pytest.mark.parametrize('name, edit, words', [
    (PICTURES, lambda mat: mat.pop('stimuli_92objs'), "damaged, or not .* of the 92 pictures .*'stimuli_92objs'"),
    (PICTURES, lambda mat: mat.update(RDMs_mIT_hIT_fig1=mat['RDMs_mIT_hIT_fig1'][:, :1]), 'no RDM of hIT'),
    (PICTURES, lambda mat: mat.update(stimuli_92objs=mat['stimuli_92objs'][:, :6]), 'do not belong together'),
    (SESSIONS, lambda mat: mat.pop('RDMs'), "damaged, or not .* of the 92 pictures .*'RDMs'"),
])
def test_other_contents(source, tmp_path, name, edit, words):
    change(source[0], tmp_path / 'x', name, edit)
    with pytest.raises(BadValue, match=words):
        datasets.fetch_92images(tmp_path / 'x', out=tmp_path / 'out')


def test_wrong_folders(source, tmp_path):
    with pytest.raises(BadPath, match='is not a folder; give the one that holds Kriegeskorte'):
        datasets.fetch_92images(tmp_path / 'nowhere', out=tmp_path)
    with pytest.raises(BadPath, match=f'holds no {PICTURES}; get it from https://'):
        datasets.fetch_92images(tmp_path, out=tmp_path)
    for name in (PICTURES, SESSIONS):
        (tmp_path / name).write_bytes((source[0] / name).read_bytes()[:300])
    with pytest.raises(BadValue, match='is damaged'):
        datasets.fetch_92images(tmp_path, out=tmp_path)
    with pytest.raises(BadValue, match='is a file; give a folder'):
        datasets.fetch_92images(source[0], out=tmp_path / PICTURES)


def test_checksums_are_pinned():
    """As measured on the files of rsatoolbox's repository, folder demos/92imageData."""
    assert {name: sha256[:8] for name, (_, sha256) in images92.FILES.items()} == {PICTURES: '06f21214',
                                                                                 SESSIONS: '1743f90a'}
    assert all(url.startswith('https://') and url.endswith(name) for name, (url, _) in images92.FILES.items())
