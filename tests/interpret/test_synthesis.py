"""Pictures that drive channels, units and voxels: known optima, real pictures beaten, what is saved is what counts."""


import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image
from scipy.ndimage import gaussian_filter
from torchvision import transforms

from dnnbrain._checks import BadInput, BadValue
from dnnbrain.dnn.algo import SynthesisImage
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import DNN
from dnnbrain.interpret.synthesis.canvas import Canvas
from dnnbrain.interpret.synthesis.fourier import FourierPictures
from dnnbrain.interpret.synthesis.jitter import Jitter
from dnnbrain.interpret.synthesis.regularisers import REGULARISERS, Blur, FourierSmoothing
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.interpret.view import View
from dnnbrain.mapping.models import LayerModel
from dnnbrain.stimuli.clips import ClipTransform
from dnnbrain.stimuli.sounds import SoundTransform

CUT = transforms.Compose([transforms.Resize(20), transforms.CenterCrop(15), transforms.ToTensor(),
                          transforms.Normalize([.4, .5, .6], [.2, .25, .3])])
WHOLE = transforms.Compose([transforms.Resize((15, 15)), transforms.ToTensor()])


def net(model, size, transform):
    torch.manual_seed(5)
    for layer in model:
        if hasattr(layer, 'reset_parameters'):
            layer.reset_parameters()
    return DNN(model, img_size=size, test_transform=transform)


def convolutional(transform=WHOLE):
    return net(nn.Sequential(nn.Conv2d(3, 6, 5, 2), nn.ReLU(), nn.Conv2d(6, 4, 3)), (15, 15), transform)


@pytest.fixture(autouse=True)
def random_numbers_as_found():
    with torch.random.fork_rng():
        yield


@pytest.fixture(scope='module')
def reader():
    """A small network that has learnt digits, and 200 of them, uint8."""
    from sklearn.datasets import load_digits
    bunch = load_digits()
    pixels = np.repeat(np.kron(bunch.images / 16 * 255, np.ones((2, 2)))[:, None], 3, 1).round().astype(np.uint8)
    with torch.random.fork_rng():
        dnn = net(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(), nn.Flatten(),
                                nn.Linear(192, 10)), (16, 16),
                  transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()]))
        inputs, labels = torch.from_numpy(pixels[:600]) / 255, torch.from_numpy(bunch.target[:600])
        adam = torch.optim.Adam(dnn.model.parameters(), .01)
        for _ in range(40):
            adam.zero_grad()
            nn.functional.cross_entropy(dnn.model(inputs), labels).backward()
            adam.step()
        assert (dnn.model(inputs).argmax(1) == labels).float().mean() > .9
    return dnn, pixels[:200]


def state_of(dnn):
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in dnn.model.modules())
    return hooks, [m.training for m in dnn.model.modules()], [(p.requires_grad, p.grad) for p in dnn.model.parameters()]


def test_the_optimum_of_a_filter_is_found():
    """The best picture is white where weights are positive, black elsewhere, and drives the unit by their sum."""
    dnn = net(nn.Sequential(nn.Conv2d(3, 2, 12, bias=False)), (12, 12),
              transforms.Compose([transforms.Resize((12, 12)), transforms.ToTensor()]))
    rows, columns = np.mgrid[-6:6, -6:6] + .5
    wave = np.cos(rows + columns / 2 + .3) * np.exp(-(rows ** 2 + columns ** 2) / 20)
    weights = np.float32([1, -.5, .3])[:, None, None] * wave
    dnn.model[0].weight.data[1] = torch.from_numpy(weights)
    best = weights.clip(0).sum()
    synthesis = SynthesisImage(dnn, '0', 2, parametrisation='pixel')
    picture = synthesis.synthesize()
    np.testing.assert_array_equal(picture, 255 * (weights > 0))
    assert synthesis.activation == pytest.approx(best, rel=1e-5)
    gratings = SynthesisImage(dnn, '0', 2, jitter=0)
    made = gratings.synthesize(n_iter=150)
    assert gratings.activation > .9 * best and np.corrcoef(made.ravel(), weights.ravel())[0, 1] > .7


