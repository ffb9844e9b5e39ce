r"""Rows of a Hadamard matrix with random signs: orthogonal gradients whose entries all have size one.

.. math:: g_t = s_t\, h_{t \bmod d}, \qquad s_t \sim \mathrm{Unif}\{-1, 1\}, \quad
    \mathcal H_{2k} = \begin{pmatrix} \mathcal H_k & \mathcal H_k \\ \mathcal H_k & -\mathcal H_k \end{pmatrix}.

Source: Sylvester's construction; orthogonal gradients are hard for bounded norms, see Abernethy et al. 2008.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from regret.adversaries.base import Oblivious, Sampler

__all__ = ["Hadamard"]


@dataclass(frozen=True)
class Hadamard(Oblivious):
    """Signed Hadamard rows for d a power of two."""

    d: int
    shape: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.d < 1 or self.d & (self.d - 1):
            raise ValueError(f"Sylvester's Hadamard matrices have a power of two as size, got {self.d!r}.")
        object.__setattr__(self, "shape", (self.d,))

    def sampler(self, rng: np.random.Generator) -> Sampler:
        rows, position = _sylvester(self.d), 0

        def draw(steps: int) -> np.ndarray:
            nonlocal position
            index = np.arange(position, position + steps) % self.d
            position += steps
            return np.where(rng.random((steps, 1)) < 0.5, -1.0, 1.0) * rows[index]

        return draw


def _sylvester(d: int) -> np.ndarray:
    """The d×d Hadamard matrix."""
    matrix = np.ones((1, 1))
    while len(matrix) < d:
        matrix = np.kron(np.array([[1.0, 1.0], [1.0, -1.0]]), matrix)
    return matrix
