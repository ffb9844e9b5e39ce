r"""Paired times: ours, a peer, ours, the next peer, ... in turns, and the median of the ratios within the pairs.

A busy machine slows both members of a pair; the median over repeats forgives a few interruptions. Runs of less than
20 ms are repeated inside one measurement until they last that long.

Source: derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.race.remote import Stopped
from benchmarks.race.worker import Measured

__all__ = ["Pair", "Runner", "paired", "repeats"]

LEAST = 0.02  # seconds of one measurement
BUDGET = 0.8  # seconds that the repeats of a slow pair may take

Runner = Callable[[int], Measured]  # runs in one measurement -> the measurement


@dataclass
class Pair:
    """Seconds of ours and of the peer, measurement by measurement."""

    ours: list[Measured] = field(default_factory=list)
    peer: list[Measured] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Peer over ours by the wall clock, pair by pair; over 1, ours is faster."""
        return [peer.seconds / ours.seconds for ours, peer in zip(self.ours, self.peer, strict=True)]

    @property
    def cpu_ratio(self) -> float:
        """The median by processor time, for a machine that others use at the same time."""
        return median(peer.cpu_seconds / ours.cpu_seconds for ours, peer in zip(self.ours, self.peer, strict=True))


def repeats(seconds: float, most: int) -> int:
    """How many pairs of this length: `most` for fast ones, two for slow ones, one for those of over two seconds."""
    return 1 if seconds > 2.0 else max(min(most, 2), min(most, int(BUDGET / seconds)))


def runs_in_one(seconds: float) -> int:
    """Calls that fill one measurement."""
    return max(1, math.ceil(LEAST / seconds))


def paired(
    ours: tuple[Runner, float],  # and its rough seconds
    peers: dict[str, tuple[Runner, float]],
    most: int,
) -> dict[str, Pair]:
    """One pair of lists for each peer; where a run is stopped the pair is lost, and that peer's further ones."""
    pairs = {name: Pair() for name in peers}
    run_ours, our_seconds = ours
    turns = {name: repeats(seconds + our_seconds, most) for name, (_, seconds) in peers.items()}
    for turn in range(max(turns.values(), default=0)):
        for name, (run, seconds) in peers.items():
            if turn < turns[name]:
                try:
                    before = run_ours(runs_in_one(our_seconds))
                    after = run(runs_in_one(seconds))
                except Stopped:
                    turns[name] = 0
                    continue
                pairs[name].ours.append(before)
                pairs[name].peer.append(after)
    return pairs
