"""When which frame of a film is on the screen."""

from fractions import Fraction

import av
import numpy as np
import pytest

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.dnn.core import Stimulus
from dnnbrain.utils.util import get_frame_time_info


@pytest.fixture(scope='module', params=[('libx264', 'mp4'), ('libx264', 'mkv'), ('mpeg4', 'avi'), ('libx264', 'h264')])
def film(request, tmp_path_factory):
    """60 frames at 25 per second: 2.4 s."""
    codec, suffix = request.param
    return written(tmp_path_factory.mktemp('film') / f'x.{suffix}', codec, range(60), Fraction(1, 25))


def written(path, codec, times, base):
    """A film whose frame k begins at ``times[k] * base`` seconds."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        stream.codec_context.time_base = base
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), time % 256, np.uint8), format='rgb24')
            frame.pts, frame.time_base = time, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


MILLISECOND = 1e-3      # Matroska stores no finer times


def test_every_frame(film):
    numbers, onsets, durations = get_frame_time_info(film, 0)
    assert numbers.tolist() == list(range(1, 61))
    np.testing.assert_allclose(onsets, np.arange(60) / 25, atol=MILLISECOND)
    np.testing.assert_allclose(durations, 1 / 25, atol=MILLISECOND)


def test_the_last_frame_lasts_to_the_end_of_the_film(film):
    """1.0 gave it a full interval, here 0.6 s beyond the end."""
    numbers, onsets, durations = get_frame_time_info(str(film), -3, interval=25)
    assert numbers.tolist() == [1, 26, 51]
    np.testing.assert_allclose(onsets, [-3, -2, -1], atol=MILLISECOND)
    np.testing.assert_allclose(durations, [1, 1, 0.4], atol=MILLISECOND)
    numbers, _, durations = get_frame_time_info(film, 0, interval=30)
    assert numbers.tolist() == [1, 31]
    np.testing.assert_allclose(durations, [1.2, 1.2], atol=MILLISECOND)
    numbers, _, durations = get_frame_time_info(film, 0, interval=100)
    assert numbers.tolist() == [1]
    np.testing.assert_allclose(durations, [2.4], atol=MILLISECOND)


def test_still_frames_before_and_after(film):
    numbers, onsets, durations = get_frame_time_info(film, 10, interval=25, before_vid=4, after_vid=1.5)
    assert numbers.tolist() == [1, 1, 26, 51, 60]
    np.testing.assert_allclose(onsets, [10, 14, 15, 16, 16.4], atol=MILLISECOND)
    np.testing.assert_allclose(durations, [4, 1, 1, 0.4, 1.5], atol=MILLISECOND)
    np.testing.assert_allclose(onsets[:-1] + durations[:-1], onsets[1:])


def test_a_film_that_changes_its_pace(tmp_path):
    """Each frame begins when the container says so."""
    times = [0, 10, 20, 100, 110, 400, 420, 430]
    film = written(tmp_path / 'x.mp4', 'libx264', times, Fraction(1, 100))
    numbers, onsets, durations = get_frame_time_info(film, 0, interval=2)
    assert numbers.tolist() == [1, 3, 5, 7]
    np.testing.assert_allclose(onsets, [0, 0.2, 1.1, 4.2], atol=1e-6)
    np.testing.assert_allclose(durations[:-1], [0.2, 0.9, 3.1], atol=1e-6)


def test_it_makes_a_table_of_frames(film):
    numbers, onsets, durations = get_frame_time_info(film, 0, 20)
    table = Stimulus({'type': 'video', 'path': str(film)},
                     {'stimID': numbers, 'onset': onsets, 'duration': durations})
    assert len(table.check_files()) == 0 and table.get('stimID').tolist() == [1, 21, 41]


def test_wrong_questions(film, tmp_path):
    with pytest.raises(BadPath, match='video .* does not exist'):
        get_frame_time_info(tmp_path / 'none.mp4', 0)
    with pytest.raises(BadType, match='interval must be a whole number of frames, not 0.5'):
        get_frame_time_info(film, 0, interval=0.5)
    for wrong in ({'interval': 0}, {'before_vid': -1}, {'after_vid': -1}):
        with pytest.raises(BadValue, match='interval must be at least 1, before_vid and after_vid at least 0'):
            get_frame_time_info(film, 0, **wrong)
