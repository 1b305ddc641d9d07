"""
The geometry of digits, before and after learning
=================================================

Which digits does a network find alike? RDMs of an untrained network, and of the same network after it has learnt to
name them.
"""

# %%
# Two sets of digits: about 900 to learn from, and 50 others to look at, in their order from 0 to 9.

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
import torch.nn as nn
from torchvision import transforms

from dnnbrain import datasets, viz
from dnnbrain.dnn.core import RDM
from dnnbrain.dnn.models import DNN
from dnnbrain.mapping.dissimilarity import dnn_rdm
from dnnbrain.mapping.rsa.permutation import permute_items

learn, look = datasets.digits(Path(mkdtemp()) / 'digits').split((0.5, 0.5), by='label', rng=0)
look = look.sample(50, by='label', rng=0)
look = look[np.argsort(look.get('label'), kind='stable')]

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
see = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
dnn = DNN(model, layer2loc={'conv1': ('1',), 'fc1': ('9',), 'fc2': ('10',)}, img_size=(32, 32), train_transform=see,
          test_transform=see)

# %%
# The layers before and after five epochs, on digits that played no part in learning.

rdms = RDM('bRDM', look.get('stimID'))
layers = ['conv1', 'fc1']
before = dnn_rdm(dnn.compute_activation(look, layers), 'correlation')
dnn.train(learn, 5, 'classification', torch.optim.Adam(model.parameters(), 0.002), batch_size=32, rng=0)
after = dnn_rdm(dnn.compute_activation(look, layers), 'correlation')
for when, found in (('untrained', before), ('trained', after)):
    for layer in layers:
        rdms.set(f'{layer}, {when}', found.get(layer, triu=True)[0], triu=True)
print(f'named correctly: {dnn.test(look, "classification")["score"]:.2f} of {len(look)} digits (chance 0.10)')

# %%
# Learning makes blocks along the diagonal of the last layers: the same digit by different hands becomes alike.

matrices = viz.plot_rdms(rdms, look.get('condition'))

# %%
# How well does "the same digit or not" describe each? By Kendall's tau-a, since that model has many ties; the test
# permutes digits, rows and columns together. A perfect match would be 0.15, for few pairs are of the same digit.

label = look.get('label')
model_rdm = (label[:, None] != label[None, :]).astype(float)[np.triu_indices(len(look), 1)]
print(f'at most {permute_items(model_rdm, model_rdm, "tau-a", n_perm=1).r[0, 0]:.2f}')
for name in rdms.keys:
    test = permute_items(model_rdm, rdms.get(name, triu=True), 'tau-a', n_perm=500)
    print(f'{name:18s} tau-a = {test.r[0, 0]:.2f}, p = {test.p[0, 0]:.3f}')

# %%
# On a plane, with distances as near to those of the matrices as two dimensions allow.

squares = {when: rdms.get(f'fc1, {when}') for when in ('untrained', 'trained')}
plane = viz.plot_mds(squares, look.get('condition'))
