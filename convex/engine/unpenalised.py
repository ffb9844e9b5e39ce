r"""A duality gap without any penalty: the dual point that one Newton step of the primal leads to.

.. math::
    \alpha' = \alpha + D \circ \tilde X c, \qquad B c = -\tilde X^\top \alpha, \qquad
    B = \tilde X^\top \mathrm{diag}(D)\, \tilde X, \qquad \alpha = (p_i \varphi'(z_i))_i

Without l1 and l2 a dual point is feasible only if it is orthogonal to every column of the data, and nothing bounds the
minimiser: a residual of any size could cost any amount. With S the columns' lengths and λ the least eigenvalue of
:math:`S^{-1} B S^{-1}`, some :math:`\alpha''` that is orthogonal exactly lies within

.. math:: \Big(\sum_i (\alpha''_i - \alpha'_i)^2 / D_i\Big)^{1/2} \le \delta = |S^{-1} \tilde X^\top \alpha'| / \sqrt\lambda,
    \qquad P(w) - P^\star \le \big(\sqrt{G(\alpha')} + \delta\big)^2,

G being the gap as if α' were feasible. The residual counts with all that rounding may have hidden of it, λ without all
that rounding may have added: where no λ > 0 is left, columns depend on each other as far as float64 can tell, and there
is no certificate of this kind. It takes a matrix of d² numbers: only for few features.

Source: derived here; docs/proofs/finite-sum.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from convex.engine.columns import take_columns
from convex.engine.gap import loss_part
from convex.engine.hessian import curvatures, diagonal_of, gram, gram_passes, squared
from convex.engine.losses import HUBER, LOG, SQUARED, SQUARED_HINGE
from convex.engine.task import Snapshot, Task

__all__ = ["flattened", "flattened_passes", "unpenalised"]

FEW = 1000
EPS = float(np.finfo(np.float64).eps)
SLIM = 1e-6  # of the largest room: rows with less of it stay where they are
SMALLEST = 1e-250  # squared length of a column that is still a normal number when it is divided by


def unpenalised(task: Task) -> bool:
    """Whether this is the way to a certificate."""
    return task.l1 == 0.0 and task.l2 == 0.0 and task.rows.d <= FEW


def flattened_passes(task: Task) -> float:
    """What `flattened` costs."""
    return gram_passes(task.rows) + 2.5


def flattened(task: Task, snap: Snapshot) -> Snapshot | None:
    """The snapshot with corrected slopes, its `excess` a bound of the gap; None where nothing can be proved."""
    if task.rows.n < task.rows.d:
        return None
    D, room = movable(task, snap)
    system = Normal.of(task, D)
    if system is None:
        return None
    s, g = snap.s, snap.gradient
    for _ in range(2):  # the second time for what rounding left
        s = s + D * task.rows.scores(system.solve(-g), task.scale)
        g = task.rows.scatter(s, task.scale)
    delta = system.distance(np.abs(g) + hidden(task, s))
    if not np.all(np.abs(s - snap.s) + np.sqrt(D) * delta <= room):
        return None
    at = replace(snap, s=s, gradient=g)
    excess = (math.sqrt(loss_part(task, at, 1.0)) + delta) ** 2
    return replace(at, excess=excess, flat=True) if math.isfinite(excess) else None


def movable(task: Task, snap: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the curvatures D, 0 for rows that have to stay; and how far s may move for the bound to hold."""
    D, size, p = curvatures(task, snap), np.abs(snap.s), task.p
    if task.code == SQUARED:
        return D, np.full_like(D, np.inf)
    if task.code == LOG:
        room = D / 3.0
    elif task.code == HUBER:
        room = np.maximum(task.delta * p - size, 0.0)
    else:
        room = size if task.code == SQUARED_HINGE else np.minimum(size, np.maximum(4.0 * p - size, 0.0))
    return np.where(room > SLIM * float((room / p).max()) * p, D, 0.0), room


