"""R3D: clips through every verb of a network."""

import av
import numpy as np
import pytest
import torch
from torchvision.models.video import R3D_18_Weights, r3d_18

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.base import VideoClipSet
from dnnbrain.dnn.core import Activation, Mask, Stimulus
from dnnbrain.dnn.models import R3D, AlexNet
from dnnbrain.networks.blueprint import describe_transform, make_transform
from dnnbrain.networks.lessons import PictureLesson
from dnnbrain.stimuli.clips import resized

LAYERS = ['conv3d_1', 'conv3d_3', 'fc']


def write_clip(path, n_frame, rng, size=(64, 48)):
    """Smooth random colours that move."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, 'yuv420p'
        start, step = rng.integers(0, 150, (6, 8, 3)), rng.integers(1, 9, (6, 8, 3))
        for k in range(n_frame):
            coarse = ((start + k * step) % 256).astype(np.uint8)
            frame = np.kron(coarse, np.ones((size[1] // 6, size[0] // 8, 1), np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """A table of four clips of 10 to 40 frames with two labels."""
    folder = tmp_path_factory.mktemp('clips')
    rng = np.random.default_rng(0)
    for name, n_frame in (('a', 10), ('b', 16), ('c', 40), ('d', 23)):
        write_clip(folder / f'{name}.mp4', n_frame, rng)
    return Stimulus({'type': 'video_clip', 'path': str(folder)},
                    {'stimID': [f'{name}.mp4' for name in 'abcd'], 'label': [0, 1, 0, 1]})


@pytest.fixture(scope='module')
def dnn():
    return R3D(pretrained=False, rng=0)


@pytest.fixture(scope='module')
def seen(clips):
    """What torchvision makes of the clips: published transform of the raw frames, in two threads."""
    published, n_thread = R3D_18_Weights.KINETICS400_V1.transforms(), torch.get_num_threads()
    raw = VideoClipSet(clips.files())
    torch.set_num_threads(2)        # with one, torch rounds a few pixels otherwise
    made = [published(raw.picture(i)) for i in range(4)]
    torch.set_num_threads(n_thread)
    return torch.stack(made)


@pytest.fixture(scope='module')
def truth(dnn, seen):
    """Outputs of torchvision's network at plain hooks."""
    theirs, found = r3d_18(weights=None).eval(), {}
    theirs.load_state_dict(dnn.model.state_dict())
    for name, module in (('conv3d_1', theirs.stem), ('conv3d_3', theirs.layer2), ('fc', theirs.fc)):
        module.register_forward_hook(lambda module, args, output, name=name: found.update({name: output.clone()}))
    with torch.inference_mode():
        theirs(seen)
    return {name: value.numpy() for name, value in found.items()}


def test_the_transform_is_the_published_one(dnn, clips, seen):
    shown, _ = VideoClipSet(clips.files(), dnn.test_transform)[:]
    assert torch.equal(shown, seen) and shown.shape == (4, *dnn.input_shape) == (4, 3, 16, 112, 112)
    whole = R3D._empty(preprocess='full').test_transform
    clip = torch.zeros(16, 3, 60, 300, dtype=torch.uint8)
    clip[..., :20] = clip[..., -20:] = 255                      # the sides are in sight
    assert whole(clip)[..., [0, -1]].min() > whole(clip)[..., 56].max()
    assert dnn.test_transform(clip)[..., [0, -1]].max() == dnn.test_transform(clip)[..., 56].max()


def test_resizing_does_not_depend_on_the_number_of_threads():
    frames = torch.randint(0, 256, (16, 3, 240, 320), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    n_thread, made = torch.get_num_threads(), []
    for n in (1, 2, 3):
        torch.set_num_threads(n)
        made.append(resized(frames, (128, 171)))
    torch.set_num_threads(n_thread)
    assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2])


