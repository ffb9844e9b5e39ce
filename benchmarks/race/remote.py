r"""The other end of a worker's pipe: start it, send it problems, wait no longer than allowed, end it when it takes longer.

Source: derived here.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.race.peers.base import Solver
from benchmarks.race.problem import Problem
from benchmarks.race.worker import Failed, Measured, serve

__all__ = ["Remote", "Stopped", "Workers"]

THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "VECLIB_MAXIMUM")
START = 300.0  # seconds for a process to start, import and compile; only a hung one takes longer


class Stopped(RuntimeError):
    """A run that gave no answer: out of time, crashed, or an exception."""


@dataclass
class Remote:
    """One package in a process of its own, restarted when it had to be ended."""

    cache: str | None = None  # folder for compiled code; None: where it always is
    problem: Problem | None = None
    warm: dict[tuple[str, bool, str], tuple[float, float]] = field(default_factory=dict)  # seconds of two calls
    _process: Any = None
    _pipe: Any = None
    _ready: set[tuple[str, bool, str]] = field(default_factory=set)  # warmed up in the present process

    def run(self, solver: Solver, problem: Problem, tolerance: float, runs: int, limit: float) -> Measured:
        """Time a solver; raises Stopped after `limit` seconds, or when there is no answer."""
        self._warm_up(solver, problem)
        return self._run(solver, problem, tolerance, runs, limit)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process, self.problem = None, None
            self._ready.clear()

    def _run(self, solver: Solver, problem: Problem, tolerance: float, runs: int, limit: float) -> Measured:
        self._load(problem)
        answer = self._ask((solver, tolerance, runs), limit)
        if isinstance(answer, Failed):
            raise Stopped(answer.reason)
        return answer

    def _warm_up(self, solver: Solver, problem: Problem) -> None:
        """Imports and compilation, on a small problem of the same kind; the first time is kept, apart from the race."""
        key = (solver.name, problem.sparse, problem.penalty)
        if key in self._ready:
            return
        first, second = self.first_calls(solver, problem)
        self._ready.add(key)
        self.warm.setdefault(key, (first, second))

    def first_calls(self, solver: Solver, problem: Problem) -> tuple[float, float]:
        """Seconds of two calls on a small problem of the same kind; the first imports the package, and compiles if need be."""
        small = _small(problem)
        self._load(small)
        times = []
        for _ in range(2):
            begin = perf_counter()
            self._run(solver, small, 1e-6, 1, START)
            times.append(perf_counter() - begin)
        return times[0], times[1]

    def _load(self, problem: Problem) -> None:
        """Send the problem, unless the process has it."""
        if self.problem is not problem:
            self._ask(problem, START)
            self.problem = problem

    def _ask(self, message: Any, limit: float) -> Any:
        """Send and wait; the process is ended when it does not answer in time."""
        if self._process is None:
            self._start()
        try:
            self._pipe.send(message)
            if not self._pipe.poll(limit):
                self.close()
                raise Stopped(f"time limit of {limit:.2g} s")
            return self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            code = self._exit_code()
            self.close()
            raise Stopped(f"crashed, exit code {code}") from None

    def _exit_code(self) -> int | None:
        """Of a process that is ending by itself."""
        if self._process is None:
            return None
        self._process.join(5.0)
        return self._process.exitcode

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        with _environment(self.cache):
            self._process.start()
        theirs.close()


class Workers:
    """A process for each package, made when it is needed.

    With `cold` all of them keep compiled code in one folder that is empty at first; without it, where they always do.
    """

    def __init__(self, cold: bool = False) -> None:
        self._remotes: dict[str, Remote] = {}
        self._folder = TemporaryDirectory() if cold else None
        self._cache = self._folder.name if self._folder else None

    def __getitem__(self, solver: Solver) -> Remote:
        """The process that runs this solver."""
        return self._remotes.setdefault(solver.process, Remote(self._cache))

    def warm_up(self) -> list[dict[str, object]]:
        """What the first and the second call of every solver took; the first includes imports and compilation."""
        return [
            {
                "solver": solver,
                "format": _format(sparse),
                "penalty": penalty,
                "first_call": first,
                "second_call": second,
            }
            for remote in self._remotes.values()
            for (solver, sparse, penalty), (first, second) in remote.warm.items()
        ]

    def from_cache(self, solver: Solver, problem: Problem) -> float:
        """Seconds of the first call in a new process that finds what an earlier one compiled."""
        remote = Remote(self._cache)
        try:
            return remote.first_calls(solver, problem)[0]
        finally:
            remote.close()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for remote in self._remotes.values():
            remote.close()
        if self._folder is not None:
            self._folder.cleanup()


def _format(sparse: bool) -> str:
    return "CSR" if sparse else "dense"


@contextmanager
def _environment(cache: str | None) -> Iterator[None]:
    """What a child process starts with: one thread, compiled code in `cache`. The caller's own is put back."""
    wanted = {f"{name}_NUM_THREADS": "1" for name in THREAD_VARIABLES}
    if cache is not None:
        wanted["NUMBA_CACHE_DIR"] = cache
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _small(problem: Problem) -> Problem:
    """Sixty rows and eight features of noise in the same format, same penalty."""
    rng = np.random.default_rng(0)
    X: Any = rng.standard_normal((60, 8))
    if problem.sparse:
        X = type(problem.X)(np.where(X > 0.0, X, 0.0))
    y = np.where(rng.standard_normal(60) > 0.0, 1.0, -1.0)
    scale = 1e-2 / problem.alpha
    return Problem("warm-up", problem.penalty, X, y, scale * problem.l1, scale * problem.l2)
