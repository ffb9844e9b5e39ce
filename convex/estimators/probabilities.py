r"""Class probabilities from scores.

.. math::
    \text{log\_loss, two classes} &: p = \sigma(s) = 1 / (1 + e^{-s}), \\
    \text{softmax, K classes} &: p_k = e^{s_k} / \textstyle\sum_l e^{s_l}, \\
    \text{modified\_huber} &: p_k = \tfrac12 (1 + \operatorname{clip}(s_k, -1, 1)), \text{ over their sum for } K > 2
        \text{ (uniform where all are 0)}.

Source: derived here. With the modified Huber loss the expected loss :math:`p (1 - s)^2 + (1 - p)(1 + s)^2` is least at
:math:`s = 2p - 1`; dividing the one-vs-rest probabilities by their sum is scikit-learn's convention.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

__all__ = ["log_probabilities", "modified_huber_probabilities", "probabilities"]


def probabilities(
    scores: np.ndarray,  # (n,) log odds of the second class, or (n, K)
) -> np.ndarray:  # (n, 2) or (n, K), rows sum to 1
    """The logistic or the softmax function."""
    if scores.ndim == 1:
        return np.stack([expit(-scores), expit(scores)], axis=1)
    return softmax(scores, axis=1)


def log_probabilities(
    scores: np.ndarray,  # (n,) or (n, K)
) -> np.ndarray:  # (n, 2) or (n, K)
    """Logarithms of `probabilities`, finite where those underflow."""
    if scores.ndim == 1:
        return np.stack([log_expit(-scores), log_expit(scores)], axis=1)
    return log_softmax(scores, axis=1)


def modified_huber_probabilities(
    scores: np.ndarray,  # (n,) or (n, K)
) -> np.ndarray:  # (n, 2) or (n, K)
    """(1 + clip(s, -1, 1)) / 2, normalised over the classes when there are more than two."""
    positive = 0.5 * (1.0 + np.clip(scores, -1.0, 1.0))
    if scores.ndim == 1:
        return np.stack([1.0 - positive, positive], axis=1)
    total = positive.sum(axis=1, keepdims=True)
    uniform = np.full_like(positive, 1.0 / positive.shape[1])
    return np.divide(positive, total, out=uniform, where=total > 0)
