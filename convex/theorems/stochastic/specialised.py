r"""The sharper theorem on stochastic AdaGrad for one structure, in the norms and constants of its own literature.

With w the multiplicity of the structure, :math:`\eta' = \eta\sqrt w`, :math:`C' = D'^2/2\eta' + \eta'`,

.. math::
    \mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \;\le\; \frac1T\Bigl( \tfrac12 C'^2\Lambda' + C'\sqrt T\,\sigma'
    + \frac{D'^2}{2\eta'}\, e' + \frac1\eta\mathbb E\sum\delta_t \Bigr), \qquad
    \Lambda' = \frac\Lambda w, \; \sigma' = \frac\sigma{\sqrt w}, \; D' = \sqrt w\,D, \; e' =
    \frac{d\sqrt\varepsilon}{\sqrt w} .

Subclasses compute the primed numbers from Hessian, covariance and iterates with formulas of their own, so that they
test the closed forms of the structure as well.

Source: derived here (docs/proofs/stochastic.md#specialisations).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import numpy as np

from convex.theorems.stochastic.broken import shrunk_curvature
from convex.theorems.stochastic.cases import FAILED, adagrad, offset
from convex.theorems.stochastic.instances import Corner, line_noise, matrix, rotated
from convex.theorems.stochastic.of_problem import DECLARED
from convex.theorems.stochastic.of_run import ENUMERATED, has_structure
from convex.theorems.stochastic.runs import StochasticRun, every_path, exactly
from convex.theorems.stochastic.smooth_sharp import SharpStochasticSmooth
from convex.theorems.stochastic.smooth_theorem import Ingredients, SmoothTheorem
from problems.smooth import NoNoise
from structures.base import Structure
from theory.citation import Citation
from theory.theorem import Assumption, Example

__all__ = ["Constants", "Specialised", "scaled_trace"]


class Constants(NamedTuple):
    """The primed numbers."""

    distance: float  # D'
    curvature: float  # Λ'
    noise: float  # σ'
    damping: float  # e'


class Specialised(SmoothTheorem):
    """Subclasses name the structure, its multiplicity and the constants."""

    source = Citation("derived", "docs/proofs/stochastic.md#specialisations", "derived")
    structure: ClassVar[type[Structure]]

    @abstractmethod
    def multiplicity(self, shape: tuple[int, ...]) -> int:
        """W."""

    @abstractmethod
    def constants(self, run: StochasticRun, A: np.ndarray, Sigma: np.ndarray, apart: np.ndarray) -> Constants:
        """From A ⪰ 0 and Σ, both (d, d), and x_t - x* at all times on all paths, (k, *shape)."""

    def total(self, part: Ingredients) -> float:
        return SharpStochasticSmooth().total(part)

    def ingredients(self, run: StochasticRun) -> Ingredients:
        base, d = super().ingredients(run), run.problem.dim
        apart = (run.iterates[:-1] - np.asarray(run.problem.solution)).reshape(-1, *run.problem.shape)
        declared = None if run.exact else run.problem.noise_covariance(run.domain)
        Sigma = np.zeros((d, d)) if declared is None else np.asarray(declared.dense())
        own = self.constants(run, np.asarray(run.problem.curvature.dense()), Sigma, apart)
        eta = float(run.rates[0]) * self.multiplicity(run.problem.shape) ** 0.5
        gaps = base.rest - _damping(run, base)
        rest = own.distance**2 / (2.0 * eta) * own.damping + gaps
        return Ingredients(own.curvature, own.noise, own.distance**2 / (2.0 * eta) + eta, base.root_steps, rest)

    @staticmethod
    def hypotheses(kind: type[Structure]) -> tuple[Assumption, ...]:
        """Those of the theorem, and that the run is of the kind that the constants are for."""
        return (*SharpStochasticSmooth.assumptions, ENUMERATED, DECLARED, has_structure(kind))

    def examples(self) -> Iterable[Example]:
        kind = self.structure
        yield Example("a corner, damped", lambda: _corner(kind), near_tight=True)
        yield Example("matrix quadratic, all paths", lambda: _paths(kind), expect=("CONFIRMED", "VACUOUS"))
        yield Example("rotated quadratic, exact gradients", lambda: _rotated(kind), expect=("CONFIRMED", "VACUOUS"))

    def controls(self) -> Iterable[Example]:
        from structures import Circulant

        kind = self.structure
        yield Example("another structure", lambda: _other(Circulant((4,))), expect=FAILED, breaks="structure")
        yield Example(
            "a tenth of the curvature", lambda: shrunk_curvature(_rotated(kind), 0.1), expect=FAILED, breaks="smooth"
        )


def _damping(run: StochasticRun, base: Ingredients) -> float:
    """D²/(2η) d√ε, in the structure's own norm."""
    eta = float(run.rates[0])
    return (base.C - eta) * run.problem.dim * run.eps**0.5


def scaled_trace(parts: np.ndarray, A: np.ndarray, spread: np.ndarray) -> float:  # (k, k), (d, d), (d, d) -> c Tr
    """c · Tr parts with the least c for which c · spread ⪰ A, where spread is the d×d matrix of parts."""
    values, vectors = np.linalg.eigh(spread)
    seen = values > 1e-12 * values[-1]
    if not seen.any():
        return 0.0
    root = vectors[:, seen] / np.sqrt(values[seen])
    return float(np.linalg.eigvalsh(root.T @ A @ root)[-1]) * float(np.trace(parts))


def _corner(kind: type[Structure]) -> StochasticRun:
    """One coordinate carries everything."""
    horizon = 400
    slope = np.zeros((1, 1)) + 2.0**0.5 / horizon
    return exactly(adagrad(kind((1, 1)), 2.0**-0.5, 1.0), Corner(slope, width=0.07), np.ones((1, 1)), horizon)


def _paths(kind: type[Structure]) -> StochasticRun:
    problem = matrix((2, 3), line_noise((2, 3), 0.2))
    return every_path(adagrad(kind((2, 3)), 0.6, 1e-3), problem, offset(problem), 9)


def _rotated(kind: type[Structure]) -> StochasticRun:
    problem = rotated((2, 2), NoNoise())
    return exactly(adagrad(kind((2, 2)), 0.5, 0.0), problem, offset(problem), 60)


def _other(structure: Structure) -> StochasticRun:
    problem = rotated(structure.shape, NoNoise())
    return exactly(adagrad(structure, 0.5, 0.0), problem, offset(problem), 30)
