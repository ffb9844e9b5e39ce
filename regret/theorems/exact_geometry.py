r"""Structures, norms and support functions in exact arithmetic, with witnesses that a checker can multiply out.

A structure is a direct sum of blocks. A block with a k×w table of positions in the parameter, c copies of it, has

.. math::
    E(M)|_{\text{block}} = \frac1w \sum_s Z_s Z_s^\top, \qquad M = \sum_s g_s g_s^\top, \qquad
    (Z_s)_{aj} = (g_s)_{\text{table}_{aj}},

so that :math:`\operatorname{Tr} E(M)^{1/2} = \sum_b c_b \operatorname{Tr}(\cdot)^{1/2}` and :math:`\|z\|_{\mathcal H}^2 =
\max_b \lambda_{\max}(ZZ^\top)/w`. Support functions are bounded from above: that of a spectral ball, and of a Euclidean ball as
the case of one column, by :math:`\|S\|_* \le \sum_k |a_k||b_k| + \sum_{ij}|R_{ij}|` with :math:`R = S - \sum_k a_k b_k^\top`.

Source: derived here; the projections E are those of `structures`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt, prod
from typing import Any

import numpy as np

from problems.domains import Box, Domain, L2Ball, Product, Simplex, SpectralBall
from structures import Circulant, DirectSum, Full
from structures.base import Structure
from structures.commutative import Commutative
from structures.kronecker import ModeK
from theory.certificate import NotCertified, write
from theory.rational import Matrix, Vector, matmul, transpose

__all__ = ["Balls", "Block", "Comparators", "Point", "balls_of", "blocks_of", "dot", "root_above"]

BELOW = 1.0 - 2.0**-40  # of a diameter, whose floating-point value may be above the exact one by a few units of 2⁻⁵³


def dot(p: Sequence[Fraction], q: Sequence[Fraction]) -> Fraction:
    """<p, q>."""
    return sum((a * b for a, b in zip(p, q, strict=True) if a and b), Fraction(0))


def root_above(q: Fraction) -> Fraction:
    """A number that is not below √q, equal to it for a square of a rational, by less than a relative 2⁻⁶³ above it otherwise."""
    product = q.numerator * q.denominator
    shift = max(0, 64 - product.bit_length() // 2) if product else 0
    scaled = product << 2 * shift
    root = isqrt(scaled)
    return Fraction(root + (root * root < scaled), q.denominator << shift)


# --- structures -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A table of positions, k rows and w columns, and how often its eigenvalues occur."""

    table: list[list[int]]
    copies: int

    @property
    def size(self) -> int:
        """Products that one gradient adds to E(M)."""
        return len(self.table) ** 2 * len(self.table[0])

    def norm(self, z: np.ndarray) -> np.ndarray:  # (T, d) -> (T,)
        """The block's part of ‖z‖_H, in floating point."""
        return np.linalg.svd(z[:, self.table], compute_uv=False)[:, 0] / len(self.table[0]) ** 0.5

    def grown(self, A: Matrix, gradients: Matrix) -> Matrix:  # (k, k), (t, d) -> (k, k)
        """A + Σ Z Zᵀ/w over the gradients."""
        Z = [[g[place] for g in gradients for place in row] for row in self.table]
        w = len(self.table[0])
        return [[p + q / w for p, q in zip(r, s, strict=True)] for r, s in zip(A, matmul(Z, transpose(Z)), strict=True)]


def blocks_of(structure: Structure) -> list[Block]:
    """The blocks of a structure. Raises NotCertified for one that averages otherwise, such as a rotated one."""
    positions = np.arange(structure.dim)
    if isinstance(structure, DirectSum):
        return _shifted(structure.parts)
    if isinstance(structure, Full):
        return [Block(positions[:, None].tolist(), 1)]
    if isinstance(structure, ModeK):
        return [Block(structure.unfold(positions.reshape(structure.shape)).tolist(), structure.multiplicity)]
    if isinstance(structure, Circulant):  # E(M) is the mean over all cyclic shifts
        return [Block(((positions[:, None] + positions) % structure.dim).tolist(), 1)]
    if isinstance(structure, Commutative) and not structure.mixing:
        groups = np.broadcast_to(structure.spread(np.arange(structure.rank)), positions.shape)
        own = [np.flatnonzero(groups == group).tolist() for group in range(structure.rank)]
        return [Block([places], len(places)) for places in own]
    raise NotCertified(f"no exact form of {structure} is known here")


def _shifted(parts: Sequence[Structure]) -> list[Block]:
    """The blocks of consecutive parts."""
    found, start = [], 0
    for part in parts:
        own = blocks_of(part)
        found += [Block([[start + place for place in row] for row in block.table], block.copies) for block in own]
        start += part.dim
    return found


# --- comparators ----------------------------------------------------------------------------------------------------------


