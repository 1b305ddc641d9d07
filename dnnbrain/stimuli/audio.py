"""Sounds as VGGish gets them: log-mel examples of 0.96 seconds."""

from __future__ import annotations

from math import gcd

import numpy as np
import torch

from dnnbrain._checks import BadValue, existing_file
from dnnbrain._optional import optional
from dnnbrain.stimuli import sound_params as params

EXAMPLE_SHAPE = 1, params.NUM_FRAMES, params.NUM_BANDS
SHORTEST = params.EXAMPLE_WINDOW_SECONDS + params.STFT_WINDOW_LENGTH_SECONDS - params.STFT_HOP_LENGTH_SECONDS
_PIECE = 2 ** 20        # samples handed over at once, since they go as Python numbers


def read_sound(path, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, int]:
    """Samples from -1 to 1, (n_sample, n_channel), float32, and how many there are per second.

    Parameters
    ----------
    start, stop : int
        The first sample (from 0), and the one after the last; by default all of them.
    """
    soundfile = optional('soundfile', 'reading sound')
    path = existing_file(path, 'sound')
    try:
        return soundfile.read(path, start=start, stop=stop, dtype='float32', always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadValue(f'sound {str(path)!r} cannot be read: {error}') from None


def mono(data, rate: int) -> np.ndarray:
    """A waveform at 16,000 samples per second, (n_sample,), float32: the mean of its channels, resampled.

    Parameters
    ----------
    data : array_like of shape (n_sample,) or (n_sample, n_channel)
        From -1 to 1, or whole numbers of a signed type, which are scaled by its range.
    rate : int
        Samples per second.
    """
    data = np.asarray(data)
    if data.ndim not in (1, 2) or data.dtype.kind not in 'fi':
        raise BadValue('a waveform must have shape (n_sample,) or (n_sample, n_channel), of floats or signed integers, '
                       f'not {data.shape} of {data.dtype}')
    if rate is None or rate != int(rate) or rate < 1:
        raise BadValue(f'the sampling rate must be a whole number of samples per second, not {rate!r}')
    if data.dtype.kind == 'i':
        data = data / -float(np.iinfo(data.dtype).min)
    data, common = data.astype(np.float32), gcd(int(rate), params.SAMPLE_RATE)
    data = data.mean(axis=1) if data.ndim == 2 else data
    if rate == params.SAMPLE_RATE:
        return data
    from scipy.signal import resample_poly  # takes a second to load: only here, where it is needed
    return resample_poly(data, params.SAMPLE_RATE // common, int(rate) // common).astype(np.float32)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram of a waveform at 16,000 samples per second, (n_frame, 64), float32.

    By kaldi-native-fbank; `dnnbrain.stimuli.mel.log_mel_spectrogram` is its definition.
    """
    knf = optional('kaldi_native_fbank', 'hearing')
    options = knf.FbankOptions()
    frames, mel = options.frame_opts, options.mel_opts
    frames.samp_freq, frames.dither, frames.preemph_coeff = params.SAMPLE_RATE, 0, 0
    frames.remove_dc_offset, frames.window_type = False, 'hann'
    frames.frame_length_ms = 1000 * params.STFT_WINDOW_LENGTH_SECONDS
    frames.frame_shift_ms = 1000 * params.STFT_HOP_LENGTH_SECONDS
    mel.num_bins, mel.low_freq, mel.high_freq = params.NUM_MEL_BINS, params.MEL_MIN_HZ, params.MEL_MAX_HZ
    options.use_power = options.use_log_fbank = options.use_energy = False
    bank = knf.OnlineFbank(options)
    for start in range(0, len(samples), _PIECE):
        bank.accept_waveform(params.SAMPLE_RATE, samples[start:start + _PIECE].tolist())
    bank.input_finished()
    bands = np.empty((bank.num_frames_ready, params.NUM_MEL_BINS), np.float32)
    for number in range(len(bands)):
        bands[number] = bank.get_frame(number)
    return np.log(bands + np.float32(params.LOG_OFFSET))


def waveform_to_examples(data, sample_rate: int, return_tensor: bool = True):
    """Log-mel examples of a waveform; what does not fill the last one is left out.

    Parameters
    ----------
    data : array_like of shape (n_sample,) or (n_sample, n_channel)
        From -1 to 1, or whole numbers of a signed type. Channels are averaged.
    sample_rate : int
        Samples per second; resampled to 16,000.
    return_tensor : bool

    Returns
    -------
    examples : Tensor of shape (n_example, 1, 96, 64), or ndarray of shape (n_example, 96, 64); float32
    """
    bands = log_mel(mono(data, sample_rate))
    n = len(bands) // params.NUM_FRAMES
    examples = bands[:n * params.NUM_FRAMES].reshape(n, *EXAMPLE_SHAPE[1:])
    return torch.from_numpy(examples)[:, None] if return_tensor else examples


def wavfile_to_examples(wav_file, return_tensor: bool = True):
    """Log-mel examples of a sound file (WAV, FLAC, OGG, MP3), as `waveform_to_examples` gives them."""
    return waveform_to_examples(*read_sound(wav_file), return_tensor)


def checked_examples(examples) -> torch.Tensor:
    """Examples (n, 1, 96, 64), float32."""
    examples = torch.as_tensor(examples)
    if examples.ndim != 4 or examples.shape[1:] != EXAMPLE_SHAPE or not examples.is_floating_point():
        raise BadValue(f'examples must be floats of shape (n, 1, {params.NUM_FRAMES}, {params.NUM_BANDS}), '
                       f'not {examples.dtype} of {tuple(examples.shape)}')
    return examples.float()
