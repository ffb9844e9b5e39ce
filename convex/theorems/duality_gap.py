r"""A feasible dual point certifies a primal one: the gap is never smaller than the distance from the least value.

.. math::
    P(w, b) - P_* \le P(w, b) - D(\theta), \qquad
    D(\theta) = -\sum_i p_i \varphi^*(-\theta_i; y_i) - R^*\Bigl(\sum_i p_i \theta_i x_i\Bigr), \qquad \sum_i p_i\theta_i = 0 .

Without :math:`\sum_i p_i\theta_i = 0` the statement is about the problem without an intercept, and false for the one with it.

Source: derived here (docs/proofs/dasvrda.md#duality-gap); Fenchel's inequality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import ClassVar

import numpy as np

from convex.theorems.certificates import GapRun, LinearProblem, descent, is_balanced
from problems.datasets import breast_cancer
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["DualityGap"]

LABELS = ("log_loss", "squared_hinge", "modified_huber")
LOSSES = (*LABELS, "squared_error", "huber")


def _flows(run: GapRun) -> np.ndarray:  # (k + 1, n)
    return np.concatenate([run.flow, run.best_flow[None]])


def _balanced(run: GapRun) -> Check:
    if not run.problem.intercept:
        return Check(True, 0.0, "there is no intercept")
    exact = is_balanced(_flows(run))
    off = float(np.max(np.abs(np.sum(_flows(run), axis=1))))
    return Check(exact, 0.0 if exact else -off, "the sums are exactly 0" if exact else f"a sum is {off:.2g}")


BALANCED = Assumption("balanced", r"\sum_i p_i \theta_i = 0 \text{ where there is an intercept}", _balanced)


def _inside(run: GapRun) -> Check:
    if _fault(run):
        return Check(None, 0.0, "not looked at")
    finite = bool(np.all(np.isfinite(run.problem.dual(_flows(run)))))
    if not finite:
        return Check(False, -1.0, "a conjugate is infinite")
    if run.problem.l2 > 0:
        return Check(True, 1.0, "every conjugate is finite")
    slack, rounding = run.problem.slack(_flows(run))
    ok = True if slack >= rounding else False if slack < -rounding else None
    return Check(ok, slack, f"l1 - |v| is at least {slack:.2g}, rounding {rounding:.2g}")


INSIDE = Assumption("dual-domain", r"\varphi^*(-\theta_i; y_i) < \infty, \; R^*(v) < \infty", _inside)


def _posed(run: GapRun) -> Check:
    p = run.problem
    fault = _fault(run)
    ok = not fault and p.l1 >= 0 and p.l2 >= 0 and bool(np.all(p.weights > 0))
    return Check(
        ok,
        float(np.min(p.weights)),
        fault or f"{p.loss}, l1 {p.l1:g}, l2 {p.l2:g}, least weight {np.min(p.weights):g}",
    )


def _fault(run: GapRun) -> str:
    """What makes the run speak of another problem than it says; "" when nothing does."""
    p = run.problem
    if p.loss not in LOSSES:
        return f"no loss is called {p.loss!r}"
    if p.loss in LABELS and not np.all(np.abs(p.y) == 1.0):
        return f"{p.loss} needs labels -1 and 1"
    if p.loss == "huber" and not 0.0 < p.delta < np.inf:
        return f"delta is {p.delta:g}"
    if not p.intercept and (np.any(run.intercept) or run.best_intercept):
        return "an intercept is given where the problem has none"
    numbers = (p.X, p.y, p.weights, run.coef, run.intercept, run.flow, run.best_coef, run.best_flow, run.best_intercept)
    return "" if all(np.all(np.isfinite(x)) for x in numbers) else "a number is not finite"


POSED = Assumption("convex-problem", r"\varphi \text{ convex}, \; l_1, l_2 \ge 0, \; w_i > 0", _posed)


class DualityGap(Theorem):
    id = "duality-gap"
    title = "A feasible dual point certifies a primal one"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/dasvrda.md#duality-gap", "derived")
    statement = (
        r"P(w, b) - P_* \le P(w, b) + \sum_i p_i \varphi^*(-\theta_i; y_i) + R^*\Bigl(\sum_i p_i\theta_i x_i\Bigr), "
        r"\qquad \sum_i p_i\theta_i = 0 \text{ with an intercept}"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "any point of a penalised linear model and any feasible dual point"
    assumptions: ClassVar = (POSED, INSIDE, BALANCED)
    axes = ("point",)

    def measured(self, run: GapRun) -> np.ndarray:  # (k,)
        return self._primal(run) - run.problem.dual(run.best_flow[None])

    def measured_lower(self, run: GapRun) -> np.ndarray:
        return self._primal(run) - run.problem.primal(run.best_coef[None], np.array([run.best_intercept]))

    def bound(self, run: GapRun) -> np.ndarray:
        return self._primal(run) - run.problem.dual(run.flow)

    def budget(self, run: GapRun) -> np.ndarray:
        """Sums of n values and d squares, in P and in D."""
        terms = len(run.problem.y) + run.problem.X.shape[1]
        return 8.0 * terms * float(np.finfo(np.float64).eps) * (1.0 + np.abs(self._primal(run)))

    def _primal(self, run: GapRun) -> np.ndarray:
        return run.problem.primal(run.coef, run.intercept)

    def examples(self) -> Iterator[Example]:
        yield Example(
            "a bad point with a good dual point", partial(_run, "log_loss", 0.0, 0.1, swap=True), near_tight=True
        )
        for loss in LOSSES:
            yield Example(f"{loss}, elastic net, along a descent", partial(_run, loss, 0.02, 0.05))
        yield Example("log_loss, l1 alone", partial(_run, "log_loss", 0.05, 0.0))
        yield Example(
            "squared_error, l1 alone, no intercept", partial(_run, "squared_error", 0.05, 0.0, intercept=False)
        )
        yield Example("breast cancer, ridge, weights", _cancer)

    def controls(self) -> Iterator[Example]:
        free = "the dual of the problem without an intercept"
        yield Example(f"{free}, through the door", _unbalanced, expect=("HYPOTHESIS_FAILED",), breaks="balanced")
        yield Example(
            f"{free}, applied anyway", _unbalanced, expect=("VIOLATED",), breaks="balanced", ignoring=("balanced",)
        )
        yield Example(
            "a dual point outside of its domain", _outside, expect=("HYPOTHESIS_FAILED",), breaks="dual-domain"
        )
        yield Example("a dual point that is not scaled", _unscaled, expect=("HYPOTHESIS_FAILED",), breaks="dual-domain")
        yield Example("a negative weight", _negative, expect=("HYPOTHESIS_FAILED",), breaks="convex-problem")


def _posed_problem(loss: str, l1: float, l2: float, intercept: bool) -> LinearProblem:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((30, 5)) + 0.5
    score = X @ np.array([1.0, -1.0, 0.5, 0.0, 0.0]) + 1.5 + rng.standard_normal(30)
    y = score if loss in ("squared_error", "huber") else np.where(score > 0, 1.0, -1.0)
    return LinearProblem(X, y, loss, l1, l2, intercept, rng.uniform(0.5, 2.0, 30))


def _along(problem: LinearProblem, steps: int = 3000, last: int = 40) -> GapRun:
    """Some iterates of a descent with their own dual points, and its end for a reference."""
    coef, intercept = descent(problem, steps)
    chosen = [0, 1, 2, 5, 10, last]
    flows = problem.flow_at(coef[chosen], intercept[chosen])
    best = problem.flow_at(coef[-1:], intercept[-1:])[0]
    return GapRun(problem, coef[chosen], intercept[chosen], flows, coef[-1], float(intercept[-1]), best)


@cache
def _run(loss: str, l1: float, l2: float, intercept: bool = True, swap: bool = False) -> GapRun:
    run = _along(_posed_problem(loss, l1, l2, intercept))
    if not swap:
        return run
    first, later = slice(0, 1), slice(3, 4)
    return GapRun(
        run.problem,
        run.coef[first],
        run.intercept[first],
        run.flow[later],
        run.best_coef,
        run.best_intercept,
        run.best_flow,
    )


def _cancer() -> GapRun:
    data = breast_cancer()
    weights = np.where(data.labels < 0, 2.0, 1.0)
    problem = LinearProblem(data.features[:, :-1], data.labels.astype(float), "log_loss", 0.0, 0.1, True, weights)
    return _along(problem, steps=800)


def _unbalanced() -> GapRun:
    """The optimal dual point without an intercept has a larger value than any balanced one."""
    free, bound = (_run("log_loss", 0.0, 0.1, intercept=k) for k in (False, True))
    return GapRun(
        bound.problem, bound.best_coef[None], np.array([bound.best_intercept]), free.best_flow[None], bound.best_coef,
        bound.best_intercept, bound.best_flow,
    )  # fmt: skip


def _outside() -> GapRun:
    run = _run("log_loss", 0.0, 0.1)
    flow = 2.0 * run.problem.weights * run.problem.y
    return GapRun(
        run.problem, run.coef[:1], run.intercept[:1], flow[None], run.best_coef, run.best_intercept, run.best_flow
    )


def _unscaled() -> GapRun:
    run = _run("squared_error", 0.05, 0.0, intercept=False)
    return GapRun(
        run.problem,
        run.coef[:1],
        run.intercept[:1],
        4.0 * run.flow[:1],
        run.best_coef,
        run.best_intercept,
        run.best_flow,
    )


def _negative() -> GapRun:
    """A sample that is rewarded for its error."""
    run = _run("squared_error", 0.02, 0.05)
    return replace(run, problem=replace(run.problem, weights=np.where(np.arange(30) == 0, -1.0, run.problem.weights)))
