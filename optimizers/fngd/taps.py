r"""Autograd nodes that hand a layer's inputs and output gradients over, and put a gradient of our own in the weight's place.

A layer is run with its weight detached, so that autograd computes what flows to earlier layers and nothing else. A `Tap`
on the output delivers (a, g); when every use of the layer in this backward pass has been seen, `Collect` returns

.. math:: \sum_i w_i u_i \quad\text{for the weight},\qquad \text{while } W^\top g \text{ flows on unscaled.}

A tensor hook on the output that scales g would scale the earlier layers' gradients too.

Source: derived here (docs/proofs/fngd.md#weighted-backward).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import torch
from torch import Tensor
from torch.autograd import Function

if TYPE_CHECKING:
    from optimizers.fngd.layer import Layer

__all__ = ["Gather", "collect", "tap"]


class Gather:
    """The uses of one layer in one forward pass, by backward pass."""

    def __init__(self, layer: Layer) -> None:
        # Weak, because the graph leads here: a layer that kept its graph alive in a circle would never be freed.
        self.layer = ref(layer)
        self.uses: dict[int, list[tuple[Tensor, Tensor]]] = {}

    def add(self, a: Tensor, g: Tensor) -> None:
        self.uses.setdefault(backward_pass(), []).append((a, g))

    def forget(self) -> None:
        """Let go of what belongs to backward passes that never came to the weights, unless one is running."""
        if self.uses and backward_pass() < 0:
            self.uses.clear()

    def gradients(self) -> tuple[Tensor | None, Tensor | None]:
        layer = self.layer()
        if layer is None:
            raise RuntimeError("FNGD let go of this model between forward and backward: run the forward pass again.")
        return layer.gradients(self.uses.pop(backward_pass(), []))


def backward_pass() -> int:
    """The number of the running backward pass, -1 outside; ``autograd.grad`` on some inputs never reaches the weights."""
    return torch._C._current_graph_task_id()


class Collect(Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, gather: Gather) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.gather = gather
        ctx.set_materialize_grads(False)  # of the token: it has none, and only says when all uses were seen
        return weight.new_empty(0)

    @staticmethod
    def backward(ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        # Autograd records nothing here: where it would, a `Tap` has refused.
        return (*ctx.gather.gradients(), None)


class Tap(Function):
    @staticmethod
    def forward(ctx: Any, out: Tensor, token: Tensor, a: Tensor, gather: Gather) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(a)
        ctx.gather = gather
        # The same memory, yet no view to autograd, which forbids to change a view from a custom Function in place.
        return out.data

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():
            raise RuntimeError(
                "FNGD's layers cannot be differentiated twice (create_graph=True): run the forward pass of such a term "
                "inside `with optimizer.paused():`."
            )
        ctx.gather.add(ctx.saved_tensors[0], g)
        return g if ctx.needs_input_grad[0] else None, None, None, None


def collect(weight: Tensor, bias: Tensor | None, gather: Gather) -> Tensor:
    """A token on which every use of the layer depends: its gradient is asked for once per backward pass.

    Made in every forward pass: autograd takes what is younger first, and would leave an old one, with all that the layer
    has seen, to the end of the backward pass.
    """
    return Collect.apply(weight, bias, gather)  # pyright: ignore[reportReturnType]


def tap(out: Tensor, token: Tensor, a: Tensor, gather: Gather) -> Tensor:
    """`out`, whose gradient passes by `gather` on its way back."""
    return Tap.apply(out, token, a.detach(), gather)  # pyright: ignore[reportReturnType]
