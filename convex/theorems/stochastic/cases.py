r"""How the cases of the theorems on adaptive methods are built, and the two controls of a broken hypothesis.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from convex.adaptive import Accelerated, Direct
from problems.domains import Domain
from problems.smooth import SmoothProblem
from regret.learners import AdaptiveRegularization
from structures import Diagonal, Full, LeftKronecker, RightKronecker, Scalar
from structures.base import Structure
from theory.theorem import Example

__all__ = ["FAILED", "MATRICES", "accelerated", "adagrad", "offset", "twice"]

FAILED, REFUTED, VIOLATED = ("HYPOTHESIS_FAILED",), ("REFUTED",), ("VIOLATED",)
MATRICES: tuple[type[Structure], ...] = (Scalar, Diagonal, LeftKronecker, RightKronecker, Full)


def adagrad(
    structure: Structure, lr: float | tuple[float, ...], eps: float = 0.0, domain: Domain | None = None, **options: Any
) -> Direct:
    """Structured AdaGrad; η and ε in the units of the bound."""
    return Direct(AdaptiveRegularization(structure, lr, eps, domain, **options))


def accelerated(structure: Structure, lr: float, eps: float = 0.0, domain: Domain | None = None) -> Accelerated:
    """Accelerated structured AdaGrad."""
    return Accelerated(AdaptiveRegularization(structure, lr, eps, domain))


def offset(problem: SmoothProblem, size: float = 1.0, seed: int = 5) -> np.ndarray:  # -> (*shape)
    """A start at a given Euclidean distance from the minimiser."""
    direction = np.random.default_rng(seed).standard_normal(problem.shape)
    assert problem.solution is not None
    return np.asarray(problem.solution) + size * direction / np.linalg.norm(direction)


def twice(name: str, make: Any, breaks: str, *also: str, fails: tuple[str, ...] = REFUTED) -> Iterator[Example]:
    """The broken hypothesis is noticed, and the bound fails when it is ignored (with the ones in `also`)."""
    yield Example(f"{name}, through the door", make, expect=FAILED, breaks=breaks)
    yield Example(f"{name}, applied anyway", make, expect=fails, breaks=breaks, ignoring=(breaks, *also))
