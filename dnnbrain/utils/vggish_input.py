"""Public path of DNNBrain 1.0: sounds as VGGish hears them."""

from dnnbrain.stimuli.audio import waveform_to_examples, wavfile_to_examples

__all__ = ['waveform_to_examples', 'wavfile_to_examples']
