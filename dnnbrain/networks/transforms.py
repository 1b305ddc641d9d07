"""From a PIL picture to what a network trained on ImageNet expects."""

from __future__ import annotations

from torchvision import transforms
from torchvision.transforms import InterpolationMode

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def full_field(img_size: tuple[int, int], mean=IMAGENET_MEAN, std=IMAGENET_STD,
               interpolation: InterpolationMode = InterpolationMode.BILINEAR) -> transforms.Compose:
    """The whole picture resized to (height, width), whatever its proportions: what people saw."""
    return transforms.Compose([transforms.Resize(img_size, interpolation), *_normalised(mean, std)])


def augmented(img_size: tuple[int, int], mean=IMAGENET_MEAN, std=IMAGENET_STD,
              interpolation: InterpolationMode = InterpolationMode.BILINEAR) -> transforms.Compose:
    """A random part of the picture at a random size, mirrored at random."""
    return transforms.Compose([transforms.RandomResizedCrop(img_size, interpolation=interpolation),
                               transforms.RandomHorizontalFlip(), *_normalised(mean, std)])


def _normalised(mean, std) -> list:
    return [transforms.ToTensor(), transforms.Normalize(mean, std)]
