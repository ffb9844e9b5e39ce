r"""Hypotheses about a run: that it is the method's own, on noise drawn as it should be, with the right kind of structure.

.. math::
    x_{t+1} = x_t - \eta H_t^{-1} g_t \;\text{(or its accelerated form, or steepest descent)}, \qquad
    \omega_1, \dots, \omega_T \text{ independent}, \qquad \mathcal H = J \cap S_+^d .

Source: derived here (docs/proofs/stochastic.md#what-is-checked).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from convex.adaptive import SteepestDescent
from convex.theorems.stochastic.runs import StochasticRun, asks_where_it_stands, is_accelerated, is_adaptive, paths
from convex.theorems.stochastic.visited import cancelled, own_noise, slopes
from problems.smooth.drawn import copies, departure, dependence, known_variance
from structures.base import Structure
from structures.jordan import jordan_check
from theory.theorem import Assumption, Check

__all__ = ["ACCELERATED", "ADAGRAD", "ADAPTIVE", "CUMULATIVE", "DRAWN", "ENUMERATED", "EXACT", "ONE_RATE", "PLAYED"]
__all__ += ["STEEPEST", "UNCONSTRAINED", "WELL_STRUCTURED", "guarded", "has_structure"]

LOOSE = 1e-9  # relative: a replayed run may add in another order
PART = 20_000  # gradients that are taken at once
ALONE = 16  # gradients that are taken without a batch


def guarded(name: str, statement: str, check: Callable[[StochasticRun], Check]) -> Assumption:
    """The assumption, undecided where it makes no sense for a run that another one refuses."""

    def safely(run: StochasticRun) -> Check:
        try:
            with np.errstate(all="ignore"):
                return check(run)
        except (ValueError, TypeError, FloatingPointError, np.linalg.LinAlgError) as error:
            return Check(None, 0.0, f"cannot be looked at: {error}")

    return Assumption(name, statement, safely)


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
    if worst > LOOSE:
        return Check(False, LOOSE - worst, f"replayed from its draws the run is {worst:.2g} off, relative")
    alone = _in_another_batch(run)
    off = max(0.0, alone - cancelled(run)) / max(float(np.max(np.abs(run.gradients))), float(np.finfo(float).tiny))
    reason = f"replayed from its draws the run is {worst:.2g} off, gradients taken in other batches {off:.2g}, relative"
    return Check(off <= LOOSE, LOOSE - max(worst, off), reason)


def _in_another_batch(run: StochasticRun) -> float:
    """The largest difference of the gradients from those of all points in one batch, backwards, and of a few one by one."""
    f, shape = run.problem, run.problem.shape
    if run.draws is None:
        return float(np.max(np.abs(run.gradients - slopes(run))))
    points, seen = run.points.reshape(-1, *shape)[::-1], run.gradients.reshape(-1, *shape)[::-1]
    draws = run.draws.reshape(len(points), *run.draws.shape[2:])[::-1]
    worst = 0.0
    for begin in range(0, len(points), PART):
        part = slice(begin, begin + PART)
        worst = max(worst, float(np.max(np.abs(f.stochastic_gradient(points[part], draws[part]) - seen[part]))))
    for k in np.unique(np.linspace(0, len(points) - 1, ALONE).astype(int)):
        worst = max(worst, float(np.max(np.abs(f.stochastic_gradient(points[k], draws[k]) - seen[k]))))
    return worst


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape or not np.all(np.isfinite(a)):
        return inf
    size = float(np.max(np.abs(b), initial=0.0))
    return float(np.max(np.abs(a - b), initial=0.0)) / (size if size > 0 else 1.0)


PLAYED = guarded("played", r"\text{the points are those of the method on the drawn noise}", _played)


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
    return _unlike(run) if np.array_equal(again, run.draws) else f"the noise is not what seed {run.seed} draws"


def _unlike(run: StochasticRun) -> str:
    """How draws of a stream differ from independent ones, by the listed outcomes or the declared covariance; or nothing."""
    outcomes, covariance = run.problem.outcomes(), run.problem.noise_covariance(run.domain)
    if run.draws is None:
        return ""
    if outcomes is not None:
        return departure(run.draws, outcomes)
    said = copies(run.draws)
    if said or covariance is None:
        return said  # without a covariance the majorant of the noise is then not decided either
    errors = dependence(own_noise(run), known_variance(covariance))
    return f"what came before predicts the noise, {errors:.3g} times more than chance allows" if errors > 1.0 else ""


DRAWN = guarded("drawn", r"\omega_1, \dots, \omega_T \text{ independent, from the problem's noise}", _drawn)


def _one_start(run: StochasticRun) -> Check:
    same = bool(np.all(run.x0 == run.x0[:1])) and len(run.rates) == 1
    return Check(same, 1.0 if same else -1.0, "one start and one rate" if same else "starts or rates differ")


ONE_RATE = guarded("one-rate", r"\eta \text{ and } x_1 \text{ fixed in advance, the same for all paths}", _one_start)


def _enumerated(run: StochasticRun) -> Check:
    reason = "all paths were run" if run.enumerated else "seeds: the expectations in the bound and D are not known"
    return Check(True if run.enumerated else None, 1.0 if run.enumerated else 0.0, reason)


ENUMERATED = guarded("enumerated", r"\text{all paths are run, so that the bound's expectations are known}", _enumerated)


def _is(name: str, statement: str, test: Callable[[StochasticRun], bool], what: str) -> Assumption:
    def check(run: StochasticRun) -> Check:
        fits = test(run)
        return Check(fits, 1.0 if fits else -1.0, f"{run.method}" if fits else f"{run.method} is not {what}")

    return guarded(name, statement, check)


EXACT = _is("exact-gradients", r"g_t = \nabla f(y_t)", lambda run: run.exact, "played with exact gradients")
ADAPTIVE = _is(
    "adaptive-regularization",
    r"x_{t+1} = x_t - \eta H_t^{-1} g_t, \quad H_t = P_{\mathcal H}(\bar M_t + \varepsilon I), \quad \eta > 0, "
    r"\varepsilon \ge 0 \text{ fixed}",
    lambda run: asks_where_it_stands(run) and is_adaptive(run), "plain adaptive regularization",
)  # fmt: skip
CUMULATIVE = _is(
    "cumulative", r"M_t = M_{t-1} + g_t g_t^\top,\ M_0 = \varepsilon I",
    lambda run: getattr(run.core, "accumulate", None) == "cumulative", "cumulative",
)  # fmt: skip
ACCELERATED = _is(
    "accelerated",
    r"y_t = \alpha_t x_t + (1 - \alpha_t)\bar x_t, \quad \alpha_t = \tfrac2{t+2}, \quad g_t = g(y_t)/\alpha_t",
    lambda run: is_accelerated(run) and is_adaptive(run), "accelerated adaptive regularization",
)  # fmt: skip
STEEPEST = _is(
    "steepest-descent",
    r"x_{t+1} = x_t - \eta u_t, \quad \|u_t\|_{\mathcal H} \le 1, \quad \langle m_t, u_t\rangle = "
    r"\|m_t\|_{\mathcal H,*}",
    lambda run: type(run.method) is SteepestDescent, "steepest descent",
)  # fmt: skip
UNCONSTRAINED = _is("unconstrained", r"\mathcal X = \mathbb R^d", lambda run: run.domain is None, "unconstrained")


def _well_structured(run: StochasticRun) -> Check:
    if run.structure is None:
        return Check(False, -1.0, f"{type(run.core).__name__} has no structure")
    return jordan_check(run.structure)


WELL_STRUCTURED = guarded(
    "well-structured",
    r"\mathcal H = J \cap S_+^d \text{ with } J \ni I \text{ linear and closed under squaring, and } "
    r"P_{\mathcal H} = E^{1/2}",
    _well_structured,
)


def has_structure(kind: type[Structure]) -> Assumption:
    """The assumption that the structure is of a certain kind."""
    return _is(
        "structure", r"\mathcal H \text{ is of the kind " + kind.__name__ + "}", lambda run: type(run.structure) is kind,
        f"of the kind {kind.__name__}",
    )  # fmt: skip


ADAGRAD = (PLAYED, DRAWN, ONE_RATE, ADAPTIVE, CUMULATIVE, WELL_STRUCTURED)