def test_digits_are_beaten_and_the_activation_is_that_of_the_picture(reader):
    dnn, digits = reader
    real = dnn.compute_activation(digits, '5').get('5')[:, :, 0, 0].max(0)
    synthesis = SynthesisImage(dnn, '5', range(1, 11))
    pictures = synthesis.synthesize()
    assert pictures.shape == (10, 3, 16, 16) and pictures.dtype == np.uint8
    assert (synthesis.activation > 1.2 * real).all()
    again = dnn.compute_activation(pictures, '5').get('5')[:, :, 0, 0]
    np.testing.assert_allclose(synthesis.activation, np.diagonal(again), rtol=1e-4)
    assert (again.argmax(1) == np.arange(10)).all()                 # a class and no other


@pytest.mark.parametrize('transform, size', [(WHOLE, (15, 15)), (CUT, (20, 20))], ids=['whole', 'cut'])
@pytest.mark.parametrize('suffix', ['png', 'jpg'])
def test_a_saved_picture_has_its_activation(tmp_path, transform, size, suffix):
    dnn = convolutional(transform)
    synthesis = SynthesisImage(dnn, '2', 3, 'max')
    picture = synthesis.synthesize(save_path=tmp_path / f'made.{suffix}', n_iter=10)
    assert picture.shape == (3, *size) and synthesis.files == [tmp_path / f'made.{suffix}']
    np.testing.assert_array_equal(picture, np.asarray(Image.open(tmp_path / f'made.{suffix}')).transpose(2, 0, 1))
    seen = dnn.compute_activation(Stimulus({'path': str(tmp_path)}, {'stimID': [f'made.{suffix}']}), '2')
    assert synthesis.activation == pytest.approx(seen.get('2')[0, 2].max(), rel=1e-4)


@pytest.mark.parametrize('transform', [WHOLE, CUT], ids=['whole', 'cut'])
@pytest.mark.parametrize('kind', ['fourier', 'pixel'])
def test_what_is_saved_is_what_was_optimised(transform, kind):
    """The loss of step 13 is that of the picture after 12 steps, before it was rounded."""
    synthesis = SynthesisImage(convolutional(transform), '2', [1, 4], parametrisation=kind, jitter=0)
    synthesis.synthesize(n_iter=13)
    losses = synthesis.activ_losses
    assert losses.shape == (13, 2) and (losses[-1] < losses[0]).all()
    synthesis.synthesize(n_iter=12)
    np.testing.assert_allclose(synthesis.activation, -losses[12], rtol=.01)
    np.testing.assert_allclose(synthesis.activ_losses, losses[:12], rtol=1e-5)


def test_regularisers_are_their_formulas():
    picture = torch.tensor([[[[1., -2.], [3., 0.]]]], requires_grad=True)
    value = {'L1': 6, 'L2': 14 ** .5, 'TV': 2 + 2 + 3 + 3}
    slope = {'L1': [[1, -1], [1, 0]], 'L2': [[1, -2], [3, 0]] / np.sqrt(14), 'TV': [[0, -2], [2, 0]]}
    for name, function in REGULARISERS.items():
        found = function(picture)
        assert found.shape == (1,) and found.item() == pytest.approx(value[name])
        gradient, = torch.autograd.grad(found, picture)
        np.testing.assert_allclose(gradient[0, 0], slope[name], rtol=1e-6)
    zero = torch.zeros(1, 3, 4, 4, requires_grad=True)
    assert torch.autograd.grad(REGULARISERS['L2'](zero), zero)[0].abs().max() == 0


@pytest.mark.parametrize('radius', [.6, 2, 15])
def test_blur_is_that_of_scipy_color_by_color(rng, radius):
    pictures = rng.random((2, 3, 9, 14)).astype(np.float32)
    expected = [[gaussian_filter(plane, radius) for plane in picture] for picture in pictures]
    np.testing.assert_allclose(Blur((9, 14), radius)(torch.from_numpy(pictures)), expected, atol=1e-6)


def test_smoothing_keeps_what_is_coarse():
    x = np.arange(16) / 16
    waves = torch.from_numpy(np.cos(2 * np.pi * np.outer([0, 1, 2, 4], x))[:, None].repeat(16, 1)).float()
    kept = FourierSmoothing((16, 16), .75)(waves).abs().amax((1, 2))
    np.testing.assert_allclose(kept / kept[0], [1, 1, 2 ** -1.5, 4 ** -1.5], rtol=1e-5)
    assert kept[0] > 1                                              # the mean gain is one


