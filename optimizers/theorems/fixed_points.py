r"""A matrix iteration at a point where it stands still, and what it does to every small deviation there.

.. math::
    D\Phi(P_*)[v_iv_j^\top] = a_{ij}\, v_iv_j^\top, \qquad C = V \operatorname{diag}(\lambda) V^\top, \quad
    P_* = \alpha\, C^{-1/4}, \quad r_{ij} = (\lambda_j/\lambda_i)^{1/4} .

The factors :math:`a_{ij}` decide: the point attracts its neighbourhood if all are below 1 in size, and some direction leaves it
if one is above 1 (Lyapunov's indirect method for maps). A theorem on one rule states its factors; what is measured is the
derivative of the rule itself, taken without a difference quotient.

Source: derived here (docs/proofs/jorge.md#linear-stability).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from optimizers.theorems.resolution import resolved
from optimizers.theorems.rules import TINY, derivative
from optimizers.theorems.truncated import series, step_size
from theory.theorem import Assumption, Check, Kind, Theorem

__all__ = ["Amplification", "FixedPointRun", "one_sided_sum", "same_series", "same_step", "sandwich_sum"]

Matrix = np.ndarray


@dataclass(frozen=True, eq=False)
class FixedPointRun:
    """`step` at P = scale · V diag(spectrum^(-1/4)) Vᵀ. `order` and `size` describe the step: k and s, or left and 1."""

    step: Callable[[Matrix], Matrix] = field(repr=False)
    spectrum: Matrix = field(repr=False)  # (n,) of C
    V: Matrix = field(repr=False)  # (n, n) orthogonal
    scale: float
    order: int
    size: float

    @property
    def P(self) -> Matrix:  # (n, n)
        """P_*."""
        return (self.V * (self.scale * self.spectrum**-0.25)) @ self.V.T

    @property
    def C(self) -> Matrix:  # (n, n)
        """The matrix that the step works towards."""
        return (self.V * self.spectrum) @ self.V.T

    @property
    def ratios(self) -> Matrix:  # (n, n)
        """r_ij = p_i/p_j."""
        p = self.spectrum**-0.25
        return p[:, None] / p[None, :]

    @cached_property
    def jacobian(self) -> Matrix:  # (n², n²)
        """The derivative on the basis v_i v_jᵀ, in the same basis."""
        V, n = self.V, len(self.spectrum)
        columns = [
            V.T @ derivative(self.step, self.P, np.outer(V[:, i], V[:, j])) @ V for i in range(n) for j in range(n)
        ]
        return np.stack([column.reshape(-1) for column in columns], axis=1)

    @cached_property
    def moved(self) -> float:
        """|Φ(P) - P|/|P|."""
        return float(np.linalg.norm(self.step(self.P) - self.P) / np.linalg.norm(self.P))

    @cached_property
    def off(self) -> float:
        """How much too large a P that stands still to rounding may be: a step multiplies that by the Jacobian's first entry."""
        pulled = abs(1.0 - float(self.jacobian[0, 0]))
        return min(self.moved, _rounding(self)) / pulled if pulled > 0.0 else np.inf


def one_sided_sum(r: Matrix) -> Matrix:
    """r + r² + r³ + r⁴."""
    return r * (1.0 + r * (1.0 + r * (1.0 + r)))


def sandwich_sum(r: Matrix) -> Matrix:
    """σ(r) = 1 + r + 1/r + (r² + r⁻²)/2 = (1 + r)²(1 + r²)/(2r²), written so that it is even in log r."""
    half = r + 1.0 / r
    return half + 0.5 * half * half


def same_step(run: FixedPointRun, literal: Callable[[Matrix], Matrix]) -> Check:
    """Whether the run's step is `literal`, tried on a matrix that is not symmetric and commutes with nothing."""
    n = len(run.spectrum)
    P = run.P @ (np.eye(n) + 0.1 * np.random.default_rng(n).standard_normal((n, n)))
    found, expected = run.step(P), literal(P)
    apart = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return Check(apart <= _rounding(run), _rounding(run) - apart, f"relative difference {apart:.2g} from the rule")


