r"""Two seeded problems that no file is needed for: wide sparse text-like data, and dense data with a spectrum over six
decades.

``wide_text``: the shape of rcv1's training set (20,242 x 47,236, about 75 non-zeros per row). Word :math:`j` appears
with frequency :math:`\propto (j + 10)^{-1}` (Zipf), weights are log-normal term counts times the logarithm of the
inverse document frequency, rows have unit length, labels come from a sparse linear rule with noise.

``steep_spectrum``: :math:`X = G\, \mathrm{diag}(s)\, Q`, G Gaussian, Q a random rotation, :math:`s_j^2` from 1 down
to :math:`10^{-6}` geometrically, scaled so that a row has mean square length 1; labels are logistic in a rule that
uses the weak directions as much as the strong ones.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["steep_spectrum", "wide_text"]


def wide_text(
    samples: int = 20_242, features: int = 47_236, words: int = 75, seed: int = 0
) -> tuple[Any, np.ndarray]:  # CSR (samples, features) with unit rows, labels ±1
    """Sparse rows with Zipf frequencies and unit length."""
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(seed)
    lengths = np.maximum(rng.lognormal(np.log(words) - 0.125, 0.5, samples).astype(np.int64), 5)
    frequency = 1.0 / (np.arange(features) + 10.0)
    rows = np.repeat(np.arange(samples), lengths)
    columns = rng.permutation(features)[rng.choice(features, size=len(rows), p=frequency / frequency.sum())]
    X = csr_matrix(
        (rng.lognormal(0.0, 0.5, len(rows)), (rows, columns)), shape=(samples, features)
    )  # adds repeated words
    X.sum_duplicates()
    documents = np.bincount(X.indices, minlength=features)
    X.data *= np.log((1.0 + samples) / (1.0 + documents))[X.indices]
    unit_rows(X)
    return X, _sparse_rule(X, documents / samples, rng)


def _sparse_rule(
    X: Any,  # CSR (n, d) with unit rows
    share: np.ndarray,  # (d,) share of the rows in which each word occurs
    rng: np.random.Generator,
) -> np.ndarray:  # labels (n,)
    """Signs of a linear rule on 300 words, common ones first, with one label in fifty flipped."""
    words = rng.choice(X.shape[1], size=300, replace=False, p=share / share.sum())
    rule = np.zeros(X.shape[1])
    rule[words] = rng.standard_normal(len(words))
    score = X @ rule
    labels = np.where(score > np.median(score), 1.0, -1.0)
    return np.where(rng.random(len(labels)) < 0.02, -labels, labels)


def steep_spectrum(
    samples: int = 10_000, features: int = 100, decades: float = 6.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:  # (samples, features), labels ±1
    """Dense data whose covariance has eigenvalues over several decades."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((features, features)))[0]
    scales = 10.0 ** (-0.5 * decades * np.arange(features) / (features - 1))
    scales /= np.linalg.norm(scales)
    G = rng.standard_normal((samples, features))
    score = G @ rng.standard_normal(features) * (2.0 / features**0.5)
    labels = np.where(rng.random(samples) < 1.0 / (1.0 + np.exp(-score)), 1.0, -1.0)
    return np.ascontiguousarray((G * scales) @ rotation), labels


def unit_rows(
    X: Any,  # CSR (n, d), changed in place
) -> Any:  # the same matrix
    """Every row divided by its Euclidean length; empty rows stay empty."""
    lengths = np.sqrt(np.bincount(np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.data**2, minlength=X.shape[0]))
    X.data /= np.repeat(np.where(lengths > 0.0, lengths, 1.0), np.diff(X.indptr))
    return X
