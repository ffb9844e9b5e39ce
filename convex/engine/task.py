r"""The problem that the engine solves, with its data ready for the kernels, and snapshots of it.

.. math:: P(w, b) = \sum_i p_i \varphi(x_i \cdot w + b; y_i) + l_1 |w|_1 + \tfrac{l_2}{2} |w|^2

The intercept is one more coordinate β with b = β s: the column of the constant s beside X. With s² = λ_max(Xᵀ diag(p)
X), about, that column is as long as the longest direction of the data: no steeper, and not flat (measured: stages
need as many passes as without an intercept, and 2-6 times as many at 1/10 of it or at s² = mean |x_i|²). Without an
intercept s = 0, and β stays 0 by itself.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from convex.engine import kernels_loss, kernels_vector, numpy_losses, numpy_rows
from convex.engine.losses import CURVATURE
from convex.engine.rows import Rows

__all__ = ["PenaltyTerms", "Snapshot", "Task"]


class PenaltyTerms(NamedTuple):
    """What the penalty gives at w, with v = -∇F."""

    value: float  # R(w)
    young: float  # R(w) + R*(v) - w · v, without R* for l2 = 0
    largest: float  # max |v_j|
    product: float  # w · v
    nonzeros: int  # of w


@dataclass(frozen=True)
class Task:
    """One problem. Vectors have d + 1 entries, the last one β."""

    rows: Rows
    y: np.ndarray  # (n,)
    p: np.ndarray  # (n,), sums to 1
    code: int
    delta: float
    l1: float
    l2: float
    scale: float  # s; 0: no intercept

    @property
    def compiled(self) -> bool:
        """Whether kernels are machine code."""
        return self.rows.kernels is not numpy_rows

    @property
    def loss(self) -> tuple[int, float, float]:
        """What a kernel wants to know of the loss."""
        return self.code, self.delta, self.scale

    def smoothness(self) -> np.ndarray:
        """(n,) p_i times the curvature bound of φ(x_i · w + b): p_i c (|x_i|² + s²)."""
        out = self.rows.squared_norms()
        out += self.scale**2
        out *= self.p
        out *= CURVATURE[self.code]
        return out

    def loss_rows(
        self, z: np.ndarray, shift: float, s: np.ndarray, block: slice = slice(None)
    ) -> tuple[float, float, float, float]:
        """(Σ p φ, Σ p φ', Σ p φ'', Σ p |φ'|) at z + shift; s := p φ'."""
        function = kernels_loss.loss_rows if self.compiled else numpy_losses.loss_rows
        return function(self.code, z[block], self.y[block], self.p[block], shift, self.delta, s[block])

    def penalty_terms(self, w: np.ndarray, gradient: np.ndarray) -> PenaltyTerms:
        """The penalty's side of objective and gap."""
        function = kernels_vector.penalty_terms if self.compiled else numpy_rows.penalty_terms
        terms: tuple[Any, ...] = function(w, gradient, self.l1, self.l2)
        return PenaltyTerms(*terms)

    def snapshot_of(
        self, w: np.ndarray, z: np.ndarray, s: np.ndarray, gradient: np.ndarray, loss: float, excess: float
    ) -> Snapshot:
        """A snapshot from what a pass computed."""
        terms = self.penalty_terms(w, gradient)
        return Snapshot(w, z, s, gradient, loss, loss + terms.value, excess, terms)


@dataclass(frozen=True)
class Snapshot:
    """A point at which a whole pass was made."""

    w: np.ndarray  # (d + 1,)
    z: np.ndarray  # (n,) scores, intercept included
    s: np.ndarray  # (n,) p φ'(z), what the dual point is made of
    gradient: np.ndarray  # (d + 1,) Σ s_i (x_i, scale)
    loss: float  # F
    objective: float  # F + R
    excess: float  # bound on what shrinking s to Σ s = 0 added to the gap; inf: Σ s is not 0
    penalty: PenaltyTerms
    flat: bool = False  # Σ s_i x_i = 0 as well, up to rounding: feasible without a penalty
