r"""Softmax regression: probabilities with the right frequencies certify a point.

.. math::
    P(W, b) - P_* \le P(W, b) - \sum_i p_i H(q_i) + R^*\Bigl(\sum_i p_i (e_{y_i} - q_i)\, x_i^\top\Bigr), \qquad
    q_i \in \Delta_K, \quad \sum_i p_i q_i = \sum_i p_i e_{y_i} .

Without the right frequencies the statement is about the problem without intercepts, and false for the one with them.

Source: derived here (docs/proofs/dasvrda.md#softmax-gap).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from math import fsum
from typing import ClassVar

import numpy as np

from convex.theorems.softmax_points import SoftmaxPoints, SoftmaxProblem, softmax_descent
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["SoftmaxGap"]


def _flows(run: SoftmaxPoints) -> np.ndarray:  # (k + 1, n, K)
    return np.concatenate([run.flow, run.best_flow[None]])


def _zero_sums(lines: np.ndarray) -> bool:  # (..., m)
    """Whether the sum of every line is exactly 0: fsum rounds once, and no sum of doubles but 0 rounds to 0."""
    return all(fsum(line) == 0.0 for line in lines.reshape(-1, lines.shape[-1]))


def _frequencies(run: SoftmaxPoints) -> Check:
    if not run.problem.intercept:
        return Check(True, 0.0, "there are no intercepts")
    exact = _zero_sums(np.swapaxes(_flows(run), -1, -2))
    off = float(np.max(np.abs(np.sum(_flows(run), axis=-2))))
    return Check(exact, 0.0 if exact else -off, "the sums are exactly 0" if exact else f"a sum is {off:.2g}")


FREQUENCIES = Assumption(
    "frequencies", r"\sum_i p_i q_i = \sum_i p_i e_{y_i} \text{ where there are intercepts}", _frequencies
)


def _simplex(run: SoftmaxPoints) -> Check:
    least = float(np.min(run.problem.probabilities(_flows(run))))
    whole = _zero_sums(_flows(run))
    return Check(
        least >= 0.0 and whole, least, f"the least probability is {least:.2g}; sums {'are' if whole else 'are not'} 1"
    )


SIMPLEX = Assumption("simplex", r"q_i \in \Delta_K", _simplex)


def _inside(run: SoftmaxPoints) -> Check:
    problem, flows = run.problem, _flows(run)
    if problem.l2 > 0:
        return Check(True, 1.0, "R* is finite everywhere")
    sizes = np.swapaxes(np.abs(flows), -1, -2) @ np.abs(problem.X) / np.sum(problem.weights)
    rounding = 2.0 * (len(problem.X) + 4) * float(np.finfo(np.float64).eps) * float(np.max(sizes))
    slack = problem.l1 - float(np.max(np.abs(problem.slopes(flows))))
    ok = True if slack >= rounding else False if slack < -rounding else None
    return Check(ok, slack, f"l1 - |V| is at least {slack:.2g}, rounding {rounding:.2g}")


INSIDE = Assumption("dual-domain", r"R^*(V) < \infty", _inside)


def _posed(run: SoftmaxPoints) -> Check:
    p = run.problem
    numbers = (p.X, p.weights, run.coef, run.intercept, run.flow, run.best_coef, run.best_intercept, run.best_flow)
    if not all(np.all(np.isfinite(x)) for x in numbers):
        return Check(False, -1.0, "a number is not finite")
    if not p.intercept and (np.any(run.intercept) or np.any(run.best_intercept)):
        return Check(False, -1.0, "an intercept is given where the problem has none")
    ok = p.l1 >= 0 and p.l2 >= 0 and bool(np.all(p.weights > 0))
    return Check(ok, float(np.min(p.weights)), f"l1 {p.l1:g}, l2 {p.l2:g}, least weight {np.min(p.weights):g}")


POSED = Assumption("convex-problem", r"l_1, l_2 \ge 0, \; w_i > 0", _posed)


class SoftmaxGap(Theorem):
    id = "softmax-gap"
    title = "Probabilities with the right frequencies certify a softmax regression"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/dasvrda.md#softmax-gap", "derived")
    statement = (
        r"P(W, b) - P_* \le P(W, b) - \sum_i p_i H(q_i) + R^*\Bigl(\sum_i p_i (e_{y_i} - q_i) x_i^\top\Bigr), \qquad "
        r"\sum_i p_i q_i = \sum_i p_i e_{y_i} \text{ with intercepts}"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "any point of a penalised softmax regression and any feasible dual point"
    assumptions: ClassVar = (POSED, SIMPLEX, INSIDE, FREQUENCIES)
    axes = ("point",)

    def measured(self, run: SoftmaxPoints) -> np.ndarray:  # (k,)
        return run.problem.primal(run.coef, run.intercept) - run.problem.dual(run.best_flow)

    def measured_lower(self, run: SoftmaxPoints) -> np.ndarray:
        return run.problem.primal(run.coef, run.intercept) - run.problem.primal(run.best_coef, run.best_intercept)

    def bound(self, run: SoftmaxPoints) -> np.ndarray:
        return run.problem.primal(run.coef, run.intercept) - run.problem.dual(run.flow)

    def budget(self, run: SoftmaxPoints) -> np.ndarray:
        """Sums of n entropies and of the entries of W, in P and in D."""
        terms = len(run.problem.X) + run.best_coef.size
        return (
            8.0 * terms * float(np.finfo(np.float64).eps) * (1.0 + np.abs(run.problem.primal(run.coef, run.intercept)))
        )

    def examples(self) -> Iterator[Example]:
        yield Example("a bad point with a good dual point", partial(_swapped, 0.0, 0.1), near_tight=True)
        yield Example("ridge, along a descent", partial(_run, 0.0, 0.05))
        yield Example("elastic net, along a descent", partial(_run, 0.02, 0.05))
        yield Example("l1 alone", partial(_run, 0.03, 0.0))
        yield Example("elastic net, no intercepts", partial(_run, 0.02, 0.05, intercept=False))

    def controls(self) -> Iterator[Example]:
        free = "the dual of the problem without intercepts"
        yield Example(f"{free}, through the door", _unbalanced, expect=("HYPOTHESIS_FAILED",), breaks="frequencies")
        yield Example(
            f"{free}, applied anyway",
            _unbalanced,
            expect=("VIOLATED",),
            breaks="frequencies",
            ignoring=("frequencies",),
        )
        yield Example("a negative probability", _negative, expect=("HYPOTHESIS_FAILED",), breaks="simplex")
        yield Example("probabilities that sum to less", _short, expect=("HYPOTHESIS_FAILED",), breaks="simplex")
        yield Example("a dual point that is not scaled", _unscaled, expect=("HYPOTHESIS_FAILED",), breaks="dual-domain")
        yield Example("a negative weight", _negative_weight, expect=("HYPOTHESIS_FAILED",), breaks="convex-problem")


@cache
def _run(l1: float, l2: float, intercept: bool = True, last: int = 20) -> SoftmaxPoints:
    """Some iterates of a descent on 45 samples of three overlapping classes, with their own dual points, and its end."""
    rng = np.random.default_rng(5)
    codes = np.arange(45) % 9 % 4 % 3  # frequencies 4 : 3 : 2
    X = rng.standard_normal((45, 4)) + 0.8 * rng.standard_normal((3, 4))[codes] + 0.5
    problem = SoftmaxProblem(X, codes, l1, l2, intercept, rng.uniform(0.5, 2.0, 45))
    coef, constant = softmax_descent(problem, 3000)
    chosen = [0, 1, 2, 5, 10, last]
    flows = np.stack([problem.flow_at(coef[k], constant[k]) for k in chosen])
    best = problem.flow_at(coef[-1], constant[-1])
    return SoftmaxPoints(problem, coef[chosen], constant[chosen], flows, coef[-1], constant[-1], best)


def _swapped(l1: float, l2: float) -> SoftmaxPoints:
    run = _run(l1, l2, last=40)
    return replace(run, coef=run.coef[:1], intercept=run.intercept[:1], flow=run.flow[5:])


def _unbalanced() -> SoftmaxPoints:
    """The optimal dual point without intercepts has a larger value than any with the right frequencies."""
    free, run = _run(0.0, 0.05, intercept=False), _run(0.0, 0.05)
    return replace(run, coef=run.best_coef[None], intercept=run.best_intercept[None], flow=_as_it_is(free)[None])


def _as_it_is(run: SoftmaxPoints) -> np.ndarray:  # (n, K)
    """The flow of the probabilities themselves."""
    problem = run.problem
    z = problem.scores(run.best_coef, run.best_intercept)
    q = np.exp(z - z.max(axis=1, keepdims=True))
    flow = problem.weights[:, None] * (problem.target - q / q.sum(axis=1, keepdims=True))
    grid = np.round(flow[:, :-1] * 2.0**40) / 2.0**40  # sums over classes stay exactly 0
    return np.concatenate([grid, -np.sum(grid, axis=1, keepdims=True)], axis=1)


def _changed(l1: float, l2: float, factor: np.ndarray | float, intercept: bool = True) -> SoftmaxPoints:
    run = _run(l1, l2, intercept)
    return replace(run, coef=run.coef[:1], intercept=run.intercept[:1], flow=run.flow[:1] * factor)


def _negative() -> SoftmaxPoints:
    return _changed(0.0, 0.05, 4.0)


def _short() -> SoftmaxPoints:
    return _changed(0.0, 0.05, np.array([1.0, 1.0, 0.5]), intercept=False)


def _unscaled() -> SoftmaxPoints:
    """Twice as far from the labels, though still in the simplex."""
    run = _changed(0.03, 0.0, 2.0)
    assert run.problem.probabilities(run.flow).min() >= 0.0
    return run


def _negative_weight() -> SoftmaxPoints:
    run = _changed(0.0, 0.05, 1.0)
    return replace(run, problem=replace(run.problem, weights=np.where(np.arange(45) == 0, -1.0, run.problem.weights)))
