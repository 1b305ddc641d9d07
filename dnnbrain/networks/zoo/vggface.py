"""VGG-Face (Parkhi et al. 2015, doi 10.5244/C.29.41): VGG-16 trained to tell 2,622 people apart."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn as nn

from dnnbrain.networks import transforms
from dnnbrain.networks.layers import child_names
from dnnbrain.networks.zoo.published import PublishedNet

CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
PIXEL_MEAN = (129.186, 104.763, 93.594)         # red, green, blue, of values from 0 to 255


class VggFaceModel(nn.Sequential):
    """The architecture, with the names of the published conversion 'vgg_face_dag': conv1_1, ..., fc6, fc7, fc8."""

    def __init__(self, n_class: int = 2622):
        parts, came = OrderedDict(), 3
        for block, widths in enumerate(CHANNELS, 1):
            for number, width in enumerate(widths, 1):
                parts[f'conv{block}_{number}'] = nn.Conv2d(came, width, 3, padding=1)
                parts[f'relu{block}_{number}'] = nn.ReLU(inplace=True)
                came = width
            parts[f'pool{block}'] = nn.MaxPool2d(2, 2)
        parts['flatten'] = nn.Flatten()
        for number, (n_in, n_out) in enumerate([(came * 7 * 7, 4096), (4096, 4096)], 6):
            parts |= {f'fc{number}': nn.Linear(n_in, n_out), f'relu{number}': nn.ReLU(inplace=True),
                      f'dropout{number}': nn.Dropout(0.5)}
        parts['fc8'] = nn.Linear(4096, n_class)
        super().__init__(parts)


class VggFace(PublishedNet):
    """VGG-Face, 16 layers, trained on photographs of faces.

    It sees pixels from 0 to 255 less their mean, not scaled. The weights are 1.0's file
    ``vgg_face_dag.pth``, the PyTorch conversion of what the authors published.
    """

    arch = 'vgg_face_dag'
    published = False
    source = 'the PyTorch conversion of VGG-Face of that name (github.com/albanie/pytorch-mcn)'

    def __init__(self, pretrained: bool = True, *, preprocess: str = 'full', rng: int | None = None):
        super().__init__(pretrained, preprocess=preprocess, rng=rng)
        scale = tuple(value / 255 for value in PIXEL_MEAN), (1 / 255,) * 3      # (x - mean / 255) / (1 / 255)
        self.train_transform = transforms.augmented(self.img_size, *scale)
        self.test_transform = transforms.full_field(self.img_size, *scale)

    @classmethod
    def _architecture(cls) -> nn.Module:
        return VggFaceModel()

    @staticmethod
    def _names(model: nn.Module) -> dict[str, tuple[str, ...]]:
        return child_names(model, leave_out=('flatten', 'dropout6', 'dropout7'))
