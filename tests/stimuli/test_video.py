"""Exact frames of films."""

import time

import av
import numpy as np
import pytest
import torch

from dnnbrain._checks import BadValue
from dnnbrain.dnn.base import VideoSet
from dnnbrain.dnn.core import Stimulus
from dnnbrain.stimuli.images import Part
from dnnbrain.stimuli.loaders import batches
from dnnbrain.stimuli.video import Film

N_FRAME = 60


def bars(number):
    """(48, 64, 3) picture: bit i of the number fills columns 8 i to 8 i + 7."""
    bits = np.repeat([255 * (number >> i & 1) for i in range(8)], 8).astype(np.uint8)
    return np.broadcast_to(bits[None, :, None], (48, 64, 3)).copy()


def number_in(picture):
    bits = np.asarray(picture).mean(axis=(0, 2)).reshape(8, 8).mean(axis=1) > 127
    return int(bits @ 2 ** np.arange(8))


def written(path, codec, n_frame=N_FRAME, options=None, n_b=None):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, 'yuv420p', 12
        if n_b is not None:
            stream.max_b_frames = n_b
        container.start_encoding()
        for k in range(1, n_frame + 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bars(k), format='rgb24')))
        if n_frame:
            container.mux(stream.encode())
    return path


def trimmed(film, path, start):
    """Copy packets from the key frame before `start` (s); an mp4 hides what lies before by an edit list."""
    with av.open(str(film)) as old, av.open(str(path), 'w') as new:
        stream = old.streams.video[0]
        copy, offset = new.add_stream_from_template(stream), round(start / stream.time_base)
        old.seek(offset, stream=stream)
        for packet in old.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - offset, packet.dts - offset, copy
                new.mux(packet)
    try:
        return path if decoded(path) else pytest.skip('this PyAV loses the header of a copied stream')
    except av.FFmpegError:
        pytest.skip('this PyAV loses the header of a copied stream')


def decoded(path):
    """What plain decoding shows, in order."""
    with av.open(str(path)) as container:
        return [np.asarray(shown.to_image()) for shown in container.decode(video=0)]


@pytest.fixture(scope='module', params=[('libx264', 'mp4'), ('mpeg4', 'avi')])
def film(request, tmp_path_factory):
    """Frame k shows k in binary as black and white bars; key frames every 12 frames, B-frames in the mp4."""
    codec, suffix = request.param
    return written(tmp_path_factory.mktemp('film') / f'x.{suffix}', codec)


@pytest.mark.parametrize('numbers', [list(range(1, N_FRAME + 1)), [60, 1, 30, 30, 29, 31, 13, 12, 47]])
def test_frames_by_number(film, numbers):
    frames = VideoSet(film, numbers)
    assert [number_in(frames.picture(i)) for i in range(len(numbers))] == numbers


AWKWARD = {
    'edit_list.mp4': None, 'edit_list.mkv': None,               # packets before the cut are not shown
    'b.avi': dict(codec='mpeg4', n_b=2), 'h264.avi': dict(codec='libx264'),     # decoding times only
    'h264.ts': dict(codec='libx264'), 'mpeg2.ts': dict(codec='mpeg2video', n_b=2),
    'mpeg1.mpg': dict(codec='mpeg1video'), 'mpeg2.mpg': dict(codec='mpeg2video', n_b=2),
    'raw.h264': dict(codec='libx264'),                          # no times at all
    'hidden.webm': dict(codec='libvpx', options={'auto-alt-ref': '1', 'lag-in-frames': '16'}),
    # a seek leads to pictures that are not whole
    'refresh.mp4': dict(codec='libx264', options={'x264-params': 'intra-refresh=1:keyint=20:bframes=0'}),
    'open.ts': dict(codec='libx264', options={'x264-params': 'open-gop=1:keyint=15:bframes=3'}),
}


@pytest.fixture(scope='module', params=AWKWARD)
def awkward(request, tmp_path_factory):
    folder, how = tmp_path_factory.mktemp('film'), AWKWARD[request.param]
    if how is None:
        return trimmed(written(folder / 'whole.mp4', 'libx264'), folder / request.param, 0.7)
    return written(folder / request.param, **how)


def test_frames_are_those_of_plain_decoding_in_any_order(awkward, rng):
    truth = decoded(awkward)
    n = len(truth)
    assert n > 30
    for order in (range(1, n + 1), range(n, 0, -1), rng.integers(1, n + 1, 40), [n, 1, n, n - 1, 2]):
        frames = VideoSet(awkward, list(order))
        assert len(frames.film) == n
        wrong = [k for i, k in enumerate(order) if not np.array_equal(frames.picture(i), truth[k - 1])]
        assert wrong == []


def test_a_trimmed_film_begins_where_it_is_cut(tmp_path):
    path = trimmed(written(tmp_path / 'whole.mp4', 'libx264'), tmp_path / 'x.mp4', 0.7)
    with av.open(str(path)) as container:
        assert any(p.is_discard for p in container.demux(video=0))      # else this tests nothing
    assert number_in(VideoSet(path, [1]).picture(0)) > 17