def hidden(task: Task, s: np.ndarray) -> np.ndarray:
    """(d + 1,) what rounding may do to each entry of a sum Σ s_i x_i: n u |s|·|x_j| <= n u |s| |x_j|, in any order."""
    lengths = np.sqrt(diagonal_of(task, squared(task.rows), np.ones(task.rows.n)))
    return (task.rows.n + 10) * EPS * float(np.linalg.norm(s)) * lengths


@dataclass(frozen=True)
class Normal:
    """The scaled matrix of the normal equations by its eigenvectors."""

    lengths: np.ndarray  # (k,) of the columns that are not empty
    at: np.ndarray  # (k,) which these are
    values: np.ndarray  # (k,) eigenvalues, increasing
    vectors: np.ndarray  # (k, k)
    least: float  # > 0, below the least eigenvalue of the exact matrix

    @classmethod
    def of(cls, task: Task, D: np.ndarray) -> Normal | None:
        """From curvatures; None where the matrix may be singular."""
        B = gram(task, D)
        squares = B.diagonal()
        at = np.flatnonzero(squares)
        if at.size < squares.size and not empty(task, np.flatnonzero(squares == 0.0)):
            return None
        if not (math.isfinite(float(squares.sum())) and squares[at].min(initial=np.inf) >= SMALLEST):
            return None
        lengths = np.sqrt(squares[at])
        scaled = B[np.ix_(at, at)] / lengths / lengths[:, None]
        kept = without_copies(task, scaled, at)
        at, lengths = at[kept], lengths[kept]
        values, vectors = np.linalg.eigh(scaled[np.ix_(kept, kept)])
        # A sum of n products is wrong by n u of their sizes, all entries by k times that; eigenvalues by some k² u.
        least = float(values.min(initial=1.0)) - EPS * at.size * (task.rows.n + 10 * at.size)
        return cls(lengths, at, values, vectors, least) if least > 0.0 else None

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(d + 1,) c with B c = right, about; 0 for empty columns."""
        c = np.zeros_like(right)
        c[self.at] = self.vectors @ ((self.vectors.T @ (right[self.at] / self.lengths)) / self.values) / self.lengths
        return c

    def distance(self, residual: np.ndarray) -> float:
        """δ: at least sqrt(rᵀ B⁻¹ r) for every r that is entry by entry at most the residual."""
        return float(np.linalg.norm(residual[self.at] / self.lengths)) / math.sqrt(self.least)


def without_copies(task: Task, scaled: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which columns to keep: what is orthogonal to a column is so to its multiples, where these are exact."""
    alike = np.triu(np.abs(scaled) >= 1.0 - 10.0 * EPS * (task.rows.n + 10), 1)
    kept = [k for k in range(at.size) if not any(multiple(task, at[k], at[j]) for j in np.flatnonzero(alike[k]))]
    return np.array(kept, dtype=np.intp)


def multiple(task: Task, one: int, other: int) -> bool:
    """Whether a column is another one times a power of two, or times any number if that is the constant: without rounding."""
    unit = np.zeros((2, task.rows.d + 1))
    unit[0, one] = unit[1, other] = 1.0
    x, y = (task.rows.scores(e, task.scale) for e in unit)
    if other == task.rows.d:
        return bool(np.all(x == x[0]))
    at = int(np.argmax(np.abs(y)))
    ratio = float(x[at] / y[at])
    if abs(math.frexp(ratio)[0]) != 0.5:
        return False
    return np.array_equal(x, ratio * y) if abs(ratio) >= 1.0 else np.array_equal(x / ratio, y)


def empty(task: Task, columns: np.ndarray) -> bool:
    """Whether all these columns hold nothing but zeros: with one of the intercept, or of numbers whose squares vanish, no."""
    if columns[-1] >= task.rows.d:
        return False
    values = take_columns(task.rows, columns).arrays[0]
    return not np.any(values.data if sp.issparse(values) else values)
