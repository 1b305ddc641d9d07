"""Pictures out of any torch Dataset of (picture, label), such as torchvision's CIFAR10."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from dnnbrain._checks import BadType, BadValue
from dnnbrain.stimuli.images import PictureSet, to_rgb


class DatasetPictures(PictureSet):
    """The pictures of a Dataset.

    PIL pictures go through the transform of the network, like files. Tensors have been transformed
    by the Dataset and are taken as they are. Items are asked for one after the other, never by
    several threads, since nothing is known of how the Dataset makes them.
    """

    threadable = False

    def __init__(self, dataset: Dataset, labels=None, transform=None):
        if len(dataset) == 0:
            raise BadValue('the Dataset is empty')
        super().__init__(len(dataset), labels, transform)
        self.dataset = dataset
        self.ready = isinstance(self.picture(0), torch.Tensor)

    def picture(self, index: int):
        item = self.dataset[index]
        picture = item[0] if isinstance(item, tuple | list) else item
        if isinstance(picture, torch.Tensor):
            return picture
        if not hasattr(picture, 'mode'):
            raise BadType('a Dataset must give (picture, label), the picture from PIL or a tensor (3, h, w), '
                          f'not {type(picture).__name__}')
        return to_rgb(picture)


def dataset_labels(dataset: Dataset) -> np.ndarray:
    """Labels of a Dataset, from its attribute `targets` or `labels` if it gives those, or else item by item."""
    first = dataset[0]
    if not isinstance(first, tuple | list) or len(first) < 2:
        raise BadValue('the Dataset gives pictures without labels; give target=')
    changed = getattr(dataset, 'target_transform', None) is not None
    for name in () if changed else ('targets', 'labels'):
        values = getattr(dataset, name, None)
        if values is not None and len(values) == len(dataset) and np.array_equal(values[0], first[1]):
            return np.asarray(values)
    return np.stack([np.asarray(dataset[i][1]) for i in range(len(dataset))])
