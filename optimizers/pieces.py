r"""An elementwise step without needless calls and passes through memory: large tensors in pieces, small ones side by side.

A step of k operations over n entries in one go moves n entries through memory k times; in pieces that stay in a processor's
cache it does so once. A call on a small tensor costs as much as some thousand entries, so the statistics of many small
tensors are views of one flat tensor, on which every operation is one call.

Source: derived here; measured by benchmarks/optimizer_step.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._nn import flatten_dense_tensors, unflatten_dense_tensors

__all__ = ["SMALL", "Packs", "pieces"]

ENTRIES = 131072  # five float32 tensors of this length are 2.5 MB: the second-level cache of one core, more or less
SMALL = 16384  # a copy of that many entries costs less than a call or two


def pieces(tensors: Sequence[Tensor], entries: int = ENTRIES) -> Iterator[Sequence[Tensor]]:
    """Views of tensors of one shape with at most `entries` entries, which together are all of them.

    Tensors that would be two pieces come whole: the calls cost what the cache saves. So do tensors that are not contiguous, or
    not in the memory of a processor.
    """
    size = tensors[0].numel()
    if size <= 2 * entries or not all(t.is_contiguous() and t.device.type == "cpu" for t in tensors):
        yield tensors
        return
    # Views of parameters must not be followed by autograd, which costs more than some of the passes.
    length = -(-size // -(-size // entries))
    yield from zip(*(t.detach().view(-1).unsafe_split(length) for t in tensors), strict=True)


class Packs:
    """Statistics of lists of small tensors, each list side by side in flat tensors, of which the states keep views.

    A state that was loaded or replaced since is packed again: the states are what counts.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], tuple[list[list[Tensor]], list[Tensor]]] = {}

    def flat(self, states: list[dict[str, Any]], names: tuple[str, ...]) -> list[Tensor]:
        """The flat tensors of these names, in the order of the states."""
        key = tuple(map(id, states))
        current = [[state[name] for state in states] for name in names]
        known = self._known.get(key)
        if known is not None and len(known[0]) == len(names) and all(map(_same, known[0], current)):
            return known[1]
        if len(self._known) >= 16:  # of subsets that come and go
            self._known.clear()
        packed = [flatten_dense_tensors(each) for each in current]
        views = [list(unflatten_dense_tensors(flat, each)) for flat, each in zip(packed, current, strict=True)]
        for name, each in zip(names, views, strict=True):
            for state, view in zip(states, each, strict=True):
                state[name] = view
        self._known[key] = (views, packed)
        return packed


def _same(known: list[Tensor], current: list[Tensor]) -> bool:
    return all(a is b for a, b in zip(known, current, strict=True))


def side_by_side(tensors: list[Tensor], dtype: torch.dtype) -> Tensor:
    """A flat copy of all entries."""
    return flatten_dense_tensors(tensors).to(dtype)
