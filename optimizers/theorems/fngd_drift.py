r"""How far shared coefficients are from fresh ones, without computing the fresh ones.

.. math:: \|Uc_s - Uc\| \le \frac{\|\mathbf 1 - (n\lambda I + K)c_s\|}{2\sqrt{n\lambda}}, \qquad K = U^\top U .

The residual costs one product with K, or with U and Uᵀ. Equality when it points along a singular vector with σ² = nλ.

Source: derived here (docs/proofs/fngd.md#drift).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from optimizers.theorems.fngd_batch import DAMPED, Batch, batch, with_spectrum
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["FngdDrift", "Shared"]


@dataclass(frozen=True, eq=False)
class Shared(Batch):
    """A batch with coefficients that were not solved for on it; `gram` is the K that their residual was taken with."""

    gram: np.ndarray  # (n, n)

    def residuals(self) -> np.ndarray:  # (k, n)
        return 1.0 - self.n * self.dampings[:, None] * self.c - self.c @ self.gram


def _allowed(run: Shared) -> float:
    """The rounding of d products in float64, of any entry of K."""
    limits = np.finfo(np.float64)
    return 16.0 * float(limits.eps) * run.U.shape[0] * max(float(np.max(np.abs(run.K))), float(limits.tiny))


def _same(run: Shared) -> Check:
    apart, allowed = float(np.max(np.abs(run.gram - run.K))), _allowed(run)
    return Check(apart <= allowed, allowed - apart, f"an entry of K differs from UᵀU by {apart:.3g}")


def _off(run: Shared) -> np.ndarray:  # (k,)
    """How far the residual is from the one with UᵀU: as seen, and at most what `this-batch` lets through."""
    seen = np.linalg.norm(run.c @ (run.gram - run.K), axis=1)
    return np.minimum(seen, run.n * _allowed(run) * np.linalg.norm(run.c, axis=1))


SAME = Assumption("this-batch", r"K = U^\top U", _same)


class FngdDrift(Theorem):
    id = "fngd-drift"
    title = "The residual of shared coefficients bounds how far their update is from the fresh one"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/fngd.md#drift", "derived")
    statement = r"\|Uc_s - Uc\| \le \frac{\|\mathbf 1 - (n\lambda I + U^\top U)c_s\|}{2\sqrt{n\lambda}}"
    proof = "docs/proofs/fngd.md"
    subject = "any coefficients on one batch, damping by damping"
    assumptions: ClassVar = (DAMPED, SAME)
    axes = ("damping",)

    def measured(self, run: Shared) -> np.ndarray:  # (k,)
        return np.linalg.norm(run.directions - batch(run.U, *run.dampings).directions, axis=1)

    def bound(self, run: Shared) -> np.ndarray:  # (k,)
        return np.linalg.norm(run.residuals(), axis=1) / (2.0 * np.sqrt(run.n * run.dampings))

    def budget(self, run: Shared) -> np.ndarray:  # (k,)
        """The rounding of the fresh solution, of the residual and of its K, all seen through |U M⁻¹| ≤ 1/(2√(nλ))."""
        fresh = batch(run.U, *run.dampings)
        return (run.rounding() + fresh.rounding() + _off(run)) / np.sqrt(run.n * run.dampings)

    def examples(self) -> Iterator[Example]:
        def resonant() -> Shared:
            U = with_spectrum([1.2, 1.0, 0.9], 6, seed=2)
            right = np.linalg.svd(U)[2]
            fresh = batch(U, 1.0 / 3.0 + 0.01)
            return Shared(U, fresh.dampings, fresh.c + 0.3 * right[1], U.T @ U)

        yield Example("off along a singular vector of the damping's size", resonant, near_tight=True)
        yield Example("uniform coefficients", lambda: _uniform(_normal(40, 8), 1e-3, 1e-1, 1e1))
        yield Example("more samples than parameters", lambda: _uniform(_normal(3, 9), 1e-2, 1.0))
        yield Example("of an earlier batch", lambda: _earlier(this_batch=True))

    def controls(self) -> Iterator[Example]:
        for name, expect, ignoring in (
            ("through the door", "HYPOTHESIS_FAILED", ()),
            ("applied anyway", "VIOLATED", ("this-batch",)),
        ):
            yield Example(
                f"the residual on the earlier batch, {name}", lambda: _earlier(this_batch=False), expect=(expect,),
                breaks="this-batch", ignoring=ignoring,
            )  # fmt: skip


def _normal(d: int, n: int, seed: int = 11) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(d, n))


def _uniform(U: np.ndarray, *dampings: float) -> Shared:
    n = U.shape[1]
    c = np.stack([np.full(n, 1.0 / (n * damping + np.mean(np.sum(U * U, axis=0)))) for damping in dampings])
    return Shared(U, np.array(dampings), c, U.T @ U)


def _earlier(this_batch: bool) -> Shared:
    """Coefficients that were solved for on an earlier batch: there, their residual is zero."""
    old, new = _normal(40, 8, seed=3), _normal(40, 8, seed=4)
    earlier = batch(old, 1e-2, 1.0)
    return Shared(new, earlier.dampings, earlier.c, (new if this_batch else old).T @ (new if this_batch else old))
