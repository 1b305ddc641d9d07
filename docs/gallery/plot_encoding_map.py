"""
An encoding map: which layer predicts which voxel
=================================================

Scores of five layers on a glass brain, the layer that does best for each voxel, and the truth of a simulated subject.
"""

# %%
# A small network learns handwritten digits, and answers to 150 others.

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
import torch.nn as nn
from torchvision import transforms

from dnnbrain import datasets, viz
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import masked, unmasked
from dnnbrain.brain.profile import fold_means, layer_table, preferred_layer
from dnnbrain.dnn.models import DNN

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
see = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
dnn = DNN(model, layer2loc={'conv1': ('1',), 'conv2': ('3',), 'conv3': ('6',), 'fc1': ('9',), 'fc2': ('10',)},
          img_size=(32, 32), train_transform=see, test_transform=see)

learn, look = datasets.digits(Path(mkdtemp()) / 'digits').split((0.5, 0.5), by='label', rng=0)
dnn.train(learn, 5, 'classification', torch.optim.Adam(model.parameters(), 0.002), batch_size=32, rng=0)
stim = look.sample(150, by='label', rng=0)
activation = dnn.compute_activation(stim, ['conv1', 'conv2', 'conv3', 'fc1', 'fc2'])

# %%
# A subject in whom later layers drive more anterior voxels, with noise of 0.7 times the signal. All voxels are fitted
# at once, with a penalty for each that is chosen inside the training folds.

subject = datasets.simulate_subject(activation, noise=0.7, resolution=8, rng=0)
responses = masked(subject.responses, subject.mask)
result = BrainEncoder(responses, scoring='correlation', stim_ids=stim.get('stimID')).encode_dnn(activation)
scores = fold_means(result)
print(layer_table(scores).round(3).to_string(index=False))

# %%
# Back into the brain. ``save_brainimg`` would write these maps for any viewer.

shape = subject.mask.shape
maps = {layer: unmasked(values, subject.mask, shape) for layer, values in scores.items()}
best = preferred_layer(scores)
both = {'predicts best': unmasked(best, subject.mask, shape), 'simulated truth': subject.truth}
figure = viz.plot_layer_maps(maps, subject.header, both, label='held-out correlation')
print(f'map and truth correlate at r = {np.corrcoef(best, subject.truth[subject.mask])[0, 1]:.3f}')
