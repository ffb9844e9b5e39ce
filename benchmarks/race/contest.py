r"""All solvers on one problem: find the settings, then time them in pairs.

Ours is searched first; a peer's run may last ten times as long as ours took for the tightest target (at least one
second, at most the given limit), after which it counts as not reaching.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from benchmarks.race.clock import Pair, Runner, paired
from benchmarks.race.peers.base import Solver
from benchmarks.race.problem import Problem
from benchmarks.race.remote import Workers
from benchmarks.race.results import Cell, Entry
from benchmarks.race.search import Found, Reached, search
from benchmarks.race.worker import Measured

__all__ = ["Contest", "Rules"]

RIGHT = 1e-9  # relative suboptimality that the tightest setting of a correct solver must reach


@dataclass(frozen=True)
class Rules:
    """Targets, repeats, time."""

    targets: tuple[float, ...] = (1e-4, 1e-8, 1e-10)
    repeats: int = 5
    limit: float = 60.0  # seconds for one run
    factor: float = 10.0  # times ours, the longest run of a peer
    shortest: float = 1.0  # seconds that a run of a peer gets at least
    cold: bool = True  # compile anew, to see what that costs


class Contest:
    """One problem; `entries` and `cells` are the outcome."""

    def __init__(self, problem: Problem, optimum: float, rules: Rules, workers: Workers) -> None:
        self.problem, self.optimum, self.rules, self.workers = problem, optimum, rules, workers
        self.entries: list[Entry] = []
        self.cells: list[Cell] = []
        self.lowest = float("inf")

    def run(self, ours: Solver, peers: tuple[Solver, ...]) -> Contest:
        """Search, then pairs; fills entries and cells."""
        found_ours = self._search(ours, self.rules.limit)
        limit = self._limit(found_ours)
        found = {peer: self._search(peer, limit) for peer in peers if self._admitted(peer)}
        for target in self.rules.targets:
            self._time(target, ours, found_ours, found, limit)
        return self

    def _limit(self, ours: Found) -> float:
        """Seconds for a peer's run."""
        longest = max((at.measured.seconds for at in ours.reached.values()), default=self.rules.limit)
        return min(self.rules.limit, max(self.rules.shortest, self.rules.factor * longest))

    def _admitted(self, solver: Solver) -> bool:
        """Whether it can do this problem; a refusal is kept unless it is only about the penalty."""
        reason = solver.refuses(self.problem)
        if reason is not None and self.problem.penalty in solver.penalties:
            self.entries.append(Entry(self.problem.name, solver.name, "refused", None, reason))
        return reason is None

    def _search(self, solver: Solver, limit: float) -> Found:
        """The loosest settings of one solver."""

        def run(tolerance: float) -> Measured:
            measured = self.workers[solver].run(solver, self.problem, tolerance, 1, limit)
            self.lowest = min(self.lowest, (measured.value - self.optimum) / self.optimum)
            return measured

        found = search(run, self.rules.targets, self.optimum)
        self.entries.append(Entry(self.problem.name, solver.name, verdict(found), found.best, found.ended))
        return found

    def _runner(self, solver: Solver, tolerance: float, limit: float) -> Runner:
        """Several runs with one setting."""
        # Twice the limit: a run that passed the search may be slower by chance, and is not to be lost for that.
        return lambda runs: self.workers[solver].run(solver, self.problem, tolerance, runs, 2.0 * limit + 1.0)

    def _time(self, target: float, ours: Solver, found_ours: Found, found: dict[Solver, Found], limit: float) -> None:
        """One target: pairs for those who reach it."""
        at_ours = found_ours.reached.get(target)
        there = {peer: at for peer, of in found.items() if (at := of.reached.get(target)) is not None}
        pairs: dict[str, Pair] = {}
        if at_ours is not None:
            runners = {
                peer.name: (self._runner(peer, at.tolerance, limit), at.measured.seconds) for peer, at in there.items()
            }
            mine = (self._runner(ours, at_ours.tolerance, self.rules.limit), at_ours.measured.seconds)
            pairs = paired(mine, runners, self.rules.repeats)
        self.cells.append(self._ours(target, ours, at_ours, pairs))
        for peer in found:
            self.cells.append(self._cell(target, peer, there.get(peer), pairs.get(peer.name)))

    def _ours(self, target: float, ours: Solver, at: Reached | None, pairs: dict[str, Pair]) -> Cell:
        """Our own row: the median over all pairs."""
        return self._cell(target, ours, at, None, [measured for pair in pairs.values() for measured in pair.ours])

    def _cell(
        self, target: float, solver: Solver, at: Reached | None, pair: Pair | None, own: list[Measured] | None = None
    ) -> Cell:
        """The record of one solver and one target."""
        if at is None:
            return Cell(self.problem.name, target, solver.name, reached=False)
        paired_up = pair if pair is not None and pair.peer else None
        measured = own or (paired_up.peer if paired_up else []) or [at.measured]
        cell = Cell(
            self.problem.name,
            target,
            solver.name,
            reached=True,
            tolerance=at.tolerance,
            seconds=median(m.seconds for m in measured),
            cpu_seconds=median(m.cpu_seconds for m in measured),
            pairs=len(paired_up.peer) if paired_up else 0,
            suboptimality=at.suboptimality,
            iterations=at.measured.iterations,
            support=at.measured.nonzeros,
        )
        return replace(cell, **_ratios(paired_up)) if paired_up else cell


def _ratios(pair: Pair) -> dict[str, float]:
    """What the pairs say."""
    return {
        "our_seconds": median(m.seconds for m in pair.ours),
        "ratio": median(pair.ratios),
        "ratio_low": min(pair.ratios),
        "ratio_high": max(pair.ratios),
        "cpu_ratio": pair.cpu_ratio,
    }


def verdict(found: Found) -> str:
    """Whether the solver minimises this objective at all."""
    if found.best <= RIGHT:
        return "ok"
    if found.ended in ("end of the grid", "the same with tighter tolerances"):
        return "wrong optimum"
    return "time limit" if found.ended.startswith("time limit") else "failed"
