"""Several processes that train one network, each on its share of every batch.

``torchrun`` and ``accelerate launch`` start them and say in the environment which is which; the script stays as it is.
A batch is divided, gradients are added up, and batch norm sees the whole batch, so that the loss curve is that of one
process with the same batch size; only dropout draws differ. Torch's DistributedDataParallel does less: it knows no
uneven shares, and its batch norm over processes needs GPUs.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm


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

    @contextmanager
    def one_batch(self, model: nn.Module) -> Iterator[Callable[[], None]]:
        """Let the model learn from the batches of all processes as if they were one.

        Batch norm in training mode sees them all. Gradients are added up over processes, each as soon as the
        backward pass has it, while that goes on; what is yielded waits until all have arrived.
        """
        if self.size == 1:
            yield lambda: None
            return
        under_way = []
        global _together
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
        hooks = [p.register_post_accumulate_grad_hook(
            lambda p: under_way.append(dist.all_reduce(p.grad, async_op=True)))
            for p in model.parameters() if p.requires_grad]

        def arrive() -> None:
            while under_way:
                under_way.pop().wait()
        for norm in norms:
            norm.forward = partial(_norm_over_all, norm)
        _together = True
        try:
            yield arrive
        finally:
            _together = False
            for norm in norms:
                del norm.forward
            for hook in hooks:
                hook.remove()


ALONE = Team()
_together = False       # whether batch norm sees the batch of all processes at the moment


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


class _SumOverAll(torch.autograd.Function):
    """The sum of a tensor over all processes. What it does to the loss of each of them comes back as their sum."""

    @staticmethod
    def forward(ctx, own: torch.Tensor) -> torch.Tensor:
        total = own.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def _norm_over_all(norm: _BatchNorm, x: torch.Tensor) -> torch.Tensor:
    """Batch norm over the batches of all processes; running statistics are those of the whole batch."""
    if not (norm.training and _together):        # or a copy of the network, made while it was trained
        return type(norm).forward(norm, x)
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    axes, flat = [0, *range(2, x.ndim)], (-1, *(1,) * (x.ndim - 2))
    count = values.new_tensor(x.numel() / x.shape[1])
    dist.all_reduce(count)
    mean = _SumOverAll.apply(values.sum(axes)) / count
    centred = values - mean.view(flat)
    variance = _SumOverAll.apply(centred.square().sum(axes)) / count
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
