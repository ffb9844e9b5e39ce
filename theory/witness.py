r"""Floating-point guesses for the witnesses of certificates, made smaller step by step until one is exactly admissible.

Nothing here needs to be right: the exact factorisation that follows accepts or rejects every guess.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

from theory.rational import Matrix, matmul

Array = Any

# Relative shrinkage, from an ulp upwards: the first admissible guess is nearly the best.
_SHRINKAGE = tuple(2.0**-k for k in range(51, 9, -3))


def roots_below(
    a: Matrix,  # (n, n) positive semidefinite
    rank: int,
) -> Iterator[Matrix]:
    """Symmetric X with X^2 near A and a little smaller.

    For a singular A a float root hardly ever vanishes on the kernel exactly, as X^2 <= A demands; A Z A does.
    """
    import numpy as np

    scaled, root_scale = _scaled_down(a)
    values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
    roots = np.sqrt(np.clip(values, 0.0, None))
    step = float(roots.max())

    def spectral(weights: Array) -> Array:
        X = (vectors * weights) @ vectors.T
        return (X + X.T) / 2

    direct = _shrunk(lambda delta: spectral(np.clip(roots - delta * step, 0.0, None)), root_scale)
    kept = (np.arange(len(a)) >= len(a) - rank) & (values > 1e-12 * values.max())
    inverse = np.where(kept, roots / np.where(kept, values, 1.0) ** 2, 0.0)
    middles = _shrunk(lambda delta: spectral(inverse * (1 - delta)), root_scale**-3)
    sandwiched = (matmul(matmul(a, Z), a) for Z in middles)
    return chain(direct, sandwiched) if rank == len(a) else chain(sandwiched, direct)


def contractions(
    b: Matrix,  # (m, n)
) -> Iterator[Matrix]:
    """W near the polar factor of B, with operator norm a little below one."""
    import numpy as np

    U, _, Vt = np.linalg.svd(_scaled_down(b)[0], full_matrices=False)
    return _shrunk(lambda delta: (U @ Vt) * (1 - delta), Fraction(1))


def _shrunk(guess: Callable[[float], Array], factor: Fraction) -> Iterator[Matrix]:
    """Exact matrices from float guesses, for every amount of shrinkage."""
    for delta in _SHRINKAGE:
        yield [[Fraction(float(entry)) * factor for entry in row] for row in guess(delta)]


def _scaled_down(matrix: Matrix) -> tuple[Array, Fraction]:
    """The matrix divided by s^2 and rounded to float64, entries about one, and the power of two s."""
    import numpy as np

    top = max(abs(entry) for row in matrix for entry in row) or Fraction(1)
    s = Fraction(2) ** ((top.numerator.bit_length() - top.denominator.bit_length()) // 2)
    return np.array([[float(entry / s**2) for entry in row] for row in matrix]), s
