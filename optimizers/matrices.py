r"""Parameters of any shape as matrices, in stacks: equal shapes are one batched product, large sides are cut into blocks.

.. math:: W \in \mathbb{R}^{o \times i_1 \times \dots} \;\mapsto\; \mathbb{R}^{o \times (i_1 \cdots)}, \qquad
    w \in \mathbb{R}^n \mapsto \mathbb{R}^{n \times 1}

or, where every axis has its own factor, tensors as they are, without their axes of length one.

A `Bucket` holds parameters of one shape, precision, device and age; a `Cell` the blocks of one shape, of any bucket of
that age. The tensors of a cell are stacked, and what a parameter's state holds are views of the stacks: a state_dict is
per parameter, a step is per stack.

Source: tensors as in Gupta, Koren, Singer 2018 (Shampoo), Algorithm 2, merged axes as in Anil et al. 2020; both remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, prod
from operator import getitem, is_
from typing import Any

import torch
from torch import Tensor

from optimizers.base import PLAIN
from optimizers.roots.rules import KEPT

__all__ = [
    "Bucket",
    "Cell",
    "Piece",
    "axes_of",
    "keep_fitting",
    "labels",
    "matrix_shape",
    "splits",
    "unfolded",
    "whole",
]

State = dict[str, Any]


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns: the first axis against all others; a vector is a column, a number 1×1."""
    return (shape[0], prod(shape[1:])) if shape else (1, 1)


def axes_of(shape: Sequence[int], axes: str) -> tuple[int, ...]:
    """The sizes that are preconditioned: of "each" axis longer than one where there are two, else of the "merged" matrix."""
    long = tuple(n for n in shape if n != 1)
    return long if axes == "each" and len(long) > 1 else matrix_shape(shape)


def labels(count: int) -> tuple[str, ...]:
    """What states call the factors of so many axes."""
    return ("left", "right") if count == 2 else tuple(f"axis{i}" for i in range(count))


def unfolded(G: Tensor, axis: int) -> Tensor:  # (b, d_1, ..., d_k) -> (b, d_axis, the others together)
    """Every element as a matrix whose rows are one axis: a view for the first and the last axis, else a copy."""
    if axis == G.ndim - 2:
        return G.flatten(1, -2).mT
    return G.movedim(axis + 1, 1).flatten(2)


def splits(size: int, largest: int) -> list[slice]:
    """Contiguous blocks of at most `largest`, as few and as even as that allows; all but the last are equal."""
    block = ceil(size / max(1, ceil(size / largest)))
    return [slice(i, min(i + block, size)) for i in range(0, size, block)]


def whole(g: Tensor) -> Tensor:
    """A replicated gradient, summed over processes if it is still to be; any other tensor as it is."""
    return g.full_tensor() if type(g) not in PLAIN and hasattr(g, "full_tensor") else g  # pyright: ignore[reportAttributeAccessIssue]


@dataclass
class Bucket:
    """Parameters of one shape, precision, device and number of steps; `preconditioned` along these of the axes of `sizes`."""

    owners: list[Tensor]  # whose states these are
    params: list[Tensor]  # their memory: the same tensors, unless they are replicated over processes
    states: list[State]
    dtype: torch.dtype  # of the statistics
    step: int
    sizes: tuple[int, ...]
    preconditioned: tuple[bool, ...]

    @property
    def device(self) -> torch.device:
        return self.params[0].device

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(b, *sizes)."""
        return len(self.params), *self.sizes

    @cached_property
    def numel(self) -> int:
        return prod(self.shape)

    def unstacked(self, stack: Tensor) -> tuple[Tensor, ...]:
        """Views shaped like the parameters."""
        return stack.reshape(len(self.params), *self.params[0].shape).unbind(0)

    def advance(self) -> None:
        """Count a step."""
        self.step += 1
        for state in self.states:
            state["step"] = self.step


@dataclass(frozen=True)
class Piece:
    """One block of every matrix of a bucket."""

    bucket: int
    number: int  # of the block within its matrix
    ranges: tuple[slice, ...]  # along each axis

    @property
    def place(self) -> tuple[slice, ...]:
        """Where the block is in a stack of matrices."""
        return (slice(None), *self.ranges)


@dataclass
class Cell:
    """Blocks of one shape: where they come from, and where they are kept."""

    pieces: list[Piece]
    buckets: list[Bucket]  # all of the plan
    whole: bool  # the one piece is the whole matrix of its bucket
    bound: list[tuple[State, str, int, Tensor]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(len(self.buckets[piece.bucket].params) for piece in self.pieces)

    def gather(self, matrices: list[Tensor]) -> Tensor:  # one stack per bucket -> (count, *sizes of a block)
        """The blocks, in one stack."""
        if self.whole:
            return matrices[self.pieces[0].bucket]
        return torch.cat([matrices[p.bucket][p.place] for p in self.pieces])

    def scatter(self, blocks: Tensor, matrices: list[Tensor | None]) -> None:  # (count, *sizes of a block)
        """Put the blocks back where they were taken from."""
        if self.whole:
            matrices[self.pieces[0].bucket] = blocks
            return
        sizes = [len(self.buckets[p.bucket].params) for p in self.pieces]
        for piece, part in zip(self.pieces, blocks.split(sizes), strict=True):
            if matrices[piece.bucket] is None:
                matrices[piece.bucket] = part.new_empty(self.buckets[piece.bucket].shape)
            matrices[piece.bucket][piece.place] = part  # pyright: ignore[reportOptionalSubscript]

    def bind(self, label: str, fresh: dict[str, Tensor]) -> set[str]:
        """Keep these stacks as ``label_name`` of the states, which win where they have them; the names that some lack."""
        owners = [(state, p.number) for p in self.pieces for state in self.buckets[p.bucket].states]
        missing = set()
        for name, stack in fresh.items():
            key = f"{label}_{name}"
            kept = [_entry(state, key, number) for state, number in owners]
            present = [t for t in kept if t is not None]
            if len(present) == len(kept):
                fresh[name] = stack = present[0].unsqueeze(0) if len(kept) == 1 else torch.stack(present)
            else:
                missing.add(name)
            for (state, number), view in zip(owners, stack.unbind(0), strict=True):
                blocks = state.setdefault(key, [])
                blocks.extend([None] * (number + 1 - len(blocks)))  # the cells of one matrix come in any order
                blocks[number] = view
                self.bound.append((state, key, number, view))
        return missing

    def current(self) -> bool:
        """Whether the states still hold the views of these stacks."""
        if not self.bound:
            return True
        states, keys, numbers, views = zip(*self.bound, strict=True)
        return all(map(is_, map(getitem, map(getitem, states, keys), numbers), views))


def _entry(state: State, key: str, number: int) -> Tensor | None:
    blocks = state.get(key, ())
    return blocks[number] if number < len(blocks) else None


def keep_fitting(state: State, names: set[str], sizes: dict[str, list[int]]) -> None:
    """Drop block lists that are not asked for, or not of these sizes: what options of another time have left behind.

    `sizes` gives the blocks of each label, in order.
    """
    for key in list(state):
        label, _, name = key.partition("_")
        if name not in KEPT or not (label in labels(2) or label.startswith("axis")):
            continue
        wanted = sizes.get(label, [])
        if name not in names or [t.shape[0] for t in state[key]] != ([3] * len(wanted) if name == "stale" else wanted):
            del state[key]
