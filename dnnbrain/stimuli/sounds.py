"""Sounds in examples of 0.96 seconds, each decoded when it is its turn, so that memory holds a few of them only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import gcd

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset

from dnnbrain._checks import BadValue, existing_file, listing
from dnnbrain._optional import optional
from dnnbrain.stimuli import sound_params as params
from dnnbrain.stimuli.audio import EXAMPLE_SHAPE, SHORTEST, checked_examples, mono, read_sound, waveform_to_examples
from dnnbrain.stimuli.checking import file_problems
from dnnbrain.stimuli.files import checked_table
from dnnbrain.stimuli.images import PictureSet
from dnnbrain.stimuli.torch_data import DatasetPictures

STEP = round(params.EXAMPLE_HOP_SECONDS * params.SAMPLE_RATE)       # samples from an example to the next
LENGTH = round(SHORTEST * params.SAMPLE_RATE)                       # samples that make up an example
_REACH = 10     # resample_poly looks at so many samples, of the lower of both rates, to each side


class Sound:
    """A sound file, of which the header tells the number of examples.

    Parameters
    ----------
    path : str or Path
        WAV, FLAC, OGG or MP3.
    """

    def __init__(self, path):
        soundfile = optional('soundfile', 'reading sound')
        self.path = existing_file(path, 'sound')
        try:
            header = soundfile.info(self.path)
        except soundfile.LibsndfileError as error:
            raise BadValue(f'sound {str(path)!r} cannot be read: {error}') from None
        self.n_sample, self.rate = header.frames, header.samplerate

    def __len__(self) -> int:
        """Examples in it, as many as `wavfile_to_examples` gives."""
        n_sample = -(-self.n_sample * params.SAMPLE_RATE // self.rate)
        return max(0, (n_sample - LENGTH) // STEP + 1)

    def example(self, index: int) -> torch.Tensor:
        """Example `index` (from 0), (1, 96, 64), from its own samples and those that resampling needs.

        Raises
        ------
        BadValue
            The file ends before its header says.
        """
        common = gcd(self.rate, params.SAMPLE_RATE)
        up, down = params.SAMPLE_RATE // common, self.rate // common
        reach = 0 if up == down else _REACH * max(up, down) // up + 2
        begin = max(0, STEP * index * down // up - reach) // down * down       # a sample that is there at both rates
        end = min(self.n_sample, -(-(STEP * index + LENGTH) * down // up) + reach)
        data, rate = read_sound(self.path, begin, end)
        if len(data) < end - begin:
            raise BadValue(f'sound {str(self.path)!r} ends at {(begin + len(data)) / rate:.2f} s, but its header says '
                           f'{self.n_sample / rate:.2f} s; get it again, or convert it')
        samples = mono(data, rate)[STEP * index - begin * up // down:][:LENGTH]
        return waveform_to_examples(samples, params.SAMPLE_RATE)[0]


class SoundTransform:
    """Stands where pictures have a transform: the network hears examples (1, 96, 64) as they are."""

    takes = 'audio'

    def __call__(self, example: torch.Tensor) -> torch.Tensor:
        return example

    def input_shape(self, img_size) -> tuple[int, ...]:
        """Shape of an example."""
        return EXAMPLE_SHAPE

    def stimulus_set(self, stimuli, labels=None) -> PictureSet:
        """The examples of a table of sounds; of an array or a Dataset of examples, each a stimulus of its own."""
        if isinstance(stimuli, Dataset):
            return DatasetPictures(stimuli, labels, self)
        if isinstance(stimuli, np.ndarray | torch.Tensor):
            return ExampleSet(stimuli, labels, self)
        table = checked_table(stimuli, 'audio', 'hears sounds', 'an array of examples (n, 1, 96, 64)')
        sounds = _sounds(table.files())
        short = [name for name, sound in zip(table.get('stimID'), sounds, strict=True) if len(sound) == 0]
        if short:
            raise BadValue(f'{len(short)} of {len(table)} sounds are shorter than an example of {SHORTEST:.3f} s: '
                           f'{listing(short, 5)}')
        return SoundSet(sounds, labels, self)

    @staticmethod
    def file_problems(table, decode: bool = True) -> pd.DataFrame:
        """As `dnnbrain.stimuli.checking.file_problems`; what is too short to be heard is a problem too."""
        found = file_problems(table, decode)
        if table.type != 'audio':
            return found
        bad = set(found['stimID'])
        rest = [(name, file) for name, file in zip(table.get('stimID'), table.files(), strict=True) if name not in bad]
        short = [(name, file, f'shorter than an example of {SHORTEST:.3f} s')
                 for (name, file), sound in zip(rest, _sounds([file for _, file in rest]), strict=True)
                 if len(sound) == 0]
        return pd.concat([found, pd.DataFrame(short, columns=found.columns)], ignore_index=True) if short else found

    def __repr__(self) -> str:
        return 'SoundTransform()'


class SoundSet(PictureSet):
    """Examples of sounds.

    Parameters
    ----------
    sounds : sequence of Sound
    """

    def __init__(self, sounds, labels=None, transform=None):
        self.sounds = list(sounds)
        counts = [len(sound) for sound in self.sounds]
        self._owners, self._first = np.repeat(np.arange(len(counts)), counts), np.cumsum([0, *counts])
        super().__init__(len(self._owners), None if labels is None else np.asarray(labels)[self._owners], transform)

    @property
    def owners(self) -> np.ndarray:
        """Which sound (from 0) each example is of."""
        return self._owners

    @property
    def n_stim(self) -> int:
        return len(self.sounds)

    def picture(self, index: int) -> torch.Tensor:
        """Example `index` (from 0), (1, 96, 64)."""
        owner = self._owners[index]
        return self.sounds[owner].example(int(index - self._first[owner]))

    def for_each_shown(self, values: np.ndarray) -> np.ndarray:
        """Each example has the value of its sound."""
        return values[self.owners]

    def by_stimulus(self, answers: torch.Tensor) -> torch.Tensor:
        """The mean over the examples of each sound, (n_sound, ...)."""
        return torch.stack([rows.mean(0) for rows in answers.split(np.bincount(self.owners).tolist())])


class ExampleSet(PictureSet):
    """Examples in an array of shape (n, 1, 96, 64), floats."""

    def __init__(self, examples, labels=None, transform=None):
        self.examples = checked_examples(examples)
        if len(self.examples) == 0:
            raise BadValue('the array holds no examples')
        super().__init__(len(self.examples), labels, transform)

    def picture(self, index: int) -> torch.Tensor:
        """Example `index` (from 0), (1, 96, 64)."""
        return self.examples[index]


def _sounds(files) -> list[Sound]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Sound, files))
