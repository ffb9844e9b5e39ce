r"""One step of the Shampoo family on stacks of matrices: statistics, roots, products, momentum, length.

.. math::
    D = A\,G\,B, \qquad M \leftarrow b M + (1-b) D, \qquad W \leftarrow W - \eta\,\frac{|V|_F}{|M|_F} M .

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1; momentum and grafting as in the Jorge paper (singh2023jorge).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from optimizers.base import Options
from optimizers.grafting import graft_step, stretches
from optimizers.matrices import Cell, unfolded
from optimizers.packs import Pack
from optimizers.roots import root_rule
from optimizers.roots.rules import CERTIFICATE, Rule, Side, grown_stale

__all__ = ["Block", "host_lists", "is_due", "move", "preconditioned"]


@dataclass
class Block:
    """The blocks of one cell with their sides."""

    cell: Cell
    sides: list[Side | None]  # of each axis
    begun: list[bool]  # which elements have a root: not those whose gradients were all zero so far

    def seen(self, G: Tensor) -> list[tuple[Side, Tensor]]:
        """Each side with the gradients as it sees them: its own axis first."""
        return [(side, unfolded(G, axis)) for axis, side in enumerate(self.sides) if side is not None]

    @property
    def present(self) -> list[Side]:
        return [side for side in self.sides if side is not None]

    @property
    def step(self) -> int:
        return self.cell.buckets[self.cell.pieces[0].bucket].step


def preconditioned(blocks: list[Block], matrices: list[Tensor], options: Options) -> list[Tensor | None]:
    """A G B of each bucket, None where nothing is preconditioned."""
    rule = root_rule(options["root"])
    directions: list[Tensor | None] = [None] * len(matrices)
    gradients = [block.cell.gather(matrices) for block in blocks]
    taking = [takes(block, rule, options) or not all(block.begun) for block in blocks]
    norms = [torch.linalg.vector_norm(G.flatten(1), dim=1) for G, due in zip(gradients, taking, strict=True) if due]
    seen = iter(zip(norms, host_lists(norms), strict=True))
    found = [
        observe(block, rule, G, next(seen), options) if due else None
        for block, G, due in zip(blocks, gradients, taking, strict=True)
    ]
    if options["refresh"] != CERTIFICATE:
        due = [block for block in blocks if is_due(block.step, options["refresh"], rule)]
        rule.refresh([side for block in due for side in block.present], options)
    for block, G, D in zip(blocks, gradients, found, strict=True):
        block.cell.scatter(multiplied(block, rule, G) if D is None else D, directions)
        for side in block.present:
            side.passing = None
    return directions


def takes(block: Block, rule: Rule, options: Options) -> bool:
    """Whether the gradient of this step enters the statistics."""
    interval = "refresh" if rule.series and options["refresh"] != CERTIFICATE else "statistics"
    return block.step % int(options[interval]) == 0


def is_due(step: int, interval: int, rule: Rule) -> bool:
    """Whether roots are taken: one step out of so many; exact roots also at 1, 2, 4, 8, ... before the first interval is over.

    The first statistic is that of one gradient, of low rank: its root, kept for a whole interval, would lead astray.
    """
    early = not rule.series and step < interval and step & (step - 1) == 0
    return early or step % interval == 0


def multiplied(block: Block, rule: Rule, G: Tensor) -> Tensor:  # (b, d_1, ..., d_k)
    """A G B with the roots as they are; a factor along each axis."""
    first, *between, last = block.sides
    if first is not None:
        G = rule.left(first, G.flatten(2)).view(G.shape)
    if last is not None:
        G = rule.right(last, G.flatten(1, -2)).view(G.shape)
    for axis, side in enumerate(between, start=2):  # these copy
        if side is not None:
            ahead = G.movedim(axis, 1)
            G = rule.left(side, ahead.flatten(2)).view(ahead.shape).movedim(1, axis)
    return G


def observe(
    block: Block, rule: Rule, G: Tensor, norms: tuple[Tensor, list[float]], options: Options
) -> Tensor | None:  # (b, d_1, ..., d_k)
    """Take the gradients, of these lengths on their device and as numbers, into the statistics.

    The direction, where a certificate found it on the way.
    """
    limits = torch.finfo(G.dtype)
    # Squares, a million of them, and a millionth of one are normal numbers.
    least, most = 1e3 * limits.tiny**0.5, 1e-3 * limits.max**0.5
    live = [least < length < most for length in norms[1]]
    first = [alive and not begun for alive, begun in zip(live, block.begun, strict=True)]
    taken = live if takes(block, rule, options) else first
    which = None if all(taken) else torch.tensor(taken, device=G.device)
    for side, E in block.seen(G):
        if which is None:
            rule.observe(side, E, options)
        elif any(taken):
            part = side.part(which)
            rule.observe(part, E[which], options)
            side.put(which, part)
    if any(first):
        begin(block, rule, torch.tensor(first, device=G.device), options)
    if options["refresh"] != CERTIFICATE:
        return None
    return certified(block, rule, G, norms[0] if which is None else torch.where(which, norms[0], 0.0), options)


def begin(block: Block, rule: Rule, first: Tensor, options: Options) -> None:  # (b,) bool
    """Give the elements whose first gradient came late their roots now, not at the next refresh."""
    if block.step:
        for side in block.present:
            rule.refresh_some(side, first, options)
    block.begun = [begun or bool(new) for begun, new in zip(block.begun, first.tolist(), strict=True)]


def certified(block: Block, rule: Rule, G: Tensor, lengths: Tensor, options: Options) -> Tensor | None:  # lengths: (b,)
    """Take the roots that a probe finds off. The direction, where the bound of staleness needed it and no root changed."""
    if block.step == 0 and not rule.series:
        rule.refresh(block.present, options)
        return None
    D = None
    if "stale" in block.present[0].tensors:  # then it is the only one
        D = multiplied(block, rule, G)
        image = torch.where(lengths > 0.0, torch.linalg.vector_norm(D.flatten(1), dim=1).square(), 0.0)
        bound = grown_stale(block.present[0], image, lengths.square(), options)
        if bool((bound <= options["threshold"]).all()):
            return D
    renewed = [rule.recheck(side, options, block.step) for side in block.present]
    return None if any(renewed) else D


def move(pack: Pack, G: Tensor, directions: list[Tensor | None], options: Options) -> None:
    """Momentum, grafting, and the step itself; G is flat, directions are stacks."""
    lr, sgd = float(options["lr"]), not pack.preconditioned
    Ms, steps = (
        ([], []) if sgd else averaged(pack, [D for D in directions if D is not None], float(options["momentum"]))
    )
    if options["grafting"] is None:
        torch._foreach_add_(pack.params, steps, alpha=-lr)  # pyright: ignore[reportPrivateImportUsage]
        return
    V, c = graft_step(pack, G, options)
    if sgd:
        steps = pack.views["graft_momentum"] if V is pack.flats.get("graft_momentum") else pack.shaped(V)
        torch._foreach_add_(pack.params, steps, alpha=-lr * c)  # pyright: ignore[reportPrivateImportUsage]
        return
    factors = stretches(Ms, pack.matrices(V)).unbind(0)
    torch._foreach_addcmul_(pack.params, steps, factors, value=-lr * c)  # pyright: ignore[reportPrivateImportUsage]


def averaged(pack: Pack, Ds: list[Tensor], b: float) -> tuple[list[Tensor], list[Tensor]]:
    """M ← b M + (1 - b) D, stacked for each bucket, and as views shaped like the parameters."""
    if not b:
        return Ds, [step for bucket, D in zip(pack.buckets, Ds, strict=True) for step in bucket.unstacked(D)]
    Ms = pack.matrices(pack.tensor("momentum"))
    for M, D in zip(Ms, Ds, strict=True):
        M.lerp_(D, 1.0 - b)
    return Ms, pack.views["momentum"]


def host_lists(vectors: list[Tensor]) -> list[list[float]]:
    """The numbers in vectors; one transfer when they share a device and a precision."""
    if len({(v.device, v.dtype) for v in vectors}) != 1:
        return [v.tolist() for v in vectors]
    numbers = iter(torch.cat(vectors).tolist())
    return [list(islice(numbers, len(v))) for v in vectors]
