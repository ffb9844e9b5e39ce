r"""A structure as a table of labels: which entries of its elements are equal, and which are zero.

.. math::
    J = \{ H = H^\top : H_{ij} = h_{P_{ij}} \text{ where } P_{ij} \ge 0, \; H_{ij} = 0 \text{ where } P_{ij} = -1 \}, \qquad
    E(M)_{ij} = \operatorname{mean}\{ M_{kl} : P_{kl} = P_{ij} \} .

Scalar, diagonal, one-sided, layerwise, circulant and exchangeable structures and their direct sums are of this form; a
`Conjugated` one is not. It is what a stranger needs to know about J in order to check a certificate in exact arithmetic.

Source: derived here.
"""

from __future__ import annotations

import numpy as np

from structures import Structure
from structures.arrays import to_numpy

__all__ = ["class_means", "class_sizes", "label_pattern"]

SAME = 1e-9  # entries of one class differ by rounding, of two classes by a random number of order one


def label_pattern(structure: Structure) -> np.ndarray:  # -> (d, d) int64, -1 where elements are zero
    """The table P, read off one random projection and checked on another.

    Raises ValueError when J is not of this form.
    """
    d = structure.dim
    rng = np.random.default_rng(d)
    first, second = (_symmetric(rng, d) for _ in range(2))
    found = to_numpy(structure.dense(structure.project(first)))
    labels = _clusters(found.reshape(-1)).reshape(d, d)
    zero = np.abs(found) <= SAME
    labels = np.where(zero, -1, labels)
    _, labels = np.unique(labels, return_inverse=True)
    labels = labels.reshape(d, d) - int(np.any(zero))
    for M in (first, second):
        E = to_numpy(structure.dense(structure.project(M)))
        if np.max(np.abs(class_means(labels, M) - E)) > SAME or not np.array_equal(labels, labels.T):
            raise ValueError(
                f"{structure} is not a set of matrices with equal and zero entries: it has no label pattern."
            )
    return labels


def class_means(labels: np.ndarray, M: np.ndarray) -> np.ndarray:  # (d, d), (d, d) -> (d, d)
    """E(M)."""
    flat = labels.reshape(-1) + 1
    sums = np.bincount(flat, M.reshape(-1), flat.max() + 1)
    means = sums / np.maximum(np.bincount(flat, minlength=flat.max() + 1), 1)
    means[0] = 0.0
    return means[flat].reshape(M.shape)


def class_sizes(labels: np.ndarray) -> np.ndarray:  # (d, d) -> (classes,)
    """How many entries each class has."""
    return np.bincount(labels[labels >= 0])


def _symmetric(rng: np.random.Generator, d: int) -> np.ndarray:
    M = rng.standard_normal((d, d))
    return (M + M.T) / 2


def _clusters(values: np.ndarray) -> np.ndarray:
    """Numbers that differ by rounding, under one label."""
    order = np.argsort(values)
    jumps = np.diff(values[order], prepend=values[order[:1]]) > SAME
    labels = np.empty(len(values), dtype=np.int64)
    labels[order] = np.cumsum(jumps)
    return labels
