"""Pictures of any kind changed: against PIL, numpy and sums done by hand."""

import numpy as np
import pytest
import torch
from PIL import Image

from dnnbrain._checks import BadType, BadValue
from dnnbrain.dnn.base import ImageProcessor, ip

COLOR = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
GRAY = COLOR[0]
KINDS = {'PIL': lambda array: Image.fromarray(array if array.ndim == 2 else array.transpose(1, 2, 0)),
         'array': lambda array: array, 'tensor': torch.from_numpy}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=['color', 'gray'])
def pixels(request):
    return COLOR if request.param == 'color' else GRAY


def same(found, expected, kind):
    """Of the kind that came in, with exactly these numbers."""
    assert type(found) is {'PIL': Image.Image, 'array': np.ndarray, 'tensor': torch.Tensor}[kind]
    if kind == 'PIL':
        assert found.mode == ('L' if expected.ndim == 2 else 'RGB')
    assert ip.to_array(found).dtype == expected.dtype
    np.testing.assert_array_equal(ip.to_array(found), expected)


def test_kinds_become_each_other(kind, pixels):
    image = KINDS[kind](pixels)
    for method, wanted in ((ip.to_array, 'array'), (ip.to_tensor, 'tensor'), (ip.to_pil, 'PIL')):
        same(method(image), pixels, wanted)
    assert isinstance(ip, ImageProcessor)
    if kind == 'tensor':
        assert ip.to_tensor(image) is image
    else:
        before = pixels.copy()
        ip.to_tensor(image).zero_()
        np.testing.assert_array_equal(pixels, before)           # a tensor of its own


