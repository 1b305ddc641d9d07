"""Representational similarity on real data: 92 pictures, human and monkey cortex, the layers of a network.

    python examples/rsa_92images.py [folder] [--data FOLDER] [--random]

Kriegeskorte et al. (2008) found that inferior temporal cortex of people and monkeys finds the same pictures alike: the
two RDMs correlate at 0.49. This shows that number with a test that permutes pictures, how well the four people predict
each other, and where the layers of AlexNet stand below that ceiling. Pictures and RDMs (4 MB) are downloaded once, or
read from --data; --random takes a network that has learnt nothing instead of the published weights.
"""

import argparse
from pathlib import Path

from dnnbrain import datasets, viz
from dnnbrain.brain.rsa_profile import rsa_profile, subject_profile, write_profile
from dnnbrain.dnn.core import RDM
from dnnbrain.dnn.models import AlexNet
from dnnbrain.mapping.dissimilarity import dnn_rdm
from dnnbrain.mapping.rsa.ceiling import rdm_ceiling
from dnnbrain.mapping.rsa.permutation import permute_items
from dnnbrain.viz.rsa_pictures import draw_rsa

LAYERS = ['conv1_relu', 'conv2_relu', 'conv3_relu', 'conv4_relu', 'conv5_relu', 'fc1_relu', 'fc2_relu', 'fc3']


def main(folder: Path, source: str | None, random: bool) -> None:
    """Run the four steps and write everything to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    print('1. Pictures and RDMs of inferior temporal cortex')
    data = datasets.fetch_92images(source, folder / 'data' if source else None)
    conditions = data.stimuli.get('condition')
    print(data.stimuli.data.groupby(['animacy', 'condition'], sort=False).size().to_string())

    print('\n2. Do people and monkeys find the same pictures alike?')
    human, monkey = (data.areas.get(area, triu=True) for area in ('hIT', 'mIT'))
    test = permute_items(human, monkey, 'pearson', n_perm=10000)
    print(f'human against monkey: r = {test.r[0, 0]:.3f}, p = {test.p[0, 0]:.4f} (10,000 permutations of pictures)')
    viz.plot_rdms(data.areas, conditions).savefig(folder / 'areas.png', dpi=150)
    viz.plot_mds(data.areas, conditions, data.stimuli).savefig(folder / 'areas_mds.png', dpi=150)

    print('\n3. How well does one person predict another?')
    people = [data.subjects.get(name, triu=True) for name in data.subjects.keys]
    for method in ('pearson', 'spearman'):
        ceiling = rdm_ceiling(people, method)
        print(f'noise ceiling, {method}: {ceiling.lower:.3f} to {ceiling.upper:.3f} ({len(people)} people)')

    print('\n4. Layers of AlexNet' + (' with random weights' if random else ''))
    dnn = AlexNet(pretrained=False, rng=0) if random else AlexNet()
    layers = dnn_rdm(dnn.compute_activation(data.stimuli, LAYERS), 'correlation')
    layers.save(folder / 'alexnet.rdm.h5')
    networks, subjects = {'AlexNet': layers}, separate(data.subjects, 'hIT')
    settings = {'method': 'spearman', 'sig': ['permutation', 'bootstrap'], 'ceiling': True}
    table = rsa_profile(networks, subjects, **settings)
    write_profile(folder, table, subject_profile(networks, subjects, 'spearman'), settings)
    draw_rsa(folder, table, networks, subjects, conditions, 'Spearman correlation of RDMs')
    print(table[['layer', 'r', 'p', 'fdr', 'low', 'high']].to_string(index=False, float_format='%.3f'))


def separate(people: RDM, area: str) -> dict[str, RDM]:
    """An RDM for each person, all with the same region."""
    out = {}
    for name in people.keys:
        out[name] = RDM('bRDM', people.item_ids)
        out[name].set(area, people.get(name))
    return out


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', default='rsa_92images', type=Path)
    parser.add_argument('--data', help='the folder that holds the two files')
    parser.add_argument('--random', action='store_true', help='random weights')
    found = parser.parse_args()
    main(found.folder, found.data, found.random)
