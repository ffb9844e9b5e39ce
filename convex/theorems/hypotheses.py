r"""The hypotheses that the theorems on DASVRDA share, each checked on a run.

.. math::
    I_k \sim q^b \text{ i.i.d.}, \qquad F_i \text{ convex and } L_i\text{-smooth on } \mathbb R^d, \qquad
    R \text{ convex with an exact proximal point}, \qquad 0 \in \partial P(x_*) .

Source: derived here (docs/proofs/dasvrda.md).
"""

from __future__ import annotations

from functools import lru_cache
from math import isfinite

import numpy as np

from convex.solvers.sampling import variance_constant
from convex.theorems.audit import Excess, Sum, Terms, prox_fault, smoothness_faults
from convex.theorems.bounds import stage_rho
from convex.theorems.comparator import residual
from convex.theorems.runs import OuterRun, StageRun
from theory.theorem import Assumption, Check

__all__ = ["COMMON", "GROWING", "MINIMISER", "ONE_LOOP", "PUBLISHED", "SHARP_STEP", "WEIGHT_SLOPE"]
__all__ += ["OUTER_WEIGHTS", "lack", "rho_of", "rounding"]

Run = StageRun | OuterRun
EPS = float(np.finfo(np.float64).eps)
LOOSE = 1e-9  # relative: a declared constant may be rounded, and a replayed run may add in another order
OPTIMAL = 1e-6  # relative to the bound: a comparator that is further from optimal is not a minimiser


def rounding(run: Run) -> float:
    """A relative bound of what the floating-point numbers of a run are off: 16 eps for each term of its longest sums."""
    drawn = run.draws.indices.shape[0] * run.minibatch
    return 16.0 * EPS * (run.problem.samples + drawn + int(np.prod(run.problem.shape)))


def smoothness_of(run: Run) -> float:
    """L_F, as declared."""
    return run.problem.smoothness


def variance_of(run: Run) -> float:
    """ℓ = max L_i/(n q_i), as declared; inf for probabilities that leave a curved sample out."""
    try:
        return variance_constant(run.problem, run.q)
    except ValueError:
        return float("inf")


def rho_of(run: Run) -> float:
    """ρ(η) of the step that was taken."""
    return stage_rho(run.step, run.length, run.minibatch, smoothness_of(run), variance_of(run))


def largest_lack(run: Run) -> float:
    """A bound of P(u) - P(x) over the points of the run: the length of a subgradient at u times their distance from it."""
    points = np.concatenate([run.visited, run.recorded().reshape(-1, *run.problem.shape)])
    axes = tuple(range(1, points.ndim))
    reach = float(np.sqrt(np.max(np.sum((points - run.comparator) ** 2, axis=axes))))
    return residual(run.problem, run.comparator) * reach


def allowed_lack(run: Run) -> float:
    """How far from least P may be at a comparator that is called a minimiser: a millionth of what bounds are made of."""
    start, ytil = (run.xtil, run.ytil) if isinstance(run, StageRun) else (run.x0, run.z0)
    here = float(run.problem.value(run.comparator))
    gap, squared = abs(float(run.problem.value(start)) - here), float(np.sum((ytil - run.comparator) ** 2))
    return OPTIMAL * (gap + squared / run.step) + rounding(run) * abs(here)


def lack(run: Run) -> float:
    """What the comparator is off, for the budget: never more than a minimiser may be."""
    return min(largest_lack(run), allowed_lack(run))


def _played(run: Run) -> Check:
    if run.misfit:
        return Check(False, -1.0, run.misfit)
    recorded, replayed = run.recorded(), run.replayed()
    off = float(np.max(np.abs(recorded - replayed)))
    room = LOOSE * float(np.max(np.abs(recorded)) + np.max(np.abs(run.visited)))
    return Check(bool(off <= room), room - off, f"replayed from its indices the run is {off:.2g} off")


PLAYED = Assumption(
    "played", r"\text{the points are those of the algorithm on the drawn indices}", _played
)  # fmt: skip


def _sampling(run: Run) -> Check:
    if isfinite(variance_of(run)):
        departure = run.draws.departure(run.q)
    else:
        departure = "q is no distribution, or leaves out a sample with L_i > 0"
    drawn = "all paths with their probabilities" if run.draws.enumerated else f"seed {run.draws.seed}, drawn again"
    return Check(not departure, -1.0 if departure else 1.0, departure or drawn)


SAMPLING = Assumption(
    "iid-sampling", r"I_k = (i_1, \dots, i_b) \text{ i.i.d. from } q, \text{ with replacement}; q_i > 0 \text{ if } L_i > 0",
    _sampling,
)  # fmt: skip


@lru_cache(maxsize=1)
def _faults(run: Run) -> tuple[Excess, Excess]:
    """Of the samples, and of their sum: two assumptions ask for them in turn."""
    return smoothness_faults(Terms(run.problem), run.visited), smoothness_faults(Sum(run.problem), run.visited)


def _convex(run: Run) -> Check:
    worst = _faults(run)[0].convexity
    return Check(worst <= LOOSE, LOOSE - worst, f"a tangent of F_i rises above it by {max(worst, 0.0):.2g} relative")


CONVEX = Assumption("convex", r"F_i(v) \ge F_i(u) + \langle \nabla F_i(u), v - u\rangle", _convex)


def _smooth(run: Run) -> Check:
    terms, whole = (found.smoothness for found in _faults(run))
    worst = max(terms, whole)
    reason = f"curvature exceeds L_i by {max(terms, 0.0):.2g} and L_F by {max(whole, 0.0):.2g} relative"
    return Check(worst <= LOOSE, LOOSE - worst, reason)


