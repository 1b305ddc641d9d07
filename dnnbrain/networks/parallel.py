"""Several processes that train one network, each on its share of every batch.

``torchrun`` and ``accelerate launch`` start them and say in the environment which is which; the script stays as it is.
A batch is divided, gradients are averaged by torch's DistributedDataParallel, and batch norm sees the whole batch, so
that the loss curve is that of one process with the same batch size. Only dropout draws differ.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
import torch.nn as nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Team:
    """The processes that train together; a single one has rank 0 of 1.

    What needs the others (`total`, `gather`, `agreed`) must be called by all of them.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and logs."""
        return self.rank == 0

    def share(self, items):
        """The part of a sequence that this process takes, in order; sizes differ by one at most."""
        n = len(items)
        return items[n * self.rank // self.size:n * (self.rank + 1) // self.size]

    def total(self, *values: float) -> list[float]:
        """The sum over all processes of each value."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=_home())
        dist.all_reduce(sums)
        return sums.tolist()

    def gather(self, value) -> list:
        """What each process has, in the order of ranks."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def agreed(self, value):
        """What the first process has."""
        return self.gather(value)[0]

    def equalise(self, model: nn.Module) -> None:
        """Give every process the parameters and buffers of the first: fresh heads may differ."""
        if self.size > 1:
            with torch.no_grad():
                for tensor in (*model.parameters(), *model.buffers()):
                    dist.broadcast(tensor, 0)

    def joined(self, model: nn.Module, unused: bool = False) -> nn.Module:
        """The model with gradients averaged over all processes.

        Parameters
        ----------
        unused : bool
            Whether a step may leave parameters that learn without a gradient.
        """
        if self.size == 1:
            return model
        return DistributedDataParallel(model, broadcast_buffers=False, find_unused_parameters=unused)

    @contextmanager
    def one_batch(self, model: nn.Module) -> Iterator[None]:
        """Let batch norm in training mode see the batch of all processes."""
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm)] if self.size > 1 else []
        for norm in norms:
            norm.forward = partial(_norm_over_all, norm)
        try:
            yield
        finally:
            for norm in norms:
                del norm.forward


ALONE = Team()


def find_team() -> Team:
    """The team this process was launched in, joined when first asked for; a team of one otherwise."""
    if not dist.is_available():
        return ALONE
    if not dist.is_initialized() and int(os.environ.get('WORLD_SIZE', 1)) > 1 and 'MASTER_ADDR' in os.environ:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count())
        dist.init_process_group('cpu:gloo,cuda:nccl' if torch.cuda.is_available() else 'gloo')
        atexit.register(dist.destroy_process_group)
    return Team(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else ALONE


def _home() -> torch.device:
    """Where small values travel: the CPU, unless the team was joined with a backend for GPUs only."""
    return torch.device('cuda' if dist.get_backend() == 'nccl' else 'cpu')


def _norm_over_all(norm: _BatchNorm, x: torch.Tensor) -> torch.Tensor:
    """Batch norm over the batches of all processes; running statistics are those of the whole batch."""
    if not norm.training:
        return type(norm).forward(norm, x)
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    axes, flat = [0, *range(2, x.ndim)], (-1, *(1,) * (x.ndim - 2))
    count = values.new_tensor(x.numel() / x.shape[1])
    dist.all_reduce(count)
    mean = all_reduce(values.sum(axes)) / count
    centred = values - mean.view(flat)
    variance = all_reduce(centred.square().sum(axes)) / count
    if norm.track_running_stats:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            rate = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean.to(norm.running_mean), rate)
            norm.running_var.lerp_((variance * count / (count - 1)).to(norm.running_var), rate)
    out = centred * torch.rsqrt(variance + norm.eps).view(flat)
    if norm.affine:
        out = out * norm.weight.view(flat) + norm.bias.view(flat)
    return out.to(x.dtype)
