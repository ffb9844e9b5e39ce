r"""A process that runs solvers of one package and holds a stopwatch.

A run that never ends can only be stopped by ending its process, and a package that crashes takes its process along;
so every package has one, told what to do over a pipe. The clock runs here, around the solver's call alone: sending
problems and computing the objective is not counted. Libraries read the number of threads when they start, so the
environment is set before the process begins.

Source: derived here.
"""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter, process_time

import numpy as np

from benchmarks.race.peers.base import Solve, Solver
from benchmarks.race.problem import Problem

__all__ = ["Failed", "Measured", "serve"]


@dataclass(frozen=True)
class Measured:
    """One measurement: the mean over `runs` runs, and what the last one returned."""

    seconds: float  # wall clock, per run
    cpu_seconds: float  # of all threads, per run
    runs: int
    value: float  # P of the returned coefficients
    nonzeros: int
    iterations: float | None


@dataclass(frozen=True)
class Failed:
    """The solver raised."""

    reason: str


def serve(connection: Connection) -> None:
    """Answer (problem) with None and (solver, tolerance, runs) with Measured or Failed, until the other end is closed."""
    _silence()
    problem: Problem | None = None
    ready: dict[str, Solve] = {}
    while True:
        try:
            message = connection.recv()
        except EOFError:
            return
        if isinstance(message, Problem):
            problem, ready = message, {}
            connection.send(None)
        else:
            assert problem is not None
            connection.send(_answer(problem, ready, *message))


def _answer(
    problem: Problem, ready: dict[str, Solve], solver: Solver, tolerance: float, runs: int
) -> Measured | Failed:
    """Time the solver; whatever it raises is an answer as well."""
    try:
        if solver.name not in ready:
            ready[solver.name] = solver.ready(problem)
        return _timed(problem, ready[solver.name], tolerance, runs)
    except Exception as error:  # a peer may raise anything
        return Failed(" ".join(f"{type(error).__name__}: {error}".split())[:160])


def _timed(problem: Problem, solve: Solve, tolerance: float, runs: int) -> Measured:
    """`runs` calls in a row under one clock."""
    gc.disable()
    wall, cpu = perf_counter(), process_time()
    for _ in range(runs - 1):
        solve(tolerance)
    fit = solve(tolerance)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    gc.enable()
    value = problem.objective(fit.w)
    return Measured(wall / runs, cpu / runs, runs, value, int(np.count_nonzero(fit.w)), fit.iterations)


def _silence() -> None:
    """Nothing that a peer prints, from C code either, comes through: what counts goes over the pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
