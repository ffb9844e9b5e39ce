r"""The constants of the bounds: a majorant of the Hessian, one of the noise, the distance from the minimiser.

.. math::
    H_* \in \mathcal H, \; -H_* \preceq \nabla^2 f(x) \preceq H_*, \; \Lambda = \operatorname{Tr} H_*; \qquad
    W \in \mathcal H, \; \langle \operatorname{Cov} g(x), W^{-1}\rangle \le \operatorname{Tr} W =: \sigma; \qquad
    D = \max_t \|x_t - x_*\|_{\mathcal H} .

The smallest Λ is :math:`\Lambda_{\mathcal H}(f)`; every :math:`H_*` gives a true bound. Here it is the best of
:math:`c\,E(A)`, :math:`\|A\|_{\rm op} I` and what `convex.smoothness` found, A the declared curvature. With
:math:`W = P_{\mathcal H}(\Sigma)` the constant is
:math:`\operatorname{Tr} P_{\mathcal H}(\Sigma) \ge \sigma_{\mathcal H}`; without a declared Σ, W is scaled from the
points of an enumerated run. With :math:`H' = W/\operatorname{Tr}W`,
:math:`\mathbb E\|\xi\|_{H'^{-1}}^2 \le \sigma^2`.

Source: derived here (docs/proofs/stochastic.md#constants).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from convex.smoothness.adaptive import adaptive_smoothness
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.visited import noises
from structures.arrays import tree_map
from structures.base import Structure

__all__ = ["SLACK", "almost_sure_distance", "curvature_trace", "distances", "majorant", "noise_energy", "noise_trace"]

SLACK = 1e-10  # relative: constants are rounded up by so much, far more than their rounding
REGULAR = 1e-14  # of a covariance: rounding of its eigenvalues; σ grows by 1e-7 √d of itself
HALF = Fraction(1, 2)


def structure_of(run: StochasticRun) -> Structure:
    """The structure, or ValueError for a method without one."""
    if run.structure is None:
        raise ValueError(f"{type(run.core).__name__} has no structure, so that no bound in ‖·‖_H speaks about it.")
    return run.structure


def majorant(run: StochasticRun) -> Any:
    """Coordinates of H*."""
    return _majorant(run) if run.curvature is None else run.curvature


def curvature_trace(run: StochasticRun) -> float:
    """Λ = Tr H*."""
    return float(structure_of(run).trace(majorant(run)))


@lru_cache(maxsize=8)
def _majorant(run: StochasticRun) -> Any:
    K, A = structure_of(run), np.asarray(run.problem.curvature.dense(), dtype=np.float64)
    candidates = [K.project(A), K.identity(np.zeros(K.shape))]
    try:
        element = adaptive_smoothness(run.problem, K).element
    except ValueError:  # a set that is not well-structured: another hypothesis refuses it
        element = None
    if element is not None:
        candidates.append(K.project(np.asarray(element)))
    factors = [dominance(K.dense(H), A) for H in candidates]
    sizes = [factor * float(K.trace(H)) for factor, H in zip(factors, candidates, strict=True)]
    best = int(np.argmin(sizes))
    return tree_map(lambda c: factors[best] * c, candidates[best])


def dominance(H: np.ndarray, A: np.ndarray) -> float:  # (d, d), (d, d)
    """The least factor, rounded up, with factor · H ⪰ A ⪰ 0; inf when there is none."""
    values, vectors = np.linalg.eigh(H)
    seen = values > 1e-12 * max(values[-1], 0.0)
    outside = vectors[:, ~seen]
    if float(np.max(np.abs(A @ outside), initial=0.0)) > 1e-10 * float(np.max(np.abs(A))):
        return float("inf")
    root = vectors[:, seen] / np.sqrt(values[seen])
    top = float(np.linalg.eigvalsh(root.T @ A @ root)[-1]) if seen.any() else 0.0
    return top * (1.0 + SLACK)


def noise_trace(run: StochasticRun) -> float:
    """σ = Tr W; 0 for exact gradients."""
    return 0.0 if run.exact else float(structure_of(run).trace(noise_majorant(run)))


def noise_majorant(run: StochasticRun) -> Any:
    """Coordinates of W."""
    return _noise_majorant(run) if run.noise is None else run.noise


@lru_cache(maxsize=8)
def _noise_majorant(run: StochasticRun) -> Any:
    K, declared = structure_of(run), run.problem.noise_covariance(run.domain)
    if declared is not None:
        root = K.root(_regular(K, declared.project(K)))
        return tree_map(lambda c: (1.0 + SLACK) * c, root)
    root = K.root(_regular(K, _mean_covariance(run)))
    trace = float(K.trace(root))
    if trace == 0:
        return root
    largest = float(np.max(noise_energy(run, root)[0]))  # of <Cov, W⁻¹>; with cW it is largest / c
    return tree_map(lambda c: (largest / trace) ** 0.5 * (1.0 + SLACK) * c, root)


def _regular(K: Structure, covariance: Any) -> Any:
    """E(Σ), plus a little where it is singular: W⁻¹ then sees all of the noise, and <Σ, W⁻¹> ≤ <Σ + δI, W⁻¹> = Tr W holds."""
    values = K.factor(covariance).values
    if float(np.min(values)) > REGULAR * float(np.max(values)):
        return covariance
    delta = REGULAR * float(K.trace(covariance)) / K.dim
    return tree_map(lambda c, i: c + delta * i, covariance, K.identity(np.zeros(K.shape)))


def _mean_covariance(run: StochasticRun) -> Any:
    """E of the covariance, averaged over the points of the run."""
    K, total, count = structure_of(run), None, 0
    for noise, probabilities, _ in noises(run):

        def mean(c: np.ndarray, p: np.ndarray = probabilities) -> np.ndarray:
            return np.sum(np.tensordot(p, c, axes=(0, 0)), axis=0)

        part = tree_map(mean, K.outer(noise))
        total = part if total is None else tree_map(np.add, total, part)
        count += noise.shape[1]
    return tree_map(lambda c: c / count, total)


def noise_energy(run: StochasticRun, W: Any) -> tuple[np.ndarray, float]:  # -> (k,), relative residual
    """<Cov g(y), W⁻¹> at the points of the run, and what part of the noise W⁻¹ cannot see."""
    K, energies, missed, size = structure_of(run), [], 0.0, float(np.finfo(float).tiny)
    factor = K.factor(W)
    for noise, probabilities, _ in noises(run):
        whitened = factor.apply(-1, noise)
        energies.append(np.tensordot(probabilities, np.sum(K.flatten(noise * whitened), axis=-1), axes=(0, 0)))
        missed = max(missed, float(np.max(np.abs(factor.apply(1, whitened) - noise), initial=0.0)))
        size = max(size, float(np.max(np.abs(noise), initial=0.0)))
    return np.concatenate(energies), missed / size


def distances(run: StochasticRun) -> np.ndarray:  # (T, B)
    """max over s ≤ t of ‖x_s - x*‖_H, x_1, ..., x_T."""
    K = structure_of(run)
    return np.maximum.accumulate(K.norm(run.iterates[:-1] - comparator(run)), axis=0)


def almost_sure_distance(run: StochasticRun) -> float:
    """D, a constant for every path: over all paths where they were all run, of the domain otherwise; inf if neither."""
    if run.enumerated:
        return float(np.max(distances(run))) * (1.0 + SLACK)
    if run.domain is None:
        return float("inf")
    K, domain = structure_of(run), run.domain.on(run.problem.shape)
    reach = domain.radius(K) + float(K.norm(comparator(run)))  # x* may be near the centre
    return min(domain.diameter(K), reach) * (1.0 + SLACK)


def comparator(run: StochasticRun) -> np.ndarray:  # (*shape)
    """x*. Raises ValueError for a problem without a known minimiser."""
    if run.problem.solution is None:
        raise ValueError(f"{run.problem!r} knows no minimiser.")
    return np.asarray(run.problem.solution)
