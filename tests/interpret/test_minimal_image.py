"""Minimal pictures: what drives a hand-set channel is kept and the rest is not; parts sum up to the picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn as nn
from PIL import Image
from skimage import segmentation
from sklearn.decomposition import PCA, FastICA
from torchvision import transforms

from dnnbrain._checks import BadType, BadValue
from dnnbrain.interpret.minimal.minimal_component import MinimalComponentImage
from dnnbrain.interpret.minimal.minimal_image import MinimalParcelImage
from dnnbrain.interpret.minimal.segments import parcels_of
from dnnbrain.interpret.minimal.sufficiency import fewest, fitted_rise
from dnnbrain.interpret.target import ModelTarget
from dnnbrain.mapping.multivariate import MultivariateMapping
from dnnbrain.networks.dnn import DNN

SIDE = 40
SQUARE = (slice(8, 18), slice(20, 32))


def colours(size=SIDE):
    """Channel 1 answers to red, 2 to green, 3 to blue, each less the other two; channel 4 to all."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[:, :, 1, 1] = torch.tensor([[1., -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1]])
        model[0].bias.zero_()
    look = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor()])
    return DNN(model, layer2loc={'conv': ('0',), 'relu': ('1',)}, img_size=(size, size), test_transform=look)


@pytest.fixture
def scene(rng):
    """Gray noise in four fields, a red square, a dimmer red bar, a green disc."""
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    for i, gray in enumerate((40, 90, 140, 190)):
        picture[10 * i:10 * i + 10] = gray
    picture += rng.integers(0, 4, (SIDE, SIDE, 1), dtype=np.uint8)
    picture[SQUARE] = (250, 10, 10)
    picture[34:38, 2:30] = (160, 20, 20)
    rows, cols = np.indices((SIDE, SIDE))
    picture[(rows - 24) ** 2 + (cols - 8) ** 2 < 30] = (10, 220, 10)
    return picture


def cut(minimal, scene):
    return minimal.felzenszwalb_decompose(scene, scale=20, sigma=0, min_size=20)


def test_the_square_that_drives_a_channel_is_kept_and_nothing_else(scene):
    before, minimal = scene.copy(), MinimalParcelImage(colours(), 'relu', 1)
    parcels = cut(minimal, scene)
    found = minimal.generate_minimal_image()
    expected = np.zeros_like(scene)
    expected[SQUARE] = scene[SQUARE]
    np.testing.assert_array_equal(found, expected)
    assert minimal.n_kept == 1 < len(parcels) and minimal.activation == minimal.whole_activation
    np.testing.assert_allclose(minimal.activation, (250 - 20) / 255, rtol=1e-5)
    np.testing.assert_array_equal(scene, before)


def test_a_share_of_the_activation_is_kept(scene):
    """Of a mean over places, the square alone has 74 %, with the bar 100 %."""
    square, bar = 120 * 230, 112 * 120
    for share, kept in ((None, 2), (.3, 1), (square / (square + bar) - .01, 1), (square / (square + bar) + .01, 2),
                        (1., 2)):
        minimal = MinimalParcelImage(colours(), 'relu', 1, activation_criterion='mean', share=share)
        cut(minimal, scene)
        found = minimal.generate_minimal_image()
        assert minimal.n_kept == kept and found[36, 3].any() == (kept == 2) and not found[24, 8].any()
        assert minimal.activation >= (share or 1) * minimal.whole_activation
        np.testing.assert_allclose(minimal.whole_activation, (square + bar) / 255 / SIDE ** 2, rtol=1e-4)


