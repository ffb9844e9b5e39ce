r"""The loosest tolerance with which a solver reaches a target: the same rule for every solver, ours included.

The grid is :math:`10^{1}, 10^{0.5}, \dots, 10^{-15}` in the solver's own units. The solver runs at every decade,
loosest first, until the tightest target is reached or a run is stopped; then, for each target, the half decade just
looser than the first decade that reached it is tried too. No run knows P*: it is used only afterwards, to judge what
came out.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.race.remote import Stopped
from benchmarks.race.worker import Measured

__all__ = ["Found", "Reached", "search"]

LOOSEST, TIGHTEST = 1, -15  # decades
PATIENCE = 4  # decades that change nothing, the start left behind, after which a solver counts as stalled
SAME = 0.01  # relative change of the suboptimality that is nothing


@dataclass(frozen=True)
class Reached:
    """A setting and its first measurement."""

    tolerance: float
    measured: Measured
    suboptimality: float  # (P - P*) / P*


@dataclass
class Found:
    """What the search saw of one solver on one problem."""

    reached: dict[float, Reached] = field(default_factory=dict)  # target -> loosest setting that meets it
    best: float = float("inf")  # least relative suboptimality of all runs
    ended: str = ""  # why the search ended
    tried: int = 0


def search(
    run: Callable[[float], Measured],  # tolerance -> measurement, or Stopped
    targets: tuple[float, ...],
    optimum: float,
) -> Found:
    """Runs by the rule above."""
    found, results, quiet = Found(ended="reached every target"), {}, 0
    for decade in range(LOOSEST, TIGHTEST - 1, -1):
        reached = _tried(run, 10.0**decade, optimum, found)
        if reached is None:
            break
        results[decade] = reached
        before = results.get(decade + 1)
        quiet = quiet + 1 if before is not None and _same(before, reached) else 0
        found.best = min(found.best, reached.suboptimality)
        if reached.suboptimality <= min(targets):
            break
        if quiet >= PATIENCE:
            found.ended = "the same with tighter tolerances"
            break
    else:
        found.ended = "end of the grid"
    for target in targets:
        first = next((decade for decade, at in results.items() if at.suboptimality <= target), None)
        if first is not None:
            found.reached[target] = _refined(run, target, first, results[first], optimum, found)
    return found


def _same(before: Reached, after: Reached) -> bool:
    """Whether a decade changed nothing; solvers that still return zero have not begun, and do not count as stalled."""
    moved = abs(after.suboptimality - before.suboptimality) > SAME * abs(before.suboptimality)
    return after.measured.nonzeros > 0 and not moved


def _refined(
    run: Callable[[float], Measured], target: float, decade: int, at: Reached, optimum: float, found: Found
) -> Reached:
    """The half decade looser where that is enough."""
    if decade == LOOSEST:
        return at
    ended = found.ended
    looser = _tried(run, 10.0 ** (decade + 0.5), optimum, found)
    found.ended = ended
    return looser if looser is not None and looser.suboptimality <= target else at


def _tried(run: Callable[[float], Measured], tolerance: float, optimum: float, found: Found) -> Reached | None:
    """One run and its suboptimality; None where it was stopped, with the reason noted."""
    found.tried += 1
    try:
        measured = run(tolerance)
    except Stopped as reason:
        found.ended = str(reason)
        return None
    return Reached(tolerance, measured, (measured.value - optimum) / optimum)
