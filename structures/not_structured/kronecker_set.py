r"""All Kronecker products :math:`\{A \otimes B\}`: the set behind two-sided Shampoo, which is not even convex.

.. math::
    P_{\mathcal H}(M) = \operatorname*{argmin}_{A, B \succ 0} \langle M, A^{-1} \otimes B^{-1}\rangle
        + \operatorname{Tr} A \operatorname{Tr} B, \quad
    \|X\|_{\mathcal H} = \|X\|_{\mathrm{op}}, \quad
    \inf_{\operatorname{Tr} H \le 1} \|Y\|_{H^{-1}} = \bigl(\textstyle\sum_i \sigma_i(Y)^{2/3}\bigr)^{3/2}.

The last expression is not the dual of the norm (that is the nuclear norm): duality fails without convexity. For fixed B the
best A is :math:`(\operatorname{Tr}_2[M (I \otimes B^{-1})] / \operatorname{Tr} B)^{1/2}`; alternating the two converges to the
global minimum, because the objective is convex along geodesics :math:`A^{1/2} (A^{-1/2} A' A^{-1/2})^s A^{1/2}` of both factors.

Source: derived here, docs/proofs/characterisation.md; two-sided Shampoo: Gupta, Koren, Singer 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from structures.arrays import Array, Coordinates, eye, namespace, sym
from structures.base import Structure
from structures.not_structured.base import NotStructured
from structures.roots import matrix_power

__all__ = ["KroneckerSet"]

ROUNDS = 20_000
SETTLED = 1e-14  # relative change of the objective 2 Tr A Tr B in one round, a few roundings
SINGULAR = 1e-13  # of the mean eigenvalue: added to a statistic, as in `newton`


@dataclass(frozen=True)
class KroneckerSet(NotStructured):
    """A ⊗ B for a matrix parameter (m, n); coordinates are the pair (A, B) of (..., m, m) and (..., n, n) arrays."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.shape) != 2:
            raise ValueError(f"KroneckerSet needs a matrix parameter (m, n), got shape {self.shape}.")

    precision: ClassVar[float] = 1e-5  # √1e-13, and the slow end of a linearly converging alternation

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls((2, 2))]

    def project(self, M: Array) -> Coordinates:
        """The nearest Kronecker product (Van Loan, Pitsianis): one singular pair of the rearranged matrix. Not linear in M."""
        m, n = self.shape
        xp = namespace(M)
        S = self._symmetric(M)
        lead = S.shape[:-2]
        table = xp.moveaxis(xp.reshape(S, (*lead, m, n, m, n)), -2, -3)  # rows (i, i'), columns (j, j')
        left, sizes, right = xp.linalg.svd(xp.reshape(table, (*lead, m * m, n * n)), full_matrices=False)
        root = xp.sqrt(sizes[..., 0])[..., None, None]
        A = sym(xp.reshape(left[..., :, 0], (*lead, m, m))) * root
        B = sym(xp.reshape(right[..., 0, :], (*lead, n, n))) * root
        flip = xp.where(xp.linalg.trace(A) < 0, -1.0 * xp.ones_like(sizes[..., 0]), xp.ones_like(sizes[..., 0]))
        return A * flip[..., None, None], B * flip[..., None, None]

    def dense(self, c: Coordinates) -> Array:
        A, B = c
        xp = namespace(A, B)
        table = A[..., :, None, :, None] * B[..., None, :, None, :]
        return xp.reshape(table, (*table.shape[:-4], self.dim, self.dim))

    def identity(self, x: Array) -> Coordinates:
        return eye(self.shape[0], x), eye(self.shape[1], x)

    def apply(self, c: Coordinates, X: Array) -> Array:
        return c[0] @ X @ c[1]

    def trace(self, c: Coordinates) -> Array:
        xp = namespace(*c)
        return xp.linalg.trace(c[0]) * xp.linalg.trace(c[1])

    def preconditioner(self, M: Array) -> Coordinates:
        """P_H(M) by alternating minimisation, of M + 1e-13 (Tr M / d) I so that both factors stay invertible.

        Raises LinAlgError when the alternation does not settle.
        """
        unit, mean = self._checked_statistic(M)
        xp = namespace(M)
        wide = xp.astype(unit, xp.float64)
        A, B = _alternate(wide + SINGULAR * eye(self.dim, wide), self.shape)
        alive = xp.where(xp.linalg.trace(M) > 0, xp.sqrt(mean), xp.zeros_like(mean))
        return xp.astype(A, M.dtype) * alive[..., None, None], xp.astype(B, M.dtype)

    def norm(self, X: Array) -> Array:
        unit, scale = self._unit_scale(X)
        return scale * namespace(unit).linalg.svdvals(unit)[..., 0]

    def dual_norm(self, G: Array) -> Array:
        """The infimum over H of the dual norms, in closed form; larger than the dual of `norm` beyond rank one."""
        unit, scale = self._unit_scale(G)
        xp = namespace(unit)
        return scale * xp.sum(xp.linalg.svdvals(unit) ** (2.0 / 3.0), axis=-1) ** 1.5


def _alternate(M: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Exact minimisation over A, then over B, until the objective stands still; Tr B = 1 on return."""
    xp = namespace(M)
    table = xp.reshape(M, (*M.shape[:-2], *shape, *shape))
    B = eye(shape[1], M) + xp.zeros_like(M[..., :1, :1])
    last: Any = None
    for _ in range(ROUNDS):
        A = _best(xp.moveaxis(table, (-4, -2), (-2, -1)), B)  # (..., j, j', i, i')
        B = _best(xp.moveaxis(table, (-3, -1), (-2, -1)), A)  # (..., i, i', j, j')
        size = xp.linalg.trace(B)[..., None, None]
        A, B = A * size, B / size
        value = xp.linalg.trace(A)
        if last is not None and bool(xp.all(xp.abs(value - last) <= SETTLED * value)):
            return A, B
        last = value
    raise np.linalg.LinAlgError("alternating minimisation over A ⊗ B did not settle.")


def _best(table: Array, other: Array) -> Array:  # (..., l, l, k, k), (..., l, l) -> (..., k, k)
    """(Tr over the other factor of M times its inverse, over the other's trace)^{1/2}."""
    xp = namespace(table)
    inverse = xp.linalg.inv(other)
    traced = xp.sum(table * xp.matrix_transpose(inverse)[..., :, :, None, None], axis=(-4, -3))
    return matrix_power(traced / xp.linalg.trace(other)[..., None, None], 0.5)
