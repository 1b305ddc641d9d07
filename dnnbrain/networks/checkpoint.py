"""Training that survives being killed: everything its next epoch depends on, in one file per epoch's end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dnnbrain._checks import BadValue, has_suffix, listing, writable_file
from dnnbrain.io.atomic import atomic
from dnnbrain.networks.parallel import ALONE, Team
from dnnbrain.networks.weights import read_plain


class Checkpoint:
    """A file that is rewritten after each epoch.

    Parameters
    ----------
    fname : str or None
        ``.ckpt``; None does nothing.
    parts : dict
        Name -> anything with `state_dict` and `load_state_dict`: network, optimizer, scheduler, ...
    order : Generator
        Decides the order of the stimuli.
    settings : dict of plain values
        What must be the same for training to go on.
    team : Team
        The first process writes for all; every one has random numbers of its own.
    """

    def __init__(self, fname, parts: dict, order: np.random.Generator, device: torch.device, settings: dict,
                 team: Team = ALONE):
        self.path = None if fname is None else writable_file(has_suffix(fname, ['.ckpt'], 'checkpoint'), 'checkpoint')
        self.parts, self.order, self.device, self.settings, self.team = parts, order, device, settings, team

    def save(self, history: dict) -> None:
        """Write where training stands."""
        if self.path is None:
            return
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == 'cuda' else None
        rngs = self.team.gather((torch.get_rng_state(), cuda))
        if not self.team.first:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {'settings': self.settings, 'history': dict(history), 'order': self.order.bit_generator.state,
                  'rngs': [list(pair) for pair in rngs]}
        with atomic(self.path) as part:
            torch.save(state, part)

    def resume(self, history: dict) -> None:
        """Go on from the file, if there is one: fills the history and sets every part.

        Raises
        ------
        BadValue
            The file comes from another training.
        """
        if self.path is None or not Path(self.path).exists():
            return
        state = read_plain(self.path, 'checkpoint', 'remove it to start anew')
        differ = [f'{key} {state["settings"].get(key)!r} there, {value!r} here'
                  for key, value in self.settings.items() if state['settings'].get(key) != value]
        if differ or set(self.parts) - set(state):
            raise BadValue(f'checkpoint {str(self.path)!r} comes from another training '
                           f'({listing(differ) or "other parts"}); remove it, or give another name')
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        history.update(state['history'])
        self.order.bit_generator.state = state['order']
        if self.team.rank < len(state['rngs']):
            cpu, cuda = state['rngs'][self.team.rank]
            torch.set_rng_state(cpu)
            if cuda is not None and self.device.type == 'cuda':
                torch.cuda.set_rng_state(cuda, self.device)
