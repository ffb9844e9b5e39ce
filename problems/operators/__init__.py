r"""Symmetric operators on parameters: Hessian envelopes and noise covariances that need no d×d array.

.. math:: A \in S^d, \qquad v \mapsto A v .

Source: derived here.
"""

from problems.operators.base import SymmetricOperator
from problems.operators.dense import DenseOperator
from problems.operators.diagonal import DiagonalOperator
from problems.operators.gram import GramOperator
from problems.operators.hessian import HessianOperator
from problems.operators.kronecker import KroneckerOperator
from problems.operators.negated import NegatedOperator, absolute_value
from problems.operators.shifted import ShiftedOperator, shifted
from problems.operators.sparse_gram import SparseGramOperator

__all__ = [
    "DenseOperator",
    "DiagonalOperator",
    "GramOperator",
    "HessianOperator",
    "KroneckerOperator",
    "NegatedOperator",
    "ShiftedOperator",
    "SparseGramOperator",
    "SymmetricOperator",
    "absolute_value",
    "shifted",
]
