"""What training leaves: losses and scores per epoch, as a dict and as a table."""

from __future__ import annotations

import pandas as pd

from dnnbrain._checks import has_suffix, writable_file
from dnnbrain.io.atomic import atomic

PER_EPOCH = ('epoch_loss', 'score_train', 'loss_validation', 'score_validation', 'lr', 'seconds')


class History(dict):
    """1.0's `train_dict` and more.

    Attributes
    ----------
    settings : dict
        What `train` was asked for, as plain values.

    Notes
    -----
    Its keys:

    - step_loss: list per epoch of the loss of each batch
    - epoch_loss: mean loss of the training stimuli while they were learnt
    - score_train, loss_validation, score_validation: after each epoch; empty where not asked for
    - lr: list per epoch of the learning rate of each group of the optimizer, at the start of the epoch
    - seconds: per epoch
    - best_epoch: the epoch (from 1) whose weights the network has, or that validated best; None without validation
    """

    def __init__(self, **values):
        super().__init__(step_loss=[], **{key: [] for key in PER_EPOCH}, best_epoch=None)
        self.update(values)
        self.settings: dict = {}

    def table(self) -> pd.DataFrame:
        """A row per epoch; a column 'lr' for one group of the optimizer, lr_1, lr_2, ... for several."""
        n_epoch = len(self['epoch_loss'])
        columns = {'epoch': range(1, n_epoch + 1)} | {key: self[key] for key in PER_EPOCH if len(self[key])}
        rates = columns.pop('lr', [])
        seconds = columns.pop('seconds', None)
        for number, rate in enumerate(zip(*rates, strict=True), 1):
            columns['lr' if len(rates[0]) == 1 else f'lr_{number}'] = rate
        return pd.DataFrame(columns | ({} if seconds is None else {'seconds': seconds}))

    def to_csv(self, fname) -> None:
        """Write the table."""
        path = writable_file(has_suffix(fname, ['.csv'], 'history file'), 'history file')
        with atomic(path) as part:
            self.table().to_csv(part, index=False)
