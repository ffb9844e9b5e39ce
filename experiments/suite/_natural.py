r"""The natural direction of a network, literally: inputs and output gradients of its layers, and weights of samples.

.. math:: u_i = \sum_t g_{it} a_{it}^\top, \quad K_{ij} = \langle u_i, u_j\rangle, \qquad
    w = n\,(n\lambda I + K)^{-1}\mathbf 1, \qquad x = \frac1n\sum_i w_i u_i

with a one appended to every input for the bias, and one t for a perceptron's layer; a convolution's t are its patches.
Independent of `optimizers.fngd`: seen on a copy of the model, with hooks of its own.

Source: Fast natural gradient descent (ou2024inverse), in the form derived here (docs/proofs/fngd.md).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

__all__ = ["Seen", "natural_layers", "seen"]


@dataclass(frozen=True)
class Seen:
    """One layer on one batch."""

    a: Any  # (n, T, p) inputs
    g: Any  # (n, T, q) gradients of each sample's own loss

    def weights(self, damping: float) -> Any:  # (n,)
        """w in float64: 1/λ for every sample when λ is large."""
        import torch

        K, n = self.products(), len(self.a)
        return n * torch.linalg.solve(K + n * damping * torch.eye(n, dtype=K.dtype), K.new_ones(n))

    def products(self) -> Any:  # (n, n) float64
        """K: without forming u_i where there is one position."""
        a, g = self.a.double(), self.g.double()
        if a.shape[1] == 1:
            a, g = a[:, 0], g[:, 0]
            return (a @ a.T + 1.0) * (g @ g.T)
        u, b = (g.mT @ a).flatten(1), g.sum(1)
        return u @ u.T + b @ b.T

    def direction(self, w: Any) -> tuple[Any, Any]:  # (q, p), (q,)
        """(1/n) Σ w_i u_i for weight and bias."""
        scaled = self.g * (w.to(self.g.dtype) / len(self.g))[:, None, None]
        return scaled.flatten(0, 1).T @ self.a.flatten(0, 1), scaled.sum((0, 1))


def natural_layers(model: Any) -> list[Any]:
    """The linear and convolutional modules in their order."""
    from torch import nn

    return [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]


def seen(model: Any, x: Any, y: Any) -> list[Seen]:
    """What these layers see on a batch; the model itself is not touched."""
    from experiments.suite._training import loss_of

    twin = copy.deepcopy(model)
    found: list[list[Any]] = []
    for module in natural_layers(twin):
        module.register_forward_hook(lambda module, args, out: found.append([module, args[0], kept(out)]))
    loss_of(twin, x, y).backward()
    return [Seen(positions(module, a.detach()), len(x) * outputs(module, out.grad)) for module, a, out in found]


def positions(module: Any, a: Any) -> Any:  # -> (n, T, p)
    """Inputs of a layer, position by position."""
    from torch import nn
    from torch.nn import functional as F

    if isinstance(module, nn.Conv2d):
        padding: Any = module.padding  # a number for each axis, where it is not a word
        return F.unfold(a, module.kernel_size, module.dilation, padding, module.stride).mT
    return a if a.ndim == 3 else a[:, None]


def outputs(module: Any, g: Any) -> Any:  # -> (n, T, q)
    """Output gradients of a layer, position by position."""
    from torch import nn

    if isinstance(module, nn.Conv2d):
        return g.flatten(2).mT
    return g if g.ndim == 3 else g[:, None]


def kept(out: Any) -> Any:
    """The tensor, whose gradient will be kept."""
    out.retain_grad()
    return out
