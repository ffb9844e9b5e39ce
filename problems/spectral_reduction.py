r"""The matrix quadratic in spectral coordinates: mn parameters become one per distinct eigenvalue of Hs, exactly.

Write :math:`\Pi_\lambda` for the eigenprojections of Hs and start at :math:`X_0 = 0`. Gradient descent, AdaGrad-Norm and
full-matrix AdaGrad move along past gradients :math:`2 H_s (X_s - X^*)` only, hence

.. math::
    X_t - X^* = p_t(H_s)\,(X_0 - X^*) \in V = \operatorname{span}\{ b_\lambda \}, \qquad
    b_\lambda = \Pi_\lambda X^* / \sqrt{w_\lambda}, \quad w_\lambda = \|\Pi_\lambda X^*\|_F^2 .

The b's are orthonormal, and on V the loss is :math:`\sum_\lambda \lambda (x_\lambda - \sqrt{w_\lambda})^2`: the matrix
quadratic of shape (r, 1) with spectrum :math:`\lambda` and solution :math:`\sqrt w`. A method that uses inner products of
gradients alone takes the same steps there. So there is no second solver: *the same learner* runs on the smaller problem.
AdaGrad-Norm divides by the number of parameters, which changes: :func:`scalar_step` is what its lr is multiplied by.

What does not reduce: a left, right or two-sided Kronecker preconditioner depends on :math:`(X_0 - X^*)(X_0 - X^*)^\top`
(its iterates are no polynomials of Hs), a diagonal one on single entries.

Source: derived here, docs/proofs/matrix-quadratic.md#spectral-reduction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from problems.matrix_quadratic import MatrixQuadratic
from structures.arrays import Array, asarray_like, namespace, require_shape, to_numpy

__all__ = ["SpectralReduction", "reduce_to_spectrum", "scalar_step"]


@dataclass(frozen=True, eq=False)
class SpectralReduction:
    """The problem on V, and the way back."""

    problem: MatrixQuadratic  # shape (r, 1), r distinct eigenvalues that X* has a part in
    original: MatrixQuadratic
    membership: Array  # (m, r) 1 where row i of the eigenbasis belongs to eigenvalue λ_k, over sqrt(w_k)

    def lift(self, x: Array) -> Array:  # (..., r, 1) -> (..., m, n)
        """X = Σ_λ x_λ b_λ, the iterate of the original problem."""
        require_shape("x", x, self.problem.shape)
        original = self.original
        rows = (self.membership @ x) * original.eigen_rows(original.solution)
        return rows if original.basis is None else original.basis @ rows


def reduce_to_spectrum(problem: MatrixQuadratic) -> SpectralReduction:
    """The matrix quadratic restricted to V, for runs that start at X_0 = 0.

    Eigenvalues that are equal in floating point share a coordinate; those without a part of X* drop out.
    """
    like, xp = problem.solution, namespace(problem.solution)
    rows = problem.eigen_rows(problem.solution)
    mass = to_numpy(xp.sum(rows * rows, axis=-1))
    values, index = np.unique(to_numpy(problem.spectrum), return_inverse=True)
    member = (index[:, None] == np.arange(len(values))).astype(mass.dtype)
    weights = member.T @ mass
    kept = weights > 0
    if not kept.any():
        raise ValueError("X* = 0 is the starting point itself: there is nothing to minimise.")
    length = np.sqrt(weights[kept])
    small = MatrixQuadratic(asarray_like(values[kept], like), asarray_like(length[:, None], like))
    return SpectralReduction(small, problem, asarray_like(member[:, kept] / length, like))


def scalar_step(reduction: SpectralReduction) -> float:
    r"""sqrt(d/r): AdaGrad-Norm with lr on d parameters is AdaGrad-Norm with lr·sqrt(d/r), eps·d/r on the r of V.

    Its H is :math:`\sqrt{\varepsilon + \sum \|g\|^2 / d}\, I`, and the two sums of squares agree.
    """
    m, n = reduction.original.shape
    return float(np.sqrt(m * n / reduction.problem.shape[0]))
