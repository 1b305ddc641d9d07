"""
What a unit likes: saliency and synthesis
=========================================

Which part of a picture makes a network name it, and what would it like to see most? Asked of a small network that has
learnt handwritten digits.
"""

# %%
# The network, and four digits that it has not seen.

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
import torch.nn as nn
from torchvision import transforms

from dnnbrain import datasets, viz
from dnnbrain.dnn.algo import IntegratedGradientsImage, SynthesisImage
from dnnbrain.dnn.base import ImageSet
from dnnbrain.dnn.models import DNN

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
see = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
dnn = DNN(model, layer2loc={'conv1': ('1',), 'conv2': ('3',), 'fc1': ('9',), 'fc2': ('10',)}, img_size=(32, 32),
          train_transform=see, test_transform=see)

learn, look = datasets.digits(Path(mkdtemp()) / 'digits').split((0.5, 0.5), by='label', rng=0)
dnn.train(learn, 5, 'classification', torch.optim.Adam(model.parameters(), 0.002), batch_size=32, rng=0)
shown = look[[int(np.flatnonzero(look.get('label') == digit)[0]) for digit in (0, 3, 4, 8)]]

# %%
# Saliency
# --------
# Integrated gradients divide among the pixels what the unit of a digit answers beyond its answer to black. Red speaks
# for the digit, blue against it. Channels count from 1, so the unit of 3 is channel 4.

digits = shown.get('label').tolist()
pixels, _ = ImageSet(shown.path, shown.get('stimID'), transform=see)[:]
maps = [IntegratedGradientsImage(dnn, 'fc2', digit + 1).backprop(file)
        for digit, file in zip(digits, shown.files(), strict=True)]
saliency = viz.plot_saliency(pixels.numpy(), maps, [f'why {digit}?' for digit in digits], mode='gray', ncols=2)

# %%
# Synthesis
# ---------
# The picture that drives each of these units most, found by following the gradient from gray noise. None of them is a
# digit that anybody wrote; each is what all of them have in common, and what tells them from the others.

liked = np.stack([SynthesisImage(dnn, 'fc2', digit + 1).synthesize(lr=0.05, n_iter=60, verbose=False)
                  for digit in digits])
synthesis = viz.imgarray_show(liked, 1, len(digits), img_names=[str(digit) for digit in digits], show=False)

written = dnn.compute_activation(shown, 'fc2').get('fc2')[:, :, 0, 0]
found = dnn.compute_activation(liked, 'fc2').get('fc2')[:, :, 0, 0]
for row, digit in enumerate(digits):
    print(f'unit of {digit}: {written[row, digit]:.1f} for the digit above, {found[row, digit]:.1f} for its picture')
