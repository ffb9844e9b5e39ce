r"""The natural direction of a perceptron, literally: inputs and output gradients of its linear layers, and weights of samples.

.. math:: u_i = g_i a_i^\top, \quad K_{ij} = (\langle a_i, a_j\rangle + 1)\,\langle g_i, g_j\rangle, \qquad
    w = n\,(n\lambda I + K)^{-1}\mathbf 1, \qquad x = \frac1n\sum_i w_i u_i

Independent of `optimizers.fngd`: seen on a copy of the model, with hooks of its own.

Source: Fast natural gradient descent (fngd), in the form derived here (docs/proofs/fngd.md).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

__all__ = ["Seen", "linear_layers", "seen"]


@dataclass(frozen=True)
class Seen:
    """One linear layer on one batch."""

    a: Any  # (n, p) inputs
    g: Any  # (n, q) gradients of each sample's own loss

    def weights(self, damping: float) -> Any:  # (n,)
        """w in float64, 1 for every sample when λ is large and after division by their scale."""
        import torch

        a, g, n = self.a.double(), self.g.double(), len(self.a)
        K = (a @ a.T + 1.0) * (g @ g.T)
        return n * torch.linalg.solve(K + n * damping * torch.eye(n, dtype=K.dtype), K.new_ones(n))

    def direction(self, w: Any) -> tuple[Any, Any]:
        """(1/n) Σ w_i u_i for weight and bias."""
        scaled = self.g * (w.to(self.g.dtype) / len(self.g))[:, None]
        return scaled.T @ self.a, scaled.sum(0)


def linear_layers(model: Any) -> list[Any]:
    """The linear modules in their order."""
    from torch import nn

    return [module for module in model.modules() if isinstance(module, nn.Linear)]


def seen(model: Any, x: Any, y: Any) -> list[Seen]:
    """What the linear layers of a model see on a batch; the model itself is not touched."""
    from experiments.suite._training import loss_of

    twin = copy.deepcopy(model)
    found: list[list[Any]] = []
    for module in linear_layers(twin):
        module.register_forward_hook(lambda _, args, out: found.append([args[0], kept(out)]))
    loss_of(twin, x, y).backward()
    return [Seen(a.detach(), len(x) * out.grad.detach()) for a, out in found]


def kept(out: Any) -> Any:
    """The tensor, whose gradient will be kept."""
    out.retain_grad()
    return out