def same_series(run: FixedPointRun, rule: Callable[[Matrix, Matrix, float, int], Matrix]) -> Check:
    """Whether the run's step is this series with the order and step size that the run states."""
    q = float(series(run.size, run.order)) if run.order >= 1 else np.nan
    if not (run.size > 0.0 and 0.0 < q < 1.0):
        return Check(False, run.size, f"no series of order {run.order} stands still with a step size of {run.size:.3g}")
    beta2 = 1.0 / (1.0 + step_size(run.size, run.order)[0])
    return same_step(run, lambda P: rule(P, run.C, beta2, run.order))


def _still(run: FixedPointRun) -> Check:
    allowed = _rounding(run)
    return Check(run.moved <= allowed, allowed - run.moved, f"one step moves P by a relative {run.moved:.2g}")


def _orthonormal(run: FixedPointRun) -> Check:
    n = len(run.spectrum)
    apart, allowed = float(np.linalg.norm(run.V.T @ run.V - np.eye(n))), 64.0 * n * float(np.finfo(float).eps)
    least = float(np.min(run.spectrum))
    return Check(
        apart <= allowed and least > 0,
        min(allowed - apart, least),
        f"|VᵀV - I| = {apart:.2g}, least eigenvalue {least:.2g}",
    )


def _resolved(run: FixedPointRun) -> Check:
    """Beyond, one step and the rule are compared with a tolerance that any point and any rule would meet."""
    positive = float(np.min(run.spectrum)) > 0.0
    return resolved(_lost(run), 1.0) if positive else Check(None, np.nan, "C is not positive")


STILL = Assumption("fixed-point", r"\Phi(P_*) = P_*", _still)
RESOLVED = Assumption("resolved", r"\text{rounding leaves six digits of a step}", _resolved)
POSITIVE = Assumption("positive", r"C = V \operatorname{diag}(\lambda) V^\top \succ 0, \; V^\top V = I", _orthonormal)


def _rounding(run: FixedPointRun) -> float:
    """Products of P and C lose what |P|⁴|C| is larger than their result."""
    spread = float(np.max(run.spectrum) / np.min(run.spectrum))
    return 64.0 * (run.order + 6) * len(run.spectrum) * float(np.finfo(float).eps) * spread


def _lost(run: FixedPointRun) -> float:
    """The derivative is of degree 4(order + 1) at most in P, so that it sees 4(order + 2) times what P is off.

    It is taken at a distance of TINY |P|: products of that and p⁴ that are below the smallest normal number lose as much as that.
    """
    faintest = TINY * np.min(run.scale * run.spectrum**-0.25) ** 4
    return _rounding(run) * (1.0 + np.finfo(float).tiny / faintest) + 8.0 * (run.order + 2) * run.off


class Amplification(Theorem):
    """The derivative is diagonal on the v_i v_jᵀ with the factors that a subclass states: entries (n², n²) of the Jacobian."""

    kind: ClassVar = Kind.EXACT
    proof: ClassVar = "docs/proofs/jorge.md"
    subject: ClassVar = "the derivative of the rule at its fixed point, in the eigenbasis"
    assumptions: ClassVar = (POSITIVE, STILL, RESOLVED)
    axes: ClassVar = ("output", "input")

    @abstractmethod
    def factors(self, run: FixedPointRun) -> Matrix:  # (n, n)
        """a_ij."""

    def measured(self, run: FixedPointRun) -> Matrix:  # (n², n²)
        return run.jacobian

    def bound(self, run: FixedPointRun) -> Matrix:  # (n², n²)
        return np.diag(self.factors(run).reshape(-1))

    def budget(self, run: FixedPointRun) -> float:
        """Products of P and C lose what |P|⁴|C| is larger than their result; the largest factor is the scale of the entries."""
        return _lost(run) * (1.0 + float(np.max(np.abs(self.factors(run)))))
