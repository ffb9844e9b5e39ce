r"""A progress bar and the user's callback, joined into the one callback that the engine takes.

.. math:: \text{record} \mapsto \text{stop or go on}

Source: derived here; the bar is tqdm's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Watch", "watching"]

Record = Any  # convex.engine.Record: passes, seconds, objective, gap, nonzeros, phase


class Watch:
    """What the engine calls; remembers whether the user's callback asked to stop."""

    def __init__(self, callback: Callable[[Record], Any] | None, line: Any | None) -> None:
        self._callback, self._line, self._gap = callback, line, math.inf
        self.stopped = False

    def __call__(self, record: Record) -> bool:
        """Show the record and pass it on; True stops the run."""
        if self._line is not None:
            # Steps on a part of the problem have no certificate: the last one that was computed still holds for its point.
            self._gap = record.gap if math.isfinite(record.gap) else self._gap
            self._line.set_postfix_str(f"gap {self._gap:.2e}, objective {record.objective:.6g}", refresh=False)
            self._line.update(record.passes - self._line.n)
        if self._callback is not None and self._callback(record):
            self.stopped = True
        return self.stopped


@contextmanager
def watching(
    callback: Callable[[Record], Any] | None,
    verbose: bool,
    max_iter: int,  # passes, the bar's length
    label: str,  # what stands before the bar
) -> Iterator[Watch | None]:
    """The engine's callback while a bar is open; None when there is nothing to show and nobody to tell."""
    if not verbose:
        yield None if callback is None else Watch(callback, None)
        return
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} passes [{elapsed}{postfix}]"
    with tqdm(total=max_iter, desc=label, bar_format=layout) as line:
        yield Watch(callback, line)
