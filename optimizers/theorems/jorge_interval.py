r"""Where everything commutes, the error of the truncated series stays in one interval for ever, and forgets where it began.

With :math:`d_t = \log(P_t^{-4}/L_t)` of one eigenvalue, :math:`s_t = c_t P_{t-1}^4 C_t \in [s_-, s_+]` and
:math:`d_k(s) = \log((q_k(s)^{-4} - 1)/s)`,

.. math::
    d_t = d_{t-1} - 4\log q_k(s_t) - \log(1 + s_te^{d_{t-1}}), \qquad
    \operatorname{dist}(d_t, I) \le \lambda^t \operatorname{dist}(d_0, I), \qquad
    I = \operatorname{hull}\{d_k(s_-), d_k(s_+)\},

with :math:`\lambda = 1/(1 + s_- e^{\min(d_0, \sup I)})`. With :math:`d_0 = 0` and :math:`s_- = 0` this says that
:math:`\operatorname{hull}\{0, d_k(s_+)\}` is invariant, and no smaller interval that holds 0 is. For k = 2 and s_+ = 1 the root
is at most 20.0 % too large; for s_+ ≤ 1/2 at most 3.7 %.

Source: derived here (docs/proofs/jorge.md#invariant-interval).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import ClassVar

import numpy as np

from optimizers.theorems.rules import one_sided
from optimizers.theorems.streams import RootRun, faithful, follow, is_diagonal, step_rounding
from optimizers.theorems.truncated import admissible, fixed_error, series
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["JorgeInterval", "commuting", "errors", "step_sizes"]


def _commuting(run: RootRun) -> Check:
    ok = all(is_diagonal(A) for A in (run.grams, run.P, run.L))
    return Check(ok, 0.0 if ok else -1.0, f"{run.size} × {run.size} matrices are {'' if ok else 'not '}diagonal")


COMMUTING = Assumption("commuting", r"C_t, P_0, L_0 \text{ diagonal, and so exactly commuting}", _commuting)


def _positive(run: RootRun) -> Check:
    least = min(float(np.min(np.diagonal(A, axis1=-2, axis2=-1))) for A in (run.P[:1], run.L[:1]))
    seen = float(np.min(np.diagonal(run.grams, axis1=-2, axis2=-1)))
    return Check(least > 0 and seen >= 0, min(least, seen), "least diagonal entry of P_0, L_0 and of the C_t")


POSITIVE = Assumption("positive", r"P_0, L_0 \succ 0, \; C_t \succeq 0", _positive)


def _in_range(run: RootRun) -> Check:
    largest = float(np.max(step_sizes(run)))
    ok = np.isfinite(largest) and (largest <= 0.0 or admissible(run.order, Fraction(largest)))
    return Check(bool(ok), float(1.0 - series(largest, run.order)), f"1 - q_k at the largest step size {largest:.6g}")


IN_RANGE = Assumption("series-range", r"0 < q_k < 1 \text{ and } d_k \text{ monotone on } (0, s_+]", _in_range)
FAITHFUL = Assumption("faithful", r"P_t = \beta_{2,t}^{-1/4} P_{t-1}\, q_k(c_tP_{t-1}^4C_t)", faithful)


class JorgeInterval(Theorem):
    id = "jorge-interval"
    title = "Where everything commutes, truncation never drifts"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/jorge.md#invariant-interval", "derived")
    statement = (
        r"\operatorname{dist}(d_t, I) \le \lambda^t \operatorname{dist}(d_0, I), \quad d_t = \log(P_t^{-4}/L_t), \; "
        r"I = \operatorname{hull}\{d_k(s_-), d_k(s_+)\}, \; d_k(s) = \log\frac{q_k(s)^{-4} - 1}{s}"
    )
    proof = "docs/proofs/jorge.md"
    subject = "the error of Jorge's root on diagonal streams, measured from the middle of its interval"
    assumptions: ClassVar = (COMMUTING, POSITIVE, IN_RANGE, FAITHFUL)
    axes = ("horizon", "eigenvalue")

    def measured(self, run: RootRun) -> np.ndarray:  # (T, n)
        middle, _ = _interval(run)
        return np.abs(errors(run)[1:] - middle)

    def bound(self, run: RootRun) -> np.ndarray:  # (T, n)
        middle, half = _interval(run)
        start = errors(run)[0]
        outside = np.maximum(np.abs(start - middle) - half, 0.0)
        slowest = 1.0 + _least(run) * np.exp(np.minimum(start, middle + half))
        return half + outside * slowest ** -np.arange(1.0, run.horizon + 1.0)[:, None]

    def budget(self, run: RootRun) -> np.ndarray:  # (T, n)
        """What the faithful steps may lose of P, four times in P⁴, and of L; none of it grows: the recursion contracts.

        Once more for the ends of the interval, which the recorded step sizes give to rounding.
        """
        lost = 1.0 + 4.0 * _magnified(step_sizes(run), run.order)
        gamma = step_rounding(run.order, run.size, run.P.dtype)
        return gamma * (np.cumsum(lost, axis=0) + np.max(lost, axis=0))

    def examples(self) -> Iterator[Example]:
        for order in (1, 2, 3, 4):
            yield Example(
                f"order {order}, a long spell of full steps", lambda order=order: _spell(order, 1.0), near_tight=True
            )
        yield Example("order 2, step sizes up to 3/2", lambda: _spell(2, 1.5))
        yield Example("random, from far away", lambda: commuting(np.random.default_rng(0), 2, (0.05, 1.0), 300, 2.0))
        yield Example(
            "random and mild, order 3", lambda: commuting(np.random.default_rng(1), 3, (0.01, 0.25), 300, 0.0)
        )
        yield Example("the dynamic rule, scales from 1e-8 to 1e8", _dynamic)

    def controls(self) -> Iterator[Example]:
        cases = (
            ("a basis in which rounding does not commute", _rotated, "commuting", "VIOLATED"),
            ("step sizes of 1.7", lambda: _spell(2, 1.7), "series-range", "INCONCLUSIVE"),
            ("twice the second coefficient", _wrong_coefficient, "faithful", "VIOLATED"),
            ("a root of the wrong sign", lambda: _spell(2, 1.0, sign=-1.0), "positive", "INCONCLUSIVE"),
        )
        for name, make, breaks, otherwise in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=(otherwise,), breaks=breaks, ignoring=(breaks,))


def errors(run: RootRun) -> np.ndarray:  # (T + 1, n)
    """d_t per eigenvalue: the logarithms of the eigenvalues of L⁻¹P⁻⁴, NaN where they are not positive."""
    if all(is_diagonal(A) for A in (run.P, run.L)):
        p, statistic = (np.diagonal(A, axis1=-2, axis2=-1) for A in (run.P, run.L))
        with np.errstate(invalid="ignore"):
            return -4.0 * np.log(p * statistic**0.25)  # two logarithms would lose what their sizes are
    found = [np.linalg.eigvals(np.linalg.matrix_power(P, 4) @ L) for P, L in zip(run.P, run.L, strict=True)]
    return -np.log(np.sort(np.abs(np.stack(found)), axis=-1))


def step_sizes(run: RootRun) -> np.ndarray:  # (T, n)
    """The eigenvalues of s_t = c_t P_{t-1}⁴ C_t."""
    odds = ((1.0 - run.beta2) / run.beta2)[:, None]
    if is_diagonal(run.P) and is_diagonal(run.grams):
        p, seen = (np.diagonal(A, axis1=-2, axis2=-1) for A in (run.P[:-1], run.grams))
        return odds * p**4 * seen
    X = np.linalg.matrix_power(run.P[:-1], 4) @ run.grams
    if not np.all(np.isfinite(X)):
        return np.full(X.shape[:-1], np.nan)
    return odds * np.sort(np.real(np.linalg.eigvals(X)), axis=-1)


def _least(run: RootRun) -> np.ndarray:  # (n,)
    return np.min(step_sizes(run), axis=0)


def _magnified(s: np.ndarray, order: int) -> np.ndarray:  # (T, n)
    r"""How many roundings of its terms the series costs, near the end of its range, where it is small beside them or all but 1.

    In a root, :math:`q_k(-s)/q_k(s)`; in :math:`d_k`, a quarter of whose derivative along :math:`q_k - 1` this multiplies,
    :math:`(q_k(-s) - 1)/(q_k(1 - q_k^4))`.
    """
    q, majorant = series(s, order), series(-np.abs(s), order)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.where(s == 0.0, 0.0, (majorant - 1.0) / np.abs(q * (1.0 - q**4)))
        return np.maximum(np.abs(majorant / q), ends)


def _interval(run: RootRun) -> tuple[np.ndarray, np.ndarray]:  # (n,), (n,)
    """Middle and half width of I."""
    ends = [fixed_error(extreme(step_sizes(run), axis=0), run.order) for extreme in (np.min, np.max)]
    return 0.5 * (ends[0] + ends[1]), 0.5 * np.abs(ends[1] - ends[0])


def commuting(
    rng: np.random.Generator, order: int, sizes: tuple[float, float], horizon: int, start: float, n: int = 4
) -> RootRun:
    """A diagonal stream whose step sizes are uniform in `sizes`, begun at an error of `start` on every other eigenvalue."""
    wanted = rng.uniform(*sizes, (horizon, n))
    return _driven(wanted, rng.uniform(0.3, 0.999, horizon), order, start * (np.arange(n) % 2))


def _driven(
    wanted: np.ndarray, beta2: np.ndarray, order: int, start: np.ndarray, sign: float = 1.0, skew: float = 1.0
) -> RootRun:
    """The run whose step sizes are `wanted` (T, n): each C_t is chosen for the root that it meets."""
    statistic = np.logspace(-3.0, 3.0, wanted.shape[1])
    p = sign * (statistic * np.exp(start)) ** -0.25
    grams, q = [], p
    for s, b in zip(wanted, beta2, strict=True):
        grams.append(s * b / (1.0 - b) / q**4)
        q = b**-0.25 * q * (series(s, order) + (skew - 1.0) * (5.0 / 32.0) * s**2)
    step = one_sided if skew == 1.0 else _skewed(skew)
    return follow(_diagonals(np.stack(grams)), beta2, order, np.diag(p), np.diag(statistic), step)


def _skewed(skew: float):
    """The published rule with its second coefficient multiplied."""

    def step(P: np.ndarray, C: np.ndarray, beta2: float, order: int) -> np.ndarray:
        s = (1.0 - beta2) / beta2 * np.diagonal(P) ** 4 * np.diagonal(C)
        return np.diag(beta2**-0.25 * np.diagonal(P) * (series(s, order) + (skew - 1.0) * (5.0 / 32.0) * s**2))

    return step


def _diagonals(rows: np.ndarray) -> np.ndarray:  # (T, n) -> (T, n, n)
    return rows[:, :, None] * np.eye(rows.shape[1])


def _spell(order: int, largest: float, sign: float = 1.0) -> RootRun:
    """Short steps, then so many long ones that the error all but reaches its end."""
    wanted = np.concatenate([np.full((10, 3), 0.1 * largest), np.full((30, 3), largest) * [1.0, 0.8, 0.9]])
    return _driven(wanted, np.full(40, 0.5), order, np.zeros(3), sign)


def _dynamic() -> RootRun:
    rng = np.random.default_rng(3)
    scales = np.logspace(-8.0, 8.0, 5)
    grams = _diagonals(scales * rng.uniform(0.2, 2.0, (200, 5)))
    return follow(grams, None, 2, np.diag(scales**-0.25), np.diag(scales))


def _rotated() -> RootRun:
    """All but commuting: the one-sided rule magnifies a millionth about fivefold a step."""
    rng = np.random.default_rng(5)
    V = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    spectrum = np.logspace(-3.0, 0.0, 4)
    L = (V * spectrum) @ V.T
    grams = np.stack([(V * (spectrum * u)) @ V.T for u in rng.uniform(0.5, 1.5, (8, 4))])
    P = (V * spectrum**-0.25) @ (np.eye(4) + 1e-6 * rng.standard_normal((4, 4))) @ V.T
    return follow(grams, 0.98, 2, P, L)


def _wrong_coefficient() -> RootRun:
    return _driven(np.full((60, 2), 0.7), np.full(60, 0.5), 2, np.zeros(2), skew=2.0)
