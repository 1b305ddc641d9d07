"""Recipes for the learning rate in transfer, on the same pictures, with the same seed, for the same four epochs.

    python examples/transfer_rates.py [folder]

A new head wants a large rate, but at that rate the layers below forget what they know: with one large rate for all,
the first epoch ends near chance (0.2), like that of a network that was never pretrained, and the others are spent on
learning again. A warm-up from zero is no cure. With a small rate for all, or a small one below the head and a
large one for it, accuracy is high from the first epoch on. Frozen layers forget nothing and learn nothing, and end
lowest. Gradual unfreezing starts like frozen layers and ends like the others. These pictures are easy, so in the end
all that learn meet, even the network without pretraining: here, a good recipe saves epochs.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pretraining import new_digits, pretrained
from torch.optim import Adam

from dnnbrain.dnn.models import Resnet10

N_EPOCH, LARGE, SMALL = 4, 0.01, 0.0001


# A recipe prepares a network and gives the optimizer, and what else goes to `train`.

def one_large_rate(dnn):
    return Adam(dnn.model.parameters(), LARGE), {}


def one_small_rate(dnn):
    return Adam(dnn.model.parameters(), SMALL), {}


def warm_up(dnn):
    return Adam(dnn.model.parameters(), LARGE), {'warmup': 1}


def small_below_large(dnn):
    return Adam(dnn.param_groups({'fc': LARGE}, rest=SMALL)), {}


def frozen(dnn):
    dnn.freeze('all but head')
    return Adam(dnn.model.fc.parameters(), LARGE), {}


def gradual_unfreezing(dnn):
    optimizer = Adam(dnn.param_groups({'fc': LARGE}, rest=SMALL))   # holds all, before anything is frozen
    dnn.freeze('all but head')
    return optimizer, {'callback': unfreeze_from_the_top}


def unfreeze_from_the_top(dnn, history) -> None:
    """The last stage learns from the second epoch on, everything from the third."""
    n_done = len(history['epoch_loss'])
    if n_done == 1:
        dnn.unfreeze('layer4')
    elif n_done == 2:
        dnn.unfreeze()


def not_pretrained(dnn):
    fresh = Resnet10(rng=0)
    fresh.replace_head(5, rng=0)
    dnn.model.load_state_dict(fresh.model.state_dict())
    return one_small_rate(dnn)


RECIPES = {'one large rate': one_large_rate, 'large, warm-up': warm_up, 'one small rate': one_small_rate,
           'small, head large': small_below_large, 'gradual unfreezing': gradual_unfreezing, 'frozen': frozen,
           'not pretrained': not_pretrained}


def main(folder: Path) -> None:
    """Train with every recipe, print a table, draw the curves."""
    train, validation, test = new_digits(folder)
    weights = pretrained(folder)                        # stands in for ImageNet weights

    histories, table = {}, []
    for name, recipe in RECIPES.items():
        dnn = Resnet10.load(weights)                    # with network access: Resnet18()
        dnn.replace_head(5, rng=0)
        optimizer, options = recipe(dnn)
        history = dnn.train(train, N_EPOCH, 'classification', optimizer, data_validation=validation, batch_size=32,
                            rng=0, **options)
        histories[name] = history
        table.append({'recipe': name, 'first epoch': history['score_validation'][0],
                      'mean of epochs': np.mean(history['score_validation']),
                      'last epoch': history['score_validation'][-1],
                      'test': dnn.test(test, 'classification')['score']})
        print(f'{name}: validation accuracy {np.round(history["score_validation"], 3)}')

    table = pd.DataFrame(table)
    table.to_csv(folder / 'rates.csv', index=False)
    print(f'\nAccuracy on {len(validation)} pictures for validation, and in the end on {len(test)} others (chance 0.2)')
    print(table.to_string(index=False, float_format='%.3f'))
    print(f'Of {len(test)} pictures, an accuracy of 0.96 has a standard error of '
          f'{np.sqrt(0.96 * 0.04 / len(test)):.3f}')
    draw(histories).savefig(folder / 'rates.png', dpi=120)
    print(f'All files are in {folder}')


def draw(histories: dict) -> Figure:
    """Validation accuracy epoch by epoch, a line per recipe."""
    figure = Figure(figsize=(6.5, 3.2), layout='constrained')
    axes = figure.subplots()
    for (name, history), marker in zip(histories.items(), 'sD^ovX*', strict=True):
        axes.plot(range(1, N_EPOCH + 1), history['score_validation'], marker=marker, markersize=5, label=name)
    axes.axhline(0.2, color='gray', linestyle='--', linewidth=1, label='chance')
    axes.set(xlabel='epoch', ylabel='validation accuracy', xticks=range(1, N_EPOCH + 1), ylim=(0.15, 1.02))
    axes.spines[['top', 'right']].set_visible(False)
    figure.legend(loc='outside right center', frameon=False, fontsize='small')
    return figure


if __name__ == '__main__':
    out = Path(sys.argv[1] if len(sys.argv) > 1 else 'transfer_rates_out')
    out.mkdir(parents=True, exist_ok=True)
    main(out)
