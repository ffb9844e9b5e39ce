"""Solvers for tests of the race: one that is exact as its tolerance says, one that sleeps, one that raises, one that dies."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.race.peers import Fit, Solve, Solver
from benchmarks.race.problem import Problem


@dataclass(frozen=True)
class Toy(Solver):
    """What it does is its name."""

    @property
    def module(self) -> str:
        return "numpy"

    def ready(self, problem: Problem) -> Solve:
        def solve(tolerance: float) -> Fit:
            if self.name == "sleeps" and problem.data != "warm-up":
                time.sleep(60.0)
            if self.name == "raises" and problem.data != "warm-up":
                raise ValueError("no such penalty")
            if self.name == "dies" and problem.data != "warm-up":
                os._exit(3)
            return Fit(np.zeros(problem.X.shape[1]), 1.0)

        return solve
