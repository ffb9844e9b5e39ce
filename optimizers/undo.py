r"""What the states were before a step of the Shampoo family, put back when a root cannot be taken.

.. math:: (L, A) \;\xrightarrow{\ \text{fails}\ }\; (L, A)

Statistics are changed in place, and a decomposition comes after that. A copy of them costs O(n²), the decomposition O(n³);
steps that decompose nothing need none.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from optimizers.base import Options, copied
from optimizers.kronecker_step import Block, is_due
from optimizers.roots import root_rule
from optimizers.roots.rules import CERTIFICATE

__all__ = ["Undo", "may_fail"]


def may_fail(blocks: list[Block], options: Options) -> bool:
    """Whether this step may take a root, or look at its direction."""
    rule = root_rule(options["root"])
    if options["refresh"] == CERTIFICATE or options["grafting"] is None:
        return bool(blocks)
    if rule.series:
        return False
    return any(not all(block.begun) or is_due(block.step, options["refresh"], rule) for block in blocks)


class Undo:
    """Copies of states whose stacks are to be made, and of the tensors of stacks that are there."""

    def __init__(self) -> None:
        self._states: list[tuple[Tensor, Any]] = []
        self._tensors: list[tuple[Tensor, Tensor]] = []
        self._begun: list[tuple[Block, list[bool]]] = []

    def keep_states(self, states: Any, params: list[Tensor]) -> None:
        """Keep all of the states of some parameters."""
        self._states += [(p, copied(states[p], p.device) if p in states else None) for p in params]

    def keep_blocks(self, blocks: list[Block]) -> None:
        """Keep what a step changes of blocks before parameters move."""
        for block in blocks:
            self._begun.append((block, list(block.begun)))
            self._tensors += [(t, t.clone()) for side in block.present for t in side.tensors.values()]

    def __call__(self, states: Any) -> None:
        """Put everything back."""
        for p, state in self._states:
            if state is None:
                states.pop(p, None)
            else:
                states[p] = state
        for t, before in self._tensors:
            t.copy_(before)
        for block, begun in self._begun:
            block.begun = begun
            for side in block.present:
                side.passing = None
