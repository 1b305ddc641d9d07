"""Pictures of any mode arrive as RGB."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from dnnbrain._checks import BadPath, BadType, BadValue
from dnnbrain.dnn.base import ImageSet
from dnnbrain.stimuli.images import ArraySet, read_rgb, to_rgb
from dnnbrain.stimuli.loaders import batches, picture_set

RED, GREEN = (200, 10, 30), (10, 220, 40)


def two_pixels(mode):
    image = Image.new('RGB', (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    return image.quantize(2) if mode == 'P' else image.convert(mode)


@pytest.mark.parametrize('mode, suffix', [('RGB', '.png'), ('RGBA', '.png'), ('P', '.png'), ('P', '.gif'),
                                          ('RGB', '.bmp'), ('RGB', '.tif'), ('CMYK', '.tif')])
def test_colours_arrive_as_red_green_blue(tmp_path, mode, suffix):
    two_pixels(mode).save(tmp_path / f'x{suffix}')
    pixels = np.asarray(read_rgb(tmp_path / f'x{suffix}')).astype(int)
    assert pixels.shape == (1, 2, 3)
    assert np.abs(pixels[0] - [RED, GREEN]).max() <= 1


def test_gray_is_repeated_and_16_bit_is_scaled(tmp_path):
    Image.fromarray(np.array([[0, 128, 255]], dtype=np.uint8)).save(tmp_path / 'g.png')
    assert np.asarray(read_rgb(tmp_path / 'g.png'))[0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    Image.fromarray(np.array([[0, 128 * 257, 65535]], dtype=np.uint16)).save(tmp_path / 'g16.png')
    assert np.asarray(read_rgb(tmp_path / 'g16.png'))[0].tolist() == [[0] * 3, [128] * 3, [255] * 3]


@pytest.mark.parametrize('dtype, values', [
    (np.int32, [0, 128, 255]), (np.int32, [0, 128 * 257, 65535]), (np.float32, [0, 128 / 255, 1]),
    (np.float32, [0, 128, 255]), (np.float32, [-3, 128.2, 900]), (np.float32, [np.nan, 128 / 255, 1]),
])
def test_whole_numbers_and_floats_of_32_bit(tmp_path, dtype, values):
    Image.fromarray(np.array([values], dtype=dtype)).save(tmp_path / 'x.tif')
    assert np.asarray(read_rgb(tmp_path / 'x.tif'))[0].tolist() == [[0] * 3, [128] * 3, [255] * 3]


def test_a_black_picture_stays_black():
    for mode in ('I', 'F', 'I;16'):
        assert np.asarray(to_rgb(Image.new(mode, (2, 1)))).max() == 0


def test_palette_with_transparency(tmp_path):
    image = two_pixels('P')
    image.save(tmp_path / 'x.png', transparency=bytes([0, 255]))
    assert np.abs(np.asarray(read_rgb(tmp_path / 'x.png')).astype(int)[0] - [RED, GREEN]).max() <= 1


def test_bad_pictures_get_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(BadPath, match='does not exist'):
        read_rgb(tmp_path / 'no.png')
    (tmp_path / 'x.png').write_text('x')
    with pytest.raises(BadValue, match='not a picture'):
        read_rgb(tmp_path / 'x.png')
    two_pixels('RGB').resize((64, 64)).save(tmp_path / 'bomb.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(BadValue, match='bomb'):
        read_rgb(tmp_path / 'bomb.png')


def test_image_set_of_1_0(pictures):
    dataset = ImageSet(str(pictures), ['00.png', '03.png', '05.png'], labels=[4, 5, 6])
    picture, label = dataset[1]
    expected = np.asarray(Image.open(pictures / '03.png')).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(picture.numpy(), expected, rtol=1e-6)
    assert label == 5 and len(dataset) == 3
    for index in ([2, 0], slice(None, None, -2)):
        batch, labels = dataset[index]
        assert batch.shape == (2, 3, 40, 50) and labels.tolist() == [6, 4]
    with pytest.raises(BadValue, match='2 labels came for 1'):
        ImageSet(str(pictures), ['00.png'], [1, 2])


def test_arrays_are_pictures_too(rng):
    pixels = rng.integers(0, 256, (3, 3, 5, 4), dtype=np.uint8)
    np.testing.assert_allclose(ArraySet(pixels)[1][0].numpy(), pixels[1] / 255, rtol=1e-6)
    assert torch.equal(ArraySet(pixels[:, :1])[0][0][0], ArraySet(pixels[:, :1])[0][0][2])
    with pytest.raises(BadValue, match='uint8'):
        ArraySet(pixels / 255.0)
    with pytest.raises(BadValue, match=r'\(n, 3, h, w\)'):
        ArraySet(pixels[0])


@pytest.mark.parametrize('n_worker', [0, 1, 3, None])
@pytest.mark.parametrize('batch_size', [1, 5, 12, 50])
def test_batches_keep_the_order(stim, n_worker, batch_size):
    pictures = picture_set(stim)
    found = list(batches(pictures, batch_size, n_worker))
    assert [len(b) for b in found[:-1]] == [batch_size] * (len(found) - 1)
    assert torch.equal(torch.cat(found), pictures[:][0])


@pytest.mark.parametrize('steps', [
    [transforms.Resize((9, 7)), transforms.ToTensor(), transforms.Normalize([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])],
    [transforms.ToTensor(), transforms.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))],
    [transforms.ToTensor(), transforms.Normalize([0.5], [0.1]), transforms.Resize((9, 7))],
    [transforms.Resize((9, 7)), transforms.ToTensor()],
])
def test_work_moved_to_the_batch_gives_the_same_bits(stim, steps):
    pictures = picture_set(stim, transforms.Compose(steps))
    assert torch.equal(torch.cat(list(batches(pictures, 5))), pictures[:][0])


def test_batches_decode_only_a_little_ahead():
    class Counting(ArraySet):
        seen = 0

        def picture(self, index):
            Counting.seen += 1
            return super().picture(index)

    walk = batches(Counting(np.zeros((100, 3, 2, 2), np.uint8)), 4, 2)
    next(walk)
    assert Counting.seen <= 12
    walk.close()


def test_what_cannot_be_shown_is_refused(stim, tmp_path):
    with pytest.raises(BadType, match='must be a Stimulus'):
        picture_set('x.stim.csv')
    stim.header['type'] = 'audio'
    with pytest.raises(BadValue, match="type 'audio'"):
        picture_set(stim)
    stim.header |= {'type': 'image', 'path': str(tmp_path)}
    with pytest.raises(BadValue, match=r'12 of 12 stimuli in .* 00.png \(missing\), 01.png'):
        picture_set(stim)


def test_pictures_of_different_sizes_need_a_resize(tmp_path):
    from dnnbrain.dnn.core import Stimulus
    for i in (4, 5):
        Image.new('RGB', (i, i)).save(tmp_path / f'{i}.png')
    stim = Stimulus({'type': 'image', 'path': str(tmp_path)}, {'stimID': ['4.png', '5.png']})
    with pytest.raises(BadValue, match='different shapes'):
        list(batches(picture_set(stim), 2))
