r"""Hypotheses about a problem's noise: unbiased gradients, a majorant of the covariance.

.. math::
    \mathbb E[g(y, \omega)] = \nabla f(y), \qquad \langle \operatorname{Cov} g(y), W^{-1}\rangle \le \operatorname{Tr} W

at every point y of the run where the outcomes of a step can be listed. Otherwise both are looked at in the run's own draws,
and in `MANY` others at a few points that are far from each other, with an allowance for chance that the declared covariance
gives; without one they are not decided.

Source: derived here (docs/proofs/stochastic.md#what-is-checked).
"""

from __future__ import annotations

from math import inf

import numpy as np

from convex.theorems.stochastic import constants
from convex.theorems.stochastic.of_run import LOOSE, guarded
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.visited import apart, cancelled, noises, own_noise, slopes
from problems.operators import SymmetricOperator
from problems.smooth.drawn import above_rounding, excess, known_variance
from theory.statistics import e_process
from theory.theorem import Check

__all__ = ["NOISE", "UNBIASED"]

MANY = 4000  # draws at one point, where outcomes cannot be listed
PLACES = 8  # points where they are drawn
BLOCKS = 16  # of the run's steps, each with a mean of its own
BLIND = 1e-12  # relative: along a smaller eigenvalue W sees nothing
LARGEST = 200  # parameters beyond which no covariance is formed
REFUTING = 1e13  # evidence against a mean: chance alone reaches it with probability 1e-13 (Ville's inequality)
TINY = float(np.finfo(float).tiny)


def _unbiased(run: StochasticRun) -> Check:
    if run.exact:
        return Check(True, inf, "gradients are exact")
    if run.problem.outcomes() is not None:
        off = _listed_bias(run)
        return Check(off <= LOOSE, LOOSE - off, f"the mean over all outcomes is {off:.2g} off, relative")
    covariance = run.problem.noise_covariance(run.domain)
    if covariance is None:
        return Check(None, 0.0, "neither outcomes nor a covariance are declared: no mean of draws can be judged")
    off = max(_sampled_bias(run, covariance), _own_bias(run, covariance))
    return Check(off <= 1.0, 1.0 - off, f"means of draws are {off:.2g} of what chance allows off")


def _listed_bias(run: StochasticRun) -> float:
    """Of the mean over all outcomes at the points of the run, relative to the largest gradient."""
    off, size = 0.0, TINY
    for noise, probabilities, exact in noises(run):
        off = max(off, float(np.max(np.abs(np.tensordot(probabilities, noise, axes=(0, 0))))))
        size = max(size, float(np.max(np.abs(noise))), float(np.max(np.abs(exact))))
    return max(0.0, off - cancelled(run)) / size


def _sampled_bias(run: StochasticRun, covariance: SymmetricOperator) -> float:
    """`excess` of each entry of the noise in `MANY` draws at a few points."""
    variance = np.diagonal(np.asarray(covariance.dense())) if run.problem.dim <= LARGEST else None
    worst = 0.0
    for k, point in enumerate(apart(run, PLACES)):
        noise, exact = _sample(run, point, k)
        flat = above_rounding(noise, noise + exact, cancelled(run)).reshape(MANY, -1)
        spread = np.full(run.problem.dim, covariance.norm_bound) if variance is None else variance
        worst = max(worst, excess(flat.T, MANY * spread))
    return worst


def _own_bias(run: StochasticRun, covariance: SymmetricOperator) -> float:
    """`excess` of Σ<w_t, ξ_t> over the run, for w_t = ∇f(y_t), and w_t = y_t - x*."""
    variance, noise = known_variance(covariance), own_noise(run)
    weights = [slopes(run)]
    if run.problem.solution is not None:
        weights.append(run.points - constants.comparator(run))
    return max(excess(np.sum(noise * w.reshape(noise.shape), axis=-1).reshape(-1), variance(w)) for w in weights)


