"""Transfer learning in the style of the VGG-16 tutorials: two categories, a new classifier on frozen features.

    python examples/transfer_vgg.py [folder]

The categories are not cats and dogs but threes and eights, since nothing may be downloaded, and the network is a
Vgg11_bn that first learns the eight other digits, so that it has features worth keeping: 32 x 32 pixels, the least
that five poolings leave something of, and one fully connected layer in the place of its classifier of 119 million
parameters keep that to a quarter of a minute. Frozen, these features and a new classifier trained on 60 pictures tell
threes from eights in more than nine of ten others (chance 0.5).
"""

import logging
import sys
from pathlib import Path

import numpy as np
import torch
from pretraining import new_digits, pretrained

from dnnbrain.dnn.models import Vgg11_bn
from dnnbrain.viz import show_predictions


def main(folder: Path) -> None:
    """Look at the pictures, replace and train the classifier, look at what it gets wrong."""
    print('1. Pictures of two categories')
    parts = new_digits(folder, (3, 8))
    for part in parts:
        part.set('condition', np.where(part.get('condition') == '3', 'three', 'eight'))
    train, validation, test = parts
    train.show(12, rng=0).savefig(folder / 'vgg_pictures.png', dpi=150)
    train = train.sample(60, rng=0)                     # as many threes as eights
    print(f'{len(train)} pictures to train on: {np.sum(train.get("condition") == "three")} threes, '
          f'{np.sum(train.get("condition") == "eight")} eights')

    print('\n2. A network that saw the other digits, with frozen features and a new classifier')
    weights = pretrained(folder, Vgg11_bn, size=32, shown=(0, 1, 2, 4, 5, 6, 7, 9), head='classifier', rate=0.0001)
    dnn = Vgg11_bn.load(weights)                        # with network access: Vgg16()
    dnn.replace_head(2, layer='classifier', rng=0)
    dnn.freeze('features')
    print(dnn.summary()[['layer', 'path', 'shape', 'n_param', 'learns']].to_string(index=False))
    n_all = sum(param.numel() for param in dnn.model.parameters())
    n_learning = sum(param.numel() for param in dnn.model.parameters() if param.requires_grad)
    print(f'{n_all:,} parameters, of which {n_learning:,} learn and {n_all - n_learning:,} are frozen')

    print('\n3. Training, with the loss every four batches')
    logging.getLogger('dnnbrain').setLevel(logging.INFO)
    optimizer = torch.optim.Adam(dnn.model.classifier.parameters(), lr=0.0003)
    dnn.train(train, 4, 'classification', optimizer, data_validation=validation, batch_size=5, log_every=4, rng=0)
    dnn.save(folder / 'vgg_threes_and_eights.pth')

    print('\n4. Test: which category is taken for which')
    result = dnn.test(test, 'classification')
    print(f'accuracy {result["score"]:.3f} of {len(test)} pictures (chance 0.5)')
    for name, score, row in zip(dnn.classes, result['score_classes'], result['confusion'], strict=True):
        taken = ', '.join(f'{n} for {other}' for n, other in zip(row, dnn.classes, strict=True))
        print(f'   {name}: {score:.3f} right; taken {taken}')

    print('\n5. One picture by its file name, and in a figure the twelve that it is least sure of')
    file = test.files()[0]
    print(dnn.predict(file, top=2)[['rank', 'condition', 'probability']].to_string(index=False, float_format='%.3f'))
    print(f'   for {file}')
    least_sure = np.argsort(dnn.predict(test)['probability'])[:12]
    show_predictions(dnn, test[least_sure]).savefig(folder / 'vgg_predictions.png', dpi=100)
    print(f'All files are in {folder}')


if __name__ == '__main__':
    logging.basicConfig(level=logging.WARNING, format='   %(message)s', stream=sys.stdout)
    out = Path(sys.argv[1] if len(sys.argv) > 1 else 'transfer_vgg_out')
    out.mkdir(parents=True, exist_ok=True)
    main(out)
