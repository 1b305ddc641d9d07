"""Transfer learning as DNNBrain 1.0 writes it: a stimulus table, a head replaced by hand, two ways to train.

    python examples/transfer_dnnbrain.py [folder]

A network that knows the digits 0-4 learns 5-9 from 269 pictures. Finetuning changes all of its weights; as a fixed
feature extractor it keeps them, and only a new last layer learns. Both end far above chance (0.2). Finetuning ends
higher, after fewer epochs; the fixed one changes 2,565 parameters instead of 4.9 million.
"""

import sys
from pathlib import Path

import torch
from pretraining import new_digits, pretrained

from dnnbrain.dnn.core import Stimulus
from dnnbrain.dnn.models import Resnet10
from dnnbrain.viz import plot_history


def main(folder: Path) -> None:
    """Train in both ways, compare, save, load, test."""
    torch.manual_seed(0)                                # the weights of the new layers
    weights = pretrained(folder)                        # stands in for ImageNet weights

    print('1. Stimuli: tables with a row per picture')
    for name, part in zip(('train', 'validation', 'test'), new_digits(folder), strict=True):
        part.save(folder / f'{name}.stim.csv')
    train, validation = Stimulus(), Stimulus()
    train.load(folder / 'train.stim.csv')
    validation.load(folder / 'validation.stim.csv')
    print(train.data)

    print('\n2. Finetuning: a new last layer, and everything learns')
    dnn = Resnet10.load(weights)                        # with network access: AlexNet()
    dnn.model.fc = torch.nn.Linear(512, 5)
    optimizer = torch.optim.Adam(dnn.model.parameters(), lr=0.0003)
    finetuned = dnn.train(train, 5, 'classification', optimizer, data_train=True, data_validation=validation,
                          batch_size=32, rng=0)
    dnn.save(folder / 'resnet10_finetune.pth')
    report(dnn, finetuned)

    print('\n3. Fixed feature extractor: everything is frozen before the new layer comes')
    dnn = Resnet10.load(weights)
    for param in dnn.model.parameters():
        param.requires_grad = False
    dnn.model.fc = torch.nn.Linear(512, 5)
    optimizer = torch.optim.Adam(dnn.model.fc.parameters(), lr=0.01)
    fixed = dnn.train(train, 10, 'classification', optimizer, data_train=True, data_validation=validation,
                      batch_size=32, rng=0)
    dnn.save(folder / 'resnet10_fixed.pth')
    report(dnn, fixed)

    print('\n4. What train returns, and the curves of both')
    print('keys of train_dict:', ', '.join(finetuned))
    print(finetuned.table().to_string(index=False, float_format='%.4g'))
    figure = plot_history({'finetuning': finetuned, 'fixed': fixed}, chance=0.2)
    figure.savefig(folder / 'dnnbrain_curves.png', dpi=150)

    print('\n5. Load, and test on pictures that played no part so far')
    test = Stimulus()
    test.load(folder / 'test.stim.csv')
    for name in ('finetune', 'fixed'):
        dnn = Resnet10.load(folder / f'resnet10_{name}.pth')
        result = dnn.test(test, 'classification')
        print(f'{name}: test accuracy {result["score"]:.3f} of {len(test)} pictures (chance 0.2)')
        print('   most probable class of every 40th:', result['pred_value'][::40, 0])
        print('   true class of every 40th:         ', result['true_value'][::40])
    print(f'All files are in {folder}')


def report(dnn, train_dict) -> None:
    """How many parameters learnt, and how well, by the last epoch."""
    n_learning = sum(param.numel() for param in dnn.model.parameters() if param.requires_grad)
    print(f'{n_learning:,} parameters learn; accuracy after {len(train_dict["epoch_loss"])} epochs: '
          f'training {train_dict["score_train"][-1]:.3f}, validation {train_dict["score_validation"][-1]:.3f}')


if __name__ == '__main__':
    out = Path(sys.argv[1] if len(sys.argv) > 1 else 'transfer_dnnbrain_out')
    out.mkdir(parents=True, exist_ok=True)
    main(out)
