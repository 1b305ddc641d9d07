"""Networks that hear: a stimulus is a sound of several examples, and what a layer answers is averaged over them."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadValue
from dnnbrain.activation.activation import Activation
from dnnbrain.networks.dnn import DNN
from dnnbrain.networks.extract import BATCH_SIZE
from dnnbrain.stimuli.audio import mean_by_owner
from dnnbrain.stimuli.files import file_table, is_files
from dnnbrain.stimuli.loaders import picture_set


class SoundDNN(DNN):
    """A network whose transforms are `dnnbrain.stimuli.audio.SoundTransform`, or a part of one."""

    def compute_activation(self, stimuli, dmask, pool_method: str | None = None, cuda: bool = False, *,
                           batch_size: int = BATCH_SIZE, out=None, **kwargs) -> Activation | list:
        """What layers answer to sounds.

        Parameters
        ----------
        stimuli : Stimulus of type 'audio', array of examples (n, 1, 96, 64), or Dataset of them
            Of a sound file the answers to its examples are averaged, after masking and pooling. An
            example of an array or a Dataset is a stimulus of its own.
        dmask, pool_method, cuda, **kwargs
            As of `DNN.compute_activation`; sounds cannot be divided, resumed or skipped.
        batch_size : int
            Examples at a time.
        out : str, optional
            A ``.act.h5`` to write. Averages are gathered in memory first.

        Returns
        -------
        activation : Activation
            Or, called as in 1.0 with the name of a sound file (or several) in place of stimuli, a list
            with the array of each layer, whose rows are the examples.
        """
        given = {'batch_size': batch_size, **kwargs}
        if is_files(stimuli):
            heard = picture_set(file_table('audio', stimuli), self.test_transform)
            activation = super().compute_activation(heard.examples, dmask, pool_method, cuda, **given)
            return [activation.get(layer) for layer in activation.layers]
        if not hasattr(stimuli, 'get'):
            return super().compute_activation(stimuli, dmask, pool_method, cuda, out=out, **given)
        for name in ('shard', 'resume', 'overwrite', 'on_error'):
            if kwargs.get(name, 'raise') not in (None, False, 'raise'):
                raise BadValue(f'sounds are averaged in memory, so there is no {name} for them')
        heard, averages, meta = picture_set(stimuli, self.test_transform), {}, {}
        for rows in groups(heard.owners, batch_size):
            some = super().compute_activation(heard.examples[rows], dmask, pool_method, cuda, **given)
            meta = some.meta
            for layer in some.layers:
                averages.setdefault(layer, []).append(mean_by_owner(some.get(layer), heard.owners[rows]).numpy())
        activation = Activation()
        for layer, parts in averages.items():
            activation.set(layer, np.concatenate(parts))
        activation.stim_ids, activation.meta = stimuli.get('stimID'), meta
        if out is None:
            return activation
        activation.save(out)
        loaded = Activation()
        loaded.load(out)
        return loaded

    @staticmethod
    def _plain() -> type[DNN]:
        return SoundDNN


def groups(owners: np.ndarray, size: int) -> list[slice]:
    """Slices of consecutive rows: whole sounds, as many as make at least `size` rows together."""
    ends = np.flatnonzero(np.diff(owners, append=-1)) + 1
    cuts = [0]
    for end in ends:
        if end - cuts[-1] >= size or end == len(owners):
            cuts.append(int(end))
    return [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
