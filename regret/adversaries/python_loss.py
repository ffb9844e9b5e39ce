r"""Any convex function of yours as the loss of every step, :math:`g_t = \nabla f_t(x_t)`.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import array_api_compat

from regret.adversaries.base import Adversary, Stream, parameter_shape
from structures.arrays import Array, own

__all__ = ["PythonLoss"]


@dataclass(frozen=True)
class PythonLoss(Adversary):
    """Losses from callables on the whole batch.

    ``value(t, x)`` maps (B, *shape) to (B,), element by element; ``gradient(t, x)`` to (B, *shape). Without `gradient`
    the iterates must be torch tensors, and the gradient is autograd's. Both see copies of the iterates, which they may
    change. That the losses are convex is the caller's claim. A game raises ValueError for values of another shape.
    """

    shape: tuple[int, ...]
    value: Callable[[int, Array], Array]
    gradient: Callable[[int, Array], Array] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", parameter_shape(self.shape))

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        if self.gradient is None and not array_api_compat.is_torch_array(x):
            raise TypeError(
                f"PythonLoss without a gradient uses torch's autograd, but the iterates are {type(x).__module__} arrays: "
                f"pass gradient=, or an x0 that is a torch tensor."
            )
        return _CallableStream(self)


class _CallableStream(Stream):
    def __init__(self, adversary: PythonLoss) -> None:
        self._adversary = adversary

    def gradient(self, t: int, x: Array) -> Array:
        if self._adversary.gradient is not None:
            gradient = self._adversary.gradient(t, own(x))
            return gradient.detach() if array_api_compat.is_torch_array(gradient) else gradient
        return _autograd(self._adversary.value, t, x)

    def loss(self, t: int, x: Array) -> Array:
        values = self._adversary.value(t, own(x))
        if tuple(getattr(values, "shape", ())) != (x.shape[0],):
            raise ValueError(
                f"value(t, x) has shape {tuple(getattr(values, 'shape', ()))} for x of shape {tuple(x.shape)}, expected "
                f"({x.shape[0]},): one loss for each batch element, so sum over the parameter's axes only."
            )
        return values


def _autograd(value: Callable[[int, Array], Array], t: int, x: Array) -> Array:
    """∇ of the sum over the batch: each element's loss depends on its own parameter only."""
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        leaf = x.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(value(t, leaf).sum(), leaf)
    return gradient
