r"""The hypotheses of the theorems on adaptive methods, each checked on a run.

.. math::
    \text{the run is the method's}, \quad \mathbb E g(x) = \nabla f(x), \quad f \text{ convex}, \quad
    -H_* \preceq \nabla^2 f \preceq H_* \text{ on } \mathbb R^d, \quad \nabla f(x_*) = 0, \quad
    \langle \operatorname{Cov} g, W^{-1}\rangle \le \operatorname{Tr} W, \quad \|x_t - x_*\|_{\mathcal H} \le D \text{ a.s.}

Source: derived here (docs/proofs/stochastic.md#what-is-checked).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite

import numpy as np

from convex.theorems.stochastic import constants
from convex.theorems.stochastic.audit import bregman_faults, hessian_excess
from convex.theorems.stochastic.constants import SLACK
from convex.theorems.stochastic.runs import StochasticRun, asks_where_it_stands, is_accelerated, is_adaptive, paths
from convex.adaptive import SteepestDescent
from problems.domains.audit import domain_check
from structures.jordan import jordan_check
from theory.theorem import Assumption, Check

__all__ = [
    "ACCELERATED", "ADAGRAD", "ADAPTIVE", "BOUNDED", "CONVEX", "CUMULATIVE", "DRAWN", "ENUMERATED", "EXACT", "MINIMISER", "NOISE",
    "ONE_RATE", "PLAYED", "PROJECTED", "SMOOTH", "STEEPEST", "UNBIASED", "UNCONSTRAINED", "WELL_STRUCTURED",
]  # fmt: skip

LOOSE = 1e-9  # relative: a replayed run may add in another order
OPTIMAL = 1e-8  # relative: a gradient larger than this beside those of the run is not 0


def _played(run: StochasticRun) -> Check:
    try:
        again = run.replayed()
    except (ValueError, TypeError) as error:
        return Check(False, -1.0, f"the run cannot be played again: {error}")
    worst = 0.0
    for name in ("points", "gradients", "iterates", "answers"):
        worst = max(worst, _apart(getattr(run, name), getattr(again, name)))
    for name, series in again.scalars.items():
        worst = max(worst, _apart(run.scalars[name], series))
    return Check(worst <= LOOSE, LOOSE - worst, f"replayed from its draws the run is {worst:.2g} off, relative")


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape or not np.all(np.isfinite(a)):
        return inf
    size = float(np.max(np.abs(b), initial=0.0))
    return float(np.max(np.abs(a - b), initial=0.0)) / (size if size > 0 else 1.0)


PLAYED = Assumption("played", r"\text{the points are those of the method on the drawn noise}", _played)


def _drawn(run: StochasticRun) -> Check:
    departure = _departure(run)
    return Check(not departure, -1.0 if departure else 1.0, departure or "the noise is drawn as it should be")


def _departure(run: StochasticRun) -> str:
    """How the draws differ from independent ones of the problem's noise, or an empty string."""
    if run.draws is None:
        return "" if run.x0.shape[0] == 1 or run.probabilities is None else "exact gradients are one path, not several"
    if run.probabilities is not None:
        outcomes = run.problem.outcomes()
        if outcomes is None:
            return "the outcomes of a step cannot be listed"
        draws, probabilities = paths(outcomes, run.horizon)
        same = np.array_equal(draws, run.draws) and np.allclose(probabilities, run.probabilities, rtol=1e-12, atol=0)
        return "" if same else "the paths are not all the paths, each with its probability"
    if run.seed is None:
        return "neither probabilities nor a seed say where the noise comes from"
    again = run.problem.noise(batch=run.x0.shape[0], seed=run.seed).draw(run.horizon)
    return "" if np.array_equal(again, run.draws) else f"the noise is not what seed {run.seed} draws"


DRAWN = Assumption("drawn", r"\omega_1, \dots, \omega_T \text{ independent, from the problem's noise}", _drawn)


def _one_start(run: StochasticRun) -> Check:
    same = bool(np.all(run.x0 == run.x0[:1])) and len(run.rates) == 1
    return Check(same, 1.0 if same else -1.0, "one start and one rate" if same else "starts or rates differ")


ONE_RATE = Assumption("one-rate", r"\eta \text{ and } x_1 \text{ fixed in advance, the same for all paths}", _one_start)


def _enumerated(run: StochasticRun) -> Check:
    reason = "all paths were run" if run.enumerated else "seeds: the expectations in the bound and D are not known"
    return Check(True if run.enumerated else None, 1.0 if run.enumerated else 0.0, reason)


ENUMERATED = Assumption(
    "enumerated", r"\text{all paths are run, so that the bound's expectations are known}", _enumerated
)


