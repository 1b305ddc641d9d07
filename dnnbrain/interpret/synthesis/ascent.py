"""The steps by which pictures climb."""

from __future__ import annotations

import torch

BETAS, TINY = (0.9, 0.99), 1e-12


class PictureAdam:
    """Adam with one size of gradients per picture, instead of one per number of it.

    Adam moves every amplitude of a picture as fast, those of fine gratings with little gradient too, which then are
    noise; here they move by what they gain. A step has a root mean square of about `lr` at any scale of the target, and
    pictures of a batch do not depend on each other.

    Parameters
    ----------
    parameter : Tensor of shape (n, ...)
        A picture each; its `grad` is read by `step`.
    lr : float
    """

    def __init__(self, parameter: torch.Tensor, lr: float):
        self.parameter, self.lr, self.n_step = parameter, lr, 0
        self.mean = torch.zeros_like(parameter, requires_grad=False)
        self.square = parameter.new_zeros(len(parameter), *[1] * (parameter.ndim - 1))

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Go down the gradient."""
        self.n_step += 1
        gradient, (slow, slower) = self.parameter.grad, BETAS
        size = torch.linalg.vector_norm(gradient.flatten(1), dim=1).square().view_as(self.square) / gradient[0].numel()
        self.mean.lerp_(gradient, 1 - slow)
        self.square.lerp_(size, 1 - slower)
        spread = (self.square / (1 - slower ** self.n_step)).sqrt_().add_(TINY)
        self.parameter.sub_(self.mean * (self.lr / (1 - slow ** self.n_step) / spread))


def adam(parameter: torch.Tensor, lr: float) -> torch.optim.Adam:
    """Adam as it is."""
    return torch.optim.Adam([parameter], lr, fused=parameter.device.type in ('cpu', 'cuda'))


OPTIMIZERS = {'fourier': PictureAdam, 'pixel': adam}
