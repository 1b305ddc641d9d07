"""R3D-18 (Tran et al. 2018, arXiv:1711.11248), a ResNet with three-dimensional convolutions, as in torchvision."""

from __future__ import annotations

import torch
import torch.nn as nn
from torchvision import models, transforms

from dnnbrain.activation.activation import Activation
from dnnbrain.networks.layers import child_names
from dnnbrain.networks.old_names import also_called
from dnnbrain.networks.zoo.published import PublishedNet
from dnnbrain.stimuli.clips import ClipTransform
from dnnbrain.stimuli.files import file_table, is_files


class R3D(PublishedNet):
    """R3D-18, trained on the human actions of Kinetics-400, for clips.

    Parameters
    ----------
    pretrained, rng
        As of `PublishedNet`; the file is ``r3d.pth``.
    preprocess : {'weights', 'full'}
        'weights' is the transform published with the weights: frames resized to 128 x 171, their
        centre of 112 x 112. 'full' resizes whole frames to 112 x 112.

    Notes
    -----
    A stimulus is a file of a table of type 'video_clip', of which it sees 16 frames
    (`dnnbrain.stimuli.clips.VideoClipSet` says which), or a clip of an array (n, 3, n_frame, h, w),
    uint8. Layers answer (n_stim, n_chn, n_frame, n_row, n_col).
    """

    arch = 'r3d'
    img_size = (112, 112)

    def __init__(self, pretrained: bool = True, *, preprocess: str = 'weights', rng: int | None = None):
        super().__init__(pretrained, preprocess=preprocess, rng=rng)
        norm = self._published_weights().transforms()
        scale = [transforms.ConvertImageDtype(torch.float32), transforms.Normalize(norm.mean, norm.std)]
        learn = [transforms.RandomCrop(self.img_size), transforms.RandomHorizontalFlip()]
        self.test_transform = ClipTransform(transforms.Compose([transforms.CenterCrop(self.img_size), *scale]),
                                            size=norm.resize_size if preprocess == 'weights' else self.img_size)
        self.train_transform = ClipTransform(transforms.Compose(learn + scale), size=norm.resize_size)

    @also_called(clip_files='stimuli', layers='dmask')
    def compute_activation(self, stimuli, dmask, *args, **kwargs) -> Activation | list:
        """What layers answer to clips: `DNN.compute_activation`.

        Called as in 1.0, with the names of clip files in place of stimuli, it returns a list with the array
        of each layer, (n_clip, n_chn, n_frame, n_row, n_col) or (n_clip, n_feat, 1, 1).
        """
        if not is_files(stimuli):
            return super().compute_activation(stimuli, dmask, *args, **kwargs)
        activation = super().compute_activation(file_table('video_clip', stimuli), dmask, *args, **kwargs)
        return [activation.get(layer) for layer in activation.layers]

    @classmethod
    def _architecture(cls) -> nn.Module:
        return models.video.r3d_18(weights=None)

    @classmethod
    def _published_weights(cls):
        return models.video.R3D_18_Weights.KINETICS400_V1

    @staticmethod
    def _names(model: nn.Module) -> dict[str, tuple[str, ...]]:
        return child_names(model, leave_out=('avgpool',),
                           count=dict.fromkeys(('stem', 'layer1', 'layer2', 'layer3', 'layer4'), 'conv3d_'))
