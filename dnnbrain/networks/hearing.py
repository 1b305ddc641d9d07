"""Networks that hear: 1.0's call with sound files, beside the common ones."""

from __future__ import annotations

from dnnbrain.activation.activation import Activation
from dnnbrain.networks.dnn import DNN
from dnnbrain.networks.old_names import also_called
from dnnbrain.stimuli.files import file_table, is_files
from dnnbrain.stimuli.loaders import picture_set


class SoundDNN(DNN):
    """A network whose transforms are `dnnbrain.stimuli.sounds.SoundTransform`, or a part of one."""

    @also_called(wavfile='stimuli', layers='dmask')
    def compute_activation(self, stimuli, dmask, *args, **kwargs) -> Activation | list:
        """What layers answer to sounds: `DNN.compute_activation`.

        Of a Stimulus of type 'audio' a row is a sound, the mean over its examples; of an array (n, 1, 96, 64)
        or a Dataset of examples, an example. Called as in 1.0 with the name of a sound file (or several) in place
        of stimuli, it returns a list with the array of each layer, whose rows are the examples.
        """
        if not is_files(stimuli):
            return super().compute_activation(stimuli, dmask, *args, **kwargs)
        examples, _ = picture_set(file_table('audio', stimuli), self.test_transform)[:]
        activation = super().compute_activation(examples, dmask, *args, **kwargs)
        return [activation.get(layer) for layer in activation.layers]

    @staticmethod
    def _plain() -> type[DNN]:
        return SoundDNN
