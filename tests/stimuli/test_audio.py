"""Sounds as VGGish hears them."""

import numpy as np
import pytest
import soundfile
import torch

from dnnbrain._checks import BadPath, BadValue
from dnnbrain.dnn.core import Stimulus
from dnnbrain.stimuli.audio import log_mel, mono, read_sound
from dnnbrain.stimuli.sounds import Sound, SoundTransform
from dnnbrain.utils import mel_features, vggish_params
from dnnbrain.utils.vggish_input import waveform_to_examples, wavfile_to_examples

RATE = 16000


def tone(hertz, seconds=2, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def by_definition(samples):
    return mel_features.log_mel_spectrogram(samples, RATE, vggish_params.LOG_OFFSET, num_mel_bins=64,
                                            lower_edge_hertz=125, upper_edge_hertz=7500)


class TestDefinition:
    def test_frames_by_hand(self):
        assert mel_features.frame(np.arange(10), 4, 3).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
        assert mel_features.frame(np.arange(9), 4, 3).shape == (2, 4)
        assert mel_features.frame(np.arange(3), 4, 3).shape == (0, 4)

    def test_the_window_is_that_of_scipy(self):
        from scipy.signal.windows import hann
        np.testing.assert_allclose(mel_features.periodic_hann(400), hann(400, sym=False), atol=1e-12)

    def test_the_transform_is_that_of_scipy(self, rng):
        from scipy.signal import ShortTimeFFT
        from scipy.signal.windows import hann
        signal = rng.standard_normal(2000)
        theirs = ShortTimeFFT(hann(400, sym=False), 160, RATE, mfft=512).stft(signal, p0=0, p1=11, k_offset=200)
        ours = mel_features.stft_magnitude(signal, 512, 160, 400)
        assert ours.shape == (11, 257)
        np.testing.assert_allclose(ours, np.abs(theirs).T, atol=1e-9)

    def test_mel(self):
        assert mel_features.hertz_to_mel(0) == 0
        np.testing.assert_allclose(mel_features.hertz_to_mel(1000), 1000, atol=0.1)     # how the scale is fixed
        np.testing.assert_allclose(mel_features.hertz_to_mel(700), 1127 * np.log(2))

    def test_bands_are_triangles_on_the_mel_scale(self):
        matrix = mel_features.spectrogram_to_mel_matrix(64, 257, RATE, 125, 7500)
        hertz = np.linspace(0, 8000, 257)
        assert matrix.shape == (257, 64) and matrix.min() == 0 and matrix.max() <= 1
        inside = (hertz > 700) & (hertz < 5000)         # where every frequency lies between two middles
        np.testing.assert_allclose(matrix[inside].sum(axis=1), 1, atol=1e-12)
        assert (matrix[(hertz <= 125) | (hertz >= 7500)] == 0).all()
        edges = np.linspace(mel_features.hertz_to_mel(125), mel_features.hertz_to_mel(7500), 66)
        for band in (0, 20, 63):
            expected = np.interp(mel_features.hertz_to_mel(hertz), edges[band:band + 3], [0, 1, 0])
            np.testing.assert_allclose(matrix[:, band], expected, atol=1e-12)
        with pytest.raises(ValueError, match='between 0 and 4000'):
            mel_features.spectrogram_to_mel_matrix(upper_edge_hertz=5000)


class TestFrontEnd:
    @pytest.mark.parametrize('scale', [1e-3, 0.1, 1])
    def test_kaldi_equals_the_definition(self, rng, scale):
        samples = (scale * rng.uniform(-1, 1, 40000)).astype(np.float32)
        ours = log_mel(samples)
        assert ours.shape == (1 + (40000 - 400) // 160, 64)
        np.testing.assert_allclose(ours, by_definition(samples), atol=1e-4)     # of logarithms: 1e-4 of the magnitude

    def test_pieces_join_without_a_seam(self, rng, monkeypatch):
        samples = rng.uniform(-1, 1, 30000).astype(np.float32)
        whole = log_mel(samples)
        monkeypatch.setattr('dnnbrain.stimuli.audio._PIECE', 777)
        np.testing.assert_array_equal(log_mel(samples), whole)

    @pytest.mark.parametrize('hertz', [200, 440, 1000, 3000, 7000])
    def test_a_tone_lands_in_its_band(self, hertz):
        edges = np.linspace(mel_features.hertz_to_mel(125), mel_features.hertz_to_mel(7500), 66)
        nearest = np.abs(edges[1:-1] - mel_features.hertz_to_mel(hertz)).argmin()
        loudest = log_mel(tone(hertz).astype(np.float32)).mean(axis=0).argmax()
        assert abs(loudest - nearest) <= 1              # a bin of the transform is as wide as two low bands

    @pytest.mark.parametrize('rate', [8000, 22050, 44100, 48000])
    def test_resampling_keeps_the_tone(self, rate):
        samples = mono(tone(1000, 2, rate), rate)
        assert samples.shape == (2 * RATE,) and samples.dtype == np.float32
        inside = slice(1000, -1000)
        np.testing.assert_allclose(samples[inside], tone(1000)[inside], atol=0.005)

    def test_channels_are_averaged_and_integers_scaled(self, rng):
        stereo = rng.integers(-2 ** 15, 2 ** 15, (20000, 2), dtype=np.int16)
        np.testing.assert_allclose(mono(stereo, RATE), stereo.mean(axis=1) / 2 ** 15, atol=1e-6)

    def test_examples(self, rng):
        samples = rng.uniform(-1, 1, 16000 * 3)
        examples = waveform_to_examples(samples, RATE)
        assert examples.shape == (3, 1, 96, 64) and examples.dtype == torch.float32     # 298 frames
        np.testing.assert_allclose(examples[1, 0], by_definition(samples)[96:192], atol=1e-4)
        np.testing.assert_array_equal(waveform_to_examples(samples, RATE, return_tensor=False), examples[:, 0])
        assert waveform_to_examples(samples[:15600], RATE).shape == (1, 1, 96, 64)
        assert waveform_to_examples(samples[:15599], RATE).shape == (0, 1, 96, 64)

    def test_files(self, rng, tmp_path):
        samples = rng.uniform(-1, 1, (32000, 2))
        soundfile.write(tmp_path / 'x.wav', samples, RATE, subtype='FLOAT')
        np.testing.assert_allclose(wavfile_to_examples(tmp_path / 'x.wav'), waveform_to_examples(samples, RATE),
                                   atol=1e-4)
        with pytest.raises(BadPath, match='sound .* does not exist'):
            wavfile_to_examples(tmp_path / 'none.wav')
        (tmp_path / 'bad.wav').write_text('no sound')
        with pytest.raises(BadValue, match='sound .*bad.wav.* cannot be read'):
            wavfile_to_examples(tmp_path / 'bad.wav')

    def test_wrong_waveforms(self):
        for wrong in (np.zeros((2, 2, 2)), np.zeros(20000, np.uint8), ['a']):
            with pytest.raises(BadValue, match='a waveform must have shape'):
                waveform_to_examples(wrong, RATE)
        for wrong in (0, 0.5, None):
            with pytest.raises(BadValue, match='the sampling rate must be a whole number'):
                waveform_to_examples(np.zeros(20000), wrong)


class TestSet:
    @pytest.fixture
    def table(self, tmp_path, rng):
        for name, seconds in (('a', 1.0), ('b', 3.1), ('c', 2.0)):
            soundfile.write(tmp_path / f'{name}.wav', rng.uniform(-1, 1, round(seconds * RATE)), RATE)
        return Stimulus({'type': 'audio', 'path': str(tmp_path)}, {'stimID': ['a.wav', 'b.wav', 'c.wav']})

    def test_examples_know_their_sound(self, table):
        heard = SoundTransform().stimulus_set(table)
        assert heard.owners.tolist() == [0, 1, 1, 1, 2, 2] and len(heard) == 6
        expected = torch.cat([wavfile_to_examples(file) for file in table.files()])
        assert torch.equal(heard[:][0], expected)
        assert heard.for_each_shown(np.array([7, 8, 9])).tolist() == [7, 8, 8, 8, 9, 9]
        means = heard.by_stimulus(torch.tensor([[1.], [2], [3], [7], [5], [6]]))
        assert means.tolist() == [[1], [4], [5.5]]

    def test_short_sounds_are_named_together(self, table, tmp_path):
        soundfile.write(tmp_path / 'a.wav', np.zeros(8000), RATE)
        soundfile.write(tmp_path / 'c.wav', np.zeros(15599), RATE)
        with pytest.raises(BadValue, match='2 of 3 sounds are shorter than an example of 0.975 s: a.wav, c.wav'):
            SoundTransform().stimulus_set(table)

    def test_nothing_is_decoded_before_its_turn(self, table, monkeypatch):
        read = []
        monkeypatch.setattr('dnnbrain.stimuli.sounds.read_sound',
                            lambda path, *span: read.append((path.name, *span)) or read_sound(path, *span))
        heard = SoundTransform().stimulus_set(table)
        assert read == []
        heard.picture(2), heard.picture(5)
        assert read == [('b.wav', 15360, 30960), ('c.wav', 15360, 30960)]

    def test_an_array_is_a_set_of_examples(self):
        examples = torch.rand(2, 1, 96, 64)
        heard = SoundTransform().stimulus_set(examples)
        assert heard.owners.tolist() == [0, 1] and heard.n_stim == len(heard) == 2
        assert torch.equal(heard[:][0], examples)
        with pytest.raises(BadValue, match='the array holds no examples'):
            SoundTransform().stimulus_set(examples[:0])


class TestSound:
    """One example at a time is what decoding the whole gives."""

    @pytest.mark.parametrize('rate', [8000, 11025, 12345, 16000, 22050, 44100, 96000])
    @pytest.mark.parametrize('seconds', [0.97, 0.976, 1.94, 3.3])
    def test_any_rate_bit_for_bit(self, rate, seconds, rng, tmp_path):
        soundfile.write(tmp_path / 'x.wav', rng.uniform(-1, 1, (round(seconds * rate), 2)), rate)
        self.compare(tmp_path / 'x.wav', 0)

    @pytest.mark.parametrize(('suffix', 'atol'), [('flac', 0), ('ogg', 0), ('mp3', 1e-3)])     # MP3 rounds after a seek
    def test_any_format(self, suffix, atol, rng, tmp_path):
        soundfile.write(tmp_path / f'x.{suffix}', rng.uniform(-0.3, 0.3, (round(3.3 * 22050), 2)), 22050)
        self.compare(tmp_path / f'x.{suffix}', atol)

    def compare(self, path, atol):
        sound, whole = Sound(path), wavfile_to_examples(path)
        assert len(sound) == len(whole)
        for index, example in enumerate(whole):
            np.testing.assert_allclose(sound.example(index), example, rtol=0, atol=atol)

    def test_files_that_end_too_early(self, rng, tmp_path):
        path = tmp_path / 'x.wav'
        soundfile.write(path, rng.uniform(-0.3, 0.3, 96000), RATE)
        sound = Sound(path)
        soundfile.write(path, rng.uniform(-0.3, 0.3, 32000), RATE)      # as if its header had said too much
        sound.example(1)
        with pytest.raises(BadValue, match=r'x.wav. ends at 2.00 s, but its header says 6.00 s; get it again'):
            sound.example(2)
        with pytest.raises(BadPath, match='sound .* does not exist'):
            Sound(tmp_path / 'none.wav')
        path.write_text('no sound')
        with pytest.raises(BadValue, match='sound .* cannot be read'):
            Sound(path)