def _is(name: str, statement: str, test: Callable[[StochasticRun], bool], what: str) -> Assumption:
    def check(run: StochasticRun) -> Check:
        fits = test(run)
        return Check(fits, 1.0 if fits else -1.0, f"{run.method}" if fits else f"{run.method} is not {what}")

    return Assumption(name, statement, check)


EXACT = _is("exact-gradients", r"g_t = \nabla f(y_t)", lambda run: run.exact, "played with exact gradients")
ADAPTIVE = _is(
    "adaptive-regularization",
    r"x_{t+1} = x_t - \eta H_t^{-1} g_t, \quad H_t = P_{\mathcal H}(\bar M_t + \varepsilon I), \quad \eta > 0, \varepsilon \ge 0 \text{ fixed}",
    lambda run: asks_where_it_stands(run) and is_adaptive(run), "plain adaptive regularization",
)  # fmt: skip
CUMULATIVE = _is(
    "cumulative", r"M_t = M_{t-1} + g_t g_t^\top,\ M_0 = \varepsilon I",
    lambda run: getattr(run.core, "accumulate", None) == "cumulative", "cumulative",
)  # fmt: skip
ACCELERATED = _is(
    "accelerated", r"y_t = \alpha_t x_t + (1 - \alpha_t)\bar x_t, \quad \alpha_t = \tfrac2{t+2}, \quad g_t = g(y_t)/\alpha_t",
    lambda run: is_accelerated(run) and is_adaptive(run), "accelerated adaptive regularization",
)  # fmt: skip
STEEPEST = _is(
    "steepest-descent",
    r"x_{t+1} = x_t - \eta u_t, \quad \|u_t\|_{\mathcal H} \le 1, \quad \langle m_t, u_t\rangle = \|m_t\|_{\mathcal H,*}",
    lambda run: type(run.method) is SteepestDescent, "steepest descent",
)  # fmt: skip
UNCONSTRAINED = _is("unconstrained", r"\mathcal X = \mathbb R^d", lambda run: run.domain is None, "unconstrained")


def _well_structured(run: StochasticRun) -> Check:
    if run.structure is None:
        return Check(False, -1.0, f"{type(run.core).__name__} has no structure")
    return jordan_check(run.structure)


WELL_STRUCTURED = Assumption(
    "well-structured",
    r"\mathcal H = J \cap S_+^d \text{ with } J \ni I \text{ linear and closed under squaring, and } P_{\mathcal H} = E^{1/2}",
    _well_structured,
)


def _projected(run: StochasticRun) -> Check:
    gaps = run.scalars["gap"]
    if not (np.all(np.isfinite(gaps)) and np.min(gaps) >= 0):
        return Check(False, -1.0, "a projection gap is negative or not finite")
    if run.domain is None:
        return Check(True, inf, "unconstrained")
    domain = run.domain.on(run.problem.shape)
    audit = domain_check(run.domain, run.problem.shape, run.structure)
    if not audit.ok:
        return audit
    allowed = 1e-12 * (1.0 + domain.euclidean_radius(run.problem.shape)) * run.problem.dim
    found = float(np.max(domain.infeasibility(run.iterates)))
    outside = float(domain.infeasibility(constants.comparator(run)))
    reason = f"iterates leave the domain by {found:.2g}, x* by {outside:.2g}; gaps are part of the bound"
    return Check(max(found, outside) <= allowed, allowed - max(found, outside), reason)


PROJECTED = Assumption(
    "projected", r"x_t, x_* \in \mathcal X, \text{ projections with finite gaps } \delta_t", _projected
)


def _minimiser(run: StochasticRun) -> Check:
    if run.problem.solution is None:
        return Check(None, 0.0, "the problem knows no minimiser")
    there = run.problem.gradient(constants.comparator(run))
    off, scale = float(np.max(np.abs(there))), float(np.max(np.abs(run.problem.gradient(run.points))))
    room = OPTIMAL * scale
    return Check(off <= room, room - off, f"the gradient at x* is {off:.2g}, the largest of the run {scale:.2g}")


MINIMISER = Assumption("minimiser", r"\nabla f(x_*) = 0", _minimiser)


def _unbiased(run: StochasticRun) -> Check:
    if run.exact:
        return Check(True, inf, "gradients are exact")
    points = run.points[0, :1] if run.points.shape[1] == 1 else np.concatenate([run.points[0, :1], run.points[-1, :3]])
    outcomes, exact = run.problem.outcomes(), run.problem.gradient(points)
    if outcomes is not None:
        drawn = [run.problem.stochastic_gradient(points, np.repeat(d[None], len(points), 0)) for d in outcomes.draws]
        off = np.tensordot(outcomes.probabilities, np.stack(drawn), axes=(0, 0)) - exact
        size = max(float(np.max(np.abs(drawn))), np.finfo(float).tiny)
        worst = float(np.max(np.abs(off))) / size
        return Check(worst <= LOOSE, LOOSE - worst, f"the mean over all outcomes is {worst:.2g} off, relative")
    return _sampled_mean(run, points[:1], exact[:1])


