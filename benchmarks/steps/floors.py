r"""What a step must do: its products and decompositions alone, on the same matrices, batched by shape.

.. math::
    \text{eigh: } GG^\top,\; A G \text{ in every step}, \quad V f(\lambda) V^\top \text{ and one eigendecomposition per refresh};
    \qquad \text{series of order } k: \text{ its } 3 + k \text{ products per refresh}

for each side, and the passes over momentum, the lending step and the parameter that are written to memory in any
implementation ("passes"), timed apart.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.steps.clock import Timed
from optimizers.kronecker import KroneckerOptimizer, grid
from optimizers.matrices import axes_of, unfolded

__all__ = ["linear_algebra", "passes"]

Stack = Tensor  # (b, n, k): gradients as one side sees them


def linear_algebra(optimizer: KroneckerOptimizer, sets: list[list[Tensor]]) -> Timed | None:
    """The products and decompositions of a step, in a period of `refresh` steps; None where nothing is preconditioned."""
    group = optimizer.param_groups[0]
    cells = stacks(optimizer, group, sets)
    if not cells:
        return None
    refresh, work = int(group["refresh"]), [side_work(group, *cell) for cell in cells]
    count = 0

    def run() -> None:
        nonlocal count
        for every, at_refresh in work:
            every()
            if count % refresh == 0:
                at_refresh()
        count += 1

    return Timed(run, refresh)


def stacks(
    optimizer: KroneckerOptimizer, group: dict[str, Any], sets: list[list[Tensor]]
) -> list[tuple[Stack, Tensor, bool]]:
    """For each shape and side the gradients (b, n, k), their statistics (b, n, n), and whether there are other sides."""
    blocks: dict[tuple[torch.Size, tuple[bool, ...]], list[list[Tensor]]] = {}
    for each in zip(*sets, strict=True):  # the sets of one parameter
        if each[0].ndim < 2:
            continue
        sizes = axes_of(each[0].shape, group.get("axes", "merged"))
        wanted = optimizer.sides(sizes, group)
        for ranges in grid(sizes, wanted, group["max_size"]):
            cut = [g.reshape(sizes)[ranges].float() for g in each]
            blocks.setdefault((cut[0].shape, wanted), []).append(cut)
    found = []
    for (_, wanted), cuts in blocks.items():
        G = [torch.stack([cut[i] for cut in cuts]) for i in range(len(sets))]
        for axis in (i for i, with_factor in enumerate(wanted) if with_factor):
            seen = [unfolded(g, axis).contiguous() for g in G]
            found.append((seen[0], sum(g @ g.mT for g in seen) / len(seen), sum(wanted) > 1))
    return found


def side_work(group: dict[str, Any], G: Stack, L: Tensor, both: bool) -> tuple[Callable[[], None], Callable[[], None]]:
    """What one side does in every step, and what it does at a refresh."""
    if group["root"] == "eigh":
        return exact_work(G, L)
    return series_work(G, torch.eye(L.shape[-1], device=L.device).expand_as(L).contiguous(), group, both)


def exact_work(G: Stack, L: Tensor) -> tuple[Callable[[], None], Callable[[], None]]:
    statistic, root, out = torch.empty_like(L), torch.empty_like(L), torch.empty_like(G)

    def every() -> None:
        torch.bmm(G, G.mT, out=statistic)
        torch.bmm(root, G, out=out)

    def at_refresh() -> None:
        values, vectors = torch.linalg.eigh(L)
        torch.bmm(vectors * values[:, None, :], vectors.mT, out=root)

    return every, at_refresh


def series_work(
    G: Stack, P: Tensor, group: dict[str, Any], both: bool
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Jorge's rule: P², P⁴, GGᵀ, their product, and the order; the sandwich: P², H = P²G, HHᵀ, P⁴ for a ridge, order."""
    a, b, out = torch.empty_like(P), torch.empty_like(P), torch.empty_like(G)

    def every() -> None:
        torch.bmm(P, G, out=out)
        if not both:
            torch.bmm(P, G, out=out)

    def jorge() -> None:
        torch.bmm(G, G.mT, out=a)
        torch.bmm(P, P, out=b)
        torch.bmm(b, b, out=b.new_empty(b.shape))
        for _ in range(group["order"] + 1):
            torch.bmm(P, a, out=b)

    def sandwich() -> None:
        torch.bmm(P, P, out=a)
        torch.bmm(a, G, out=out)
        torch.bmm(out, out.mT, out=b)
        if group["ridge"]:  # P² · ridge · P²
            torch.bmm(a, a, out=b)
        for _ in range(group["order"]):
            torch.bmm(b, P, out=a)

    return every, jorge if group["root"] == "jorge" else sandwich


def passes(group: dict[str, Any], params: list[Tensor], sets: list[list[Tensor]]) -> Timed:
    """Momentum, the lending step and its momentum, two norms, the update: one call for the whole list each."""
    p = [torch.zeros_like(q, dtype=torch.float32) for q in params]
    momentum, second, lent = ([torch.zeros_like(q) for q in p] for _ in range(3))
    grads, b = [g.float() for g in sets[0]], float(group["momentum"])

    def run() -> None:
        direction = grads
        if b:
            torch._foreach_lerp_(momentum, grads, 1.0 - b)
            direction = momentum
        if group["grafting"] is not None:
            lends = grads
            if group["grafting"] != "sgd":
                torch._foreach_mul_(second, 0.999)
                torch._foreach_addcmul_(second, grads, grads, 1e-3)
                lends = torch._foreach_div(grads, torch._foreach_add(torch._foreach_sqrt(second), 1e-8))
            if b:
                torch._foreach_lerp_(lent, lends, 1.0 - b)
                lends = lent
            lengths = torch._foreach_div(torch._foreach_norm(lends), torch._foreach_norm(direction))
            direction = torch._foreach_mul(direction, lengths)
        torch._foreach_add_(p, direction, alpha=-1e-6)

    return Timed(run)
