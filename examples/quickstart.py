"""The main job, end to end, on real pictures and without downloads: from a stimulus table to a brain map.

    python examples/quickstart.py [folder]

1. Handwritten digits become picture files with a stimulus table.
2. A small ResNet learns the digits 0-4. Its knowledge is transferred to 5-9 in two ways: finetuned,
   and as a fixed feature extractor under a new head.
3. What every stage of the finetuned network answers to held-out pictures is stored.
4. A simulated subject looks at the same pictures. No brain data may be downloaded here, so its truth
   is made up: later layers drive more anterior voxels, under noise.
5. Encoding models find, for every voxel, how well each layer predicts it.
"""

import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch

from dnnbrain import datasets, viz
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import masked, save_brainimg, unmasked
from dnnbrain.brain.profile import fold_means, layer_table, preferred_layer
from dnnbrain.dnn.core import Activation
from dnnbrain.dnn.models import Resnet10

STAGES = ['relu', 'layer1_basicblock0', 'layer2_basicblock0', 'layer3_basicblock0', 'layer4_basicblock0']


def main(folder: Path) -> None:
    """Run the five steps and write everything to `folder`."""
    start = time.perf_counter()
    print('1. Pictures: handwritten digits (scikit-learn), as PNG files with stimulus tables')
    old, _ = split(datasets.digits(folder / 'digits_0_to_4', range(5)), (0.8, 0.2))
    new, held_out = split(datasets.digits(folder / 'digits_5_to_9', range(5, 10)), (0.6, 0.4))
    print(f'   {len(old)} to pretrain on, {len(new)} to transfer to, {len(held_out)} held out')

    print('2. Networks: pretraining on 0-4, then transfer to 5-9')
    histories = transfer(folder, old, new, held_out)
    for name, history in histories.items():
        print(f'   {name}: validation accuracy {history["score_validation"][-1]:.3f} (chance 0.2)')

    print('3. Activations of every stage for the held-out pictures')
    dnn = Resnet10.load(folder / 'resnet10_finetune.pth')
    dnn.compute_activation(held_out, STAGES, out=folder / 'held_out.act.h5')
    activation = Activation()
    activation.load(folder / 'held_out.act.h5')
    print(f'   {activation}')

    print('4. A SIMULATED subject (no brain data can be downloaded here): later layers drive anterior voxels')
    subject = datasets.simulate_subject(activation, noise=0.7, resolution=6, rng=0)
    subject.save(folder / 'subject')
    responses = masked(subject.responses, subject.mask)
    print(f'   {responses.shape[1]} voxels, {len(responses)} volumes, noise 0.7 times the signal')

    print('5. Encoding: ridge regression, scored on held-out folds')
    result = BrainEncoder(responses, scoring='correlation', stim_ids=held_out.get('stimID')).encode_dnn(activation)
    report(folder, fold_means(result), subject)
    print(f'Done in {time.perf_counter() - start:.0f} s; all files are in {folder}')


def split(stim, fractions):
    """Two parts with the same mixture of labels."""
    return stim.split(fractions, by='label', rng=0)


def transfer(folder: Path, old, new, held_out) -> dict[str, dict]:
    """Pretrain, transfer in both ways, save, and draw the curves."""
    pretrained = Resnet10(pretrained=False, rng=0)
    pretrained.train_transform = pretrained.test_transform      # mirrored digits are no digits
    pretrained.replace_head(5, rng=0)
    adam = torch.optim.Adam(pretrained.model.parameters(), 0.0005)
    pretrained.train(old, 2, 'classification', adam, batch_size=16, rng=0)
    pretrained.save(folder / 'resnet10_digits_0_to_4.pth')

    histories = {}
    for name, n_epoch, rate in (('finetune', 3, 0.0003), ('fixed feature extractor', 12, 0.005)):
        dnn = Resnet10.load(folder / 'resnet10_digits_0_to_4.pth')
        dnn.train_transform = dnn.test_transform
        fixed = name == 'fixed feature extractor'
        if fixed:
            for param in dnn.model.parameters():
                param.requires_grad = False
        dnn.model.fc = torch.nn.Linear(dnn.model.fc.in_features, 5)
        learning = [param for param in dnn.model.parameters() if param.requires_grad]
        histories[name] = dnn.train(new, n_epoch, 'classification', torch.optim.Adam(learning, rate),
                                    data_validation=held_out, batch_size=16, cache_features=fixed, rng=0)
        dnn.save(folder / f'resnet10_{name.replace(" ", "_")}.pth')
    viz.plot_history(histories, chance=0.2).savefig(folder / 'training.png', dpi=150)
    return histories


def report(folder: Path, scores: dict[str, np.ndarray], subject) -> None:
    """Write score maps, the preferred-layer map, a table and a picture; say how well truth is recovered."""
    shape = subject.mask.shape
    maps = {layer: unmasked(values, subject.mask, shape) for layer, values in scores.items()}
    for layer, values in maps.items():
        save_brainimg(folder / f'score_{layer}.nii.gz', values, subject.header)
    preferred = preferred_layer(scores)
    preferred_map = unmasked(preferred, subject.mask, shape)
    save_brainimg(folder / 'preferred_layer.nii.gz', preferred_map, subject.header)
    table = layer_table(scores)
    table.to_csv(folder / 'scores.csv', index=False)
    print('   ' + table.to_string(index=False, float_format='%.3f').replace('\n', '\n   '))
    recovered = np.corrcoef(preferred, subject.truth[subject.mask])[0, 1]
    print(f'   The preferred layer correlates with the simulated truth at r = {recovered:.3f}')
    shown = {'layer that predicts each voxel best': preferred_map, 'simulated truth': subject.truth}
    figure = viz.plot_layer_maps(maps, subject.header, shown, label='held-out correlation')
    figure.savefig(folder / 'layers_to_brain.png', dpi=150)


if __name__ == '__main__':
    logging.basicConfig(level=logging.WARNING)
    torch.manual_seed(0)
    out = Path(sys.argv[1] if len(sys.argv) > 1 else 'quickstart_out')
    out.mkdir(parents=True, exist_ok=True)
    main(out)
