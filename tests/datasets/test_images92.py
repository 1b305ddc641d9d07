"""The 92 pictures: parsed from files of the same structure, downloaded from a server of the test's own."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat
from scipy.spatial.distance import squareform

from dnnbrain import datasets
from dnnbrain._checks import BadPath, BadValue
from dnnbrain.datasets import images92
from dnnbrain.datasets.download import datasets_folder, download
from dnnbrain.datasets.images92 import PICTURES, SESSIONS


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
    assert datasets_folder() == tmp_path / 'cache' / 'dnnbrain' / 'datasets'


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


# ---- downloading

CONTENT = bytes(range(256)) * 400
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files` by path; `cut` ends an answer early, `ranges` says whether it goes on in the middle."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.files, self.cut, self.ranges, self.asked = {'/x.mat': CONTENT}, None, True, []

    def url(self, path='/x.mat'):
        return f'http://127.0.0.1:{self.server_port}{path}'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get('Range')
        server.asked.append(wanted)
        body = server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        start = int(wanted.removeprefix('bytes=').rstrip('-')) if wanted and server.ranges else 0
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header('Content-Length', str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:server.cut])
        return None

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize('ranges', [True, False])
def test_an_interrupted_download_goes_on(server, tmp_path, ranges):
    path, part = tmp_path / 'new' / 'x.mat', tmp_path / 'new' / '.part-x.mat'
    server.cut = 70_000
    with pytest.raises(BadPath, match=r'x.mat could not be downloaded \(the connection ended after 70,000 of '):
        download(server.url(), path, SHA)
    assert not path.exists() and part.read_bytes() == CONTENT[:70_000]
    server.cut, server.ranges = None, ranges
    assert download(server.url(), path, SHA).read_bytes() == CONTENT
    assert server.asked == [None, 'bytes=70000-'] and not part.exists()
    path.write_bytes(b'of the user')
    assert download(server.url(), path, SHA).read_bytes() == b'of the user' and len(server.asked) == 2


@pytest.mark.parametrize('there, asked', [(b'other' * 100, ['bytes=500-', None]), (CONTENT, ['bytes=102400-', None]),
                                          (CONTENT + b'more', ['bytes=102404-', None])])
def test_a_part_that_does_not_fit_is_fetched_anew(server, tmp_path, there, asked):
    (tmp_path / '.part-x.mat').write_bytes(there)
    assert download(server.url(), tmp_path / 'x.mat', SHA).read_bytes() == CONTENT
    assert server.asked == asked


def test_another_file_gets_no_final_name(server, tmp_path):
    with pytest.raises(BadValue, match=f'its SHA-256 is {SHA}, not abc; .* put it at {tmp_path}/x.mat'):
        download(server.url(), tmp_path / 'x.mat', 'abc')
    assert list(tmp_path.iterdir()) == []


def test_no_such_file_and_no_server(server, tmp_path):
    url = server.url('/other.mat')
    with pytest.raises(BadPath, match=rf'\(Not Found\).* get {url} on another machine and put it at {tmp_path}/x.mat'):
        download(url, tmp_path / 'x.mat', SHA)
    with pytest.raises(BadPath, match='refused'):
        download('http://127.0.0.1:1/x.mat', tmp_path / 'x.mat', SHA)


def test_fetched_once(server, source, tmp_path, monkeypatch):
    for name in (PICTURES, SESSIONS):
        server.files[f'/{name}'] = (source[0] / name).read_bytes()
    monkeypatch.setattr(images92, 'FILES', {
        name: (server.url(f'/{name}'), hashlib.sha256(server.files[f'/{name}']).hexdigest())
        for name in (PICTURES, SESSIONS)})
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    first, second = datasets.fetch_92images(), datasets.fetch_92images()
    assert server.asked == [None, None] and first.stimuli.data.equals(second.stimuli.data)
    assert (tmp_path / 'datasets' / '92images' / PICTURES).exists()


def test_checksums_are_pinned():
    """As measured on the files of rsatoolbox's repository, folder demos/92imageData."""
    assert {name: sha256[:8] for name, (_, sha256) in images92.FILES.items()} == {PICTURES: '06f21214',
                                                                                 SESSIONS: '1743f90a'}
    assert all(url.startswith('https://') and url.endswith(name) for name, (url, _) in images92.FILES.items())
