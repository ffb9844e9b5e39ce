r"""Without damping every sample's loss falls at the same rate, to first order.

.. math:: \|U^\top x - \mathbf 1\| \le \frac{n\lambda\sqrt n}{n\lambda + \sigma_n(U)^2} \to 0 \quad (\lambda \to 0), \; x = Uc .

Needs independent per-sample gradients: with more samples than parameters no x can do it.

Source: derived here (docs/proofs/fngd.md#limits).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.theorems.fngd_batch import DAMPED, SOLVED, Batch, batch, with_spectrum
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["FngdSmallDamping"]


def _independent(run: Batch) -> Check:
    d, n = run.U.shape
    least = float(run.singular[-1] / run.singular[0]) if d >= n and run.singular[0] > 0 else 0.0
    allowed = np.finfo(np.float64).eps * max(d, n)
    return Check(least > allowed, least - allowed, f"{n} samples, {d} parameters, σ_n/σ_1 = {least:.3g}")


INDEPENDENT = Assumption("independent", r"\operatorname{rank} U = n", _independent)


class FngdSmallDamping(Theorem):
    id = "fngd-small-damping"
    title = "Without damping every sample's loss falls at the same rate"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/fngd.md#limits", "derived")
    statement = r"\|U^\top x_\lambda - \mathbf 1\| \le \frac{n\lambda\sqrt n}{n\lambda + \sigma_{\min}(U)^2}"
    proof = "docs/proofs/fngd.md"
    subject = "FNGD's direction on one batch, damping by damping"
    assumptions: ClassVar = (DAMPED, SOLVED, INDEPENDENT)
    axes = ("damping",)

    def measured(self, run: Batch) -> np.ndarray:  # (k,)
        return np.linalg.norm(run.directions @ run.U - 1.0, axis=1)

    def bound(self, run: Batch) -> np.ndarray:  # (k,)
        damped = run.n * run.dampings
        return damped * np.sqrt(run.n) / (damped + run.singular[-1] ** 2)

    def budget(self, run: Batch) -> np.ndarray:  # (k,)
        """U'x - 1 = -nλc - r: the residual of the solution, and the rounding of two products."""
        return 2.0 * run.rounding()

    def trivial(self, run: Batch) -> np.ndarray:
        return np.full(len(run.dampings), np.sqrt(run.n))

    def examples(self) -> Iterator[Example]:
        uneven = np.array([1.0, 1.0, 1.0, 1.0, 1.01])
        yield Example(
            "equal rates wanted where U is weakest",
            lambda: batch(with_spectrum([3.0, 2.0, 2.0, 1.5, 1.0], 12, along=uneven), 1.0, 1e-2, 1e-4),
            near_tight=True,
        )
        yield Example("random", lambda: batch(_normal(40, 8), 1.0, 1e-3, 1e-6))
        yield Example("nearly dependent", lambda: batch(with_spectrum([1.0, 1.0, 1e-3], 5, seed=3), 1e-2, 1e-9))

    def controls(self) -> Iterator[Example]:
        def crowded() -> Batch:
            return batch(_normal(4, 9), 1e-1, 1e-3)

        def stale() -> Batch:
            return batch(_normal(40, 8), 1e-3, 1e-6, rule=lambda K, damping: np.full(8, 1.0 / np.trace(K)))

        for name, breaks, make in (
            ("more samples than parameters", "independent", crowded),
            ("coefficients that were not solved for", "solved", stale),
        ):
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks,))


def _normal(d: int, n: int) -> np.ndarray:
    return np.random.default_rng(11).normal(size=(d, n))
