"""Fixed points of the rules, in bases of every sort: what the stability theorems are tried on.

Source: derived here (docs/proofs/jorge.md#linear-stability).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from optimizers.theorems.fixed_points import FixedPointRun
from optimizers.theorems.rules import newton
from optimizers.theorems.truncated import step_size
from theory.theorem import Example

__all__ = ["away", "basis", "misuses", "newton_point", "series_point", "spectrum"]

Series = Callable[[np.ndarray, np.ndarray, float, int], np.ndarray]


def basis(n: int, seed: int = 0) -> np.ndarray:  # (n, n)
    """A random orthogonal matrix."""
    return np.linalg.qr(np.random.default_rng([seed, n]).standard_normal((n, n)))[0]


def spectrum(n: int, cond: float) -> np.ndarray:  # (n,)
    """Geometric from 1 to cond, with its middle value twice."""
    values = np.logspace(0.0, np.log10(cond), n)
    values[n // 2] = values[n // 2 - 1]
    return values


def series_point(
    rule: Series, order: int, size: float, cond: float, n: int = 4, V: np.ndarray | None = None
) -> FixedPointRun:
    """Where `rule` with step size s stands still under a constant C; V = I unless given."""
    V, values = np.eye(n) if V is None else V, spectrum(n, cond)
    c, fourth = step_size(size, order)
    C = (V * values) @ V.T
    step = partial(_series_step, rule=rule, C=C, beta2=1.0 / (1.0 + c), order=order)
    return FixedPointRun(step, values, V, fourth**0.25, order, size)


def newton_point(left: int, cond: float, n: int = 4, V: np.ndarray | None = None) -> FixedPointRun:
    """Newton's step with `left` factors on the left, at L^{-1/4}."""
    V, values = np.eye(n) if V is None else V, spectrum(n, cond)
    L = (V * values) @ V.T
    return FixedPointRun(partial(newton, L=L, left=left), values, V, 1.0, left, 1.0)


def _series_step(P: np.ndarray, rule: Series, C: np.ndarray, beta2: float, order: int) -> np.ndarray:
    return rule(P, C, beta2, order)


def away(run: FixedPointRun, by: float) -> FixedPointRun:
    """The same step at a point that is too large."""
    return replace(run, scale=run.scale * (1.0 + by))


def misuses(make: Callable[[], FixedPointRun], rule: str) -> Iterator[Example]:
    """A point that moves, a basis that is not orthogonal: refused, and wrong when applied anyway (the check of `rule`, too)."""

    def skew() -> FixedPointRun:
        run = make()
        return replace(run, V=run.V + 0.1 * np.outer(run.V[:, 0], run.V[:, 1]))

    for name, broken, breaks, rest in (
        ("a point that moves", lambda: away(make(), 0.05), "fixed-point", ()),
        ("a basis that is not orthogonal", skew, "positive", ("fixed-point", rule)),
    ):
        yield Example(f"{name}, through the door", broken, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
        yield Example(f"{name}, applied anyway", broken, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks, *rest))