def test_order_and_combinations(scene):
    minimal = MinimalParcelImage(colours(), 'relu', 1, 'mean')          # 1.0's places
    parcels = cut(minimal, scene)
    n = len(parcels)
    np.testing.assert_array_equal(parcels.sum(0, dtype=np.uint8), scene)
    truth = np.maximum(parcels.astype(float) @ [1, -1, -1], 0).mean((1, 2))
    order = np.argsort(-truth, kind='stable')
    down = minimal.sort_parcel('descending')
    np.testing.assert_array_equal(down, parcels[order])
    np.testing.assert_array_equal(minimal.combine_parcel([0, 2]), down[[0, 2]].sum(0))
    np.testing.assert_array_equal(minimal.combine_parcel(slice(1, None)), down[1:].sum(0))
    np.testing.assert_array_equal(minimal.combine_parcel((1, 2)), down[1:3].sum(0))
    np.testing.assert_array_equal(minimal.combine_parcel(-1), down[-1])
    up = minimal.sort_parcel('ascending')
    np.testing.assert_array_equal(up, down[::-1])
    minimal.generate_minimal_image()
    assert minimal.n_kept == n                                          # the square is the last to come
    given = np.random.default_rng(0).permutation(n)
    np.testing.assert_array_equal(minimal.sort_parcel(given), parcels[given])
    combined = np.maximum(np.cumsum(parcels[given].astype(float), 0) @ [1, -1, -1], 0).mean((1, 2)) / 255
    minimal.generate_minimal_image()
    np.testing.assert_allclose(minimal.activations, combined, rtol=1e-4)


@pytest.mark.parametrize('method, settings', [
    ('felzenszwalb', {'scale': 60, 'sigma': .8, 'min_size': 10}),
    ('slic', {'n_segments': 30, 'compactness': 5, 'sigma': 2}),
    ('quickshift', {'kernel_size': 2, 'max_dist': 8, 'ratio': .7})])
def test_parcels_are_those_of_skimage(scene, method, settings):
    """Trap of 1.0: settings went to other arguments by their place."""
    minimal = MinimalParcelImage(colours(), 'relu', 1)
    parcels = getattr(minimal, f'{method}_decompose')(scene, *settings.values())
    extra = {'rng': 0} if method == 'quickshift' else {}
    labels = getattr(segmentation, method)(scene, **settings, **extra)
    assert parcels.dtype == np.uint8 and parcels.shape == (len(np.unique(labels)), SIDE, SIDE, 3)
    for parcel, label in zip(parcels, np.unique(labels), strict=True):
        np.testing.assert_array_equal(parcel, scene * (labels == label)[..., None])


def test_slic_makes_about_as_many_as_asked(rng):
    """1.0 made 29,240 of 474."""
    picture = np.asarray(Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((80, 80)))
    assert 150 < len(MinimalParcelImage(colours(), 'relu', 1).slic_decompose(picture)) < 300


def test_black_takes_no_memory():
    """6000 parcels of a 600 x 600 picture are 6 GB; what is written is the picture, in pages of 4 kB each."""
    import resource
    labels, own = np.arange(360000).reshape(600, 600) // 60, resource.RUSAGE_SELF
    before = resource.getrusage(own).ru_maxrss
    parcels = parcels_of(np.full((600, 600, 3), 7, np.uint8), labels)
    assert parcels.shape == (6000, 600, 600, 3) and (parcels[17, 1, 420:480] == 7).all() and not parcels[17, 0].any()
    assert resource.getrusage(own).ru_maxrss - before < 200_000            # kB


def test_several_channels_a_unit_and_a_voxel(scene, rng):
    dnn = colours()
    minimal = MinimalParcelImage(dnn, 'relu', [1, 2])
    cut(minimal, scene)
    red, green = minimal.generate_minimal_image()
    assert red[SQUARE].any() and not red[24, 8].any() and green[24, 8].any() and not green[SQUARE].any()
    assert minimal.n_kept.tolist() == [1, 1] and minimal.activations.shape[0] == 2
    with pytest.raises(BadValue, match='an order for each channel'):
        minimal.sort_parcel()
    unit = MinimalParcelImage(dnn, 'relu', 1, unit=(36, 4))             # in the bar
    cut(unit, scene)
    assert unit.generate_minimal_image()[35, 3].any() and unit.n_kept == 1
    X = rng.random((8, 4 * SIDE ** 2)).astype(np.float32)
    coef = np.zeros((4, SIDE, SIDE), np.float32)
    coef[1, 20:28, 4:12] = 1                                           # a voxel that likes green at the disc
    model = MultivariateMapping('ridge', cv=3).map(X, rng.standard_normal((8, 1)))['model'][0].to_weights(X)
    model = replace(model, layer='relu', coef=coef.reshape(-1, 1), intercept=np.zeros(1), mean=None, scale=None)
    voxel = MinimalParcelImage(dnn, target=ModelTarget(model), share=.99)
    cut(voxel, scene)
    found = voxel.generate_minimal_image()
    assert found[24, 8].any() and not found[SQUARE].any() and voxel.n_kept == 1