class Comparators(ABC):
    """The points u that a regret is measured against."""

    @abstractmethod
    def inputs(self) -> dict[str, Any]:
        """How a certificate states them."""

    @abstractmethod
    def support(self, s: Vector) -> tuple[Fraction, list[dict[str, Any]]]:
        """A number not below max <s, u>, and its witness."""

    @abstractmethod
    def distance_squared(self, t: int) -> tuple[Fraction, dict[str, Any]]:
        """A number not above D_t², and its witness."""


class Point(Comparators):
    """One point, given in advance: D_t = max over s ≤ t of ‖x_s - u‖_H."""

    def __init__(self, u: np.ndarray, x: np.ndarray, blocks: list[Block]) -> None:  # (d,), (T, d)
        self._u = [Fraction(float(value)) for value in u]
        self._x, self._blocks = x, blocks
        away = x - u
        norms = [block.norm(away) for block in blocks]
        self._norms = np.stack(norms, axis=-1)  # (T, blocks), in floating point: it says where to look

    def inputs(self) -> dict[str, Any]:
        return {"point": [write(value) for value in self._u]}

    def support(self, s: Vector) -> tuple[Fraction, list[dict[str, Any]]]:
        return dot(s, self._u), []

    def distance_squared(self, t: int) -> tuple[Fraction, dict[str, Any]]:
        """|Zᵀv|²/(w|v|²) for the farthest iterate, its largest block and the leading singular vector."""
        step, which = (int(i) for i in np.unravel_index(int(np.argmax(self._norms[:t])), (t, len(self._blocks))))
        table = self._blocks[which].table
        z = [Fraction(float(value)) - own for value, own in zip(self._x[step], self._u, strict=True)]
        Z = [[z[place] for place in row] for row in table]
        left = np.linalg.svd(np.array(Z, dtype=np.float64))[0][:, 0]
        v = [Fraction(float(value)) for value in left]
        columns = [dot(v, column) for column in transpose(Z)]
        square = dot(columns, columns) / (len(table[0]) * dot(v, v))
        return square, {"step": step + 1, "block": which, "vector": [write(value) for value in v]}


class Balls(Comparators):
    """A product of balls on consecutive entries: D_t is its diameter."""

    def __init__(self, balls: list[dict[str, Any]], diameter: float) -> None:
        self._balls, self._diameter = balls, Fraction(diameter * BELOW)

    def inputs(self) -> dict[str, Any]:
        balls = [{**ball, "size": write(ball["size"])} for ball in self._balls]
        return {"balls": balls, "diameter": write(self._diameter)}

    def support(self, s: Vector) -> tuple[Fraction, list[dict[str, Any]]]:
        total, witness, start = Fraction(0), [], 0
        for ball in self._balls:
            m, n = ball["rows"], ball["columns"]
            most, terms = _support(ball["ball"], [s[start + i * n : start + (i + 1) * n] for i in range(m)])
            total, start = total + ball["size"] * most, start + m * n
            witness.append({"terms": terms})
        return total, witness

    def distance_squared(self, t: int) -> tuple[Fraction, dict[str, Any]]:
        return self._diameter**2, {}


def balls_of(domain: Domain) -> list[dict[str, Any]]:
    """The factors of a domain. Raises NotCertified for a domain whose support function has no exact bound here."""
    shape = domain.parameter_shape
    if type(domain) is Product:
        return [ball for block in domain.blocks for ball in balls_of(block)]
    if type(domain) is SpectralBall:
        return [{"ball": "spectral", "size": Fraction(domain.r), "rows": shape[0], "columns": shape[1]}]
    kinds = {Box: "box", L2Ball: "spectral", Simplex: "simplex"}  # a spectral ball of one column is a Euclidean one
    if type(domain) not in kinds:
        raise NotCertified(f"no exact form of {domain} is known here")
    return [{"ball": kinds[type(domain)], "size": Fraction(domain.size), "rows": prod(shape), "columns": 1}]


def _support(kind: str, s: Matrix) -> tuple[Fraction, list[dict[str, Any]]]:  # (m, n)
    """The support function of a ball of size one, from above, and its witness."""
    entries = [value for row in s for value in row]
    if kind == "spectral":
        return _nuclear_norm(s)
    return (max(entries) if kind == "simplex" else sum(map(abs, entries), Fraction(0))), []


def _nuclear_norm(s: Matrix) -> tuple[Fraction, list[dict[str, Any]]]:  # (m, n)
    """Σ |a_k||b_k| + Σ |R_ij| from a floating-point singular value decomposition."""
    U, values, Vt = np.linalg.svd(np.array(s, dtype=np.float64), full_matrices=False)
    rest, total, terms = s, Fraction(0), []
    for k in np.flatnonzero(values):
        a, b = ([Fraction(float(value)) for value in factor] for factor in (U[:, k] * values[k], Vt[k]))
        size = root_above(dot(a, a) * dot(b, b))
        rest = [[value - p * q for value, q in zip(row, b, strict=True)] for row, p in zip(rest, a, strict=True)]
        terms.append({"a": [write(value) for value in a], "b": [write(value) for value in b], "size": write(size)})
        total += size
    return total + sum((abs(value) for row in rest for value in row), Fraction(0)), terms
