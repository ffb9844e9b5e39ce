r"""What the Shampoo family shares: one step of stacked matrices with a factor on the left, on the right, or on both sides.

.. math::
    D = A\,G\,B, \qquad M \leftarrow b M + (1-b) D, \qquad
    W \leftarrow (1 - \eta\lambda)\,W - \eta\,\frac{|V|_F}{|M|_F} M,

with A and B inverse roots of the statistics of :math:`GG^\top` and :math:`G^\top G`, and V the step that lends its length
(without grafting the last factor is 1).

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1; momentum, grafting and decay as in the Jorge paper (singh2023jorge).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from optimizers.base import OptimizerBase, Options, eagerly, length_of, local, wide
from optimizers.kronecker_options import check_options, described, fits, uneven
from optimizers.kronecker_step import Block, host_lists, move, preconditioned
from optimizers.matrices import Bucket, Cell, Piece, keep_fitting, matrix_shape, splits, whole
from optimizers.packs import Pack, packed
from optimizers.roots import root_rule
from optimizers.roots.rules import Side
from optimizers.undo import Undo, may_fail

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
        """Raise ValueError when a saved state has other names, or tensors that do not fit p or are not finite."""
        if not state:
            return
        wrong = [(name, described(value)) for name, value in state.items() if not fits(name, value, p)]
        wrong += [("step", "missing")] if "step" not in state else []
        wrong += (
            [(name, "not of as many blocks as the others of its side") for name in uneven(state)] if not wrong else []
        )
        if wrong:
            raise ValueError(
                f"this state_dict is not one of {type(self).__name__} for a parameter of shape {tuple(p.shape)}: its "
                f"{wrong[0][0]!r} is {wrong[0][1]}. The optimizer is unchanged."
            )

    def _require_own(self, state_dict: Options) -> None:
        super()._require_own(state_dict)
        if "side" not in self.defaults and any("side" in group for group in state_dict["param_groups"]):
            raise ValueError(
                f"this state_dict is not that of {type(self).__name__}: its groups have a side, as those of OneSidedShampoo. "
                f"The optimizer is unchanged."
            )

    @eagerly  # products and decompositions gain nothing, and step counts would compile it again and again
    def advance(self, work: list[tuple[Options, list[Tensor], list[Tensor]]]) -> None:
        """The steps of all groups: all roots are taken before a parameter moves, and if one fails nothing has changed."""
        some = [(group, *with_entries(params, grads)) for group, params, grads in work]
        plans = [self._known_plan(group, params) for group, params, _ in some]
        undo = None
        if any(plan is None or may_fail(plan.blocks, each[0]) for plan, each in zip(plans, some, strict=True)):
            undo = Undo()
            for plan, (_, params, _) in zip(plans, some, strict=True):
                undo.keep_states(self.state, params) if plan is None else undo.keep_blocks(plan.blocks)
        try:
            moves = [
                self._prepared(plan or self._plan(group, params), group, params, grads)
                for plan, (group, params, grads) in zip(plans, some, strict=True)
                if params
            ]
        except BaseException:
            if undo is not None:
                undo(self.state)
                self.__dict__["_plans"] = {}
            raise
        for move_group in moves:
            move_group()

    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        """One step of a group."""
        self.advance([(group, params, grads)])

    def _prepared(self, plan: Plan, group: Options, params: list[Tensor], grads: list[Tensor]) -> Callable[[], None]:
        """Take the gradients into the statistics and refresh the roots; what then moves the parameters."""
        gradient = {id(p): whole(g) for p, g in zip(params, grads, strict=True)}
        flats = [pack.flat([gradient[id(p)] for p in pack.owners]) for pack in plan.packs]
        decay = float(group["weight_decay"])
        if decay and not group["decoupled"]:
            flats = [G.add(pack.flat(pack.params), alpha=decay) for pack, G in zip(plan.packs, flats, strict=True)]
            require_measurable(flats)
        stacks = [stack for pack, G in zip(plan.packs, flats, strict=True) for stack in pack.matrices(G)]
        directions = preconditioned(plan.blocks, stacks, group)
        if group["grafting"] is None:  # else the step has another method's length, and needs only the direction's
            require_finite([D for D in directions if D is not None], group)
        return partial(self._move, group, plan, flats, directions)

    def _move(self, group: Options, plan: Plan, flats: list[Tensor], directions: list[Tensor | None]) -> None:
        decay, rest = float(group["weight_decay"]), iter(directions)
        if decay and group["decoupled"]:
            memory = [p for pack in plan.packs for p in pack.params]
            torch._foreach_mul_(memory, 1.0 - float(group["lr"]) * decay)  # pyright: ignore[reportPrivateImportUsage]
        for pack, G in zip(plan.packs, flats, strict=True):
            move(pack, G, list(islice(rest, len(pack.buckets))), group)
            for bucket in pack.buckets:
                bucket.advance()

    def _known_plan(self, group: Options, params: list[Tensor]) -> Plan | None:
        plan = self.__dict__.setdefault("_plans", {}).get(id(group))
        return plan if plan is not None and plan.current(params, self.state, plan_key(group)) else None

    def _plan(self, group: Options, params: list[Tensor]) -> Plan:
        """A new plan."""
        packs = packed(self._buckets(params, group))
        buckets = [bucket for pack in packs for bucket in pack.buckets]
        plan = self.__dict__["_plans"][id(group)] = Plan(params, plan_key(group), packs, self._blocks(buckets, group))
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


def plan_key(group: Options) -> tuple[Any, ...]:
    """The options that a plan depends on."""
    return tuple(group[name] for name in ("root", "grafting", "refresh", "beta2", "max_size", "side") if name in group)


def with_entries(params: list[Tensor], grads: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters that are not empty, and their gradients."""
    if all(p.numel() for p in params):
        return params, grads
    kept = [i for i, p in enumerate(params) if p.numel()]
    return [params[i] for i in kept], [grads[i] for i in kept]


def require_measurable(flats: list[Tensor]) -> None:
    """Raise ValueError unless the squares of gradients with their weight decay are finite."""
    if not math.isfinite(length_of(flats)):
        raise ValueError(
            "the gradients with the weight decay that is coupled to them are not finite, or too large to be squared. "
            "Parameters and state are unchanged: look for parameters that have diverged, or lower the weight decay."
        )


def require_finite(directions: list[Tensor], group: Options) -> None:
    """Raise ValueError unless all entries are finite."""
    largest = host_lists([torch.linalg.vector_norm(D, torch.inf, dim=(1, 2)) for D in directions])
    if not all(math.isfinite(entry) for entries in largest for entry in entries):
        raise ValueError(
            f"a direction is not finite: the roots are too large for these gradients. Parameters and state are unchanged: "
            f"raise eps={group['eps']!r} or ridge={group['ridge']!r}, or use grafting."
        )


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
