"""Public path of DNNBrain 1.0: log-mel spectrograms."""

from dnnbrain.stimuli.mel import (
    frame,
    hertz_to_mel,
    log_mel_spectrogram,
    periodic_hann,
    spectrogram_to_mel_matrix,
    stft_magnitude,
)

__all__ = ['frame', 'hertz_to_mel', 'log_mel_spectrogram', 'periodic_hann', 'spectrogram_to_mel_matrix',
           'stft_magnitude']
