"""
A layer profile, with confidence and ceiling
============================================

Which layer of a network predicts a region best? Three regions of a simulated subject, whose truth is known: the early
one is driven by the first layer, the late one by the last but one.
"""

# %%
# A network of one's own
# ----------------------
# Any torch module becomes a network with named layers. This one learns handwritten digits, the real pictures that come
# with scikit-learn, in a few seconds.

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
import torch.nn as nn
from torchvision import transforms

from dnnbrain import datasets, viz
from dnnbrain.brain.core import BrainEncoder
from dnnbrain.brain.io import masked
from dnnbrain.brain.profile import roi_profile
from dnnbrain.dnn.models import DNN
from dnnbrain.mapping.crossval import folds
from dnnbrain.mapping.inference.confidence import fold_numbers

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
see = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
dnn = DNN(model, layer2loc={'conv1': ('1',), 'conv2': ('3',), 'conv3': ('6',), 'fc1': ('9',), 'fc2': ('10',)},
          img_size=(32, 32), train_transform=see, test_transform=see)

learn, look = datasets.digits(Path(mkdtemp()) / 'digits').split((0.5, 0.5), by='label', rng=0)
dnn.train(learn, 5, 'classification', torch.optim.Adam(model.parameters(), 0.002), batch_size=32, rng=0)
print(f'named correctly: {dnn.test(look, "classification")["score"]:.2f} of {len(look)} digits it has not seen')

# %%
# What every layer answers
# ------------------------
# A hundred of these digits are shown, and one pass gives all layers.

stim = look.sample(100, by='label', rng=0)
sheet = stim.show(18, ncols=9, rng=1)
layers = ['conv1', 'conv2', 'conv3', 'fc1', 'fc2']
activation = dnn.compute_activation(stim, layers)
for layer in layers:
    print(layer, activation.shape(layer))

# %%
# The subject looks at the same pictures
# --------------------------------------
# Each voxel is driven by one layer, under as much noise as signal. Which one is the truth that no real scan gives.

subject = datasets.simulate_subject(activation, noise=1.0, resolution=12, rng=0)
responses, truth = masked(subject.responses, subject.mask), subject.truth[subject.mask]
regions = {name: np.flatnonzero(truth == number)[:40] for name, number in (('early', 1), ('middle', 3), ('late', 4))}
print(responses.shape, '(volumes, voxels)')

# %%
# Encoding
# --------
# Ridge regression, scored on folds that were held out. Intervals come from drawing pictures again, widened for the
# training pictures that folds share. The ceiling is the root of the explainable variance, which is a half here.

n, ids = len(stim), stim.get('stimID')
found = BrainEncoder(responses, scoring='correlation', stim_ids=ids).encode_dnn(activation, predictions=True)
predictions = {layer: found[layer]['prediction'][0] for layer in layers}
table = roi_profile(responses, predictions, regions, folds=fold_numbers(folds(n, 5, groups=ids), n), n_boot=300)
print(table[['roi', 'layer', 'mean', 'low', 'high']].round(2).to_string(index=False))

# %%
# Each profile peaks at the layer that is the truth, and stays below the ceiling.

ceiling = np.sqrt(0.5)
shown = table.rename(columns={'mean': 'r'}).assign(ceiling_lower=ceiling - 0.005, ceiling_upper=ceiling + 0.005)
profile = viz.plot_layer_profile(shown, 'held-out correlation')
# sphinx_gallery_thumbnail_number = 2
