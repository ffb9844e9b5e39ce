r"""What the Shampoo family shares: one step of stacked matrices with a factor on the left, on the right, or on both sides.

.. math::
    D = A\,G\,B, \qquad M \leftarrow b M + (1-b) D, \qquad
    W \leftarrow (1 - \eta\lambda)\,W - \eta\,\frac{|V|_F}{|M|_F} M,

with A and B inverse roots of the statistics of :math:`GG^\top` and :math:`G^\top G`, and V the step that lends its length
(without grafting the last factor is 1).

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1; momentum, grafting and decay as in the Jorge paper (singh2023jorge).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from optimizers.base import OptimizerBase, Options, wide
from optimizers.kronecker_options import check_options, described, fits
from optimizers.kronecker_step import Block, move, preconditioned
from optimizers.matrices import Bucket, Cell, Piece, keep_fitting, local, matrix_shape, splits, whole
from optimizers.packs import Pack, packed
from optimizers.roots import root_rule
from optimizers.roots.rules import Side

__all__ = ["KroneckerOptimizer", "grid"]


@dataclass
class Plan:
    """The stacks of one group for one list of parameters."""

    params: list[Tensor]
    key: tuple[Any, ...]
    packs: list[Pack]
    blocks: list[Block]

    def current(self, params: list[Tensor], states: Any, key: tuple[Any, ...]) -> bool:
        """Whether the plan is for these parameters and options, and the states are still its own."""
        return (
            self.key == key
            and len(params) == len(self.params)
            and all(p is q for p, q in zip(params, self.params, strict=True))
            and all(pack.current(states) for pack in self.packs)
            and all(block.cell.current() for block in self.blocks)
        )


class KroneckerOptimizer(OptimizerBase):
    """A subclass says which sides of an (m, n) matrix are preconditioned."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans: dict[int, Plan] = {}

    def check(self, options: Options) -> None:
        """Raise ValueError, naming the option and what is allowed."""
        check_options(options)

    def sides(self, shape: tuple[int, int], group: Options) -> tuple[bool, bool]:
        """Whether the left and the right side of an (m, n) matrix are preconditioned."""
        raise NotImplementedError

    def check_state(self, p: Tensor, state: Options) -> None:
        """Raise ValueError when a saved state has other names, or tensors that do not fit p."""
        for name, value in state.items():
            if not fits(name, value, p):
                raise ValueError(
                    f"this state_dict is not one of {type(self).__name__} for a parameter of shape {tuple(p.shape)}: its "
                    f"{name!r} is {described(value)}. The optimizer is unchanged."
                )

    @torch.compiler.disable  # products and decompositions gain nothing, and step counts would compile it again and again
    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        """One step of a group."""
        some = [(p, g) for p, g in zip(params, grads, strict=True) if p.numel()]
        if not some:
            return
        plan, gradient = self._plan(group, [p for p, _ in some]), {id(p): whole(g) for p, g in some}
        flats = [pack.flat([gradient[id(p)] for p in pack.owners]) for pack in plan.packs]
        decay = float(group["weight_decay"])
        if decay and not group["decoupled"]:
            flats = [G.add(pack.flat(pack.params), alpha=decay) for pack, G in zip(plan.packs, flats, strict=True)]
        stacks = [stack for pack, G in zip(plan.packs, flats, strict=True) for stack in pack.matrices(G)]
        directions = iter(preconditioned(plan.blocks, stacks, group))
        if decay and group["decoupled"]:
            memory = [p for pack in plan.packs for p in pack.params]
            torch._foreach_mul_(memory, 1.0 - float(group["lr"]) * decay)  # pyright: ignore[reportPrivateImportUsage]
        for pack, G in zip(plan.packs, flats, strict=True):
            move(pack, G, list(islice(directions, len(pack.buckets))), group)
            for bucket in pack.buckets:
                bucket.advance()

    def _plan(self, group: Options, params: list[Tensor]) -> Plan:
        plans = self.__dict__.setdefault("_plans", {})
        key = tuple(
            group[name] for name in ("root", "grafting", "refresh", "beta2", "max_size", "side") if name in group
        )
        plan = plans.get(id(group))
        if plan is None or not plan.current(params, self.state, key):
            packs = packed(self._buckets(params, group))
            buckets = [bucket for pack in packs for bucket in pack.buckets]
            plans[id(group)] = plan = Plan(params, key, packs, self._blocks(buckets, group))
        return plan

    def _buckets(self, params: list[Tensor], group: Options) -> list[Bucket]:
        """Parameters of equal shape, dtype, device and age, together."""
        found: dict[tuple[Any, ...], Bucket] = {}
        for p in params:
            state = self.state[p]
            step = state.setdefault("step", 0)
            key = (p.shape, p.dtype, p.device, step)
            if key not in found:
                lent = group["grafting"] is not None and p.ndim < 2  # vectors take the lending method's own step
                sides = (False, False) if lent else self.sides(matrix_shape(p.shape), group)
                found[key] = Bucket([], [], [], wide(p.dtype), step, sides)
            found[key].owners.append(p)
            found[key].params.append(local(p))
            found[key].states.append(state)
        return list(found.values())

    def _blocks(self, buckets: list[Bucket], group: Options) -> list[Block]:
        """The cells of all preconditioned matrices."""
        cells: dict[tuple[Any, ...], list[Piece]] = {}
        for number, bucket in enumerate(buckets):
            _, m, n = bucket.shape
            cuts = grid(m, n, *bucket.preconditioned, group["max_size"])
            forget_others(bucket, cuts, group)
            for i, (rows, cols) in enumerate(cuts if any(bucket.preconditioned) else []):
                size = (rows.stop - rows.start, cols.stop - cols.start)
                key = (size, *bucket.preconditioned, bucket.step, bucket.dtype, bucket.device)
                cells.setdefault(key, []).append(Piece(number, i, rows, cols))
        return [self._block(key, pieces, buckets, group) for key, pieces in cells.items()]

    def _block(self, key: tuple[Any, ...], pieces: list[Piece], buckets: list[Bucket], group: Options) -> Block:
        (r, c), left, right, *_ = key
        rule, first = root_rule(group["root"]), buckets[pieces[0].bucket]
        cell = Cell(pieces, buckets, whole=len(pieces) == 1 and (r, c) == first.shape[1:])
        like = torch.empty(0, dtype=first.dtype, device=first.device)
        found: list[Side | None] = []
        for label, n, wanted, alone in (("left", r, left, not right), ("right", c, right, not left)):
            side = Side(n, alone) if wanted else None
            if side is not None:
                side.tensors = rule.begin(side, cell.count, like, group)
                missing = cell.bind(label, side.tensors)
                if missing and first.step:
                    rule.changed(side, missing, group)
            found.append(side)
        begun = begun_elements(found, cell.count, bool(first.step), group)
        return Block(cell, found[0], found[1], begun)


