r"""The sandwich update keeps the root positive definite for every gradient, up to a condition number that is the right one.

The update is a Jordan product, :math:`\beta_2^{1/4} P^+ = \tfrac12(QP + PQ)` with :math:`Q = q_k(Y)` and
:math:`0 \preceq Y \preceq sI`. With :math:`t_A = \frac{\operatorname{cond} A - 1}{\operatorname{cond} A + 1}` and
:math:`m_A = \tfrac12(\lambda_{\max} + \lambda_{\min})(A)`,

.. math::
    \lambda_{\min}\bigl(\tfrac12(QP + PQ)\bigr) \ge \begin{cases}
        \lambda_{\min}(Q)\,\lambda_{\min}(P), & t_Q + t_P \le 1, \\
        \tfrac12 m_Qm_P\,(1 - t_Q^2 - t_P^2), & t_Q + t_P \ge 1,
    \end{cases}

for all positive definite Q and P, with equality for some pair of 2 × 2 matrices with the given extreme eigenvalues. So with
:math:`t_Q` of the largest and smallest value of :math:`q_k` on [0, s], the root stays positive definite whatever the gradient is
if and only if :math:`t_P^2 + t_Q^2 < 1`. At the dynamic step, s ≤ 1, that is :math:`\operatorname{cond} P < 193.9` for order 1
and 1441.9 for order 2 (:math:`\operatorname{cond} L` up to 1.4e9 and 4.3e12); up to 13 and 37 no eigenvalue falls lower than it
would if everything commuted.

Source: derived here (docs/proofs/jorge.md#positivity).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis
from optimizers.theorems.resolution import apart, or_nan
from optimizers.theorems.rules import one_sided, sandwich
from optimizers.theorems.streams import step_rounding
from optimizers.theorems.truncated import coefficients, series
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["SandwichPositivity", "Updates", "jordan_floor", "largest_condition", "series_range", "worst_pair"]


@dataclass(frozen=True, eq=False)
class Updates:
    """B updates of roots, and what the rule made of them. Raises ValueError for a β₂ outside (0, 1] or an order below 1."""

    order: int
    beta2: float
    P: np.ndarray = field(repr=False)  # (B, n, n)
    grams: np.ndarray = field(repr=False)  # (B, n, n)
    after: np.ndarray = field(repr=False)  # (B, n, n)

    def __post_init__(self) -> None:
        if not (0.0 < self.beta2 <= 1.0 and self.order >= 1):
            raise ValueError(f"needs 0 < beta2 <= 1 and an order of at least 1, got {self.beta2} and {self.order}.")

    @property
    def odds(self) -> float:
        """c = (1 - β₂)/β₂."""
        return (1.0 - self.beta2) / self.beta2

    @property
    def sizes(self) -> np.ndarray:  # (B,)
        """s = c |P²CP²|."""
        square = self.P @ self.P
        return self.odds * or_nan(
            lambda: np.linalg.norm(square @ self.grams @ square, 2, axis=(-2, -1)), (len(self.P),)
        )

    @property
    def below(self) -> np.ndarray:  # (B,)
        """How far rounding of the Gram matrix takes c P²CP² below zero: P⁴ magnifies it, to any size."""
        P, C = self.P.astype(float), self.grams.astype(float)
        square = P @ P
        Y = self.odds * (square @ C @ square)
        explained = self.odds * _gram_rounding(self) * _eigenvalues(P)[:, -1] ** 4
        return np.minimum(np.maximum(-_eigenvalues(0.5 * (Y + np.swapaxes(Y, -1, -2)))[:, 0], 0.0), explained)


def series_range(s: float, order: int) -> tuple[float, float]:
    """Least and largest value of q_k on [0, s]."""
    slope = [j * float(a) for j, a in enumerate(coefficients(order))][1:]
    turns = np.polynomial.polynomial.polyroots(slope) if order > 1 else np.zeros(0)
    inside = [float(t.real) for t in turns if abs(t.imag) < 1e-9 and 0.0 < t.real < s]
    values = [float(series(t, order)) for t in (0.0, s, *inside)]
    return float(np.min(values)), float(np.max(values))


def jordan_floor(A: tuple[float, float], B: tuple[float, float]) -> float:
    """The least eigenvalue that (AB + BA)/2 can have for positive definite A and B with spectra in these intervals."""
    (t_A, m_A), (t_B, m_B) = _shape(*A), _shape(*B)
    if t_A + t_B <= 1.0:
        return A[0] * B[0]
    return 0.5 * m_A * m_B * (1.0 - t_A * t_A - t_B * t_B)


def largest_condition(s: float, order: int) -> float:
    """The condition number of P below which an update of step size s cannot make it indefinite."""
    t = _shape(*series_range(s, order))[0]
    limit = float(np.sqrt(1.0 - t * t))
    return (1.0 + limit) / (1.0 - limit) if limit < 1.0 else float("inf")


def _shape(low: float, high: float) -> tuple[float, float]:
    """(t, m) of an interval: its half width over its middle, and its middle."""
    return (high - low) / (high + low), 0.5 * (high + low)


def _eigenvalues(A: np.ndarray) -> np.ndarray:  # (B, n, n) -> (B, n)
    """Ascending, in double precision whatever A is in; NaN where there are none."""
    return or_nan(lambda: np.linalg.eigvalsh(A.astype(float)), A.shape[:-1])


def _definite(run: Updates) -> Check:
    symmetric = bool(np.all(np.swapaxes(run.P, -1, -2) == run.P))
    least = float(np.min(_eigenvalues(run.P)))
    return Check(symmetric and least > 0, least, "least eigenvalue of P" if symmetric else "P is not symmetric")


DEFINITE = Assumption("definite", r"P = P^\top \succ 0", _definite)


def _gram(run: Updates) -> Check:
    slack = float(np.min(_eigenvalues(run.grams)[:, 0] + _gram_rounding(run)))
    return Check(slack >= 0, slack, "least eigenvalue of the Gram matrices, with its rounding error")


def _gram_rounding(run: Updates) -> np.ndarray:  # (B,)
    """Of C and of its eigenvalues, in the precision of C."""
    eps = float(np.finfo(run.grams.dtype).eps)
    return 16.0 * run.grams.shape[-1] * eps * np.max(np.abs(_eigenvalues(run.grams)), axis=-1)


GRAM = Assumption("gram", r"C = GG^\top \succeq 0", _gram)


def _in_range(run: Updates) -> Check:
    least = float(np.min([series_range(float(s), run.order)[0] for s in run.sizes]))
    return Check(least > 0, least, f"least value of q_k on the steps taken, up to {float(np.max(run.sizes)):.4g}")


IN_RANGE = Assumption("series-range", r"q_k > 0 \text{ on } [0, s]", _in_range)


def _faithful(run: Updates) -> Check:
    worst = apart(run.after, sandwich(run.P, run.grams, run.beta2, run.order), _rounding(run))
    return Check(worst <= 1.0, 1.0 - worst, f"{worst:.2g} times what rounding may differ by from the sandwich")


def _rounding(run: Updates) -> np.ndarray:  # (B, n, n)
    """Of a step, entry by entry: at -|C| no term of the series cancels."""
    gamma = step_rounding(run.order, run.P.shape[-1], run.P.dtype)
    return gamma * sandwich(np.abs(run.P), -np.abs(run.grams), run.beta2, run.order)


FAITHFUL = Assumption("faithful", r"P^+ = \beta_2^{-1/4}\tfrac12(QP + PQ), \; Q = q_k(c\,P^2CP^2)", _faithful)


class SandwichPositivity(Theorem):
    id = "sandwich-positivity"
    title = "The sandwich update keeps the root positive definite"
    kind = Kind.LOWER_BOUND
    source = Citation("derived", "docs/proofs/jorge.md#positivity", "derived")
    statement = (
        r"\lambda_{\min}(\beta_2^{1/4} P^+) \ge \lambda_{\min}(Q)\,\lambda_{\min}(P) \text{ if } t_Q + t_P \le 1, \text{ else } "
        r"\tfrac12 m_Qm_P(1 - t_Q^2 - t_P^2), \quad t_A = \frac{\operatorname{cond} A - 1}{\operatorname{cond} A + 1}"
    )
    proof = "docs/proofs/jorge.md"
    subject = "the least eigenvalue of the root after an update"
    assumptions: ClassVar = (DEFINITE, GRAM, IN_RANGE, FAITHFUL)
    axes = ("update",)

    def measured(self, run: Updates) -> np.ndarray:  # (B,)
        after = run.after.astype(float)
        symmetric = 0.5 * (after + np.swapaxes(after, -1, -2))
        return run.beta2**0.25 * _eigenvalues(symmetric)[:, 0]

    def bound(self, run: Updates) -> np.ndarray:  # (B,)
        return _floors(run, np.zeros(len(run.P)))

    def budget(self, run: Updates) -> np.ndarray:  # (B,)
        """P⁺ as it was computed and as a faithful one may differ; s, of which the bound makes no more; the eigenvalues.

        And how far the floor sinks where the rounding of C has left the spectrum of Y below zero.
        """
        largest, n = np.max(np.abs(run.P), axis=(-2, -1)), run.P.shape[-1]
        lost = 4.0 * np.linalg.norm(_rounding(run), axis=(-2, -1)) + 64.0 * n * np.finfo(float).eps * n * largest
        return lost + self.bound(run) - _floors(run, run.below)

    def examples(self) -> Iterator[Example]:
        yield Example("the worst plane, order 1, cond 100", lambda: worst_pair(1, 1.0, 100.0), near_tight=True)
        yield Example(
            "the worst plane, order 2, cond 1000", lambda: worst_pair(2, 0.8, 1000.0, turn=0.01), near_tight=True
        )
        yield Example("random gradients of rank one, order 2", lambda: random_updates(2, 0, 1.0, 30.0))
        yield Example("random gradients, order 1, cond 190", lambda: random_updates(1, 1, 1.0, 190.0))
        yield Example("beyond the limit the bound is negative, and right", lambda: worst_pair(1, 1.0, 400.0, turn=0.02))

    def controls(self) -> Iterator[Example]:
        cases = (
            ("the one-sided rule", lambda: random_updates(1, 0, 1.0, 12.0, one_sided), "faithful", "VIOLATED"),
            ("a root that is not positive", _indefinite, "definite", "VIOLATED"),
            ("a step of 9 at order 1", _too_long, "series-range", "VIOLATED"),
            ("a negative Gram matrix", _negative_gram, "gram", "VIOLATED"),
        )
        for name, make, breaks, otherwise in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=(otherwise,), breaks=breaks, ignoring=(breaks,))


def _floors(run: Updates, below: np.ndarray) -> np.ndarray:  # (B,), (B,) -> (B,)
    """The floor for a spectrum of Y in [-below, s]; the series falls where its argument is negative."""
    found = []
    for values, s, y in zip(_eigenvalues(run.P), run.sizes, below, strict=True):
        low, high = series_range(float(s), run.order)
        found.append(jordan_floor((low, max(high, float(series(-y, run.order)))), (values[0], values[-1])))
    return np.array(found)


def updated(P: np.ndarray, target: np.ndarray, order: int, rule=sandwich) -> Updates:  # (B, n, n) Y = P²CP² times c
    """The update by the Gram matrix for which c P²CP² is `target`, at β₂ = 1/2 (c = 1)."""
    inverse = np.linalg.inv(P @ P)
    C = inverse @ target @ inverse
    C = 0.5 * (C + np.swapaxes(C, -1, -2))
    return Updates(order, 0.5, P, C, rule(P, C, 0.5, order))


def worst_pair(order: int, s: float, cond: float, turn: float = 1e-3) -> Updates:
    """The angle between the eigenbases of P and Y at which the bound is attained, missed by `turn`."""
    (t_Q, _), (t_P, _) = _shape(*series_range(s, order)), _shape(1.0, cond)
    cosine = 1.0 if t_Q + t_P <= 1.0 else (1.0 - t_P**2 - t_Q**2) / (2.0 * t_P * t_Q)
    half = 0.5 * float(np.arccos(np.clip(cosine, -1.0, 1.0))) + turn
    w = np.array([np.sin(half), np.cos(half)])  # Y = s w wᵀ shrinks w, and P is smallest along the second axis
    P = np.diag([cond, 1.0])
    return updated(P[None], (s * np.outer(w, w))[None], order)


def random_updates(order: int, seed: int, s: float, cond: float, rule=sandwich, n: int = 4, B: int = 60) -> Updates:
    """Gram matrices of rank one to three under which the step size is at most s."""
    rng = np.random.default_rng([seed, 9])
    roots, targets = [], []
    for b in range(B):
        V = basis(n, int(rng.integers(1 << 30)))
        P = (V * np.exp(rng.uniform(0.0, np.log(cond), n))) @ V.T
        H = rng.standard_normal((n, 1 + b % 3))
        Y = H @ H.T
        roots.append(0.5 * (P + P.T))
        targets.append(s * Y / np.linalg.norm(Y, 2))
    return updated(np.stack(roots), np.stack(targets), order, rule)


def _indefinite() -> Updates:
    return updated(np.diag([0.2, -1.0])[None], np.diag([1.0, 0.0])[None], 1)


def _too_long() -> Updates:
    return updated(np.diag([3.0, 1.0])[None], np.diag([9.0, 0.0])[None], 1)


def _negative_gram() -> Updates:
    """Y = -w wᵀ at every angle: the series then exceeds 1, on a part of the spectrum that the bound does not know."""
    angles = np.linspace(0.0, np.pi, 90)
    w = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return updated(np.broadcast_to(np.diag([37.0, 1.0]), (90, 2, 2)), -w[:, :, None] * w[:, None, :], 2)
