"""VGGish (Hershey et al. 2017, arXiv:1609.09430): a VGG for sounds, trained on the sound tracks of videos."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn as nn

from dnnbrain._checks import BadValue
from dnnbrain.networks import weights
from dnnbrain.networks.dnn import DNN
from dnnbrain.networks.hearing import SoundDNN
from dnnbrain.networks.layers import feedforward_names
from dnnbrain.networks.state import home_of
from dnnbrain.networks.zoo.published import PublishedNet, being_filled
from dnnbrain.stimuli import sound_params as params
from dnnbrain.stimuli.audio import SHORTEST, checked_examples, waveform_to_examples, wavfile_to_examples
from dnnbrain.stimuli.sounds import SoundTransform

PUBLISHED_AT = 'https://github.com/harritaylor/torchvggish/releases/download/v0.1'
WIDTHS = ((64,), (128,), (256, 256), (512, 512))


class VGGishModel(nn.Module):
    """The architecture: six convolutions in four blocks, three fully connected layers.

    Takes examples (n, 1, 96, 64) and puts out embeddings (n, 128), before any non-linearity.
    """

    def __init__(self):
        super().__init__()
        features, came = [], 1
        for block in WIDTHS:
            for width in block:
                features += [nn.Conv2d(came, width, 3, padding=1), nn.ReLU(inplace=True)]
                came = width
            features.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*features)
        self.embeddings = nn.Sequential(nn.Linear(6 * 4 * came, 4096), nn.ReLU(inplace=True),
                                        nn.Linear(4096, 4096), nn.ReLU(inplace=True),
                                        nn.Linear(4096, params.EMBEDDING_SIZE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x).permute(0, 2, 3, 1)        # the weights expect channels last, as they were trained
        return self.embeddings(x.flatten(1))


class VGGish(SoundDNN, PublishedNet):
    """VGGish, which hears sounds in examples of 0.96 seconds.

    Parameters
    ----------
    pretrained : bool
        True: 1.0's files ``vggish.pth`` and, for post-processing, ``vggish_pca.pth`` in
        ``$DNNBRAIN_DATA/models``. False: random weights, without post-processing.
    preprocess : bool
        Whether calling the network takes sound files and waveforms; it always takes examples.
    postprocess : bool
        Whether calling it post-processes embeddings as AudioSet did (`postprocess`). Layers are never
        post-processed, nor is a network that `load` reads.
    rng : int, optional
        Seed of random weights.

    Notes
    -----
    A stimulus is a file of a table of type 'audio'. Activations, and answers in `test` and `predict`,
    are averaged over its examples; `train` shows each example with the label of its file.
    """

    arch = 'vggish'
    published = False
    source = f'{PUBLISHED_AT}/vggish-10086976.pth'
    img_size = params.NUM_FRAMES, params.NUM_BANDS
    _names = staticmethod(feedforward_names)

    def __init__(self, pretrained: bool = True, preprocess: bool = True, postprocess: bool = True, *,
                 rng: int | None = None):
        for name, value in (('preprocess', preprocess), ('postprocess', postprocess)):
            if not isinstance(value, bool):
                raise BadValue(f'{name} of VGGish must be True or False, not {value!r}')
        model = self._made(pretrained, rng)
        DNN.__init__(self, model, layer2loc=self._names(model), img_size=self.img_size,
                     train_transform=SoundTransform(), test_transform=SoundTransform())
        self.preprocess = preprocess
        self.pca = self._published_pca() if pretrained and postprocess and not being_filled() else None

    def __call__(self, x, fs: int | None = None) -> torch.Tensor:
        """Embeddings of the examples of a sound, (n_example, 128), one per 0.96 seconds.

        Parameters
        ----------
        x : str, Path, array of shape (n_sample,) or (n_sample, n_channel), or examples (n_example, 1, 96, 64)
            A sound file, a waveform, or what `dnnbrain.utils.vggish_input` makes of them.
        fs : int
            Samples per second of a waveform.

        Returns
        -------
        embeddings : Tensor
            float32; post-processed, whole numbers from 0 to 255, uint8.
        """
        output = self._network()(self._examples(x, fs).to(home_of(self._network())))
        return output if self.pca is None else postprocess(output, *self.pca)

    def _examples(self, x, fs: int | None) -> torch.Tensor:
        if getattr(x, 'ndim', None) == 4:
            return checked_examples(x)
        if not self.preprocess:
            raise BadValue('this VGGish takes examples (n, 1, 96, 64); make it with preprocess=True for sounds')
        if isinstance(x, str) or hasattr(x, '__fspath__'):
            examples = wavfile_to_examples(x)
        elif fs is None:
            raise BadValue('fs is missing: say how many samples per second the waveform has')
        else:
            examples = waveform_to_examples(np.asarray(x), fs)
        if len(examples) == 0:
            raise BadValue(f'the sound is shorter than an example of {SHORTEST:.3f} s')
        return examples

    @classmethod
    def _architecture(cls) -> nn.Module:
        return VGGishModel()

    @staticmethod
    def _published_pca() -> tuple[torch.Tensor, torch.Tensor]:
        name = 'vggish_pca.pth'
        found = weights.find_pretrained(name, None, f'{PUBLISHED_AT}/vggish_pca_params-970ea276.pth',
                                        weights.read_arrays)
        size = params.EMBEDDING_SIZE
        shapes = {params.PCA_EIGEN_VECTORS_NAME: (size, size), params.PCA_MEANS_NAME: (size,)}
        if not set(shapes) <= set(found) or any(found[key].numel() != np.prod(shape) for key, shape in shapes.items()):
            raise BadValue(f'{name} must hold {" and ".join(f"{key} {shape}" for key, shape in shapes.items())}')
        return tuple(found[key].float().reshape(shape) for key, shape in shapes.items())


def postprocess(embeddings: torch.Tensor, eigen_vectors: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Embeddings as AudioSet published them: rotated and whitened by PCA, clipped to [-2, 2], in 256 steps.

    Parameters
    ----------
    embeddings : Tensor of shape (n, 128)
    eigen_vectors : Tensor of shape (128, 128)
        A row per component.
    means : Tensor of shape (128,)

    Returns
    -------
    embeddings : Tensor of shape (n, 128), uint8
    """
    if embeddings.shape[1] != len(means):
        raise BadValue(f'post-processing is of embeddings of {len(means)} values, not {embeddings.shape[1]}; '
                       'set pca = None on a network with another head')
    low, high = params.QUANTIZE_MIN_VAL, params.QUANTIZE_MAX_VAL
    rotated = (embeddings.detach().cpu().float() - means) @ eigen_vectors.T
    return ((rotated.clamp(low, high) - low) * (255 / (high - low))).to(torch.uint8)
