r"""Small tensors side by side: an elementwise operation on many of them is one call.

.. math:: x = (\operatorname{vec} W_1, \operatorname{vec} W_2, \dots)

A `Pack` is the momentum, the lending step and the like of its parameters as flat tensors; what their states hold are
views of these. A bucket that is large comes alone: its gradient is not copied.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from operator import is_
from typing import Any

import torch
from torch import Tensor

from optimizers.matrices import Bucket, State

__all__ = ["Pack", "packed"]

LARGE = 65536  # entries from which a call costs less than the copy of its input


@dataclass
class Pack:
    """Buckets whose elementwise operations are done together: all preconditioned, or none; of one age."""

    buckets: list[Bucket]
    flats: dict[str, Tensor] = field(default_factory=dict)
    views: dict[str, list[Tensor]] = field(default_factory=dict)

    @cached_property
    def params(self) -> list[Tensor]:
        return [p for bucket in self.buckets for p in bucket.params]

    @cached_property
    def owners(self) -> list[Tensor]:
        return [p for bucket in self.buckets for p in bucket.owners]

    @cached_property
    def states(self) -> list[State]:
        return [state for bucket in self.buckets for state in bucket.states]

    @property
    def step(self) -> int:
        """How many steps were made."""
        return self.buckets[0].step

    @property
    def preconditioned(self) -> bool:
        return any(self.buckets[0].preconditioned)

    def flat(self, tensors: list[Tensor]) -> Tensor:  # in the order of the parameters
        """All entries side by side, in the precision of the statistics; one contiguous tensor is not copied."""
        rows = [t.reshape(-1) for t in tensors]
        return (rows[0] if len(rows) == 1 else torch.cat(rows)).to(self.buckets[0].dtype)

    def matrices(self, flat: Tensor) -> list[Tensor]:
        """A stack of matrices for each bucket: views."""
        parts = flat.split([bucket.numel for bucket in self.buckets])
        return [part.view(bucket.shape) for bucket, part in zip(self.buckets, parts, strict=True)]

    def shaped(self, flat: Tensor) -> list[Tensor]:
        """Views shaped like the parameters."""
        stacks = zip(self.buckets, self.matrices(flat), strict=True)
        return [view for bucket, stack in stacks for view in bucket.unstacked(stack)]

    def tensor(self, name: str) -> Tensor:
        """The state of this name, flat; zeros when there is none yet."""
        if name not in self.flats:
            if all(name in state for state in self.states):
                flat = self.flat([state[name] for state in self.states])
            else:
                size = sum(bucket.numel for bucket in self.buckets)
                flat = torch.zeros(size, dtype=self.buckets[0].dtype, device=self.buckets[0].device)
            self.flats[name], self.views[name] = flat, self.shaped(flat)
            for state, view in zip(self.states, self.views[name], strict=True):
                state[name] = view
        return self.flats[name]

    def current(self, states: Any) -> bool:
        """Whether the states of the parameters are these, and still hold the views."""
        # Without a loop in Python: there may be hundreds of small parameters.
        return all(map(is_, map(states.get, self.owners), self.states)) and all(
            all(map(is_, map(dict.get, self.states, repeat(name)), views)) for name, views in self.views.items()
        )


def packed(buckets: list[Bucket]) -> list[Pack]:
    """Buckets in packs: the large ones alone, the others with their like."""
    found: dict[tuple[Any, ...], Pack] = {}
    for i, bucket in enumerate(buckets):
        together = -1 if bucket.numel < LARGE else i
        key = (together, bucket.dtype, bucket.device, bucket.step, any(bucket.preconditioned))
        found.setdefault(key, Pack([])).buckets.append(bucket)
    return list(found.values())
