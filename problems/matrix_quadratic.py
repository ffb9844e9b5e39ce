r"""The matrix quadratic, on which more structure wins: a least-squares loss whose curvature acts on the rows alone.

.. math::
    f(X) = \langle H_s,\, (X - X^*)(X - X^*)^\top \rangle = \operatorname{Tr}\,(X - X^*)^\top H_s (X - X^*), \qquad
    \nabla f(X) = 2 H_s (X - X^*), \qquad H_s = U \operatorname{diag}(\sigma)\, U^\top \succeq 0 .

The Hessian in row-major coordinates is the constant :math:`2 H_s \otimes I_n`, an element of the left one-sided algebra
:math:`S^m \otimes I_n`. Every instance keeps the eigenvalues and, when the basis is not the standard one, U: values are sums of
nonnegative terms :math:`\sigma_i \|u_i^\top (X - X^*)\|^2`, so that a loss of 1e-25 beside a curvature of 1 keeps its digits.

Source: Xie et al. 2025 (arXiv 2503.10537), the experiment of its last section; spectrum, size and the law of X* are
remembered, not seen. The closed forms of the adaptive smoothness are derived in docs/proofs/matrix-quadratic.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from structures import Diagonal, Full, LeftKronecker, RightKronecker, Scalar
from structures.arrays import Array, asarray_like, eye, namespace, require_finite, require_shape, to_numpy

__all__ = ["MatrixQuadratic", "gaussian_matrix_quadratic", "remembered_spectrum"]


@dataclass(frozen=True, eq=False)
class MatrixQuadratic:
    """f(X) = Σ_i σ_i ‖u_iᵀ(X − X*)‖² on m×n matrices; its minimum is 0, at X*.

    Raises ValueError for a negative or non-finite curvature, or for shapes that do not belong together.
    """

    spectrum: Array  # (m,) eigenvalues σ ≥ 0 of Hs
    solution: Array  # (m, n) X*
    basis: Array | None = None  # (m, m) orthogonal, eigenvectors as columns; None: the standard basis, Hs = diag(σ)

    def __post_init__(self) -> None:
        require_finite("spectrum", self.spectrum)
        require_finite("solution", self.solution)
        if self.solution.ndim != 2 or self.spectrum.ndim != 1:
            raise ValueError(
                f"spectrum must have one axis and solution two, got {self.spectrum.shape}, {self.solution.shape}."
            )
        require_shape("spectrum", self.spectrum, (self.solution.shape[0],))
        if float(to_numpy(self.spectrum).min()) < 0:
            raise ValueError("every eigenvalue of Hs must be at least 0: the loss is not convex otherwise.")
        if self.basis is not None:
            require_finite("basis", self.basis)
            require_shape("basis", self.basis, (self.solution.shape[0],) * 2)

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), the shape of the parameter."""
        m, n = self.solution.shape
        return int(m), int(n)

    def eigen_rows(self, X: Array) -> Array:  # (..., m, n) -> (..., m, n)
        """UᵀX: row i is the part of X along the i-th eigenvector of Hs."""
        return X if self.basis is None else namespace(X).matrix_transpose(self.basis) @ X

    def value(self, X: Array) -> Array:  # (..., m, n) -> (...)
        """f(X), a sum of nonnegative terms."""
        return self.value_and_gradient(X)[0]

    def gradient(self, X: Array) -> Array:  # (..., m, n) -> (..., m, n)
        """∇f(X) = 2 Hs (X − X*)."""
        return self.value_and_gradient(X)[1]

    def value_and_gradient(self, X: Array) -> tuple[Array, Array]:  # (..., m, n) -> (...), (..., m, n)
        """f(X) and ∇f(X), which share the product Hs (X − X*)."""
        require_shape("X", X, self.shape)
        error = self.eigen_rows(X - self.solution)
        curved = self.spectrum[:, None] * error
        value = namespace(X).sum(error * curved, axis=(-2, -1))
        return value, 2.0 * (curved if self.basis is None else self.basis @ curved)

    @property
    def curvature(self) -> Array:  # -> (m, m)
        """Hs as a dense matrix; the Hessian of f is 2 Hs ⊗ I_n."""
        U = eye(self.shape[0], self.spectrum) if self.basis is None else self.basis
        return (U * self.spectrum) @ namespace(U).matrix_transpose(U)

    @property
    def smoothness(self) -> float:
        """L = 2 σ_max, the Lipschitz constant of the gradient in the Frobenius norm."""
        return 2.0 * float(to_numpy(self.spectrum).max())

    def adaptive_smoothness(self, structure: Any) -> float | None:
        """Λ_H(f) = min{Tr H : H ∈ H, −H ⪯ ∇²f ⪯ H}; None where it has no closed form (Diagonal in a rotated basis)."""
        require_shape("parameter of the structure", self.solution, structure.shape)
        m, n = self.shape
        on_rows = 2.0 * n * float(to_numpy(self.spectrum).sum())  # the Hessian itself belongs to the structure
        if isinstance(structure, Scalar | RightKronecker):
            return m * n * self.smoothness  # the structure sees one number for all rows: 2 σ_max I
        if isinstance(structure, LeftKronecker | Full):
            return on_rows
        return on_rows if isinstance(structure, Diagonal) and self.basis is None else None

    def rotated(self, U: Array) -> MatrixQuadratic:  # (m, m) orthogonal
        """X ↦ f(UᵀX): Hs becomes U Hs Uᵀ and X* becomes U X*. Only a method tied to coordinates can tell the difference."""
        return MatrixQuadratic(self.spectrum, U @ self.solution, U if self.basis is None else U @ self.basis)


def remembered_spectrum(m: int) -> np.ndarray:  # -> (m,)
    """σ_1 = … = σ_10 = 1 and σ_i = (i − 10)^{-2} for i ≥ 11 (remembered from the paper's experiment, not seen)."""
    i = np.arange(1, m + 1, dtype=np.float64)
    return 1.0 / np.maximum(i - 10.0, 1.0) ** 2


def gaussian_matrix_quadratic(
    n: int,  # the parameter is n×n
    seed: int = 0,
    rotated: bool = False,  # conjugate by a random orthogonal matrix; the same problem in other coordinates
    like: Array | None = None,  # namespace, device and dtype of the problem; None: NumPy float64
) -> MatrixQuadratic:
    """The experiment's problem: `remembered_spectrum`, X* with independent N(0, 1/n) entries, U Haar distributed.

    X* and U have random streams of their own, so the rotated problem is the same instance X ↦ f(UᵀX), not another draw.
    """
    draw, turn = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, n]).spawn(2))
    solution = draw.standard_normal((n, n)) / np.sqrt(n)
    place = (lambda a: a) if like is None else (lambda a: asarray_like(a, like))
    problem = MatrixQuadratic(place(remembered_spectrum(n)), place(solution))
    return problem.rotated(place(_haar(turn, n))) if rotated else problem


def _haar(rng: np.random.Generator, n: int) -> np.ndarray:
    """A Haar distributed orthogonal matrix: QR of a Gaussian one, with the signs that make R's diagonal positive."""
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return Q * np.sign(np.diagonal(R))
