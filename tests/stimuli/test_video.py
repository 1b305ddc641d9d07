"""Exact frames of films."""

import av
import numpy as np
import pytest

from dnnbrain._checks import BadValue
from dnnbrain.dnn.base import VideoSet
from dnnbrain.dnn.core import Stimulus

N_FRAME = 60


def bars(number):
    """(48, 64, 3) picture: bit i of the number fills columns 8 i to 8 i + 7."""
    bits = np.repeat([255 * (number >> i & 1) for i in range(8)], 8).astype(np.uint8)
    return np.broadcast_to(bits[None, :, None], (48, 64, 3)).copy()


def number_in(picture):
    bits = np.asarray(picture).mean(axis=(0, 2)).reshape(8, 8).mean(axis=1) > 127
    return int(bits @ 2 ** np.arange(8))


@pytest.fixture(scope='module', params=[('libx264', 'mp4'), ('mpeg4', 'avi')])
def film(request, tmp_path_factory):
    """Frame k shows k in binary as black and white bars; key frames every 12 frames, B-frames in the mp4."""
    codec, suffix = request.param
    path = tmp_path_factory.mktemp('film') / f'x.{suffix}'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, 'yuv420p', 12
        for k in range(1, N_FRAME + 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bars(k), format='rgb24')))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize('numbers', [list(range(1, N_FRAME + 1)), [60, 1, 30, 30, 29, 31, 13, 12, 47]])
def test_frames_by_number(film, numbers):
    frames = VideoSet(film, numbers)
    assert [number_in(frames.picture(i)) for i in range(len(numbers))] == numbers


def test_going_on_does_not_seek(film):
    frames = VideoSet(film, range(1, N_FRAME + 1))
    frames.picture(0)
    decoding = frames.film._frames
    assert [number_in(frames.picture(i)) for i in range(1, 12)] == list(range(2, 13))
    assert frames.film._frames is decoding


def test_frames_out_of_range(film):
    for wrong in (0, N_FRAME + 1):
        with pytest.raises(BadValue, match=f'frame {wrong} is out of range.*1 to {N_FRAME}'):
            VideoSet(film, [1, wrong])


def test_video_table(film, tmp_path, tiny):
    stim = Stimulus({'type': 'video', 'path': str(film)}, {'stimID': [3, 1, 20]})
    assert stim.get('stimID').dtype == np.int64 and stim.files() == [film]
    assert len(stim.check_files()) == 0
    activation = tiny.compute_activation(stim, 'conv')
    assert activation.stim_ids.tolist() == [3, 1, 20]
    drawn = np.stack([bars(k).transpose(2, 0, 1) for k in (3, 1, 20)])
    expected = tiny.compute_activation(drawn, 'conv').get('conv')
    far = np.abs(activation.get('conv')[:, None] - expected[None]).mean(axis=(2, 3, 4))
    assert (np.diag(far) < 0.2 * (far + np.diag([np.inf] * 3)).min()).all()          # films are lossy
    stim.set('stimID', [3, 1, 200])
    assert 'frame 200' in stim.check_files()['problem'][0]


def test_training_on_frames_with_workers_sees_the_same_frames(film, tiny):
    import copy
    stim = Stimulus({'type': 'video', 'path': str(film)}, {'stimID': range(1, 41), 'label': [k % 3 for k in range(40)]})
    losses = [copy.deepcopy(tiny).train(stim, 1, 'classification', batch_size=8, n_worker=n_worker, rng=0)['step_loss']
              for n_worker in (0, 2)]
    assert losses[0] == losses[1]


def test_films_can_be_sent_to_other_processes(film):
    import pickle
    frames = VideoSet(film, [5, 60])
    frames.picture(1)
    assert number_in(pickle.loads(pickle.dumps(frames)).picture(0)) == 5


def test_not_a_film(tmp_path):
    (tmp_path / 'x.mp4').write_text('no film')
    with pytest.raises(BadValue, match='cannot be read'):
        VideoSet(tmp_path / 'x.mp4', [1])
    clips = Stimulus({'type': 'video_clip', 'path': str(tmp_path)}, {'stimID': ['x.mp4', 'y.mp4']})
    assert clips.check_files()['stimID'].tolist() == ['x.mp4', 'y.mp4']


def test_sounds_are_checked(tmp_path, rng):
    import soundfile
    soundfile.write(tmp_path / 'a.wav', rng.standard_normal(800) * 0.1, 8000)
    (tmp_path / 'b.wav').write_text('no sound')
    stim = Stimulus({'type': 'audio', 'path': str(tmp_path)}, {'stimID': ['a.wav', 'b.wav', 'c.wav']})
    assert stim.check_files()['stimID'].tolist() == ['b.wav', 'c.wav']


def test_missing_package_names_the_extra(monkeypatch):
    import sys

    from dnnbrain._optional import MissingExtra, optional
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(MissingExtra, match=r"reading video needs the package 'av'; .*dnnbrain\[video\]"):
        optional('av', 'reading video')