@pytest.mark.parametrize('metric, weight', [('L1', .05), ('L2', 2), ('TV', .05)])
@pytest.mark.parametrize('kind', ['fourier', 'pixel'])
def test_regularisers_work(metric, weight, kind):
    """The norm goes down; losses hold the value of the start, from the colour that the network gets as zero."""
    dnn = convolutional(CUT)
    start = np.random.default_rng(1).integers(0, 256, (3, 20, 20), dtype=np.uint8)
    plain, held = (SynthesisImage(dnn, '2', 1, 'mean', *given, parametrisation=kind, jitter=0)
                   for given in ((metric, 0), (metric, weight)))
    for synthesis in (plain, held):
        synthesis.synthesize(start)
    assert held.regular_losses[-1] < .9 * plain.regular_losses[-1]
    away = torch.from_numpy(start / 255 - np.array([.4, .5, .6])[:, None, None])
    assert held.regular_losses[0] == pytest.approx(REGULARISERS[metric](away[None]).item(), rel=.01)


def test_blur_and_smoothing_make_smoother_pictures():
    dnn = convolutional()
    rough, blurred, smoothed = (
        SynthesisImage(dnn, '2', 1, 'max', None, None, *given, parametrisation='pixel').synthesize() / 255
        for given in ((None, None), ('GB', 1.), (None, None, 'Fourier', 1.)))
    variation = [np.abs(np.diff(picture)).mean() for picture in (rough, blurred, smoothed)]
    assert variation[1] < .8 * variation[0] and variation[2] < .8 * variation[0]


def test_a_seed_makes_a_picture():
    synthesis = SynthesisImage(convolutional(), '2', 2)
    state = torch.random.get_rng_state()
    first, same, other = (synthesis.synthesize(n_iter=4, rng=rng) for rng in (3, np.random.default_rng(3), 4))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (torch.random.get_rng_state() == state).all()


@pytest.mark.parametrize('kind', ['fourier', 'pixel'])
def test_a_batch_is_its_pictures(kind):
    """Up to the order of sums in larger products."""
    dnn, settings = convolutional(CUT), {'parametrisation': kind, 'zoom': .05, 'rotation': 4}
    batch = SynthesisImage(dnn, '2', [4, 1, 2], batch_size=2, **settings)
    pictures = batch.synthesize(n_iter=8)
    for number, channel in enumerate([4, 1, 2]):
        alone = SynthesisImage(dnn, '2', channel, **settings)
        picture = alone.synthesize(n_iter=8)
        assert picture.shape == (3, 20, 20) and np.abs(picture.astype(int) - pictures[number]).max() <= 2
        assert alone.activation == pytest.approx(batch.activation[number], rel=.01)
        np.testing.assert_allclose(alone.activ_losses, batch.activ_losses[:, number], rtol=1e-3, atol=1e-5)


def test_units_and_voxels(rng):
    """A voxel that reads one unit with weight 2 is driven as the unit is, and has its picture."""
    dnn = convolutional()
    unit = SynthesisImage(dnn, '2', 3)
    picture = unit.synthesize(None, (2, 1), n_iter=5)
    assert unit.names == ['2 channel 3 (2, 1)']
    assert unit.activation == pytest.approx(dnn.compute_activation(picture[None], '2').get('2')[0, 2, 1, 0], rel=1e-4)
    coef = np.zeros((64, 2))
    coef[2 * 16 + 4, 1] = 2
    model = LayerModel('2', np.array([0., 1.]), coef=coef)
    voxel = SynthesisImage(dnn, target=ModelTarget(model, 2))
    np.testing.assert_array_equal(voxel.synthesize(n_iter=5), picture)
    assert voxel.activation == pytest.approx(1 + 2 * unit.activation, rel=1e-4) and voxel.names == ['voxel 2']
    model = LayerModel('2', np.zeros(2), coef=rng.standard_normal((64, 2)))
    both, mean = (SynthesisImage(dnn, target=ModelTarget(model, mean=mean)) for mean in (False, True))
    assert both.synthesize(n_iter=3).shape == (2, 3, 15, 15) and mean.synthesize(n_iter=3).shape == (3, 15, 15)
    with pytest.raises(BadValue, match='no layer is set'):
        both.synthesize(unit=(1, 1))


