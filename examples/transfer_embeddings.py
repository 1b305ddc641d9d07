"""Transfer learning by embeddings: run the network once, train a small head on what it answered, join the two.

    python examples/transfer_embeddings.py [folder]

A network that knows the digits 0-4 is cut at its last pooling, where it has 512 values per picture. These embeddings
of the digits 5-9 are computed once, and two fully connected layers with dropout learn on them for 40 epochs in less
than a second. Joined, trunk and head are one network again, which does well at once (chance 0.2). With a good head,
everything can be finetuned with a small rate; that takes longer by far, and gains a little.
"""

import sys
import time
from pathlib import Path

import torch
from pretraining import new_digits, pretrained
from torch import nn

from dnnbrain.dnn.models import DNN, Resnet10


def main(folder: Path) -> None:
    """Cut, embed, train the head, join, test, finetune, save, load."""
    torch.manual_seed(0)                                # weights of the heads, their dropout, the order of batches
    train, validation, test = new_digits(folder)
    weights = pretrained(folder)                        # stands in for ImageNet weights

    print('1. Embeddings: what the last pooling answers, once per picture')
    start = time.perf_counter()
    trunk = Resnet10.load(weights).cut('avgpool')       # with network access: Resnet18().cut('avgpool')
    embeddings = trunk.compute_activation(train, 'avgpool').get('avgpool')[..., 0, 0]
    print(f'{len(train)} pictures, {embeddings.shape[1]} values each, in {time.perf_counter() - start:.1f} s')

    print('\n2. A head learns from the embeddings alone')
    start = time.perf_counter()
    head = small_head()
    losses = train_head(head, torch.from_numpy(embeddings), torch.from_numpy(train.get('label')), n_epoch=40)
    print(f'loss {losses[0]:.3f} in the first epoch, {losses[-1]:.3f} in the last, '
          f'in {time.perf_counter() - start:.1f} s')

    print('\n3. Trunk and head as one network')
    whole = trunk.join(head)
    whole.freeze('trunk')
    whole.show().savefig(folder / 'embeddings_structure.png', dpi=150)
    print(f'joined: test accuracy {whole.test(test, "classification")["score"]:.3f} (chance 0.2)')

    print('\n4. All of it finetuned with a small rate')
    whole.unfreeze()
    optimizer = torch.optim.Adam(whole.model.parameters(), lr=0.0001)
    history = whole.train(train, 4, 'classification', optimizer, data_validation=validation, batch_size=32, rng=0)
    print(history.table()[['epoch', 'epoch_loss', 'score_validation']].to_string(index=False, float_format='%.3f'))
    print(f'finetuned: test accuracy {whole.test(test, "classification")["score"]:.3f}')
    whole.save(folder / 'embeddings_whole.pth')
    again = DNN.load(folder / 'embeddings_whole.pth')   # cut, head and names come back with the weights
    print(f'loaded: test accuracy {again.test(test, "classification")["score"]:.3f}, '
          f'the last layers are {", ".join(again.layers[-2:])}')

    print('\n5. Steps 1 to 3 in one call: cache_features')
    dnn = Resnet10.load(weights).freeze()
    dnn.model.fc = small_head()
    optimizer = torch.optim.Adam(dnn.model.fc.parameters(), lr=0.001)
    history = dnn.train(train, 40, 'classification', optimizer, cache_features=True, batch_size=32, rng=0)
    print(f'cached: {sum(history["seconds"]):.1f} s for {len(history["seconds"])} epochs, '
          f'test accuracy {dnn.test(test, "classification")["score"]:.3f}')
    print(f'All files are in {folder}')


def small_head() -> nn.Sequential:
    """Two fully connected layers with dropout between them."""
    return nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 5))


def train_head(head: nn.Module, x: torch.Tensor, y: torch.Tensor, n_epoch: int) -> list[float]:
    """A plain torch loop over embeddings (n_stim, n_value) and labels (n_stim,); the mean loss of each epoch."""
    optimizer = torch.optim.Adam(head.parameters(), lr=0.001)
    losses = []
    for _ in range(n_epoch):
        steps = []
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(head(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            steps.append(loss.item())
        losses.append(sum(steps) / len(steps))
    return losses


if __name__ == '__main__':
    out = Path(sys.argv[1] if len(sys.argv) > 1 else 'transfer_embeddings_out')
    out.mkdir(parents=True, exist_ok=True)
    main(out)
