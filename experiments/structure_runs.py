r"""AdaGrad in several structures on one problem: the same start, the same random draws, the same grid of step sizes.

.. math:: \eta_{\mathcal H, k} = 10^{k/2}\, \|x_0 - x^*\|_{\mathcal H}, \qquad \varepsilon = 10^{-10} \|\nabla f(x_0)\|^2 / d

The step size of the theory is :math:`D_{\mathcal H}/\sqrt 2`: the grid is the same for every structure in units of its own
norm. What is compared is the best of the grid, after the fact, as a practitioner who tunes would see it; whether it lies
at the end of the grid is recorded. ε only keeps roots of singular matrices apart from their rounding.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from convex.adaptive import Direct, descend
from problems.domains import Domain
from problems.smooth import SmoothProblem
from regret.learners import AdaptiveRegularization
from structures import Structure
from structures.arrays import to_numpy

__all__ = ["EXPONENTS", "StructureRun", "run_structures"]

EXPONENTS = (-4, -3, -2, -1, 0, 1, 2)
RELATIVE_EPS = 1e-10


@dataclass(frozen=True, eq=False)
class StructureRun:
    """One structure: values above the lower end of the minimum, for every step size and seed."""

    structure: Structure
    rates: np.ndarray  # (R,) η
    steps: np.ndarray  # (K,) numbers of gradients at which values were taken
    last: np.ndarray = field(repr=False)  # (K, R, S) f(x_t) - min
    average: np.ndarray = field(repr=False)  # (K, R, S) f(mean of the first t points) - min
    seconds: float  # per step of one run

    def best(self, kind: str = "last") -> int:
        """Index of the rate whose mean over the seeds ends lowest."""
        return int(np.argmin(np.mean(getattr(self, kind)[-1], axis=-1)))

    def final(self, kind: str = "last") -> np.ndarray:  # (S,)
        """The values after the last step, at the best rate."""
        return getattr(self, kind)[-1, self.best(kind)]

    def at_the_end_of_the_grid(self, kind: str = "last") -> bool:
        """Whether the best rate is the smallest or the largest: then another grid may do better."""
        return self.best(kind) in (0, len(self.rates) - 1)


def run_structures(
    problem: SmoothProblem,
    x0: np.ndarray,  # (*shape)
    structures: Sequence[Structure],
    steps: int,
    *,
    seeds: int = 4,
    seed: int = 0,
    exponents: Sequence[int] = EXPONENTS,
    grid: Sequence[int] | None = None,  # step numbers at which values are kept; None is the last one
    exact: bool = False,  # take ∇f itself, which has one seed
    domain: Domain | None = None,
    scales: Sequence[float] | None = None,  # of the step sizes of each structure; None: ‖x₀ - x*‖_H
) -> list[StructureRun]:
    """The runs, in the order of the structures. Raises ValueError for a problem that names no solution, without `scales`."""
    if problem.solution is None and scales is None:
        raise ValueError("the problem names no solution: step sizes have no unit; pass `scales`.")
    apart = None if problem.solution is None else x0 - to_numpy(problem.solution)
    units = [float(K.norm(apart)) for K in structures] if scales is None else list(scales)
    if not all(unit > 0 for unit in units):
        raise ValueError("the start is the minimiser: step sizes have no unit, and there is nothing to run.")
    eps = RELATIVE_EPS * float(np.mean(problem.gradient(x0) ** 2))
    options = (steps, 1 if exact else seeds, seed, tuple(grid or (steps,)), exact)
    return [
        _run(problem, x0, K, unit * 10.0 ** (np.asarray(exponents) / 2.0), eps, domain, options)
        for K, unit in zip(structures, units, strict=True)
    ]


def _run(
    problem: SmoothProblem,
    x0: np.ndarray,
    K: Structure,
    rates: np.ndarray,
    eps: float,
    domain: Domain | None,
    options: tuple,
) -> StructureRun:
    """All rates and seeds in one batch; the draws of a run depend on its place in the batch, not on the structure."""
    steps, seeds, seed, grid, exact = options
    begun = perf_counter()
    method = Direct(AdaptiveRegularization(K, tuple(np.repeat(rates, seeds).tolist()), eps, domain))
    run = descend(method, problem, x0, steps, batch=len(rates) * seeds, seed=seed, exact=exact, grid=grid)
    seconds = (perf_counter() - begun) / (len(rates) * steps * seeds)
    least, shape = problem.minimum.lower, (-1, len(rates), seeds)
    last, average = (np.reshape(to_numpy(values), shape) - least for values in (run.at_answer, run.at_average))
    return StructureRun(K, rates, np.asarray(grid), last, average, seconds)