def test_clips_are_still():
    model = nn.Sequential(nn.Conv3d(3, 2, 3))
    frames = transforms.Compose([transforms.CenterCrop(8), lambda frames: frames / 255])
    dnn = net(model, (8, 8), ClipTransform(frames, n_frame=4, size=(10, 13)))
    synthesis = SynthesisImage(dnn, '0', 1)
    picture = synthesis.synthesize(n_iter=3)
    assert picture.shape == (3, 10, 13)
    seen = dnn.compute_activation(np.repeat(picture[None, :, None], 4, 2), '0').get('0')[0, 0].mean()
    assert synthesis.activation == pytest.approx(seen, rel=1e-4)


@pytest.mark.parametrize('transform', [WHOLE, CUT], ids=['whole', 'cut'])
@pytest.mark.parametrize('kind', ['fourier', 'pixel'])
def test_a_start_is_met(rng, transform, kind):
    """To a 512th, where gratings end in black and white, and half a level of rounding."""
    dnn = convolutional(transform)
    synthesis = SynthesisImage(dnn, '2', 1, parametrisation=kind)
    given = rng.integers(0, 256, (33, 21, 3), dtype=np.uint8)
    made = synthesis.synthesize(given, lr=1e-9, n_iter=1)
    seen = View(dnn).picture(given) - View(dnn).picture(made)
    assert seen.abs().max() < 1.6 / 255
    again = synthesis.synthesize(Image.fromarray(made.transpose(1, 2, 0)), lr=1e-9, n_iter=1)
    assert np.abs(again.astype(int) - made).max() <= 1


@pytest.mark.parametrize('size', [(8, 8), (7, 9)])
def test_gratings_make_any_picture_and_waves(rng, size):
    start = torch.from_numpy(rng.random((3, *size))).clamp(.01, .99)
    pictures = FourierPictures(start, 2)
    torch.testing.assert_close(pictures()[1].detach(), start.float(), atol=1e-5, rtol=0)
    plain = FourierPictures(torch.full((3, *size), .5), 1, decorrelate=False)
    plain.parameter.data[0, 1, 0, 2, 0] = 1
    wave = plain()[0].logit().detach().numpy()
    across = np.cos(4 * np.pi * np.arange(size[1]) / size[1])
    np.testing.assert_allclose(wave[1], np.broadcast_to(wave[1, 0, 0] * across, size), atol=1e-5)
    assert wave[1, 0, 0] > .1 and np.abs(wave[[0, 2]]).max() < 1e-6


def test_noise_has_the_colors_and_frequencies_of_photographs():
    pixels = FourierPictures.noise((256, 256), np.random.default_rng(0)).logit()
    flat = pixels.flatten(1).numpy()
    assert np.corrcoef(flat)[np.triu_indices(3, 1)].min() > .7      # red, green and blue go together
    power = np.abs(np.fft.fft2(pixels[1])) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    low, high = (power[(frequency > f) & (frequency < f * 1.1)].mean() for f in (.05, .4))
    assert low / high == pytest.approx(64, rel=.2)                  # 1 / f ** 2; a fifth for the sample


@pytest.mark.parametrize('move, expected', [
    ([0, 0, 0, 0], lambda p: p), ([2, -1, 0, 0], lambda p: np.roll(p, (-2, 1), (2, 3))),
    ([0, 0, 0, np.pi / 2], lambda p: np.rot90(p, 1, (2, 3)))], ids=['still', 'shifted', 'turned'])
def test_jitter_moves_as_told(rng, move, expected):
    """Over the middle, where nothing comes from beyond; the window is off the middle by half a pixel."""
    pictures = rng.random((2, 3, 9, 9)).astype(np.float32)
    jitter = Jitter(Canvas((9, 9), (2, 2)), (5, 5), 1, 0, .1, 0, rng)
    jitter.maps = torch.as_tensor(jitter._maps(np.array([move], float)), dtype=torch.float32)
    np.testing.assert_allclose(jitter(torch.from_numpy(pictures), 0), expected(pictures)[..., 2:7, 2:7], atol=1e-5)


def test_jitter_by_whole_pixels(rng):
    pictures = torch.from_numpy(rng.random((2, 3, 9, 9)))
    jitter = Jitter(Canvas((9, 9), (2, 2)), (5, 5), 200, 3, 0, 0, rng)
    shifts = np.array(jitter.shifts)
    assert set(shifts.ravel().tolist()) == set(range(-3, 4))
    for step in range(3):
        expected = np.roll(pictures, shifts[step], (2, 3))[..., 2:7, 2:7]
        np.testing.assert_array_equal(jitter(pictures, step), expected)


