r"""A weighted sum of per-sample gradients is the damped natural gradient, and stays it in single precision.

.. math::
    \Bigl(\frac1n UU^\top + \lambda I\Bigr)^{-1}\bar g = U(n\lambda I + U^\top U)^{-1}\mathbf 1, \; \bar g = \frac1n U\mathbf 1 .

Judged on runs in float32 as well. Sherman, Morrison and Woodbury's three terms are equal to it on paper; in float32 they are
the difference of two vectors of size :math:`\|\bar g\|/\lambda`, and lose every digit when λ is small.

Source: derived here (docs/proofs/fngd.md#push-through); the weighted sum: Ou, Zhu, Huang and Liu 2024, abstract.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from optimizers.reference import fngd as literal
from optimizers.theorems.resolution import length, or_nan
from structures.arrays import tolerance
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["FngdPushThrough", "Form"]

Rule = Callable[[np.ndarray, float], np.ndarray]  # (d, n) U, λ -> (d,)


@dataclass(frozen=True, eq=False)
class Form:
    """A formula for the damped natural gradient, evaluated in the precision of U."""

    U: np.ndarray  # (d, n) per-sample gradients
    mean: np.ndarray  # (d,) the batch's gradient ḡ
    damping: float
    rule: Rule = literal.push_through

    @property
    def wide(self) -> np.ndarray:
        """U in float64, exactly."""
        return self.U.astype(np.float64)


def _damped(run: Form) -> Check:
    return Check(run.damping > 0, run.damping, f"the damping is {run.damping:.3g}")


def _form(run: Form) -> Check:
    ok = run.rule is literal.push_through
    return Check(ok, 1.0 if ok else -1.0, f"the formula is {run.rule.__name__}")


def _mean(run: Form) -> Check:
    """That u_i are the gradients of the samples' own losses: their mean is the batch's gradient."""
    apart, allowed = length(run.wide.mean(axis=1) - run.mean), _allowed(run, run.U)
    return Check(
        apart <= allowed, allowed - apart, f"the mean of the per-sample gradients is {apart:.3g} from the gradient"
    )


def _allowed(run: Form, precision: np.ndarray) -> float:
    """What a mean of n columns may lose in the precision of this array, numbers below its smallest normal one included."""
    d, n = run.U.shape
    size = length(run.wide.reshape(-1)) / math.sqrt(n) + math.sqrt(d) * float(np.finfo(precision.dtype).tiny)
    return tolerance(precision, n) * size


def _off(run: Form) -> float:
    """How far the gradient may be from the mean of U: as seen in float64, and at most what `per-sample` lets through."""
    seen = length(run.wide.mean(axis=1) - run.mean) + _allowed(run, run.wide)
    return min(seen, _allowed(run, run.U))


def _resolved(run: Form) -> Check:
    """A budget as large as the vector itself would let any formula pass."""
    if run.damping <= 0:
        return Check(None, math.nan, "nothing is defined without damping")
    theorem = FngdPushThrough()
    size, budget = length(theorem.bound(run)), theorem.budget(run)
    ok = True if budget <= 0.1 * size else None
    return Check(ok, 0.1 * size - budget, f"rounding may change a vector of length {size:.3g} by {budget:.3g}")


class FngdPushThrough(Theorem):
    id = "fngd-push-through"
    title = "The natural gradient as a weighted sum of per-sample gradients"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/fngd.md#push-through", "derived")
    statement = (
        r"U\,(n\lambda I + U^\top U)^{-1}\mathbf 1 = \Bigl(\tfrac1n UU^\top + \lambda I\Bigr)^{-1}\bar g, "
        r"\qquad \bar g = \tfrac1n U\mathbf 1"
    )
    proof = "docs/proofs/fngd.md"
    subject = "one batch and one layer, in the precision that the run was computed in"
    assumptions: ClassVar = (
        Assumption("damped", r"\lambda > 0", _damped),
        Assumption("push-through", r"\text{the left side is computed as it stands}", _form),
        Assumption("per-sample", r"\bar g = \tfrac1n\textstyle\sum_i u_i", _mean),
        Assumption("resolved", r"\text{rounding leaves a digit of either side}", _resolved),
    )
    axes = ("parameter",)

    def measured(self, run: Form) -> np.ndarray:  # (d,)
        return or_nan(lambda: run.rule(run.U, run.damping), run.mean.shape)

    def bound(self, run: Form) -> np.ndarray:  # (d,)
        d, n = run.U.shape
        return or_nan(
            lambda: np.linalg.solve(run.wide @ run.wide.T / n + run.damping * np.eye(d), run.mean), run.mean.shape
        )

    def budget(self, run: Form) -> float:
        """First-order rounding of both sides (docs/proofs/fngd.md#rounding), in the norm, hence of every entry.

        The right side takes the gradient as it is given, and |(UUᵀ/n + λI)⁻¹| ≤ 1/λ magnifies what it is off.
        """
        return float(or_nan(lambda: self._rounding(run), ()))

    def _rounding(self, run: Form) -> float:
        U, (d, n), limits = run.wide, run.U.shape, np.finfo(run.U.dtype)
        if not (np.any(U) or np.any(run.mean)):
            return 0.0
        values = np.maximum(np.linalg.eigvalsh(U.T @ U), 0.0)
        norm, tiny = n * run.damping + values[-1], float(limits.tiny)  # |M|
        # No pivot is below λ. LAPACK does not divide by a subnormal one, and nothing is left of M beyond the largest number.
        if run.damping < 2.0 * tiny or norm > 0.5 * float(limits.max):
            return math.inf
        reach = float(np.max(np.sqrt(values) / (n * run.damping + values)))  # |U M⁻¹|
        c = length(literal.weights(U, run.damping)) + math.sqrt(n) * tiny  # an entry below tiny loses eps·tiny
        left = c * (reach * norm + math.sqrt(values[-1])) + math.sqrt(d) * tiny
        right = tolerance(U, d) * norm / (n * run.damping) * length(self.bound(run))
        return tolerance(run.U, d + n) * left + right + _off(run) / run.damping

    def examples(self) -> Iterator[Example]:
        yield Example("more parameters than samples", lambda: _form_of(60, 12, 1e-2))
        yield Example("more samples than parameters", lambda: _form_of(12, 60, 1e-2))
        yield Example("one sample", lambda: _form_of(9, 1, 1e-3))
        yield Example("the same sample several times", lambda: _exactly(np.tile(_normal(20, 3), (1, 4)), 1e-2))
        yield Example(
            "samples of sizes from 1e-3 to 1e3", lambda: _exactly(_normal(30, 8) * np.logspace(-3, 3, 8), 1e-2)
        )
        yield Example("no gradient at all", lambda: _exactly(np.zeros((6, 4)), 1e-2))
        for damping in (1e-2, 1e-4, 1e-6):
            yield Example(
                f"float32, damping {damping:g}", lambda damping=damping: _form_of(400, 32, damping, np.float32)
            )

    def controls(self) -> Iterator[Example]:
        cases = (
            (
                "three terms in float32",
                "push-through",
                lambda: _form_of(400, 32, 1e-6, np.float32, literal.three_terms),
            ),
            ("gradients of a mean not multiplied by n", "per-sample", _forgotten_n),
        )
        for name, breaks, make in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks,))
        yield Example(
            "more than float64 can hold", lambda: _exactly(_normal(30, 8) * np.logspace(-8, 8, 8), 1e-3),
            expect=("INCONCLUSIVE",), breaks="resolved",
        )  # fmt: skip
        yield Example("no damping", lambda: _form_of(5, 4, 0.0), expect=("HYPOTHESIS_FAILED",), breaks="damped")


def _normal(d: int, n: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(d, n))


def _exactly(U: np.ndarray, damping: float, rule: Rule = literal.push_through) -> Form:
    return Form(U, U.astype(np.float64).mean(axis=1), damping, rule)


def _form_of(d: int, n: int, damping: float, dtype: type = np.float64, rule: Rule = literal.push_through) -> Form:
    return _exactly(_normal(d, n).astype(dtype), damping, rule)


def _forgotten_n() -> Form:
    U = _normal(20, 8)
    return Form(U / 8.0, U.mean(axis=1), 1e-2)