def test_modes_of_pil():
    for mode, expected in (('RGBA', (3, 9, 7)), ('P', (3, 9, 7)), ('CMYK', (3, 9, 7)), ('LA', (3, 9, 7)),
                           ('1', (9, 7)), ('F', (9, 7)), ('I', (9, 7))):
        image = KINDS['PIL'](COLOR).convert('L' if mode in ('LA', 'F', 'I') else 'RGB').convert(mode)
        assert ip.to_array(image).shape == expected
    deep = (GRAY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(ip.to_array(Image.fromarray(deep)), deep)
    assert ip.to_pil(np.stack([*COLOR, GRAY])).mode == 'RGB'    # alpha is dropped


def test_to_pil_takes_floats_as_shares_of_white_and_stretches_on_request():
    np.testing.assert_array_equal(ip.to_array(ip.to_pil(np.array([[0, 0.2, 1]]))), [[0, 51, 255]])
    np.testing.assert_array_equal(ip.to_array(ip.to_pil(np.array([[0, 0.6, 200.4]]))), [[0, 1, 200]])
    np.testing.assert_array_equal(ip.to_array(ip.to_pil(np.array([[True, False]]))), [[255, 0]])
    np.testing.assert_array_equal(ip.to_array(ip.to_pil(np.array([[1, 0]]))), [[1, 0]])
    np.testing.assert_array_equal(ip.to_array(ip.to_pil(np.array([[-2.0, 0, 3]]), normalization=True)), [[0, 102, 255]])
    np.testing.assert_array_equal(ip.to_array(ip.to_pil(KINDS['PIL'](np.uint8([[10, 20]])), True)), [[0, 255]])
    assert (ip.to_array(ip.to_pil(np.full((3, 2, 2), 7.0), True)) == 0).all()       # not divided by zero
    for wrong, words in ((np.array([[-1, 3]]), r'0 to 255.* not -1 to 3; normalization=True'),
                         (np.array([[256.0]]), 'from 0 to 255'), (np.array([[np.nan]]), 'no colour')):
        with pytest.raises(BadValue, match=words):
            ip.to_pil(wrong)


@pytest.mark.parametrize('interpolation', ['nearest', 'bilinear', 'bicubic', 'lanczos'])
def test_resize_is_that_of_pil(kind, pixels, interpolation):
    theirs = KINDS['PIL'](pixels).resize((5, 12), Image.Resampling[interpolation.upper()])
    same(ip.resize(KINDS[kind](pixels), (12, 5), interpolation), ip.to_array(theirs), kind)


def test_resize_keeps_what_8_bits_cannot_hold():
    """Negative numbers, floats and more than 255 levels, which 1.0 sent through uint8."""
    ramp = np.linspace(-3, 5, 8)[None].repeat(4, axis=0)
    twice = ip.resize(ramp, (4, 16), 'bilinear')
    assert twice.dtype == np.float64 and twice.shape == (4, 16)
    inner = np.interp((np.arange(16) + 0.5) / 2 - 0.5, np.arange(8), ramp[0])
    np.testing.assert_allclose(twice[0], inner, atol=1e-6)             # single precision
    deep = np.array([[0, 40_000]], dtype=np.uint16)
    np.testing.assert_array_equal(ip.resize(deep, (1, 4), 'bilinear'), [[0, 10_000, 30_000, 40_000]])
    overshoot = ip.resize(np.int16([[-32768] * 4 + [32767] * 4] * 4), (4, 24), 'bicubic')
    assert overshoot.min() == -32768 and overshoot.max() == 32767      # not wrapped around
    np.testing.assert_array_equal(ip.resize(np.array([[True, False]]), (1, 4)), [[True, True, False, False]])
    half = torch.rand(3, 4, 4, dtype=torch.bfloat16, requires_grad=True)
    assert ip.resize(half, (2, 2)).dtype is torch.bfloat16 and ip.resize(half[:1], (2, 2)).shape == (1, 2, 2)


@pytest.mark.parametrize('box', [(1, 2, 5, 9), (-2, 3, 4, 12), (0, 0, 7, 9), (20, 20, 22, 21)])
def test_crop_is_that_of_pil(kind, pixels, box):
    same(ip.crop(KINDS[kind](pixels), box), ip.to_array(KINDS['PIL'](pixels).crop(box)), kind)


def test_translate_moves_x_along_columns(kind):
    """A dot of 2 x 1 pixels (width x height) on a background that is wider than high."""
    dot, bkg = np.full((1, 2), 9, np.uint8), np.full((3, 8), 1, np.uint8)
    moved = ip.translate(KINDS[kind](dot), KINDS[kind](bkg), (0, 1), (6, 1), 3)
    expected = np.ones((3, 3, 8), np.uint8)
    expected[0, 1, 0:2] = expected[1, 1, 3:5] = expected[2, 1, 6:8] = 9
    assert isinstance(moved, {'PIL': list, 'array': np.ndarray, 'tensor': torch.Tensor}[kind]) and len(moved) == 3
    for one, wanted in zip(moved, expected, strict=True):
        same(one, wanted, kind)


def test_translate_goes_in_a_straight_line_either_way():
    moved = ip.translate(np.array([[7.0]]), np.zeros((5, 9)), (8, 4), (0, 0), 2)
    assert [tuple(place) for place in np.argwhere(moved)] == [(0, 4, 8), (1, 3, 6), (2, 2, 4), (3, 1, 2), (4, 0, 0)]
    assert len(ip.translate(np.array([[7.0]]), np.zeros((5, 9)), (0, 0), (8, 0), 3)) == 3      # 0, 3, 6
    assert len(ip.translate(np.array([[7.0]]), np.zeros((5, 9)), (2, 2), (2, 2), 1)) == 1


def test_translate_mixes_gray_with_colour_and_leaves_its_arguments():
    bkg = COLOR.copy()
    moved = ip.translate(GRAY[:2, :2], KINDS['PIL'](bkg), (1, 3), (1, 3), 1)
    assert moved.shape == (1, 3, 9, 7) and (moved[0, :, 3:5, 1:3] == GRAY[:2, :2]).all()
    np.testing.assert_array_equal(moved[0, :, 5:], COLOR[:, 5:])
    np.testing.assert_array_equal(bkg, COLOR)
    assert ip.translate(KINDS['PIL'](COLOR[:, :2, :2]), GRAY, (0, 0), (1, 0), 1)[1].mode == 'RGB'


def test_norms_and_variation_do_not_wrap_around(kind):
    pixels = np.uint8([[200, 100, 0], [0, 255, 250]])
    image = KINDS[kind](pixels)
    assert ip.norm(image, 1) == 805 and ip.norm(image, np.inf) == 255
    assert ip.norm(image, 2) == pytest.approx(np.sqrt((pixels.astype(float) ** 2).sum()), rel=1e-14)
    assert ip.norm(image, 3) == pytest.approx((pixels.astype(float) ** 3).sum() ** (1 / 3), rel=1e-14)
    # rows: 200 + 155 + 250; columns: 100 + 100 + 255 + 5
    assert ip.total_variation(image) == 605 + 460
    stacked = KINDS[kind](np.stack([pixels, np.zeros_like(pixels), pixels[:, ::-1]]))
    assert ip.total_variation(stacked) == 2 * (605 + 460)              # neighbours in the picture, not among colours


@pytest.mark.parametrize('call, error, words', [
    (lambda: ip.to_array([[1]]), BadType, 'PIL picture, an array or a tensor, not list'),
    (lambda: ip.to_array(np.zeros((9, 7, 3))), BadValue, r'not \(9, 7, 3\); colours come first'),
    (lambda: ip.to_tensor(torch.zeros(2, 9, 7)), BadValue, r'shape \(h, w\) or \(3, h, w\)'),
    (lambda: ip.to_array(np.zeros((2, 2), complex)), BadType, 'real numbers, not complex128'),
    (lambda: ip.resize(GRAY, (3, 0)), BadValue, r'size must be \(height, width\), both at least 1'),
    (lambda: ip.resize(GRAY, (3, 3), 'cubic'), BadValue, "did you mean 'bicubic'"),
    (lambda: ip.crop(GRAY, (3, 0, 3, 2)), BadValue, r'left < right and upper < lower, not \(3, 0, 3, 2\)'),
    (lambda: ip.translate(Image.new('I;16', (2, 2)), COLOR, (0, 0), (0, 0)), BadValue, '8 bits per colour'),
    (lambda: ip.translate(GRAY, GRAY[:5], (0, 0), (0, 0), 1), BadValue, r'7 x 9 .* does not fit on a bkg of 7 x 5'),
    (lambda: ip.translate(GRAY[:5], GRAY, (0, 0), (0, 6), 2), BadValue, r'\(x, y\) = \(0, 6\).*\(0, 0\) to \(0, 4\)'),
    (lambda: ip.translate(GRAY / 255, GRAY, (0, 0), (0, 0), 1), BadValue, 'float64 and uint8'),
    (lambda: ip.translate(COLOR, np.stack([*COLOR, GRAY]), (0, 0), (0, 0), 1), BadValue, '3 channels and bkg has 4'),
    (lambda: ip.translate(GRAY, GRAY, (0,), (0, 0), 1), BadValue, r'startpoint must be \(x, y\)'),
    (lambda: ip.translate(GRAY, GRAY, (0, 0), (0, 0), 0), BadValue, 'stride must be at least 1 pixel'),
    (lambda: ip.norm(GRAY, 'fro'), BadType, "ord must be a number, .* not 'fro'"),
])
def test_mistakes(call, error, words):
    with pytest.raises(error, match=words):
        call()