@pytest.mark.parametrize('steps, size, expected', [
    ([transforms.Resize((11, 16))], (11, 16), ((11, 16), (0, 0))),
    ([transforms.Resize(20), transforms.CenterCrop(15)], (15, 15), ((20, 20), (2, 2))),
    ([transforms.Resize((20, 31)), transforms.CenterCrop((12, 16))], (12, 16), ((20, 31), (4, 8))),
    ([transforms.Resize(64, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(56)], (56, 56),
     ((64, 64), (4, 4)))])
def test_a_canvas_reaches_the_network_unchanged(steps, size, expected):
    view = View(DNN(nn.Identity(), img_size=size, test_transform=transforms.Compose([*steps, transforms.ToTensor()])))
    found = Canvas.of(view)
    assert (found.size, found.corner, found.exact) == (*expected, True)


def test_a_transform_without_a_canvas_is_told():
    blurring = transforms.Compose([transforms.Resize((15, 15)), transforms.GaussianBlur(3), transforms.ToTensor()])
    synthesis = SynthesisImage(convolutional(blurring), '2', 1)
    with pytest.warns(UserWarning, match='changes pictures of any size'):
        picture = synthesis.synthesize(n_iter=2)
    seen = synthesis.dnn.compute_activation(picture[None], '2').get('2')[0, 0].mean()
    assert synthesis.activation == pytest.approx(seen, rel=.01)      # the blur is drawn at random


def test_a_silent_channel_is_told():
    dnn = convolutional()
    dnn.model[0].bias.data[1] = -100
    with pytest.warns(UserWarning, match='1 targets, the first 1 channel 2.*nothing to climb'):
        SynthesisImage(dnn, '1', [2, 3]).synthesize(n_iter=2)


def test_a_target_without_bounds_is_told():
    dnn = convolutional()
    dnn.model[2].bias.data[1] = torch.inf
    with pytest.warns(UserWarning, match='1 targets, the first 2 channel 2, became NaN or infinite'):
        SynthesisImage(dnn, '2', [1, 2]).synthesize(n_iter=2)


def test_gradients_are_there_where_the_caller_has_none():
    dnn = convolutional()
    expected = SynthesisImage(dnn, '2', 1).synthesize(n_iter=2)
    with torch.no_grad():
        np.testing.assert_array_equal(SynthesisImage(dnn, '2', 1).synthesize(n_iter=2), expected)
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize('kind', ['fourier', 'pixel'])
def test_a_channel_that_is_silent_for_gray_is_woken(kind):
    """Alone and in a batch; the other channel keeps the picture of its first start."""
    dnn = convolutional()
    weights = dnn.model[0].weight.data[1]
    dnn.model[0].bias.data[1] = -weights.sum() / 2 - .1 * weights.abs().sum() / 2
    batch, alone = (SynthesisImage(dnn, '1', channels, 'max', parametrisation=kind) for channels in ([1, 2], 2))
    pictures = batch.synthesize(n_iter=5)
    assert batch.activation[1] > 0 and np.abs(alone.synthesize(n_iter=5).astype(int) - pictures[1]).max() <= 2
    first = SynthesisImage(dnn, '1', 1, 'max', parametrisation=kind).synthesize(n_iter=5)
    assert np.abs(first.astype(int) - pictures[0]).max() <= 2


def test_pictures_on_the_way_and_losses_are_kept(tmp_path, capsys):
    synthesis = SynthesisImage(convolutional(), '2', [1, 3], 'mean', 'TV', .01)
    pictures = synthesis.synthesize(save_path=tmp_path / 'new', save_step=2, n_iter=5)
    assert sorted(file.name for file in (tmp_path / 'new').iterdir()) == sorted(
        f'2_chn{channel}{step}.png' for channel in (1, 3) for step in ('', '_step0002', '_step0004'))
    np.testing.assert_array_equal(Image.open(tmp_path / 'new' / '2_chn3.png'), pictures[1].transpose(1, 2, 0))
    table = synthesis.loss_table()
    assert table['target'].tolist() == ['2 channel 1'] * 5 + ['2 channel 3'] * 5
    np.testing.assert_array_equal(table['activation'][5:], -synthesis.activ_losses[:, 1])
    np.testing.assert_array_equal(table['regular'][:5], synthesis.regular_losses[:, 0])
    before = SynthesisImage(convolutional(), '2', 1, 'mean', 'TV', .01)
    before.synthesize(save_path=tmp_path / 'one.png', save_step=2, n_iter=2)
    np.testing.assert_array_equal(Image.open(tmp_path / 'one_step0002.png'), Image.open(tmp_path / 'one.png'))
    assert before.loss_table().shape == (2, 4) and before.activ_losses.shape == before.regular_losses.shape == (2,)
    assert capsys.readouterr().out == ''


def test_calls_of_1_0():
    """Positions, and the number that 1.0 wanted without its metric."""
    synthesis = SynthesisImage(convolutional(), '2', 1, 'max', None, 1, None, None, None, None)
    assert synthesis.get_layer() == ('2', 1) and len(synthesis.activ_losses) == 0
    synthesis.set_loss('mean', 'L1', .1)
    synthesis.set_precondition('GB', 1)
    synthesis.set_smooth_gradient('Fourier', .5)
    assert synthesis.synthesize(None, (1, 1), 0.1, 3, False, None, None).shape == (3, 15, 15)


def test_nothing_is_left_behind(tmp_path):
    dnn = convolutional()
    dnn.model.train()
    dnn.model[0].bias.requires_grad_(False)
    before, start = state_of(dnn), np.full((15, 15, 3), 99, np.uint8)
    SynthesisImage(dnn, '2', 1).synthesize(start, n_iter=2)
    assert state_of(dnn) == before and (start == 99).all()
    synthesis = SynthesisImage(dnn, '2', 9)
    with pytest.raises(BadValue, match='out of range'):
        synthesis.synthesize(n_iter=2, save_path=tmp_path / 'x.png')

    def crash(module, args):
        raise RuntimeError('crash inside')
    handle = dnn.model[2].register_forward_pre_hook(crash)
    with pytest.raises(RuntimeError, match='crash inside'):
        SynthesisImage(dnn, '2', 1).synthesize(save_path=tmp_path / 'x.png')
    handle.remove()
    assert state_of(dnn) == before and not list(tmp_path.iterdir())


@pytest.mark.parametrize('given, match', [
    ({'activ_metric': 'L2'}, "activ_metric 'L2' is not known"), ({'regular_metric': 'L3'}, "regular_metric 'L3'"),
    ({'regular_metric': 'TV'}, "regular_metric 'TV' needs regular_lambda"),
    ({'precondition_metric': 'GB'}, 'needs GB_radius'), ({'smooth_metric': 'Fourier'}, 'needs factor'),
    ({'regular_metric': 'TV', 'regular_lambda': -1}, 'regular_lambda must be'), ({'zoom': 1}, 'zoom must be below 1'),
    ({'parametrisation': 'wavelet'}, "parametrisation 'wavelet'"), ({'jitter': -1}, 'jitter must be'),
    ({'parametrisation': 'fourier', 'precondition_metric': 'GB', 'GB_radius': 1}, 'smooths pixels'),
    ({'batch_size': 0}, 'batch_size must be at least 1')])
def test_settings_are_checked(tiny, given, match):
    with pytest.raises(BadValue, match=match):
        SynthesisImage(tiny, 'conv', 1, **given)


@pytest.mark.parametrize('given, match', [
    ({'lr': 0}, 'lr must be'), ({'lr': None}, 'lr must be'), ({'n_iter': 0}, 'n_iter must be at least 1'),
    ({'n_iter': 1.5}, 'n_iter must be a whole number'), ({'save_step': 3}, 'save_step needs save_path'),
    ({'save_path': 'x.gif'}, 'must end in .png'), ({'save_path': 'no/x.png'}, "folder 'no' does not exist"),
    ({'save_path': 'x.png', 'channel': [1, 2]}, 'give a folder'), ({'init_image': 'no.png'}, 'does not exist'),
    ({'save_path': 'x', 'channel': [1, 1]}, 'stands twice'), ({'save_step': 0, 'save_path': 'x'}, 'save_step must be')])
def test_runs_are_checked(tiny, given, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=match):
        SynthesisImage(tiny, 'conv', given.pop('channel', 1)).synthesize(**given)


def test_networks_of_sounds_are_refused(tiny):
    tiny.test_transform = SoundTransform()
    with pytest.raises(BadValue, match='hears sounds'):
        SynthesisImage(tiny, 'conv', 1).synthesize()
