r"""Along a direction that no gradient has, the root grows by exactly :math:`\beta_2^{-1/4}` a step, until it overflows.

.. math::
    C_tu = 0 \text{ for all } t, \quad P_0u = P_0^\top u = p_0u \implies
    P_tu = P_t^\top u = p_0 \prod_{\tau\le t} \beta_{2,\tau}^{-1/4}\, u ,

for the one-sided rule and for the sandwich, of every order: the series multiplies u by 1. A row of zeros (a unit that is off)
is the plain case, :math:`P_{ii} = \epsilon^{-1/4} \prod \beta_{2,\tau}^{-1/4}`. In floating point :math:`P^4` overflows at the
first t with :math:`\sum_{\tau \le t} -\log\beta_{2,\tau} > \log(\epsilon\, x_{\max})`, and every later root is NaN, because
:math:`\infty \cdot 0` is. An all-zero gradient does it at once under the dynamic rule, :math:`\beta_2 = 0`.

Source: derived here (docs/proofs/jorge.md#dead-directions).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis
from optimizers.theorems.resolution import or_nan, resolved
from optimizers.theorems.rules import one_sided, sandwich
from optimizers.theorems.streams import RootRun, Step, faithful, follow, step_rounding
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["DeadDirection", "DeadRun", "overflow_step", "stream"]


@dataclass(frozen=True, eq=False)
class DeadRun:
    """A record with the direction that is said to be dead."""

    record: RootRun
    direction: np.ndarray = field(repr=False)  # (n,) a unit vector
    step: Step = one_sided

    @property
    def is_axis(self) -> bool:
        """Whether a dead direction is a row of zeros, without any rounding."""
        return float(np.max(np.abs(self.direction))) == 1.0 and int(np.count_nonzero(self.direction)) == 1

    def leak(self) -> np.ndarray:  # (T,)
        """Σ (|YPu| + |PYu|)/uᵀPu, with Yᵀ too: what the series does to u where rounding has left it not quite dead.

        P⁴ magnifies what is left, and an unstable rule the deviation of P itself; both are in the record.
        """
        record, u = self.record, self.direction
        odds = (1.0 / record.beta2 - 1.0)[:, None, None]
        P, C = record.P[:-1].astype(float), record.grams.astype(float)
        square = P @ P
        Y = odds * (square @ C @ square if self.step is sandwich else square @ square @ C)
        size = np.maximum(np.linalg.norm(Y, axis=(-2, -1)), 1.0) ** (record.order - 1)
        seen = sum(np.linalg.norm(A @ B @ u, axis=-1) for M in (Y, np.swapaxes(Y, -1, -2)) for A, B in ((M, P), (P, M)))
        return np.cumsum(record.order * size * seen / np.abs((P @ u) @ u))


def overflow_step(beta2: np.ndarray, eps: float, largest: float) -> int | None:
    """The first step after which P⁴ exceeds `largest` along a dead direction, started at eps^{-1/4}; None if it never does."""
    beyond = np.cumsum(-np.log(beta2)) > np.log(largest) + np.log(eps)
    return int(np.argmax(beyond)) + 1 if np.any(beyond) else None


def _dead(run: DeadRun) -> Check:
    seen = np.max(np.abs(run.record.grams @ run.direction), axis=-1)  # no squares, which vanish below 1e-162
    sizes = np.max(np.abs(run.record.grams), axis=(-2, -1))
    largest = float(np.max(seen / np.where(sizes > 0.0, sizes, 1.0)))
    unit = abs(float(np.linalg.norm(run.direction)) - 1.0)
    rounding = 16.0 * run.record.size * float(np.finfo(run.record.P.dtype).eps)
    allowed = 0.0 if run.is_axis else rounding
    ok = largest <= allowed and unit <= rounding
    return Check(ok, allowed - largest, f"|C_t u|/|C_t| is at most {largest:.2g}")


DEAD = Assumption("dead", r"C_tu = 0 \text{ for all } t, \; \|u\| = 1", _dead)


def _aligned(run: DeadRun) -> Check:
    P, u = run.record.P[0], run.direction
    along = float(u @ P @ u)
    size = float(or_nan(lambda: np.linalg.norm(P, 2), ()))  # NaN for a start that is none
    apart = float(max(np.linalg.norm(A @ u - along * u) for A in (P, P.T)) / size)
    allowed = 0.0 if run.is_axis else 16.0 * run.record.size * float(np.finfo(P.dtype).eps)
    ok = apart <= allowed and along > 0.0
    return Check(ok, min(allowed - apart, along), f"|P_0u - p_0u|/|P_0| = {apart:.2g}, p_0 = {along:.3g}")


ALIGNED = Assumption("aligned", r"P_0u = P_0^\top u = p_0u, \; p_0 > 0", _aligned)


def _rates(run: DeadRun) -> Check:
    least, most = float(np.min(run.record.beta2)), float(np.max(run.record.beta2))
    return Check(least > 0.0 and most <= 1.0, min(least, 1.0 - most), f"β₂ from {least:.4g} to {most:.4g}")


RATES = Assumption("rates", r"0 < \beta_{2,t} \le 1", _rates)


def _faithful(run: DeadRun) -> Check:
    if run.step not in (one_sided, sandwich):
        return Check(False, -1.0, "the step is neither the one-sided rule nor the sandwich")
    return faithful(run.record, run.step)


FAITHFUL = Assumption(
    "faithful", r"P_t = \text{step}(P_{t-1}, C_t, \beta_{2,t}), \text{ one-sided or sandwich}", _faithful
)


def _resolved(run: DeadRun) -> Check:
    """A thousandth of the growth, or of the root itself: single precision has no six digits after hundreds of steps."""
    if not np.all(run.record.beta2 > 0.0):
        return Check(None, np.nan, "no growth is defined for a β₂ that is not positive")
    growth = -0.25 * float(np.sum(np.log(run.record.beta2)))
    return resolved(_rounding(run), max(growth, 1.0), share=1e-3)


RESOLVED = Assumption(
    "resolved", r"\text{rounding and } \textstyle\sum \|Y_tP_{t-1}u\|/p_{t-1} \text{ leave three digits}", _resolved
)


class DeadDirection(Theorem):
    id = "jorge-dead-direction"
    title = "Along a dead direction the root grows without end"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/jorge.md#dead-directions", "derived")
    statement = (
        r"\log(u^\top P_tu) = \log p_0 - \tfrac14\sum_{\tau\le t}\log\beta_{2,\tau}, \quad \|P_tu\| = u^\top P_tu"
    )
    proof = "docs/proofs/jorge.md"
    subject = "the logarithms of uᵀP_tu and of |P_tu|"
    assumptions: ClassVar = (DEAD, ALIGNED, RATES, FAITHFUL, RESOLVED)
    axes = ("horizon", "reading")

    def measured(self, run: DeadRun) -> np.ndarray:  # (T, 2)
        moved = run.record.P[1:].astype(float) @ run.direction
        return np.log(np.stack([moved @ run.direction, np.linalg.norm(moved, axis=-1)], axis=-1))

    def bound(self, run: DeadRun) -> np.ndarray:  # (T, 2)
        first = np.log(float(run.direction @ run.record.P[0] @ run.direction))
        grown = first - 0.25 * np.cumsum(np.log(run.record.beta2))
        return np.stack([grown, grown], axis=-1)

    def budget(self, run: DeadRun) -> np.ndarray:  # (T, 1)
        return _rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("a row of zeros, the dynamic rule", lambda: stream(0, 8, 200, None))
        yield Example("a row of zeros, order 3, constant β₂", lambda: stream(1, 5, 300, 0.9, order=3))
        yield Example("a row of zeros in single precision", lambda: stream(2, 8, 200, None, dtype=np.float32))
        yield Example("any dead direction, the sandwich", lambda: stream(3, 6, 30, 0.9, step=sandwich, turned=True))

    def controls(self) -> Iterator[Example]:
        cases = (
            ("a ridge of a millionth", lambda: stream(4, 6, 200, 0.9, ridge=1e-6), "dead"),
            ("a start in another basis", lambda: stream(5, 6, 40, 0.9, tilt=0.3), "aligned"),
        )
        for name, make, breaks in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks,))


def _rounding(run: DeadRun) -> np.ndarray:  # (T, 1)
    """What a faithful step may lose; of a direction that is no axis it leaks in and out through the other eigenvalues."""
    steps = np.arange(1.0, run.record.horizon + 1.0)[:, None]
    lost = (steps + 4.0) * step_rounding(run.record.order, run.record.size, run.record.P.dtype)
    if run.is_axis:
        return lost
    roots = run.record.P.astype(float)
    if not np.all(np.isfinite(roots)):
        return np.full_like(lost, np.nan)
    cond = or_nan(lambda: np.max(np.linalg.cond(roots)), ())
    return 64.0 * run.record.size * cond**2 * lost + or_nan(run.leak, (run.record.horizon,))[:, None]


def stream(
    seed: int,
    n: int,
    T: int,
    beta2: float | None,
    order: int = 2,
    step: Step = one_sided,
    dtype: type = np.float64,
    turned: bool = False,
    ridge: float = 0.0,
    tilt: float = 0.0,
) -> DeadRun:
    """Gaussian gradients (n, 4n) of covariance I without their last row, or without one direction of another basis."""
    rng = np.random.default_rng([seed, n])
    G = rng.standard_normal((T, n, 4 * n)) / np.sqrt(4 * n)
    G[:, -1] = 0.0
    V = basis(n, seed) if turned else np.eye(n)
    grams = V @ (G @ np.swapaxes(G, -1, -2) + ridge * np.eye(n)) @ V.T
    P = np.eye(n) + tilt * (np.eye(n, k=1) + np.eye(n, k=-1))
    grams, P = (0.5 * (A + np.swapaxes(A, -1, -2)) for A in (grams, P))
    return DeadRun(
        follow(grams.astype(dtype), beta2, order, P.astype(dtype), np.eye(n, dtype=dtype), step), V[:, -1], step
    )
