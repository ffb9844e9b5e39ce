r"""Autograd nodes that hand a layer's inputs and output gradients over, and put a gradient of our own in the weight's place.

A layer is run with its weight detached, so that autograd computes what flows to earlier layers and nothing else. A `Tap`
on each output delivers (a, g); the one that runs last in a backward pass, when every use of the layer has been seen, returns

.. math:: \sum_i w_i u_i \quad\text{for the weight},\qquad \text{while } W^\top g \text{ flows on unscaled.}

A tensor hook on the output that scales g would scale the earlier layers' gradients too.

Source: derived here (docs/proofs/fngd.md#weighted-backward).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

import torch
from torch import Tensor
from torch.autograd import Function

if TYPE_CHECKING:
    from optimizers.fngd.layer import Layer

__all__ = ["Gather", "tap"]

Gradients = tuple[Tensor | None, Tensor | None]  # of weight and bias


class Gather:
    """The uses of one layer in one forward pass, by backward pass; all of them with the bias, or all without."""

    def __init__(self, layer: Layer, joint: bool) -> None:
        # Weak, because the graph leads here: a layer that kept its graph alive in a circle would never be freed.
        self.layer, self.joint = ref(layer), joint
        self.nodes: WeakSet[Any] = WeakSet()  # of the uses, as long as their graph lives
        self.uses: dict[int, list[tuple[Tensor, Tensor]]] = {}
        self.expected: dict[int, int] = {}

    def add(self, a: Tensor, g: Tensor) -> Gradients:
        """One use; the gradients of all of them if it is the last of this backward pass, nothing before."""
        if len(self.nodes) == 1:
            return self._gradients([(a, g)])
        running = backward_pass()
        uses = self.uses.setdefault(running, [])
        uses.append((a, g))
        if len(uses) == 1:
            self.expected[running] = sum(map(will_run, self.nodes))
        if len(uses) < self.expected[running]:
            return None, None
        del self.uses[running], self.expected[running]
        return self._gradients(uses)

    def forget(self) -> None:
        """Let go of what belongs to backward passes that never came to their end, unless one is running."""
        if self.uses and backward_pass() < 0:
            self.uses.clear()
            self.expected.clear()

    def _gradients(self, uses: list[tuple[Tensor, Tensor]]) -> Gradients:
        layer = self.layer()
        if layer is None:
            raise RuntimeError("FNGD let go of this model between forward and backward: run the forward pass again.")
        return layer.gradients(uses, self.joint)


def backward_pass() -> int:
    """The number of the running backward pass, -1 outside."""
    return torch._C._current_graph_task_id()


def will_run(node: Any) -> bool:
    """Whether the running backward pass comes, or came, to this node of its graph."""
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:  # a parameter that ``autograd.grad`` was asked for has no node to run, and is reached
        return True


class Tap(Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, out: Tensor, a: Tensor, gather: Gather, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(a)
        ctx.gather = gather
        gather.nodes.add(ctx)
        # The same memory, yet no view to autograd, which forbids to change a view from a custom Function in place.
        return out.data

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if torch.is_grad_enabled():
            raise RuntimeError(
                "FNGD's layers cannot be differentiated twice (create_graph=True): run the forward pass of such a term "
                "inside `with optimizer.paused():`."
            )
        # Where nothing but what the layer's input depends on was asked for, its samples were not looked at.
        asked = any(will_run(node) for node, _ in ctx.next_functions[2:] if node is not None)
        weight, bias = ctx.gather.add(ctx.saved_tensors[0], g) if asked else (None, None)
        return g if ctx.needs_input_grad[0] else None, None, None, weight, bias


def tap(out: Tensor, a: Tensor, gather: Gather, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`out`, whose gradient passes by `gather` on its way back."""
    return Tap.apply(out, a.detach(), gather, weight, bias)  # pyright: ignore[reportReturnType]