SMOOTH = Assumption(
    "smooth", r"\|\nabla F_i(u) - \nabla F_i(v)\| \le L_i\|u - v\| \text{ on } \mathbb R^d, \text{ and } L_F \text{ for } F",
    _smooth,
)  # fmt: skip


def _penalty(run: Run) -> Check:
    steps = tuple(run.step * k * (k + 1) / 4 for k in sorted({1, run.length}))
    worst = prox_fault(run.problem, run.visited, steps)
    return Check(
        worst <= LOOSE, LOOSE - worst, f"a proximal point misses its inequality by {max(worst, 0.0):.2g} relative"
    )


PENALTY = Assumption(
    "penalty",
    r"R \text{ convex}, \; R(u) \ge R(z) + \langle \tfrac{v - z}\tau, u - z\rangle \text{ for } "
    r"z = \operatorname{prox}_{\tau R}(v)",
    _penalty,
)


def _minimiser(run: Run) -> Check:
    if isinstance(run, StageRun) and np.array_equal(run.comparator, run.xtil):
        return Check(True, 0.0, "the comparator is the snapshot")
    off, room = largest_lack(run), allowed_lack(run)
    return Check(bool(off <= room), room - off, f"P at the comparator is within {off:.2g} of the least")


MINIMISER = Assumption("minimiser", r"0 \in \partial P(x_*), \text{ or } x = \tilde x \text{ in one stage}", _minimiser)


def _published_step(run: Run) -> Check:
    ell = variance_of(run)
    slowest = ell * (1.0 + run.gamma * (run.length + 1) / run.minibatch)
    largest = 1.0 / slowest if slowest > 0 else float("inf")
    return Check(
        bool(run.step <= largest * (1.0 + LOOSE)), largest - run.step, f"step {run.step:.4g}, at most {largest:.4g}"
    )


PUBLISHED_STEP = Assumption(
    "step", r"\eta \le \frac{1}{(1 + \gamma (m+1)/b)\,\bar L(q)}, \quad \bar L(q) = \max_i \tfrac{L_i}{n q_i}", _published_step
)  # fmt: skip


def _sharp_step(run: Run) -> Check:
    rho = rho_of(run)
    reason = f"1/step {1 / run.step:.4g}, rho {rho:.4g}"
    return Check(isfinite(rho), 1.0 if isfinite(rho) else -1.0, reason)


SHARP_STEP = Assumption(
    "step", r"\frac1\eta > \frac{m}{m+1} L_F + \frac{m}{2b} \max_i \frac{L_i}{n q_i}", _sharp_step
)  # fmt: skip


def _published_gamma(run: Run) -> Check:
    least = 3.0 if isinstance(run, OuterRun) else 0.75
    return Check(bool(run.gamma >= least - LOOSE), run.gamma - least, f"gamma {run.gamma:.4g}, at least {least:g}")


PUBLISHED_GAMMA = Assumption("gamma", r"\gamma \ge 3 \quad (\gamma \ge 3/4 \text{ for one stage})", _published_gamma)


def _weight_slope(run: OuterRun) -> Check:
    off = abs(run.c - (1.0 - 1.0 / run.gamma))
    return Check(bool(off <= LOOSE), LOOSE - off, f"c = {run.c:.4g} is {off:.2g} from 1 - 1/gamma")


WEIGHT_SLOPE = Assumption("outer-weights", r"c = 1 - 1/\gamma", _weight_slope)


def _outer_weights(run: OuterRun) -> Check:
    margin = min(run.c - 2.0 / 3.0, 1.0 - rho_of(run) - run.c)
    return Check(bool(margin >= -LOOSE), margin, f"2/3 <= c = {run.c:.4g} <= 1 - rho = {1.0 - rho_of(run):.4g}")


OUTER_WEIGHTS = Assumption("outer-weights", r"\tfrac23 \le c \le 1 - \rho(\eta)", _outer_weights)


def _growth(run: OuterRun) -> Check:
    points = np.concatenate([run.visited, *run.snapshots[:: run.stages]])
    axes = tuple(range(1, points.ndim))
    squared = np.sum((points - run.comparator) ** 2, axis=axes)
    least = float(run.problem.value(run.comparator))
    gaps = run.problem.value(points) - least
    room = rounding(run) * (abs(least) + np.abs(gaps) + abs(run.mu) * squared) + lack(run)
    margin = float(np.min(gaps - run.mu / 2.0 * squared + room))
    return Check(
        bool(run.mu > 0 and margin >= 0), margin, f"mu = {run.mu:.4g}, tried at {len(points)} points of the run"
    )


GROWTH = Assumption("quadratic-growth", r"P(x) - P_* \ge \tfrac\mu2 \|x - x_*\|^2, \quad \mu > 0", _growth)


def _one_loop(run: OuterRun) -> Check:
    return Check(run.restarts == 1, 1.0 - run.restarts, f"{run.restarts} loops of {run.stages} stages")


ONE_LOOP = Assumption("one-loop", r"T = 1 \text{: no restart}", _one_loop)


def _at_rest(run: OuterRun) -> Check:
    apart = float(np.max(np.abs(run.z0 - run.x0)))
    return Check(apart == 0.0, -apart, f"z_0 is {apart:.2g} from x_0")


AT_REST = Assumption("started-at-rest", r"z_0 = x_0", _at_rest)

COMMON = (PLAYED, SAMPLING, CONVEX, SMOOTH, PENALTY)
PUBLISHED = (PUBLISHED_GAMMA, PUBLISHED_STEP)
GROWING = (MINIMISER, GROWTH, AT_REST)