def test_wrongly_trusted_packets_are_found_out(tmp_path, monkeypatch):
    path = written(tmp_path / 'x.avi', 'libx264')
    monkeypatch.setattr('dnnbrain.stimuli.video.TRUE_TIMES', {'avi'})
    monkeypatch.setattr('dnnbrain.stimuli.video.N_COMPARED', 0)
    frames = VideoSet(path, range(1, N_FRAME + 1))
    assert frames.film._marks is None
    assert all(np.array_equal(frames.picture(i), true) for i, true in enumerate(decoded(path)))
    assert frames.film._marks is not None


def test_sought_frames_do_not_start_from_the_beginning(film, monkeypatch):
    """Nor does a film that had to be decoded for its index."""
    frames = VideoSet(film, [N_FRAME, 30, 1, 47])
    opened = []
    monkeypatch.setattr(frames.film, '_open', lambda open=frames.film._open: opened.append(1) or open())
    assert [number_in(frames.picture(i)) for i in range(4)] == [N_FRAME, 30, 1, 47]
    assert len(opened) == 1


def test_a_film_without_frames_is_refused(tmp_path):
    written(tmp_path / 'x.avi', 'mpeg4', n_frame=0)
    with pytest.raises(BadValue, match='x.avi.* has no frames'):
        VideoSet(tmp_path / 'x.avi', [])
    clips = Stimulus({'type': 'video_clip', 'path': str(tmp_path)}, {'stimID': ['x.avi']})
    assert 'has no frames' in clips.check_files()['problem'][0]
    whole = Stimulus({'type': 'video', 'path': str(tmp_path / 'x.avi')}, {'stimID': [1]})
    assert 'has no frames' in whole.check_files()['problem'][0]


def test_a_damaged_film_is_told_in_a_sentence(tmp_path):
    path = written(tmp_path / 'x.mp4', 'libx264')
    with av.open(str(path)) as container:
        place, size = [(p.pos, p.size) for p in container.demux(video=0)][29]
    content = bytearray(path.read_bytes())
    content[place:place + size] = b'\xff' * size
    path.write_bytes(content)
    frames = VideoSet(path, range(1, N_FRAME + 1))
    assert number_in(frames.picture(9)) == 10
    with pytest.raises(BadValue, match='cannot be decoded beyond frame [23]'):
        for i in range(10, N_FRAME):
            frames.picture(i)


def test_going_on_does_not_seek(film):
    frames = VideoSet(film, range(1, N_FRAME + 1))
    frames.picture(0)
    decoding = frames.film._frames
    assert [number_in(frames.picture(i)) for i in range(1, 12)] == list(range(2, 13))
    assert frames.film._frames is decoding


@pytest.mark.parametrize('n_worker', [0, 1, 4])
def test_threads_decode_in_order(film, n_worker, monkeypatch):
    """Ahead of the network, and without going back: every frame is decoded once."""
    decoded, usual = [], Film._read_to
    monkeypatch.setattr(Film, '_read_to', lambda self, number, seek=None:
                        decoded.append((number, seek)) or usual(self, number, seek))
    frames = VideoSet(film, range(1, N_FRAME + 1), transform=slow)
    batch = batches(frames, 8, n_worker)
    first = next(batch)
    time.sleep(0.2)         # here the network would compute
    assert (len(decoded) > 8) == (n_worker > 0)
    shown = torch.cat([first, *batch])
    assert [number for number, _ in decoded] == list(range(1, N_FRAME + 1))
    assert all(seek is None for _, seek in decoded[1:])
    assert [number_in(picture.permute(1, 2, 0)) for picture in shown] == list(range(1, N_FRAME + 1))
    several = Part(VideoSet(film, range(1, N_FRAME + 1), transform=slow), range(20, 40))
    assert several.in_order and [number_in(p.permute(1, 2, 0)) for p in torch.cat([*batches(several, 8, 4)])] \
        == list(range(21, 41))


def slow(picture):
    """Takes longer for some frames, so that threads overtake each other."""
    time.sleep(0.004 * (number_in(picture) % 3))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def test_a_frame_that_cannot_be_read_stops_the_others(film, monkeypatch):
    usual = Film.frame

    def broken(self, number):
        if number == 5:
            raise BadValue('frame 5 is broken')
        return usual(self, number)
    monkeypatch.setattr(Film, 'frame', broken)
    with pytest.raises(BadValue, match='frame 5 is broken'):
        list(batches(VideoSet(film, range(1, 31), transform=slow), 8, 4))


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


def test_a_sheet_of_frames(film):
    figure = Stimulus({'type': 'video', 'path': str(film)}, {'stimID': [60, 1, 30]}).show()
    assert [(axes.get_title(), number_in(axes.images[0].get_array())) for axes in figure.axes] == \
        [('60', 60), ('1', 1), ('30', 30)]


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
