r"""FNGD has a trust region of its own: no batch moves a layer by more than half the inverse root of the damping.

.. math:: \|x\| \le \frac1{2\sqrt\lambda}, \qquad x = \Bigl(\frac1n UU^\top + \lambda I\Bigr)^{-1}\bar g .

Equality for equal samples of size :math:`\|u\| = \sqrt\lambda`. It holds for coefficients that were solved for on this very
batch: shared ones, and plain SGD, have no such bound.

Source: derived here (docs/proofs/fngd.md#step-length).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.theorems.fngd_batch import DAMPED, SOLVED, Batch, batch
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["FngdStepLength"]


class FngdStepLength(Theorem):
    id = "fngd-step-length"
    title = "No batch moves a layer by more than half the inverse root of the damping"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/fngd.md#step-length", "derived")
    statement = r"\Bigl\|\Bigl(\tfrac1n UU^\top + \lambda I\Bigr)^{-1}\bar g\Bigr\| \le \frac1{2\sqrt\lambda}"
    proof = "docs/proofs/fngd.md"
    subject = "FNGD's direction for one layer with fresh coefficients, damping by damping"
    assumptions: ClassVar = (DAMPED, SOLVED)
    axes = ("damping",)

    def measured(self, run: Batch) -> np.ndarray:  # (k,)
        return np.linalg.norm(run.directions, axis=1)

    def bound(self, run: Batch) -> np.ndarray:  # (k,)
        return 0.5 / np.sqrt(run.dampings)

    def budget(self, run: Batch) -> np.ndarray:  # (k,)
        """|U M⁻¹| ≤ 1/(2√(nλ)) times the residual, and the rounding of Uc."""
        eps = np.finfo(np.float64).eps * run.n
        return run.rounding() / np.sqrt(run.n * run.dampings) + eps * run.singular[0] * np.linalg.norm(run.c, axis=1)

    def examples(self) -> Iterator[Example]:
        def alike() -> Batch:
            u = np.random.default_rng(5).normal(size=(10, 1))
            u *= np.sqrt(0.3) / np.linalg.norm(u)
            return batch(np.tile(u, (1, 6)), 0.28, 0.32, 1.0)

        yield Example("equal samples about as large as the damping", alike, near_tight=True)
        yield Example("random", lambda: batch(_normal(40, 8), 1e-4, 1e-2, 1.0))
        yield Example("enormous gradients", lambda: batch(1e6 * _normal(40, 8), 1e-2, 1.0))
        yield Example("more samples than parameters", lambda: batch(_normal(3, 30), 1e-2, 1.0))

    def controls(self) -> Iterator[Example]:
        def sgd() -> Batch:
            """The limit of much damping, where the gradients are large."""
            return batch(5.0 * _normal(40, 8), 1e-2, 1.0, rule=lambda K, damping: np.full(8, 1.0 / (8 * damping)))

        def shared() -> Batch:
            """Coefficients of an earlier batch, whose gradients were ten times as small."""
            old = 0.1 * _normal(40, 8)
            earlier = batch(old, 1e-2)
            return Batch(10.0 * old, earlier.dampings, earlier.c)

        for name, make in (("plain SGD", sgd), ("coefficients of an earlier batch", shared)):
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks="solved")
            yield Example(f"{name}, applied anyway", make, expect=("VIOLATED",), breaks="solved", ignoring=("solved",))


def _normal(d: int, n: int) -> np.ndarray:
    return np.random.default_rng(11).normal(size=(d, n))
