r"""A function that changes tensors in place, compiled once for each layout of its arguments.

``torch.compile`` looks at every argument again at every call, which for the many small tensors of an optimizer costs more
than the arithmetic. Here the layout (shapes, strides, dtypes, devices) is compared, and what the compiler made is called.

Source: derived here; measured by benchmarks/optimizer_step.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["run_fused"]

Layout = tuple[Any, ...]


def run_fused(function: Callable[..., Tensor], numbers: Tensor, *lists: list[Tensor]) -> Tensor:
    """``function(numbers, *lists)``, compiled: a tensor. Raises what the compiler raises when there is none."""
    flat = [numbers, *(t for each in lists for t in each)]
    layouts = tuple([(t.shape, t.stride(), t.dtype, t.device) for t in flat])
    return _compiled(function, layouts, tuple(map(len, lists)))(*flat)[0]


@lru_cache(maxsize=128)
def _compiled(
    function: Callable[..., Tensor], layouts: tuple[Layout, ...], lengths: tuple[int, ...]
) -> Callable[..., Any]:
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
        return cast(Callable[..., Any], inductor.compile(graph, examples, options={"size_asserts": False}))
