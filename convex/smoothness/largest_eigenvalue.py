r"""The largest eigenvalue of an operator that can only be applied, bounded from above with a stated probability.

Lanczos from a random unit vector b finds :math:`\theta \le \lambda_1` in the Krylov space of dimension k. With
:math:`c = |\langle b, u_1\rangle|` and any :math:`0 < \varepsilon < 1`,

.. math::
    \lambda_1 \Bigl(1 - \varepsilon - \frac{1 - c^2}{c^2\, T_{k-1}\bigl(1 + \tfrac{2\varepsilon}{1 - \varepsilon}\bigr)^2}\Bigr)
    \le \theta , \qquad
    \Pr(c < s) \le 2 s \sqrt{\frac{d - 1}{2\pi}} \quad (d \ge 3),

T the Chebyshev polynomial. With s from the second, the first is an upper bound of :math:`\lambda_1` that fails with probability
at most `failure` over the choice of b. It assumes :math:`A \succeq 0` and a Krylov basis as in exact arithmetic, for which every
new vector is orthogonalised twice against all others.

Source: derived here, docs/proofs/adaptive-smoothness.md#lanczos; the idea is that of Kuczyński and Woźniakowski 1992.
"""

from __future__ import annotations

from collections.abc import Callable
from math import acosh, pi, sqrt
from typing import NamedTuple

import numpy as np

from structures.arrays import Array, asarray_like, namespace, to_numpy

__all__ = ["Largest", "chebyshev_upper", "largest_eigenvalue", "start_vector"]

LANCZOS = 0x1A2C05  # the key of its stream


class Largest(NamedTuple):
    """A bracket of λ_1: the lower end is a Rayleigh quotient, the upper end may fail with a small probability."""

    lower: float
    upper: float
    failure: float


def largest_eigenvalue(
    apply: Callable[[Array], Array],  # (d,) -> (d,), positive semidefinite
    like: Array,  # namespace, dtype and device
    d: int,
    *,
    steps: int = 60,
    seed: int = 0,
    failure: float = 1e-6,
) -> Largest:
    """Lanczos with full reorthogonalisation. Raises ValueError below three dimensions, where the matrix is at hand."""
    if d < 3:
        raise ValueError("largest_eigenvalue is for three dimensions or more: look at the matrix itself.")
    steps, xp = min(steps, d), namespace(like)
    start = start_vector(d, seed)
    basis = [asarray_like(start / np.linalg.norm(start), like)]
    diagonal, beside = [], []
    for _ in range(steps):
        w = apply(basis[-1])
        diagonal.append(float(xp.sum(basis[-1] * w)))
        V = xp.stack(basis)
        for _ in range(2):
            w = w - xp.matrix_transpose(V) @ (V @ w)
        norm = float(xp.linalg.vector_norm(w))
        if norm <= 1e-13 * max(abs(a) for a in diagonal) or len(diagonal) == steps:
            break
        beside.append(norm)
        basis.append(w / norm)
    theta = _top(diagonal, beside)
    if len(diagonal) < steps or steps == d:  # the Krylov space is invariant: it holds u_1 unless b misses it
        return Largest(theta, theta * (1.0 + 64.0 * d * float(np.finfo(np.float64).eps)), failure)
    return Largest(theta, chebyshev_upper(theta, d, steps, failure), failure)


def start_vector(d: int, seed: int) -> np.ndarray:  # -> (d,)
    """b, from a stream of its own: the probability is over b given A, which must not be made of the same numbers."""
    return np.random.default_rng(np.random.SeedSequence([seed, d, LANCZOS])).standard_normal(d)


def chebyshev_upper(theta: float, d: int, steps: int, failure: float) -> float:
    """The smallest upper bound over a grid of ε; inf when so few steps prove nothing."""
    s = min(failure * sqrt(2.0 * pi / (d - 1)) / 2.0, 1.0)
    grid = np.geomspace(1e-8, 0.99, 400)
    arguments = (steps - 1) * np.array([acosh(1.0 + 2.0 * e / (1.0 - e)) for e in grid])
    growth = np.exp(np.minimum(2.0 * arguments, 600.0)) / 4.0  # T² ≥ e^{2 (k-1) arccosh}/4
    left = 1.0 - grid - (1.0 - s * s) / (s * s * growth)
    best = float(np.max(left))
    return theta / best if best > 0 else float("inf")


def _top(diagonal: list[float], beside: list[float]) -> float:
    """The largest eigenvalue of the tridiagonal matrix."""
    k = len(diagonal)
    T = np.diag(diagonal) + np.diag(beside[: k - 1], 1) + np.diag(beside[: k - 1], -1)
    return float(to_numpy(np.linalg.eigvalsh(T))[-1])