def test_pictures_of_any_kind_and_size(scene, tmp_path):
    """A larger picture keeps its size; the network sees it smaller."""
    large = Image.fromarray(scene).resize((90, 70), Image.Resampling.NEAREST)
    large.convert('P').save(tmp_path / 'x.png')
    for image in (large, large.convert('RGBA'), str(tmp_path / 'x.png'), np.asarray(large).transpose(2, 0, 1) / 255.):
        minimal = MinimalParcelImage(colours(), 'relu', 1)
        assert cut(minimal, image).shape[1:] == (70, 90, 3)
        found = minimal.generate_minimal_image()
        assert found[20, 60].any() and not found[42, 18].any() and found.dtype == np.uint8
    assert cut(MinimalParcelImage(colours(), 'relu', 4), large.convert('L')).shape[1:] == (70, 90, 3)


def test_how_few_are_chosen():
    rise = np.array([1., 3, 5, 5, 4, 4.5])
    assert fewest(rise) == 3 and fewest(rise, share=.5) == 2 and fewest(rise, share=1) == 3
    k = np.arange(1, 41)
    curve = 2 + 3 * (1 - np.exp(-k / 5))
    tau, fitted = fitted_rise(curve)
    assert abs(tau / 5 - 1) < .03                                       # the grid of tau has steps of 3 %
    np.testing.assert_allclose(fitted, curve, atol=.02)
    assert fewest(curve, 'fitting curve') == int(np.ceil(5 * np.log(1 / .05)))
    noisy = curve + np.random.default_rng(0).normal(0, .05, 40)
    assert abs(fewest(noisy, 'fitting curve') - 15) <= 2 < np.argmax(noisy)
    late = np.where(k < 30, 0, 1.)
    assert fewest(late, 'fitting curve', .9) >= 30                      # the share is kept, whatever the curve says
    assert fewest(np.linspace(2, 1, 9), 'fitting curve') == 1           # nothing rises: the first part is enough
    assert fewest(np.ones(5), 'fitting curve') == 1 and fewest(np.array([2.]), 'fitting curve') == 1
    assert fewest(np.array([-1., -3, -2])) == 1
    with pytest.raises(BadValue, match='no share'):
        fewest(np.array([1., -1]), share=.5)
    with pytest.raises(BadValue, match='NaN or infinite'):
        fewest(np.array([1., np.nan]))


def test_the_elbow_of_a_picture(scene):
    minimal = MinimalParcelImage(colours(), 'relu', 4, 'mean', 'fitting curve', share=.8)
    minimal.slic_decompose(scene, 40)
    minimal.generate_minimal_image()
    assert 1 < minimal.n_kept < len(minimal.activations) and minimal.activation >= .8 * minimal.whole_activation


def test_a_channel_that_a_picture_does_not_drive_does_not_stop_the_others(scene, caplog):
    scene[(scene[..., 2] > scene[..., 1]) & (scene[..., 2] > scene[..., 0])] = 0
    minimal = MinimalParcelImage(colours(), 'relu', [3, 1], share=.9)       # no blue
    cut(minimal, scene)
    blue, red = minimal.generate_minimal_image()
    assert minimal.n_kept.tolist() == [0, 1] and 'relu channel 3' in caplog.text
    assert not blue.any() and red[SQUARE].all()
    np.testing.assert_allclose(minimal.activation, [np.nan, (250 - 20) / 255], rtol=1e-5)
    minimal.set_layer('relu', 3)
    with pytest.raises(BadValue, match='of that no share'):
        minimal.generate_minimal_image()


