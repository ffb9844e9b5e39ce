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
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor

from optimizers.base import OptimizerBase, Options, eagerly, length_of, local, wide
from optimizers.kronecker_options import check_options, described, fits, uneven
from optimizers.kronecker_step import Block, host_lists, move, preconditioned
from optimizers.matrices import Bucket, Cell, Piece, axes_of, keep_fitting, labels, splits, whole
from optimizers.packs import Pack, packed
from optimizers.roots import root_rule
from optimizers.roots.rules import Side
from optimizers.undo import Undo, may_fail

__all__ = ["KroneckerOptimizer", "grid", "lengths"]


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
    """A subclass says along which axes a matrix or tensor is preconditioned."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans: dict[int, Plan] = {}

    def check(self, options: Options) -> None:
        """Raise ValueError, naming the option and what is allowed."""
        check_options(options)

    def sides(self, shape: tuple[int, ...], group: Options) -> tuple[bool, ...]:
        """Which axes are preconditioned: of an (m, n) matrix its left and its right side."""
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
        if "side" not in self.defaults and any("side" in group for group in state_dict["param_groups"]):
            raise ValueError(
                f"this state_dict is not that of {type(self).__name__}: its groups have a side, as those of OneSidedShampoo. "
                f"The optimizer is unchanged."
            )
        super()._require_own(state_dict)

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
                sizes = axes_of(p.shape, group["axes"] if "axes" in self.defaults else "merged")
                lent = group["grafting"] is not None and p.ndim < 2  # vectors take the lending method's own step
                sides = (False, False) if lent else self.sides(sizes, group)
                found[key] = Bucket([], [], [], wide(p.dtype), step, sizes, sides)
            found[key].owners.append(p)
            found[key].params.append(local(p))
            found[key].states.append(state)
        return list(found.values())

    def _blocks(self, buckets: list[Bucket], group: Options) -> list[Block]:
        """The cells of all preconditioned matrices."""
        cells: dict[tuple[Any, ...], list[Piece]] = {}
        for number, bucket in enumerate(buckets):
            cuts = grid(bucket.sizes, bucket.preconditioned, group["max_size"])
            forget_others(bucket, cuts, group)
            for i, ranges in enumerate(cuts if any(bucket.preconditioned) else []):
                key = (lengths(ranges), bucket.preconditioned, bucket.step, bucket.dtype, bucket.device)
                cells.setdefault(key, []).append(Piece(number, i, ranges))
        return [self._block(key, pieces, buckets, group) for key, pieces in cells.items()]

    def _block(self, key: tuple[Any, ...], pieces: list[Piece], buckets: list[Bucket], group: Options) -> Block:
        sizes, wanted, *_ = key
        rule, first = root_rule(group["root"]), buckets[pieces[0].bucket]
        cell = Cell(pieces, buckets, whole=len(pieces) == 1 and sizes == first.sizes)
        like = torch.empty(0, dtype=first.dtype, device=first.device)
        found: list[Side | None] = []
        for label, n, with_factor in zip(labels(len(sizes)), sizes, wanted, strict=True):
            side = Side(n, 2 * sum(wanted)) if with_factor else None
            if side is not None:
                side.tensors = rule.begin(side, cell.count, like, group)
                missing = cell.bind(label, side.tensors)
                if missing and first.step:
                    rule.changed(side, missing, group)
            found.append(side)
        begun = begun_elements(found, cell.count, bool(first.step), group)
        return Block(cell, found, begun)


def plan_key(group: Options) -> tuple[Any, ...]:
    """The options that a plan depends on."""
    names = ("root", "grafting", "refresh", "beta2", "max_size", "side", "axes")
    return tuple(group[name] for name in names if name in group)


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
    largest = host_lists([torch.linalg.vector_norm(D.flatten(1), torch.inf, dim=1) for D in directions])
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


def forget_others(bucket: Bucket, cuts: list[tuple[slice, ...]], group: Options) -> None:
    """Drop what the states keep for other blocks, sides or rules than these."""
    names = root_rule(group["root"]).names(sum(bucket.preconditioned) == 1, group)
    along = zip(labels(len(bucket.sizes)), zip(*map(lengths, cuts), strict=True), bucket.preconditioned, strict=True)
    sizes = {label: list(blocks) for label, blocks, wanted in along if wanted}
    for state in bucket.states:
        keep_fitting(state, names, sizes)


def grid(sizes: tuple[int, ...], wanted: tuple[bool, ...], largest: int) -> list[tuple[slice, ...]]:
    """The ranges of the blocks along each axis; only a preconditioned one is cut."""
    along = [splits(n, largest) if cut else [slice(0, n)] for n, cut in zip(sizes, wanted, strict=True)]
    return list(product(*along))


def lengths(ranges: tuple[slice, ...]) -> tuple[int, ...]:
    """The sizes of a block."""
    return tuple(each.stop - each.start for each in ranges)
