"""The two transfer-learning scripts of 1.0's documentation, verbatim but for the number of epochs."""

import torch

FINETUNE = '''
import torch
from dnnbrain.dnn.models import AlexNet
from dnnbrain.dnn.core import Stimulus
stim_train = Stimulus(); stim_train.load('train.stim.csv')
stim_validation = Stimulus(); stim_validation.load('validation.stim.csv')
dnn = AlexNet()
n_in_feat = dnn.model.classifier[6].in_features
dnn.model.classifier[6] = torch.nn.Linear(n_in_feat, 2)
train_dict = dnn.train(stim_train, 50, 'classification', data_train=True, data_validation=stim_validation)
dnn.save('alexnet_finetune.pth')
'''
FIXED = '''
import torch
from dnnbrain.dnn.models import AlexNet
from dnnbrain.dnn.core import Stimulus
stim_train = Stimulus(); stim_train.load('train.stim.csv')
stim_validation = Stimulus(); stim_validation.load('validation.stim.csv')
dnn = AlexNet()
for param in dnn.model.parameters(): param.requires_grad = False
n_in_feat = dnn.model.classifier[6].in_features
dnn.model.classifier[6] = torch.nn.Linear(n_in_feat, 2)
optimizer = torch.optim.Adam(dnn.model.classifier[6].parameters(), 0.00001)
train_dict = dnn.train(stim_train, 50, 'classification', optimizer, data_train=True, data_validation=stim_validation)
dnn.save('alexnet_fixed_feature_extractor.pth')
'''


def run(script, stim, folder, monkeypatch):
    monkeypatch.chdir(folder)
    stim[:4].save('train.stim.csv')
    stim[4:6].save('validation.stim.csv')
    names = {}
    exec(script.replace(', 50, ', ', 2, '), names)
    train_dict = names['train_dict']
    assert len(train_dict['epoch_loss']) == 2 and [len(steps) for steps in train_dict['step_loss']] == [1, 1]
    assert all(0 <= s <= 1 for key in ('score_train', 'score_validation') for s in train_dict[key])
    assert len(train_dict['score_train']) == len(train_dict['score_validation']) == 2
    return names


def test_finetuning(published, stim, tmp_path, monkeypatch):
    names = run(FINETUNE, stim, tmp_path, monkeypatch)
    back = names['AlexNet'].load('alexnet_finetune.pth')
    assert back.model.classifier[6].out_features == 2
    tested = back.test(names['stim_validation'], 'classification')
    assert tested['score'] == names['train_dict']['score_validation'][-1]
    assert not torch.equal(back.model.features[0].weight, published.features[0].weight)


def test_fixed_feature_extractor(published, stim, tmp_path, monkeypatch):
    run(FIXED, stim, tmp_path, monkeypatch)
    back = torch.load('alexnet_fixed_feature_extractor.pth', weights_only=True)
    for name, value in published.state_dict().items():
        assert torch.equal(back[name], value) == (not name.startswith('classifier.6')), name
