"""Clips as a network gets them."""

import av
import numpy as np
import pytest
import torch
from torchvision import transforms

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.base import VideoClipSet
from dnnbrain.stimuli.clips import ClipTransform, spread


@pytest.fixture(scope='module')
def film(tmp_path_factory):
    """40 frames; frame k is gray of level 6 k."""
    path = tmp_path_factory.mktemp('clip') / 'x.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for k in range(1, 41):
            frame = np.full((48, 64, 3), 6 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    return path


def shown(clips, index=0):
    """Numbers of the frames of a clip, by their level."""
    return (clips.picture(index).float().mean(dim=(1, 2, 3)) / 6).round().int().tolist()


def test_frames_are_the_middles_of_equal_parts():
    assert spread(16, 16).tolist() == list(range(1, 17))
    assert spread(3, 1).tolist() == [2] and spread(30, 3).tolist() == [6, 16, 26]
    assert spread(2, 4).tolist() == [1, 1, 2, 2] and spread(1, 5).tolist() == [1] * 5
    for n in range(1, 60):
        for n_frame in range(1, 30):
            numbers = spread(n, n_frame)
            edges = np.arange(n_frame + 1) * n / n_frame
            assert ((numbers - 1 <= (edges[1:] + edges[:-1]) / 2) & ((edges[1:] + edges[:-1]) / 2 < numbers)).all()


@pytest.mark.parametrize('n_frame', [1, 4, 16, 40, 60])
def test_the_frames_are_those_of_the_film(film, n_frame):
    clips = VideoClipSet([film], n_frame=n_frame)
    assert shown(clips) == spread(40, n_frame).tolist()


def test_indexing_as_in_1_0(film):
    clips = VideoClipSet([str(film), film])
    clip, label = clips[0]
    assert clip.shape == (3, 16, 48, 64) and label == -1 and len(clips) == 2
    assert torch.allclose(clip, clips.picture(0).transpose(0, 1) / 255)
    batch, labels = VideoClipSet([film, film], labels=[4, 5])[[1, 0]]
    assert batch.shape == (2, 3, 16, 48, 64) and labels.tolist() == [5, 4]


def test_a_transform_sees_all_frames_at_once(film):
    half = transforms.Compose([transforms.CenterCrop(20), transforms.ConvertImageDtype(torch.float32)])
    clip, _ = VideoClipSet([film], half, n_frame=3)[0]
    assert clip.shape == (3, 3, 20, 20)
    clip, _ = VideoClipSet([film], ClipTransform(half, n_frame=5))[0]
    assert clip.shape == (3, 5, 20, 20)


def test_wrong_clips(tmp_path):
    with pytest.raises(BadPath, match='does not exist'):
        VideoClipSet([tmp_path / 'x.mp4'])[0]
    with pytest.raises(BadValue, match='n_frame must be at least 1'):
        ClipTransform(n_frame=0)
