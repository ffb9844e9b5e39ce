r"""Hypotheses about a problem: convexity, a majorant of the Hessian, a minimiser, a distance. Its noise: `of_noise`.

.. math::
    f \text{ convex}, \quad -H_* \preceq \nabla^2 f \preceq H_* \text{ on } \mathbb R^d, \quad
    \nabla f(x_*) = 0, \quad \|x_t - x_*\|_{\mathcal H} \le D \text{ a.s.}

Source: derived here (docs/proofs/stochastic.md#what-is-checked).
"""

from __future__ import annotations

from math import inf, isfinite

import numpy as np

from convex.theorems.stochastic import constants
from convex.theorems.stochastic.audit import bregman_faults, hessian_excess
from convex.theorems.stochastic.constants import SLACK
from convex.theorems.stochastic.of_run import LOOSE, guarded
from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.visited import heights, slopes
from problems.domains.audit import domain_check
from theory.theorem import Check

__all__ = ["BELOW", "BOUNDED", "CONVEX", "DECLARED", "MINIMISER", "PROJECTED", "SMOOTH", "vanishing"]

OPTIMAL = 1e-6  # relative: a gradient larger than this beside those of the run is not 0; a smaller one is paid for
SOME_TERMS = 16  # gradients of a step at x*, for the size of what cancels there


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


PROJECTED = guarded("projected", r"x_t, x_* \in \mathcal X, \text{ projections with finite gaps } \delta_t", _projected)


def _minimiser(run: StochasticRun) -> Check:
    if run.problem.solution is None:
        return Check(False, -1.0, "the problem knows no minimiser, and the bound is in the distance from one")
    there = run.problem.gradient(constants.comparator(run))
    off, scale = float(np.max(np.abs(there))), float(np.max(np.abs(slopes(run))))
    room = vanishing(run)
    return Check(off <= room, room - off, f"the gradient at x* is {off:.2g}, the largest of the run {scale:.2g}")


def vanishing(run: StochasticRun) -> float:
    """How large an entry of ∇f(x*) is taken for 0: small beside the run's gradients, or the rounding of terms that cancel.

    The budgets of the theorems pay for it: `smooth_theorem.minimiser_error`.
    """
    f, solution = run.problem, constants.comparator(run)
    scale = float(np.max(np.abs(slopes(run))))
    draws = f.noise(batch=SOME_TERMS, seed=20_251_122).draw(1)[0]
    terms = f.stochastic_gradient(np.broadcast_to(solution, (SOME_TERMS, *f.shape)), draws)
    size = float(np.max(np.abs(terms))) + f.smoothness * float(np.sum(solution**2)) ** 0.5
    return max(OPTIMAL * scale, 64.0 * float(np.finfo(np.float64).eps) * (f.dim + 4) * size)


MINIMISER = guarded("minimiser", r"\nabla f(x_*) = 0", _minimiser)


def _below(run: StochasticRun) -> Check:
    lower = run.problem.minimum.lower
    found = float(min(np.min(heights(run)), np.min(run.problem.value(run.answers[-1]))))
    room = 1e-12 * (abs(lower) + abs(found))
    return Check(
        bool(isfinite(lower) and lower <= found + room),
        found - lower,
        f"f is {found:.6g} or more, inf f {lower:.6g} or more",
    )


BELOW = guarded("bounded-below", r"f \ge \inf f > -\infty", _below)


def _declared(run: StochasticRun) -> Check:
    known = run.exact or run.problem.noise_covariance(run.domain) is not None
    own = run.curvature is None and run.noise is None
    reason = "a covariance is declared" if known else "no covariance is declared"
    return Check(
        known and own, 1.0 if known and own else -1.0, reason if own else "the majorants are not the declared ones"
    )


DECLARED = guarded(
    "declared", r"\nabla^2 f \preceq A, \; \operatorname{Cov} g \preceq \Sigma, \text{ as declared}", _declared
)


def _bounded(run: StochasticRun) -> Check:
    D = constants.almost_sure_distance(run)
    how = "over all paths" if run.enumerated else "of the domain"
    found = float(np.max(constants.distances(run)))
    ok = isfinite(D) and found <= D * (1.0 + SLACK)
    return Check(ok, D - found if isfinite(D) else -1.0, f"D = {D:.6g} {how}; the run is at most {found:.6g} away")


BOUNDED = guarded("bounded", r"\|x_t - x_*\|_{\mathcal H} \le D \text{ almost surely, } D \text{ a constant}", _bounded)


def _convex(run: StochasticRun) -> Check:
    worst = bregman_faults(run).below
    said = run.problem.convex
    return Check(said and worst <= LOOSE, LOOSE - worst, f"a tangent rises above f by {max(worst, 0.0):.2g} relative")


CONVEX = guarded("convex", r"f(v) \ge f(u) + \langle \nabla f(u), v - u\rangle", _convex)


def _smooth(run: StochasticRun) -> Check:
    faults = bregman_faults(run)
    worst = max(faults.above, faults.under, hessian_excess(run))
    reason = f"Lambda = {constants.curvature_trace(run):.6g}; f leaves its majorant by {max(worst, 0.0):.2g} relative"
    return Check(worst <= LOOSE, LOOSE - worst, reason)


SMOOTH = guarded(
    "smooth", r"-H_* \preceq \nabla^2 f(x) \preceq H_* \;\; \forall x \in \mathbb R^d, \quad H_* \in \mathcal H, "
    r"\; \Lambda = \operatorname{Tr} H_*", _smooth,
)  # fmt: skip