def _sampled_mean(run: StochasticRun, points: np.ndarray, exact: np.ndarray) -> Check:
    """Where outcomes cannot be listed: 2000 of them, against six standard errors of each entry."""
    many = 2000
    draws = run.problem.noise(batch=1, seed=20_251_122).draw(many)[:, 0]
    at = np.repeat(points, many, axis=0)
    noise = run.problem.stochastic_gradient(at, draws) - exact
    error = np.std(noise, axis=0) / many**0.5
    worst = float(np.max(np.abs(noise.mean(axis=0)) - 6.0 * error)) / max(float(np.max(np.abs(exact))), 1e-300)
    return Check(
        worst <= LOOSE, LOOSE - worst, f"the mean of {many} draws is within six standard errors by {-worst:.2g}"
    )


UNBIASED = Assumption("unbiased", r"\mathbb E[g(y, \omega)] = \nabla f(y)", _unbiased)


def _noise(run: StochasticRun) -> Check:
    if run.exact:
        return Check(True, inf, "there is no noise")
    W, sigma = constants.noise_majorant(run), constants.noise_trace(run)
    if run.problem.outcomes() is None:
        return _declared_noise(run, sigma)
    energy, missed = constants.noise_energy(run, W)
    found = float(np.max(energy))
    excess = max((found - sigma) / max(sigma, np.finfo(float).tiny), missed)
    everywhere = run.enumerated or run.problem.noise_covariance(run.domain) is not None
    reason = f"<Cov, W^-1> is at most {found:.6g} at the points of the run, Tr W = {sigma:.6g}"
    return Check((excess <= LOOSE) if everywhere or excess > LOOSE else None, LOOSE - excess, reason)


def _declared_noise(run: StochasticRun, sigma: float) -> Check:
    declared = run.problem.noise_covariance(run.domain)
    if declared is None:
        return Check(None, 0.0, "neither outcomes nor a covariance are declared")
    K = constants.structure_of(run)
    if K.dim > 200:
        return Check(None, 0.0, "too many parameters for a dense check of the covariance")
    factor = K.factor(constants.noise_majorant(run))
    inverse = K.dense(factor.power(-1))
    found = float(np.sum(inverse * np.asarray(declared.dense())))
    excess = (found - sigma) / max(sigma, np.finfo(float).tiny)
    return Check(excess <= LOOSE, LOOSE - excess, f"<Sigma, W^-1> = {found:.6g}, Tr W = {sigma:.6g}")


NOISE = Assumption(
    "noise", r"\langle \operatorname{Cov} g(y), W^{-1}\rangle \le \operatorname{Tr} W = \sigma, \quad W \in \mathcal H", _noise
)  # fmt: skip


def _bounded(run: StochasticRun) -> Check:
    D = constants.almost_sure_distance(run)
    how = "over all paths" if run.enumerated else "of the domain"
    found = float(np.max(constants.distances(run)))
    ok = isfinite(D) and found <= D * (1.0 + SLACK)
    return Check(ok, D - found if isfinite(D) else -1.0, f"D = {D:.6g} {how}; the run is at most {found:.6g} away")


BOUNDED = Assumption(
    "bounded", r"\|x_t - x_*\|_{\mathcal H} \le D \text{ almost surely, } D \text{ a constant}", _bounded
)


def _convex(run: StochasticRun) -> Check:
    worst = bregman_faults(run).below
    said = run.problem.convex
    return Check(said and worst <= LOOSE, LOOSE - worst, f"a tangent rises above f by {max(worst, 0.0):.2g} relative")


CONVEX = Assumption("convex", r"f(v) \ge f(u) + \langle \nabla f(u), v - u\rangle", _convex)


def _smooth(run: StochasticRun) -> Check:
    faults = bregman_faults(run)
    worst = max(faults.above, faults.under, hessian_excess(run))
    reason = f"Lambda = {constants.curvature_trace(run):.6g}; f leaves its majorant by {max(worst, 0.0):.2g} relative"
    return Check(worst <= LOOSE, LOOSE - worst, reason)


SMOOTH = Assumption(
    "smooth", r"-H_* \preceq \nabla^2 f(x) \preceq H_* \;\; \forall x \in \mathbb R^d, \quad H_* \in \mathcal H, "
    r"\; \Lambda = \operatorname{Tr} H_*", _smooth,
)  # fmt: skip

ADAGRAD = (PLAYED, DRAWN, ONE_RATE, ADAPTIVE, CUMULATIVE, WELL_STRUCTURED)
