r"""One batch as FNGD's theorems see it: per-sample gradients, damping, and the coefficients that are judged.

.. math:: U = [u_1, \dots, u_n] \in \mathbb R^{d\times n}, \; K = U^\top U, \quad M = n\lambda I + K, \quad c = M^{-1}\mathbf 1

Source: derived here, docs/proofs/fngd.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizers.theorems.resolution import or_nan
from structures.arrays import tolerance
from theory.theorem import Assumption, Check

__all__ = ["DAMPED", "SOLVED", "Batch", "batch", "with_spectrum"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Per-sample gradients with dampings, and coefficients for each of them."""

    U: np.ndarray  # (d, n), float64
    dampings: np.ndarray  # (k,)
    c: np.ndarray  # (k, n)

    @property
    def n(self) -> int:
        return self.U.shape[1]

    @cached_property
    def singular(self) -> np.ndarray:
        """Singular values of U, descending, shape (min(d, n),); NaN where U has them not."""
        return or_nan(lambda: np.linalg.svd(self.U, compute_uv=False), (min(self.U.shape),))

    @cached_property
    def K(self) -> np.ndarray:  # (n, n)
        return self.U.T @ self.U

    @cached_property
    def directions(self) -> np.ndarray:  # (k, d)
        return self.c @ self.U.T

    def residuals(self) -> np.ndarray:  # (k, n)
        """1 - M c."""
        return 1.0 - self.n * self.dampings[:, None] * self.c - self.c @ self.K

    def rounding(self) -> np.ndarray:  # (k,)
        """What a solution that is stable in float64 may leave of 1 - M c, in the norm: eps n |M| |c|."""
        size = self.n * self.dampings + self.singular[0] ** 2
        return tolerance(self.U, self.U.shape[0] + self.n) * (size * np.linalg.norm(self.c, axis=1) + math.sqrt(self.n))


def batch(
    U: np.ndarray,
    *dampings: float,
    rule: Callable[[np.ndarray, float], np.ndarray] | None = None,  # (n, n) K, λ -> (n,) c
) -> Batch:
    """The batch with c = (nλI + K)⁻¹ 1, or with the coefficients of another rule."""
    U = np.asarray(U, dtype=np.float64)
    solve = rule or _solve
    return Batch(U, np.array(dampings), np.stack([solve(U.T @ U, damping) for damping in dampings]))


def _solve(K: np.ndarray, damping: float) -> np.ndarray:
    n = len(K)
    return or_nan(lambda: np.linalg.solve(n * damping * np.eye(n) + K, np.ones(n)), (n,))


def with_spectrum(singular: list[float], d: int, seed: int = 0, along: np.ndarray | None = None) -> np.ndarray:
    """U (d, n) with these singular values; `along` (n,), if given, is the right singular vector of the last one."""
    rng, n = np.random.default_rng(seed), len(singular)
    left = np.linalg.qr(rng.normal(size=(d, n)))[0]
    basis = rng.normal(size=(n, n))
    if along is not None:
        basis[:, 0] = along
    right = np.linalg.qr(basis)[0][:, ::-1]
    return left * np.asarray(singular) @ right.T


def _damped(run: Batch) -> Check:
    least = float(np.min(run.dampings))
    return Check(least > 0, least, f"the smallest damping is {least:.3g}")


DAMPED = Assumption("damped", r"\lambda > 0", _damped)


def _solved(run: Batch) -> Check:
    """In units of what a stable solution leaves."""
    found = np.linalg.norm(run.residuals(), axis=1) / run.rounding()
    worst = float(np.max(found))
    return Check(worst <= 1.0, 1.0 - worst, f"1 - (nλI + K)c is {worst:.3g} times what rounding may leave")


SOLVED = Assumption("solved", r"(n\lambda I + U^\top U)\,c = \mathbf 1", _solved)
