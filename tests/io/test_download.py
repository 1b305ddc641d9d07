"""Downloads, from a server of the test's own: resumed, verified, and with a sentence when there is no network."""

import hashlib
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dnnbrain import datasets
from dnnbrain._checks import BadPath, BadValue
from dnnbrain.datasets import images92
from dnnbrain.datasets.images92 import PICTURES, SESSIONS
from dnnbrain.io.download import data_home, download

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
    with pytest.raises(BadPath, match='refused') as info:
        download('http://127.0.0.1:1/x.mat', tmp_path / 'x.mat', SHA)
    assert 'call again' not in str(info.value)                  # nothing has come that could be gone on with
    with pytest.raises(BadPath, match='refused'):
        download('http://127.0.0.1:1/x.mat', tmp_path / 'new' / 'x.mat', SHA)
    assert not (tmp_path / 'new').exists()


def test_fetched_once(server, small_92images, tmp_path, monkeypatch):
    for name in (PICTURES, SESSIONS):
        server.files[f'/{name}'] = (small_92images[0] / name).read_bytes()
    monkeypatch.setattr(images92, 'FILES', {
        name: (server.url(f'/{name}'), hashlib.sha256(server.files[f'/{name}']).hexdigest())
        for name in (PICTURES, SESSIONS)})
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    first, second = datasets.fetch_92images(), datasets.fetch_92images()
    assert server.asked == [None, None] and first.stimuli.data.equals(second.stimuli.data)
    assert (tmp_path / 'datasets' / '92images' / PICTURES).exists()


def test_one_home_for_all_files(monkeypatch, tmp_path):
    from dnnbrain.networks.weights import models_folder
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path / 'data'))
    assert data_home() == tmp_path / 'data' and models_folder() == tmp_path / 'data' / 'models'
    monkeypatch.delenv('DNNBRAIN_DATA')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert data_home() == tmp_path / 'dnnbrain'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert data_home() == tmp_path / '.cache' / 'dnnbrain' and not data_home().exists()         # nothing is made


def test_no_home_at_all(monkeypatch, tmp_path):
    """As in a container whose user has no name; a variable helps."""
    monkeypatch.delenv('DNNBRAIN_DATA', raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.delenv('HOME', raising=False)
    monkeypatch.setattr('pwd.getpwuid', lambda uid: {}[uid])
    with pytest.raises(BadPath, match='no home folder .* export DNNBRAIN_DATA=FOLDER'):
        data_home()
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path))
    assert data_home() == tmp_path


def test_weights_resume_and_are_verified(server, tmp_path, monkeypatch):
    """Their names hold how the checksum begins; what comes lies where torch.hub looks."""
    import torch

    from dnnbrain.networks.weights import find_pretrained
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setenv('DNNBRAIN_DATA', str(tmp_path / 'data'))
    file, state = io.BytesIO(), {'weight': torch.arange(3000.0)}
    torch.save(state, file)
    name = f'net-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth'
    server.files = {f'/{name}': file.getvalue(), '/net-00000000.pth': file.getvalue()}
    server.cut = 5000
    words = rf'^weights net.pth could .* 5,000 .*call again.*put it at {tmp_path}/data/models/net.pth, or take .*random'
    with pytest.raises(BadPath, match=words):
        find_pretrained('net.pth', server.url(f'/{name}'))
    server.cut = None
    for _ in range(2):
        assert torch.equal(find_pretrained('net.pth', server.url(f'/{name}'))['weight'], state['weight'])
    assert server.asked == [None, 'bytes=5000-'] and (tmp_path / 'hub' / 'checkpoints' / name).exists()
    with pytest.raises(BadValue, match='is not the file that is expected: .*, not 00000000; '):
        find_pretrained('net.pth', server.url('/net-00000000.pth'))
