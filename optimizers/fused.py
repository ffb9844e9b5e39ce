r"""A function that changes tensors in place, compiled once for each layout of its arguments.

``torch.compile`` looks at every argument again at every call, which for the many small tensors of an optimizer costs more
than the arithmetic. Here the layout (shapes, strides, dtypes, devices) is compared, and what the compiler made is called.

Source: derived here; measured by benchmarks/optimizer_step.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from operator import attrgetter, is_
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

__all__ = ["Fused"]

Layout = tuple[torch.Size, tuple[int, ...], torch.dtype, torch.device]
Compiled = Callable[..., tuple[Tensor]]
KIND = attrgetter("shape", "dtype")


class _Call(NamedTuple):
    """What the last call was made for: the same lists of kept tensors, at the same places, and other tensors like those."""

    kept: list[Tensor]
    places: list[int]
    others: list[Any]
    compiled: Compiled


class Fused:
    """``function(numbers, *others, *kept)`` of lists of tensors, compiled.

    `kept` are the tensors of every call, as long as nobody replaces them; only where they are is looked at again.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function = function
        self._last: _Call | None = None

    def __call__(self, numbers: Tensor, others: list[list[Tensor]], kept: list[list[Tensor]]) -> Tensor:
        """What the function returns. Raises what the compiler raises when there is none."""
        given, own = list(chain.from_iterable(others)), list(chain.from_iterable(kept))
        # Without a loop in Python: there may be hundreds of small tensors.
        seen = [*map(Tensor.stride, given), *map(KIND, given), *map(Tensor.get_device, given)]
        places = list(map(Tensor.data_ptr, own))
        last = self._last
        if last is None or last.places != places or last.others != seen or not all(map(is_, last.kept, own)):
            layouts = tuple([(t.shape, t.stride(), t.dtype, t.device) for t in (numbers, *given, *own)])
            lengths = tuple(len(each) for each in (*others, *kept))
            last = self._last = _Call(own, places, seen, _compiled(self._function, layouts, lengths))
        return last.compiled(numbers, *given, *own)[0]


@lru_cache(maxsize=128)
def _compiled(function: Callable[..., Tensor], layouts: tuple[Layout, ...], lengths: tuple[int, ...]) -> Compiled:
    import torch._inductor as inductor
    from torch.fx.experimental.proxy_tensor import make_fx

    def flattened(*tensors: Tensor) -> tuple[Tensor]:
        lists, start = [], 1
        for length in lengths:
            lists.append(list(tensors[start : start + length]))
            start += length
        return (function(tensors[0], *lists),)

    with torch.no_grad():
        examples: list[Any] = [
            torch.empty_strided(shape, stride, dtype=d, device=where) for shape, stride, d, where in layouts
        ]
        graph = make_fx(flattened, tracing_mode="fake")(*examples)
        # Layouts were compared already.
        return cast(Compiled, inductor.compile(graph, examples, options={"size_asserts": False}))
