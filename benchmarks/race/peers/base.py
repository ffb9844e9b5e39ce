r"""What a solver is to the race: a name, the penalties it can do, and a function of its own tolerance.

``ready(problem)`` puts the data into the layout that the solver likes best and returns ``solve(tolerance)``; only
``solve`` is timed, from the call to the coefficients. The tolerance is the solver's own, in its own units: the race
never compares tolerances, only what came out.

Source: derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util

import numpy as np

from benchmarks.race.problem import Problem

__all__ = ["Fit", "Solve", "Solver"]


@dataclass(frozen=True, eq=False)
class Fit:
    """What a run returns."""

    w: np.ndarray  # (d,) coefficients
    iterations: float | None = None  # in the solver's own units (passes for ours), where it tells


Solve = Callable[[float], Fit]


@dataclass(frozen=True)
class Solver(ABC):
    """One entry of the race."""

    name: str
    penalties: tuple[str, ...]

    @property
    @abstractmethod
    def module(self) -> str:
        """The package that must be importable."""

    @property
    def process(self) -> str:
        """Entries with the same one run in the same process: those of one package, unless starting anew is dear."""
        return self.module

    @property
    def distribution(self) -> str:
        """The package's name on the index, for its version."""
        return self.module

    @abstractmethod
    def ready(self, problem: Problem) -> Solve:
        """The timed function; imports the package, converts the data."""

    def refuses(self, problem: Problem) -> str | None:
        """Why this solver cannot do this problem, or None."""
        return None if problem.penalty in self.penalties else f"has no {problem.penalty} penalty"

    @property
    def present(self) -> bool:
        """Whether the package is installed."""
        return util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """The package's version."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return "in this repository"