@pytest.fixture(scope='module')
def pictures_of_patterns():
    """30 pictures, each gray plus three patterns (red, green and blue gratings) with independent weights."""
    rng = np.random.default_rng(1)
    grating = np.sin(np.arange(12) / 12 * 2 * np.pi * np.array([[1], [2], [3]]))
    patterns = np.zeros((3, 12, 12, 3))
    for i in range(3):
        patterns[i, ..., i] = grating[i] if i % 2 else grating[i][:, None]
    weights = rng.uniform(-1, 1, (30, 3))
    pictures = 120 + np.tensordot(weights, patterns, 1) * 100
    return pictures.round().astype(np.uint8), weights, patterns


def test_principal_components_are_those_of_sklearn(pictures_of_patterns):
    pictures, _, _ = pictures_of_patterns
    minimal = MinimalComponentImage(colours(12), 'relu', 1)
    found = minimal.pca_decompose(pictures.transpose(0, 3, 1, 2), 3).reshape(3, -1)
    truth = PCA(3).fit(pictures.reshape(30, -1) / 255)
    signs = np.sign((found * truth.components_).sum(1))[:, None]
    np.testing.assert_allclose(found * signs, truth.components_, atol=1e-4)
    np.testing.assert_allclose(minimal.weights * signs.T, truth.transform(pictures.reshape(30, -1) / 255), atol=1e-4)


def test_independent_components_find_the_patterns(pictures_of_patterns):
    pictures, weights, patterns = pictures_of_patterns
    minimal = MinimalComponentImage(colours(12), 'relu', 1, 'ica')
    found = minimal.decompose(list(pictures), 3, rng=0).reshape(3, -1)
    alike = np.abs(np.corrcoef(found, patterns.reshape(3, -1))[:3, 3:])
    assert sorted(alike.argmax(1)) == [0, 1, 2] and alike.max(1).min() > .95
    again = MinimalComponentImage(colours(12), 'relu', 1).ica_decompose(list(pictures), 3, rng=0)
    np.testing.assert_array_equal(found, again.reshape(3, -1))
    scores = PCA(3).fit_transform(pictures.reshape(30, -1) / 255)
    truth = FastICA(whiten='unit-variance', random_state=0, max_iter=1000).fit_transform(scores)
    alike = np.abs(np.corrcoef(minimal.weights.T, truth.T)[:3, 3:])
    assert alike.max(1).min() > .99                                     # where it stops depends on the start


@pytest.mark.parametrize('n_component', [None, 2])
@pytest.mark.parametrize('number', [3, 'new'])
def test_parts_sum_up_to_the_picture(pictures_of_patterns, n_component, number, rng):
    """Also with fewer components than there could be, and of a picture that is not of the set."""
    pictures, _, _ = pictures_of_patterns
    picture = pictures[3] if number == 3 else rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    minimal = MinimalComponentImage(colours(12), 'relu', 1, share=.9)
    minimal.decompose(list(pictures), n_component)
    parts = minimal.set_picture(3 if number == 3 else picture)
    np.testing.assert_allclose(minimal.mean + parts.sum(0), picture / 255, atol=1e-3)
    np.testing.assert_array_equal(minimal.combine_component(slice(None)), picture)
    minimal.generate_minimal_image()
    truth = np.maximum(picture / 255 @ [1, -1, -1], 0).max()
    np.testing.assert_allclose(minimal.whole_activation, truth, atol=1e-5)
    assert minimal.activation >= .9 * truth
    np.testing.assert_allclose(minimal.activation_of(picture), [truth], atol=1e-5)


