"""What the transfer examples start from: a network that knows other digits, and tables of the digits to be learnt.

Without network access there are no ImageNet weights, so a small network trained on handwritten digits stands in for
them; with network access `AlexNet()`, `Resnet18()`, `Vgg16()`, ... replace what `pretrained` gives. The pictures have
8 x 8 pixels, so a Resnet10 looks at them at 16 x 16, which is enough and quick: about ten seconds, once per folder.
"""

from pathlib import Path

import torch
from torchvision import transforms

from dnnbrain import datasets
from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import DNN, Resnet10


def pretrained(folder: Path, network: type[DNN] = Resnet10, size: int = 16, shown: tuple[int, ...] = (0, 1, 2, 3, 4),
               head: str | None = None, rate: float = 0.0005) -> Path:
    """File of a network that was trained on some digits; made in `folder` if it is not there yet.

    Parameters
    ----------
    folder : Path
    network : class
    size : int
        Side of the pictures it looks at, in pixels. The file remembers it.
    shown : tuple of int
        The digits.
    head : str, optional
        What `replace_head` replaces; the last layer by default.
    rate : float
        Learning rate of Adam.
    """
    file = Path(folder) / f'{network.__name__.lower()}_digits_{"".join(map(str, shown))}.pth'
    if not file.exists():
        print(f'0. Pretraining: {network.__name__} learns the digits {", ".join(map(str, shown))}, once')
        dnn = network(pretrained=False, rng=0)
        dnn.img_size = (size, size)
        dnn.test_transform = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor(),
                                                 transforms.Normalize([0.5] * 3, [0.5] * 3)])
        dnn.train_transform = dnn.test_transform        # mirrored digits are no digits
        dnn.replace_head(len(shown), layer=head, rng=0)
        pictures = datasets.digits(file.with_suffix(''), shown)
        optimizer = torch.optim.Adam(dnn.model.parameters(), rate)
        dnn.train(pictures, 2, 'classification', optimizer, batch_size=32, rng=0)
        dnn.save(file)
    return file


def new_digits(folder: Path, classes: tuple[int, ...] = (5, 6, 7, 8, 9)) -> tuple[Stimulus, Stimulus, Stimulus]:
    """Tables of digits to be learnt: 30 % for training, 20 % for validation, 50 % for the test at the end."""
    stim = datasets.digits(Path(folder) / f'digits_{"".join(map(str, classes))}', classes)
    return stim.split((0.3, 0.2, 0.5), by='label', rng=0)
