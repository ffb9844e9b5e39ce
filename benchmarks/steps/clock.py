r"""Paired times of steps: the reference, a contestant and its floor in turns, medians of the ratios within the turns.

.. math:: r = \operatorname*{median}_k \frac{t_k(\text{contestant})}{t_k(\text{reference})}

A measurement runs whole periods (a period holds one refresh of the roots) until it is long enough. On a CUDA device the
seconds are those between two events of the stream.

Source: derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch

__all__ = ["Timed", "Turns", "paired", "ratios"]

LEAST = 0.02  # seconds of one measurement


@dataclass
class Timed:
    """Something to be timed: a call, and how many calls make a period."""

    run: Callable[[], object]
    period: int = 1


@dataclass
class Turns:
    """Seconds per call, turn by turn, by name."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Median seconds of a call."""
        return median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> tuple[float, float, float]:
        """Median, least and largest ratio within the turns."""
        return ratios(self.seconds[name], self.seconds[reference])


def ratios(above: list[float], below: list[float]) -> tuple[float, float, float]:
    """Median, least and largest of the quotients turn by turn."""
    found = [a / b for a, b in zip(above, below, strict=True)]
    return median(found), min(found), max(found)


def paired(timed: dict[str, Timed], repeats: int, device: str = "cpu", least: float = LEAST) -> Turns:
    """Every one in every turn, one after the other, after a period of each that is not counted."""
    calls = {}
    for name, each in timed.items():
        _measure(each.run, each.period, device)  # warms up; may compile
        seconds = _measure(each.run, each.period, device)
        calls[name] = each.period * max(1, math.ceil(least / max(seconds * each.period, 1e-9)))
    turns = Turns({name: [] for name in timed})
    for _ in range(repeats):
        for name, each in timed.items():
            turns.seconds[name].append(_measure(each.run, calls[name], device))
    return turns


def _measure(run: Callable[[], object], calls: int, device: str) -> float:
    """Seconds per call."""
    if device != "cuda":
        begin = perf_counter()
        for _ in range(calls):
            run()
        return (perf_counter() - begin) / calls
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / calls
