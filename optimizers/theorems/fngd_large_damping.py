r"""With much damping FNGD is SGD with step size 1/λ.

.. math:: \|n\lambda c - \mathbf 1\| \le \sqrt n\,\frac{\sigma_1(U)^2}{n\lambda + \sigma_1(U)^2} \to 0 \quad (\lambda \to \infty).

Source: derived here (docs/proofs/fngd.md#limits).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.theorems.fngd_batch import DAMPED, SOLVED, Batch, batch, with_spectrum
from theory.citation import Citation
from theory.theorem import Example, Kind, Theorem

__all__ = ["FngdLargeDamping"]


class FngdLargeDamping(Theorem):
    id = "fngd-large-damping"
    title = "With much damping FNGD is SGD with step size one over the damping"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/fngd.md#limits", "derived")
    statement = r"\|n\lambda c - \mathbf 1\| \le \sqrt n\,\frac{\sigma_{\max}(U)^2}{n\lambda + \sigma_{\max}(U)^2}"
    proof = "docs/proofs/fngd.md"
    subject = "FNGD's coefficients on one batch, damping by damping"
    assumptions: ClassVar = (DAMPED, SOLVED)
    axes = ("damping",)

    def measured(self, run: Batch) -> np.ndarray:  # (k,)
        return np.linalg.norm(run.n * run.dampings[:, None] * run.c - 1.0, axis=1)

    def bound(self, run: Batch) -> np.ndarray:  # (k,)
        top = run.singular[0] ** 2
        return np.sqrt(run.n) * top / (run.n * run.dampings + top)

    def budget(self, run: Batch) -> np.ndarray:  # (k,)
        """|M⁻¹| ≤ 1/(nλ), so that the residual of the solution counts as it is."""
        return 2.0 * run.rounding()

    def trivial(self, run: Batch) -> np.ndarray:
        return np.full(len(run.dampings), np.sqrt(run.n))

    def examples(self) -> Iterator[Example]:
        def alike() -> Batch:
            u = np.random.default_rng(5).normal(size=(10, 1))
            return batch(np.tile(u, (1, 6)) + 0.02 * np.random.default_rng(6).normal(size=(10, 6)), 1.0, 10.0, 1e3)

        yield Example("samples that are nearly alike", alike, near_tight=True)
        yield Example("random", lambda: batch(np.random.default_rng(1).normal(size=(40, 8)), 1e-3, 1.0, 1e4))
        yield Example(
            "more samples than parameters", lambda: batch(np.random.default_rng(2).normal(size=(3, 9)), 1.0, 1e2)
        )
        yield Example("one direction counts", lambda: batch(with_spectrum([1e3, 1.0, 1e-3], 7), 1.0, 1e6))

    def controls(self) -> Iterator[Example]:
        def forgotten() -> Batch:
            U = np.random.default_rng(1).normal(size=(40, 8))
            return batch(U, 1e3, 1e5, rule=lambda K, damping: np.linalg.solve(damping * np.eye(8) + K, np.ones(8)))

        for name, expect, ignoring in (
            ("through the door", "HYPOTHESIS_FAILED", ()),
            ("applied anyway", "VIOLATED", ("solved",)),
        ):
            yield Example(
                f"damping not multiplied by n, {name}", forgotten, expect=(expect,), breaks="solved", ignoring=ignoring
            )