def test_all_frames_are_cropped_and_mirrored_alike(dnn):
    frame = torch.randint(0, 256, (1, 3, 128, 171), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    learnt = dnn.train_transform(frame.expand(16, -1, -1, -1))
    assert learnt.shape == dnn.input_shape and all(torch.equal(learnt[:, 0], learnt[:, k]) for k in range(16))
    assert not torch.equal(learnt, dnn.train_transform(frame.expand(16, -1, -1, -1)))


def test_activations_equal_plain_hooks(dnn, clips, truth):
    activation = dnn.compute_activation(clips, LAYERS, batch_size=3)
    assert activation.get('conv3d_1').shape == (4, 64, 16, 56, 56)
    assert activation.stim_ids.tolist() == ['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4']
    for layer in LAYERS:
        value = activation.get(layer)
        np.testing.assert_allclose(value.reshape(truth[layer].shape), truth[layer], rtol=1e-4, atol=1e-5)


def test_masks_and_pooling_of_clips(dnn, clips, truth):
    mask = Mask('conv3d_3', channels=[5, 2], rows=[1, 3], columns=[28])
    picked = dnn.compute_activation(clips[:2], mask).get('conv3d_3')
    expected = truth['conv3d_3'][:2, [4, 1]][..., [0, 2], :][..., [27]]
    np.testing.assert_allclose(picked, expected, rtol=1e-4, atol=1e-5)
    for method, statistic in (('max', np.max), ('median', np.median)):
        pooled = dnn.compute_activation(clips[:1], 'conv3d_3', method).get('conv3d_3')
        np.testing.assert_allclose(pooled[..., 0, 0, 0], statistic(truth['conv3d_3'][:1], axis=(2, 3, 4)), rtol=1e-4,
                                   atol=1e-5)


def test_files_keep_five_axes(dnn, clips, truth, tmp_path):
    mask = Mask('conv3d_3', channels=[1, 2])
    dnn.compute_activation(clips[:2], mask, out=tmp_path / 'x.act.h5')
    loaded = Activation()
    loaded.load(tmp_path / 'x.act.h5')
    np.testing.assert_allclose(loaded.get('conv3d_3'), truth['conv3d_3'][:2, :2], rtol=1e-4, atol=1e-5)
    loaded.save(tmp_path / 'y.act.h5')
    again = Activation()
    again.load(tmp_path / 'y.act.h5', Mask('conv3d_3', channels=[2], rows=[4]))
    np.testing.assert_allclose(again.get('conv3d_3'), truth['conv3d_3'][:2, [1]][..., [3], :], rtol=1e-4, atol=1e-5)


def test_the_call_of_1_0(dnn, clips, truth):
    arrays = dnn.compute_activation([str(file) for file in clips.files()[:3]], ['fc', 'conv3d_3'])
    assert [array.shape for array in arrays] == [(3, 400, 1, 1), (3, 128, 8, 28, 28)]
    np.testing.assert_allclose(arrays[0][..., 0, 0], truth['fc'][:3], rtol=1e-4, atol=1e-5)
    one, = dnn.compute_activation(clips.files()[2], 'fc')
    np.testing.assert_allclose(one[0], arrays[0][2], rtol=1e-4, atol=1e-5)


def test_arrays_and_datasets_of_clips(dnn, clips, seen, truth):
    raw = VideoClipSet(clips.files())
    array = raw.picture(0)[None].transpose(1, 2).numpy()
    ready = torch.utils.data.TensorDataset(seen[:1], torch.arange(1))
    for stimuli in (array, ready):
        fc = dnn.compute_activation(stimuli, 'fc').get('fc')[..., 0, 0]
        np.testing.assert_allclose(fc, truth['fc'][:1], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_it_learns_and_tells(clips, tmp_path):
    dnn = R3D(pretrained=False, rng=0)
    dnn.replace_head(2, rng=0)
    dnn.freeze('all but head')
    history = dnn.train(clips, 1, 'classification', torch.optim.Adam(dnn.model.fc.parameters(), 0.01), rng=0,
                        data_validation=clips[:1])
    assert len(history['loss_validation']) == 1
    assert dnn.test(clips[:2], 'classification')['true_value'].tolist() == [0, 1]
    assert dnn.predict(clips[:2])['stimID'].tolist() == ['a.mp4', 'b.mp4']
    dnn.save(tmp_path / 'x.pth')
    again = R3D.load(tmp_path / 'x.pth')
    np.testing.assert_array_equal(again.compute_activation(clips[:1], 'fc').get('fc'),
                                  dnn.compute_activation(clips[:1], 'fc').get('fc'))


def test_workers_do_not_change_what_is_shown(clips):
    pictures = VideoClipSet(clips.files(), R3D._empty().train_transform)
    keys = [[(0, 5), (2, 6)], [(3, 7)]]
    shown = [list(PictureLesson(pictures, np.arange(4), n_worker).batches(keys)) for n_worker in (0, 2)]
    assert all(torch.equal(a, b) for one, other in zip(*shown, strict=True) for a, b in zip(one, other, strict=True))


def test_parts_of_it_still_take_clips(dnn, clips, truth):
    part = dnn.cut('conv3d_3')
    assert part.input_shape == (3, 16, 112, 112)
    np.testing.assert_allclose(part.compute_activation(clips[:1], 'conv3d_3').get('conv3d_3'), truth['conv3d_3'][:1],
                               rtol=1e-4, atol=1e-5)
    assert dnn.summary().set_index('layer').loc['conv3d_5', 'shape'] == '512 x 2 x 7 x 7'
    dnn.show()


def test_its_transform_is_plain_values(dnn):
    import json
    for transform in (dnn.test_transform, dnn.train_transform):
        plan = json.loads(json.dumps(describe_transform(transform)))
        assert describe_transform(make_transform(plan)) == describe_transform(transform)


def test_stimuli_of_another_kind_are_refused(dnn, clips, stim, tmp_path):
    with pytest.raises(BadValue, match="looks at clips .* are of type 'image'"):
        dnn.compute_activation(stim, 'fc')
    with pytest.raises(BadValue, match=r'shape \(n, 3, n_frame, h, w\), not \(2, 3, 8, 8\)'):
        dnn.compute_activation(np.zeros((2, 3, 8, 8), np.uint8), 'fc')
    with pytest.raises(BadValue, match='clips must be uint8'):
        dnn.compute_activation(np.zeros((1, 3, 2, 8, 8)), 'fc')
    with pytest.raises(BadType, match='stimuli must be a Stimulus'):
        dnn.compute_activation(3, 'fc')
    with pytest.raises(BadValue, match='1 of 1 stimuli cannot be shown: .*none.mp4 .missing.'):
        dnn.compute_activation([str(tmp_path / 'none.mp4')], 'fc')
    with pytest.raises(BadValue, match="not at stimuli of type 'video_clip'"):
        AlexNet(pretrained=False).compute_activation(clips, 'fc3')
