"""Log-mel spectrograms, as defined for AudioSet (Hershey et al. 2017, arXiv:1609.09430), in numpy.

`dnnbrain.stimuli.audio` computes the same by a library, faster; this is what it is tested against.
"""

from __future__ import annotations

import numpy as np

MEL_BREAK_FREQUENCY_HERTZ = 700.0
MEL_HIGH_FREQUENCY_Q = 1127.0


def frame(data: np.ndarray, window_length: int, hop_length: int) -> np.ndarray:
    """Overlapping pieces of a signal, (n_frame, window_length, ...); what does not fill the last one is left out.

    Parameters
    ----------
    data : ndarray of shape (n_sample, ...)
    window_length, hop_length : int
        In samples.
    """
    if len(data) < window_length:
        return np.empty((0, window_length, *data.shape[1:]), data.dtype)
    pieces = np.lib.stride_tricks.sliding_window_view(data, window_length, axis=0)[::hop_length]
    return np.moveaxis(pieces, -1, 1)


def periodic_hann(window_length: int) -> np.ndarray:
    """A Hann window of which the next period begins one sample after its end, (window_length,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi / window_length * np.arange(window_length))


def stft_magnitude(signal: np.ndarray, fft_length: int, hop_length: int, window_length: int) -> np.ndarray:
    """Magnitudes of the short-time Fourier transform, (n_frame, fft_length // 2 + 1)."""
    return np.abs(np.fft.rfft(frame(signal, window_length, hop_length) * periodic_hann(window_length), fft_length))


def hertz_to_mel(frequencies_hertz):
    """Frequencies on the mel scale of HTK: 1127 ln(1 + f / 700)."""
    return MEL_HIGH_FREQUENCY_Q * np.log1p(np.asarray(frequencies_hertz) / MEL_BREAK_FREQUENCY_HERTZ)


def spectrogram_to_mel_matrix(num_mel_bins: int = 20, num_spectrogram_bins: int = 129, audio_sample_rate: float = 8000,
                              lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0) -> np.ndarray:
    """Weights that turn magnitudes into mel bands, (num_spectrogram_bins, num_mel_bins).

    The bands are triangles on the mel scale, not in Hz, of equal width there and overlapping by
    half; they reach 1 at their middle. The constant part of the signal is in none.
    """
    if not 0 <= lower_edge_hertz < upper_edge_hertz <= audio_sample_rate / 2:
        raise ValueError(f'mel bands must lie between 0 and {audio_sample_rate / 2} Hz, '
                         f'not from {lower_edge_hertz} to {upper_edge_hertz}')
    bins = hertz_to_mel(np.linspace(0, audio_sample_rate / 2, num_spectrogram_bins))[:, None]
    edges = np.linspace(hertz_to_mel(lower_edge_hertz), hertz_to_mel(upper_edge_hertz), num_mel_bins + 2)
    lower, middle, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((bins - lower) / (middle - lower), (upper - bins) / (upper - middle)))
    weights[0] = 0
    return weights


def log_mel_spectrogram(data: np.ndarray, audio_sample_rate: float = 8000, log_offset: float = 0.0,
                        window_length_secs: float = 0.025, hop_length_secs: float = 0.010, **kwargs) -> np.ndarray:
    """Logarithm of the magnitudes in mel bands, (n_frame, num_mel_bins).

    Parameters
    ----------
    data : ndarray of shape (n_sample,)
    audio_sample_rate : float, samples per second
    log_offset : float
        Added before the logarithm.
    window_length_secs, hop_length_secs : float, seconds
    **kwargs
        num_mel_bins, lower_edge_hertz and upper_edge_hertz of `spectrogram_to_mel_matrix`.
    """
    window, hop = (round(audio_sample_rate * seconds) for seconds in (window_length_secs, hop_length_secs))
    fft_length = 1 << (window - 1).bit_length()
    magnitudes = stft_magnitude(np.asarray(data), fft_length, hop, window)
    return np.log(magnitudes @ spectrogram_to_mel_matrix(num_spectrogram_bins=fft_length // 2 + 1,
                                                         audio_sample_rate=audio_sample_rate, **kwargs) + log_offset)
