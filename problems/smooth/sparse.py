r"""Losses of a linear score on a sparse matrix of samples.

.. math:: f_i(x) = \varphi(\langle a_i, x\rangle; b_i), \qquad a_i \text{ the rows of a CSR matrix} .

φ, its derivatives and their suprema are those of a `LinearPredictor` of one sample, so that there is one copy of them. NumPy
only.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from problems.domains import Domain
from problems.losses import CurvedLoss, LinearPredictor
from problems.operators.sparse_gram import SparseGramOperator, product
from structures.arrays import require_finite, require_shape

__all__ = ["SparseLinearPredictor"]


@dataclass(frozen=True, eq=False, repr=False)
class SparseLinearPredictor(CurvedLoss):
    """φ(<a_i, x>; b_i) for the rows of a sparse matrix. Raises ValueError for data that are not finite or do not fit."""

    link: LinearPredictor  # any instance: only its φ is used
    matrix: Any = field(repr=False)  # (n, d) scipy.sparse
    targets: np.ndarray = field(repr=False)  # (n,)

    def __post_init__(self) -> None:
        from scipy import sparse

        matrix: Any = sparse.csr_array(self.matrix, dtype=np.float64)
        matrix.sum_duplicates()
        object.__setattr__(self, "matrix", matrix)
        require_finite("the sparse matrix", matrix.data)
        require_finite("targets", self.targets)
        require_shape("targets", self.targets, (matrix.shape[0],))

    @property
    def shape(self) -> tuple[int, ...]:
        return (int(self.matrix.shape[1]),)

    @property
    def samples(self) -> int:
        return int(self.matrix.shape[0])

    @cached_property
    def _squares(self) -> np.ndarray:  # (n,)
        return np.asarray(self.matrix.power(2).sum(axis=1)).reshape(-1)

    @property
    def lipschitz(self) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.where(self._squares > 0, self.link.slope_bound * np.sqrt(self._squares), 0.0)

    @property
    def smoothness(self) -> np.ndarray:
        return self.link.curvature_bound * self._squares

    def beside(self, x: Any) -> Self:
        if not isinstance(x, np.ndarray) or x.dtype != np.float64:
            raise TypeError(
                "sparse data live on the host in double precision: use NumPy float64 parameters, or dense data."
            )
        return self

    def value(self, x: np.ndarray, i: np.ndarray) -> np.ndarray:
        return self.link.phi(self._some_scores(x, i), self.targets[i])

    def gradient(self, x: np.ndarray, i: np.ndarray) -> np.ndarray:
        slope = self.link.slope(self._some_scores(x, i), self.targets[i])
        return slope[..., None] * self._rows(i)

    def weighted_value(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.sum(weights * self.link.phi(self.scores(x), self.targets), axis=-1)

    def weighted_gradient(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return self.combine(weights * self.link.slope(self.scores(x), self.targets))

    def weighted_smoothness(self, weights: np.ndarray) -> np.ndarray:
        return self.link.curvature_bound * np.sum(weights * self._squares, axis=-1)

    def weighted_hessian_product(self, x: np.ndarray, weights: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self.combine(weights * self.link.bend(self.scores(x), self.targets) * self.scores(v))

    def weighted_curvature(self, weights: np.ndarray) -> SparseGramOperator:
        return SparseGramOperator(self.matrix, self.link.curvature_bound * weights)

    def curvature_point(self, weights: np.ndarray) -> np.ndarray | None:
        bent = self.link.bend(np.zeros(self.samples), self.targets)
        flat = np.all((bent == self.link.curvature_bound) | (weights == 0))
        return np.zeros(self.shape) if flat else None

    def weighted_slope_moment(self, weights: np.ndarray, domain: Domain | None) -> SparseGramOperator | None:
        bounds = self._slope_bounds(domain)
        return None if bounds is None else SparseGramOperator(self.matrix, weights * bounds**2)

    def scores(self, x: np.ndarray) -> np.ndarray:  # (..., d) -> (..., n)
        """<a_i, x> for every sample."""
        require_shape("x", x, self.shape)
        return product(self.matrix, x)

    def combine(self, coefficients: np.ndarray) -> np.ndarray:  # (..., n) -> (..., d)
        """Σ_i c_i a_i."""
        return product(self._transposed, coefficients)

    def _slope_bounds(self, domain: Domain | None) -> np.ndarray | None:  # -> (n,)
        """sup |φ'| over the domain, from the ends of ±‖a_i‖·radius; None where there is no bound."""
        if domain is None:
            finite = self.link.slope_bound < float("inf")
            return np.full(self.samples, self.link.slope_bound) if finite else None
        reach = domain.on(self.shape).euclidean_radius(self.shape) * np.sqrt(self._squares)
        return np.maximum(np.abs(self.link.slope(reach, self.targets)), np.abs(self.link.slope(-reach, self.targets)))

    @cached_property
    def _transposed(self) -> Any:
        return self.matrix.T.tocsr()

    def _rows(self, i: np.ndarray) -> np.ndarray:  # (...) -> (..., d)
        return self.matrix[np.asarray(i).reshape(-1)].toarray().reshape(*np.shape(i), self.shape[0])

    def _some_scores(self, x: np.ndarray, i: np.ndarray) -> np.ndarray:  # (..., d), (...) -> (...)
        return np.sum(self._rows(i) * x, axis=-1)
