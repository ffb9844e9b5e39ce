r"""Adaptive variance of a stochastic gradient in a structure.

.. math::
    \sigma_{\mathcal H}^2 = \min_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} \; \sup_{x}
    \mathbb E \|g(x, \omega) - \nabla f(x)\|_{H^{-1}}^2, \qquad
    \operatorname{Cov} g \preceq \Sigma \;\Rightarrow\; \sigma_{\mathcal H} \le \operatorname{Tr} P_{\mathcal H}(\Sigma),

with equality when Σ is the covariance at one x. So the declared Σ gives the upper end; the covariances at given points, where a
step has finitely many outcomes, give a lower one each.

Source: Xie et al. 2025, arXiv 2511.20584 (definition); the closed form derived here, docs/proofs/adaptive-smoothness.md#noise.
"""

from __future__ import annotations

from math import inf

import numpy as np

from convex.smoothness.bracket import Bracket
from problems.domains import Domain
from problems.operators import SymmetricOperator
from problems.smooth.base import SmoothProblem
from structures import Structure
from structures.arrays import Array, asarray_like, namespace, to_numpy, tree_map

__all__ = ["adaptive_noise", "covariance_noise"]


def covariance_noise(covariance: SymmetricOperator, structure: Structure) -> float:
    """Tr P_H(Σ). Raises ValueError for a set that is not well-structured, for which E(Σ) does not determine P_H(Σ)."""
    if not structure.well_structured:
        raise ValueError(f"{structure} is not well-structured: Tr P_H(Σ) needs more than the projection of Σ.")
    return float(structure.trace(structure.root(covariance.double().project(structure))))


def adaptive_noise(
    problem: SmoothProblem,
    structure: Structure,
    domain: Domain | None = None,  # where the iterates stay; None: anywhere
    points: Array | None = None,  # (k, *shape) inside the domain, for the lower end
) -> Bracket:
    """σ_H from both sides; the upper end is inf where the problem declares no bound (least squares on all of space).

    Raises ValueError for a structure of another shape or one that is not well-structured.
    """
    covariance = problem.noise_covariance(domain)
    upper = inf if covariance is None else covariance_noise(covariance, structure)
    if problem.exact_covariance and covariance is not None:
        return _rounded(covariance, structure)
    lower = 0.0 if points is None else max(_at_point(problem, structure, x) for x in points)
    said = "" if points is not None else "the lower end is trivial, for no points were given"
    return Bracket(min(lower, upper), upper, "Tr P_H(Σ) of the declared bound of the covariance", said)


def _rounded(covariance: SymmetricOperator, structure: Structure) -> Bracket:
    """Tr P_H(Σ) with its rounding: an eigenvalue that is off by e has a root that is off by min(e/√λ, √(2e)) at most."""
    factor = structure.factor(covariance.double().project(structure))
    values, weights = to_numpy(factor.values), to_numpy(factor.weights)
    error = 16.0 * structure.dim * float(np.finfo(np.float64).eps) * values  # relative, where nothing mixes entries
    if np.any(to_numpy(factor.floor) > 0):
        error = np.full_like(values, float(np.max(error)))
    roots = np.sqrt(values)
    slack = np.minimum(np.divide(error, roots, out=np.full_like(roots, inf), where=roots > 0), np.sqrt(2.0 * error))
    middle, off = float(weights @ roots), float(weights @ slack)
    method = "Tr P_H(Σ), the covariance is Σ at every point"
    return Bracket(max(0.0, middle - off), middle + off, method)


def _at_point(problem: SmoothProblem, structure: Structure, x: Array) -> float:
    """Tr P_H of the covariance at x, from all outcomes of one step; 0 where they cannot be listed."""
    outcomes = problem.outcomes()
    if outcomes is None:
        return 0.0
    xp, ndim = namespace(x), len(problem.shape)
    wide = xp.broadcast_to(x, (len(outcomes.draws), *x.shape))
    errors = problem.stochastic_gradient(wide, outcomes.draws) - problem.gradient(x)
    roots = np.sqrt(outcomes.probabilities).reshape(-1, *[1] * ndim)
    weighted = errors * asarray_like(roots, x)
    covariance = tree_map(lambda c: namespace(c).sum(c, axis=0), structure.outer(weighted))
    return float(structure.trace(structure.root(covariance)))