def test_the_component_that_drives_a_channel_is_kept(pictures_of_patterns):
    """Of the patterns, only the red grating gives red; it comes first and suffices for most of the activation."""
    pictures, weights, patterns = pictures_of_patterns
    minimal = MinimalComponentImage(colours(12), 'conv', 1, 'ica', share=.8, unit=(4, 4))
    minimal.decompose(list(pictures), 3)
    number = int(np.argmax(weights[:, 0] * patterns[0, 3, 3, 0]))       # where it is strongest
    minimal.set_params('ica', activation_criterion='L1')
    minimal.set_picture(number)
    first = minimal.sort_componet()[0]
    assert np.abs(first[..., 0]).mean() > 5 * np.abs(first[..., 1:]).mean()
    alone = minimal.combine_component([0])
    np.testing.assert_array_equal(alone, ((minimal.mean + first) * 255).round().clip(0, 255).astype(np.uint8))
    up = minimal.sort_component('ascending')
    assert not np.array_equal(up[0], first)
    minimal.set_picture(number)
    found = minimal.generate_minimal_image()
    assert found.shape == (12, 12, 3) and minimal.n_kept <= 2 and minimal.activation == minimal.activations.max()


def test_the_network_is_as_found(scene):
    dnn = colours()
    dnn.model.train()
    for target in ((1, None), ([1, 9], None)):
        minimal = MinimalParcelImage(dnn, 'relu', target[0])
        cut(minimal, scene)
        try:
            minimal.generate_minimal_image()
        except BadValue as error:
            assert 'channel of layer' in str(error)
        assert all(module.training and not module._forward_hooks for module in dnn.model.modules())
        assert all(p.requires_grad for p in dnn.model.parameters())


@pytest.mark.parametrize('call, error, sentence', [
    (lambda m: m.generate_minimal_image(), BadValue, 'decompose a picture first'),
    (lambda m: m.combine_parcel([0]), BadValue, 'decompose a picture first'),
    (lambda m: m.set_params('median'), BadValue, "activation_criterion 'median' is not known"),
    (lambda m: m.set_params(search_criterion='elbow'), BadValue, "choose from max, fitting curve"),
    (lambda m: m.set_params(share=1.2), BadValue, 'share must be above 0 and at most 1'),
    (lambda m: m.slic_decompose(np.zeros((9, 9, 3)), 0), BadValue, 'n_segments must be at least 1'),
    (lambda m: m.slic_decompose(np.zeros((9, 9, 3)), 2.5), BadType, 'n_segments must be a whole number'),
    (lambda m: m.felzenszwalb_decompose(np.zeros((9, 9, 3)), -1), BadValue, 'scale must be a positive number'),
    (lambda m: m.felzenszwalb_decompose(np.zeros((9, 9, 3)), None), BadType, 'scale must be a number'),
    (lambda m: m.quickshift_decompose(np.zeros((9, 9, 3)), ratio=2), BadValue, 'from 0 to 1'),
    (lambda m: (m.slic_decompose(np.zeros((9, 9, 3)), 4), m.sort_parcel('up')), BadValue, "order 'up' is not known"),
    (lambda m: (m.slic_decompose(np.zeros((9, 9, 3)), 4), m.sort_parcel([0, 0])), BadValue, 'each once'),
    (lambda m: (m.slic_decompose(np.zeros((9, 9, 3)), 4), m.combine_parcel([99])), BadValue, 'index must be places'),
])
def test_mistakes(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(MinimalParcelImage(colours(), 'relu', 1))


@pytest.mark.parametrize('call, error, sentence', [
    (lambda m: m.generate_minimal_image(), BadValue, 'decompose a set of pictures first'),
    (lambda m: m.set_params('nmf'), BadValue, "meth 'nmf' is not known"),
    (lambda m: m.pca_decompose([np.zeros((9, 9, 3))]), BadValue, 'at least 2 pictures'),
    (lambda m: m.pca_decompose([np.zeros((9, 9, 3))] * 3), BadValue, 'all pictures of the set are the same'),
    (lambda m: m.pca_decompose([np.zeros((9, 9, 3)), np.ones((9, 9, 3))], 2), BadValue, 'from 1 to 1'),
    (lambda m: m.pca_decompose('x.png'), BadType, 'images must be a Stimulus'),
    (lambda m: (m.pca_decompose([np.zeros((9, 9, 3)), np.ones((9, 9, 3))]), m.set_picture(2)), BadValue, 'from 0'),
])
def test_mistakes_with_components(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(MinimalComponentImage(colours(), 'relu', 1))
