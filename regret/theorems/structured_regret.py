r"""The regret theorem of structured adaptive regularization, with the constants that its proof gives.

.. math::
    \sum_{s \le t} \langle g_s, x_s - u\rangle \;\le\; \frac{D_t^2}{2\eta} \operatorname{Tr} H_t
        + \eta\,(\operatorname{Tr} H_t - d\sqrt\varepsilon) + \frac1\eta \sum_{s \le t} \delta_s .

The left side is the regret of the linearised losses. Convexity of the losses is needed only to conclude that it bounds the
regret of the losses themselves; `ConvexRegret` speaks about that.

Source: derived here (docs/proofs/regret.md#theorem-r), in the form of Xie et al. 2025, arXiv 2503.10537.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from regret.theorems.assumptions import (
    ADAPTIVE,
    COMPARATOR,
    CUMULATIVE,
    FAITHFUL,
    FEASIBLE,
    FINITE,
    PROJECTED,
    WELL_STRUCTURED,
)
from regret.theorems.budget import rounding_budget
from regret.theorems.constants import damping_trace, distance, rates
from regret.theorems.linear_regret import LinearRegret
from regret.trace import Trace
from theory.certificate import Certificate
from theory.citation import Citation
from theory.theorem import Example, Kind

__all__ = ["StructuredRegret"]


class StructuredRegret(LinearRegret):
    id = "structured-regret"
    title = "Regret of structured adaptive regularization"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/regret.md#theorem-r", "derived")
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \frac{D_t^2}{2\eta} \operatorname{Tr} H_t + "
        r"\eta\,(\operatorname{Tr} H_t - d\sqrt\varepsilon) + \frac1\eta \sum_{s \le t} \delta_s "
        r"\qquad \text{for every } t \le T,\ u \in \mathcal X"
    )
    proof = "docs/proofs/regret.md"
    subject = "adaptive regularization with a well-structured set, every horizon, any gradients"
    assumptions: ClassVar = (
        FAITHFUL, ADAPTIVE, CUMULATIVE, WELL_STRUCTURED, FEASIBLE, COMPARATOR, PROJECTED, FINITE,
    )  # fmt: skip

    def bound(self, run: Trace) -> np.ndarray:
        eta = rates(run)
        grown = eta * (run.trace_root - damping_trace(run))
        return np.square(distance(run)) / (2.0 * eta) * run.trace_root + grown + run.gap_sum / eta

    def budget(self, run: Trace) -> np.ndarray:
        return rounding_budget(run, self.bound(run))

    def certificate(self, run: Trace) -> Certificate | None:
        """In exact arithmetic, for a small run with its history. Subclasses that say something else have none."""
        from regret.theorems.rigorous import regret_certificate

        return regret_certificate(run) if type(self) is StructuredRegret else None

    def examples(self) -> Iterable[Example]:
        from regret.theorems.runs import regret_examples

        return regret_examples()

    def controls(self) -> Iterable[Example]:
        from regret.theorems.runs import regret_controls

        return regret_controls()
