r"""Smoothness and noise in a structure's own geometry: brackets, certificates, comparison, choice.

>>> import numpy as np
>>> from convex.smoothness import adaptive_smoothness
>>> from problems.operators import GramOperator
>>> from problems.smooth import SmoothQuadratic
>>> from structures import Diagonal, Full
>>> f = SmoothQuadratic(GramOperator(np.array([[1.0, 2.0, 2.0]])), np.zeros(3))  # the Hessian is v vᵀ
>>> [round(adaptive_smoothness(f, K((3,))).upper, 6) for K in (Diagonal, Full)]  # ‖v‖₁² and ‖v‖₂²
[25.0, 9.0]

Source: Xie et al. 2025, arXiv 2511.20584; derived here, docs/proofs/adaptive-smoothness.md.
"""

from convex.smoothness.adaptive import adaptive_smoothness, envelope_smoothness
from convex.smoothness.bracket import Bracket
from convex.smoothness.certificate import certify_lower, certify_upper
from convex.smoothness.choose import Choice, choose_structure
from convex.smoothness.closed_forms import closed_form
from convex.smoothness.compare import Comparison, compare_structures
from convex.smoothness.matrix_free import matrix_free_bracket
from convex.smoothness.noise_constant import adaptive_noise, covariance_noise
from convex.smoothness.semidefinite import semidefinite_bracket

__all__ = [
    "Bracket",
    "Choice",
    "Comparison",
    "adaptive_noise",
    "adaptive_smoothness",
    "certify_lower",
    "certify_upper",
    "choose_structure",
    "closed_form",
    "compare_structures",
    "covariance_noise",
    "envelope_smoothness",
    "matrix_free_bracket",
    "semidefinite_bracket",
]