def _sample(run: StochasticRun, point: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    """(MANY, *shape), (*shape): noise of the gradient at one point, from a seed that no run uses, and the gradient."""
    draws = run.problem.noise(batch=1, seed=20_251_122, first=place).draw(MANY)[:, 0]
    exact = run.problem.gradient(point)
    return run.problem.stochastic_gradient(np.repeat(point[None], MANY, axis=0), draws) - exact, exact


UNBIASED = guarded("unbiased", r"\mathbb E[g(y, \omega)] = \nabla f(y)", _unbiased)


def _noise(run: StochasticRun) -> Check:
    if run.exact:
        return Check(True, inf, "there is no noise")
    if run.noise is None and run.problem.outcomes() is None and run.problem.noise_covariance(run.domain) is None:
        where = "on the whole space: keep the iterates in a domain" if run.domain is None else "in the domain"
        return Check(False, -1.0, f"no covariance is declared {where}, and outcomes are too many to be listed")
    sigma = constants.noise_trace(run)
    tests = [] if run.problem.outcomes() is None else [_visited_noise(run)]
    if not run.enumerated:  # what was not visited could have been
        declared = _declared_noise(run)
        if declared is None:
            return Check(None, 0.0, "no covariance is declared that could be looked at")
        tests.append(declared)
    if run.problem.outcomes() is None:
        tests += [_sampled_noise(run), _own_energy(run)]
    found = max(tests)
    excess = (found - sigma) / max(sigma, TINY)
    return Check(excess <= LOOSE, LOOSE - excess, f"<Cov, W^-1> is at most {found:.6g}, Tr W = {sigma:.6g}")


def _visited_noise(run: StochasticRun) -> float:
    """<Cov, W⁻¹> at the points of the run; inf when W does not see all of the noise."""
    energy, missed = constants.noise_energy(run, constants.noise_majorant(run))
    return float(np.max(energy)) if missed <= LOOSE else inf


def _declared_noise(run: StochasticRun) -> float | None:
    """<Σ, W⁻¹> of the declared covariance; inf when W does not see all of it, None without one or where it is too large."""
    declared, K = run.problem.noise_covariance(run.domain), constants.structure_of(run)
    if declared is None or K.dim > LARGEST:
        return None
    Sigma = np.asarray(declared.dense())
    # W⁻¹W is the identity up to the condition number of W only: what W sees is read off its eigenvectors.
    values, vectors = np.linalg.eigh(K.dense(constants.noise_majorant(run)))
    along = np.sum(vectors * (Sigma @ vectors), axis=0)
    seen = values > BLIND * max(float(values[-1]), 0.0)
    unseen, total = float(np.sum(along[~seen])), float(np.trace(Sigma))
    return float(np.sum(along[seen] / values[seen])) if unseen <= LOOSE * total else inf


def _sampled_noise(run: StochasticRun) -> float:
    """What `MANY` draws at a few points say of <Cov, W⁻¹>."""
    factor = constants.structure_of(run).factor(constants.noise_majorant(run))
    places = enumerate(apart(run, PLACES))
    return max(_surely(run, factor.quad(-1, _sample(run, x, k)[0])) for k, x in places)


def _own_energy(run: StochasticRun) -> float:
    """Likewise of the run's own draws, a block of steps at a time."""
    K = constants.structure_of(run)
    energy = K.factor(constants.noise_majorant(run)).quad(-1, K.unflatten(own_noise(run)))
    blocks = np.array_split(energy, min(BLOCKS, run.horizon))
    return max(_surely(run, block.reshape(-1)) for block in blocks)


def _surely(run: StochasticRun, energies: np.ndarray) -> float:  # (n,) each with mean at most σ, given those before
    """Their mean where it refutes that they have a mean of at most σ, else no more than σ.

    Wealth of bets against σ: it needs no variance, which a single step does not show and heavy tails hide.
    """
    sigma, mean = constants.noise_trace(run), float(np.mean(energies))
    if sigma <= TINY or not np.all(np.isfinite(energies)):
        return mean if mean > sigma else sigma
    wealth = float(np.max(e_process(energies / (sigma * (1.0 + LOOSE)), 1.0)))
    return mean if wealth >= REFUTING else min(mean, sigma)


NOISE = guarded(
    "noise", r"\langle \operatorname{Cov} g(y), W^{-1}\rangle \le \operatorname{Tr} W = \sigma, \quad W \in \mathcal H", _noise
)  # fmt: skip