def begun_elements(sides: list[Side | None], count: int, stepped: bool, group: Options) -> list[bool]:
    """Which elements have a root that is kept and not zero; eps gives one to all, refresh=1 keeps none."""
    if group["eps"] is not None or (stepped and group["refresh"] == 1):
        return [True] * count
    kept = [side.root for side in sides if side is not None and stepped]
    return [all(flags) for flags in zip(*(P.flatten(1).any(1).tolist() for P in kept), strict=True)] or [False] * count


def forget_others(bucket: Bucket, cuts: list[tuple[slice, slice]], group: Options) -> None:
    """Drop what the states keep for other blocks, sides or rules than these."""
    left, right = bucket.preconditioned
    names = root_rule(group["root"]).names(left != right, group)
    sizes = {
        "left": [rows.stop - rows.start for rows, _ in cuts] if left else [],
        "right": [cols.stop - cols.start for _, cols in cuts] if right else [],
    }
    for state in bucket.states:
        keep_fitting(state, names, sizes)


def grid(m: int, n: int, left: bool, right: bool, largest: int) -> list[tuple[slice, slice]]:
    """Row and column ranges of the blocks; only a preconditioned side is cut."""
    rows = splits(m, largest) if left else [slice(0, m)]
    cols = splits(n, largest) if right else [slice(0, n)]
    return [(r, c) for r in rows for c in cols]
