"""Transfer learning as the PyTorch tutorial writes it: a torch Dataset, SGD with momentum, a step schedule.

    python examples/transfer_pytorch.py [folder]

A Dataset of (picture, label) goes straight into `train`; `torchvision.datasets.CIFAR10('data')` goes in the same way.
All of a pretrained network is finetuned, and the epoch that validated best is kept. The same network as a fixed
feature extractor answers to every picture once (`cache_features`), so an epoch of its head takes milliseconds instead
of a second. Finetuning is better; the fixed extractor needs a fraction of its time.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pretraining import pretrained
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import Dataset, random_split

from dnnbrain.dnn.models import Resnet10
from dnnbrain.viz import plot_history, show_predictions


class Digits(Dataset):
    """Handwritten digits 5-9: PIL pictures of 8 x 8 pixels, and labels from 0."""

    classes = ['five', 'six', 'seven', 'eight', 'nine']

    def __init__(self):
        bunch = load_digits()
        wanted = bunch.target >= 5
        self.pixels = np.round(bunch.images[wanted] * 255 / 16).astype(np.uint8)
        self.labels = bunch.target[wanted] - 5

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return Image.fromarray(self.pixels[index]), int(self.labels[index])


def main(folder: Path) -> None:
    """Finetune, then use the same network as a fixed feature extractor."""
    weights = pretrained(folder)                        # stands in for ImageNet weights

    print('1. A Dataset of (picture, label), in three parts')
    seed = torch.Generator().manual_seed(0)
    train, validation, test = random_split(Digits(), (0.3, 0.2, 0.5), seed)
    picture, label = train[0]
    print(f'{len(train)} pictures to train on, {len(validation)} to validate, {len(test)} to test; the first has '
          f'{picture.size} pixels and is a {Digits.classes[label]}')

    print('\n2. Finetuning: SGD with momentum, a tenth of the rate after four epochs, the best epoch kept')
    dnn = Resnet10.load(weights)                        # with network access: Resnet18()
    dnn.replace_head(5, rng=0)
    optimizer = torch.optim.SGD(dnn.model.parameters(), lr=0.01, momentum=0.9)
    finetuned = dnn.train(train, 6, 'classification', optimizer, data_train=True, data_validation=validation,
                          scheduler=StepLR(optimizer, step_size=4, gamma=0.1), keep_best='score', batch_size=32, rng=0)
    print(finetuned.table().to_string(index=False, float_format='%.4g'))
    print(f'epoch {finetuned["best_epoch"]} validated best; the network has its weights')
    dnn.classes = Digits.classes                        # the parts of random_split do not know them
    dnn.save(folder / 'pytorch_finetuned.pth')
    report('finetuned', dnn, finetuned, test)
    show_predictions(dnn, test, 12, rng=1).savefig(folder / 'pytorch_predictions.png', dpi=150)

    print('\n3. Fixed feature extractor: the frozen part looks at every picture once')
    dnn = Resnet10.load(weights).freeze()
    head = dnn.replace_head(5, rng=0)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9)
    fixed = dnn.train(train, 24, 'classification', optimizer, data_train=True, data_validation=validation,
                      scheduler=StepLR(optimizer, step_size=16, gamma=0.1), keep_best='score', cache_features=True,
                      batch_size=32, rng=0)
    report('fixed', dnn, fixed, test)
    print(f'an epoch takes {np.median(fixed["seconds"]):.3f} s, and {np.median(finetuned["seconds"]):.3f} s when all '
          'is finetuned')

    figure = plot_history({'finetuned': finetuned, 'fixed': fixed}, chance=0.2)
    figure.savefig(folder / 'pytorch_curves.png', dpi=150)
    print(f'All files are in {folder}')


def report(name: str, dnn, history, test) -> None:
    """The best validation accuracy, and that on pictures that played no part so far."""
    best = max(history['score_validation'])
    score = dnn.test(test, 'classification')['score']
    print(f'{name}: best validation accuracy {best:.3f} in epoch {history["best_epoch"]}, '
          f'test accuracy {score:.3f} (chance 0.2)')


if __name__ == '__main__':
    out = Path(sys.argv[1] if len(sys.argv) > 1 else 'transfer_pytorch_out')
    out.mkdir(parents=True, exist_ok=True)
    main(out)
