r"""New structures from old: direct sums, one structure per layer, and conjugation by a fixed rotation.

.. math::
    J = \bigoplus_l J_l: &\quad E(M) = \bigoplus_l E_l(M_{ll}), \quad
    \|x\|_{\mathcal H} = \max_l \|x_l\|_{\mathcal H_l}, \quad |||g|||_{\mathcal H} = \textstyle\sum_l |||g_l|||_{\mathcal H_l}; \\
    J = Q J_0 Q^\top: &\quad E(M) = Q E_0(Q^\top M Q) Q^\top, \quad \|x\|_{\mathcal H} = \|Q^\top x\|_{\mathcal H_0}.

Source: Xie et al. 2025, arXiv 2503.10537 (direct sums); SOAP with a frozen basis is a conjugation; derived here.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from structures.arrays import Array, Coordinates, asarray_like, namespace, positive_sizes, to_numpy, tolerance
from structures.base import Structure
from structures.diagonal import Diagonal
from structures.factor import Factor
from structures.full import Full
from structures.kronecker import LeftKronecker
from structures.scalar import Scalar

__all__ = ["BlockDiagonal", "Conjugated", "DirectSum"]


@dataclass(frozen=True, init=False)
class DirectSum(Structure):
    """One structure per layer, on the concatenated vector; coordinates are a tuple, one entry per layer."""

    parts: tuple[Structure, ...]

    def __init__(self, parts: Sequence[Structure]) -> None:
        if not parts or not all(isinstance(part, Structure) for part in parts):
            raise ValueError(f"DirectSum needs a non-empty list of structures, got {parts!r}.")
        object.__setattr__(self, "parts", tuple(parts))
        object.__setattr__(self, "shape", (sum(part.dim for part in parts),))
        self.__post_init__()

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls([LeftKronecker((2, 2)), Diagonal((2,))]), cls([Scalar((2,)), cls([Full((2,)), Scalar((1,))])])]

    @property
    def rank(self) -> int:
        return sum(part.rank for part in self.parts)

    @property
    def _slices(self) -> list[slice]:
        ends = list(accumulate(part.dim for part in self.parts))
        return [slice(end - part.dim, end) for part, end in zip(self.parts, ends, strict=True)]

    def split(self, x: Array) -> list[Array]:  # (..., d) -> one (..., *shape_l) per layer
        """The layers of a concatenated vector, each in its own shape."""
        flat = self.flatten(x)
        return [part.unflatten(flat[..., s]) for part, s in zip(self.parts, self._slices, strict=True)]

    def join(self, layers: Sequence[Array]) -> Array:  # one (..., *shape_l) per layer -> (..., d)
        """The inverse of `split`."""
        flat = [part.flatten(layer) for part, layer in zip(self.parts, layers, strict=True)]
        return namespace(*flat).concat(flat, axis=-1)

    def project(self, M: Array) -> Coordinates:
        S = self._symmetric(M)
        return tuple(part.project(S[..., s, s]) for part, s in zip(self.parts, self._slices, strict=True))

    def dense(self, c: Coordinates) -> Array:
        blocks = [part.dense(block) for part, block in zip(self.parts, c, strict=True)]
        xp = namespace(*blocks)
        rows = []
        for block, s in zip(blocks, self._slices, strict=True):
            before = xp.zeros((*block.shape[:-1], s.start), dtype=block.dtype, device=block.device)
            after = xp.zeros((*block.shape[:-1], self.dim - s.stop), dtype=block.dtype, device=block.device)
            rows.append(xp.concat([before, block, after], axis=-1))
        return xp.concat(rows, axis=-2)

    def outer(self, G: Array) -> Coordinates:
        return tuple(part.outer(g) for part, g in zip(self.parts, self.split(G), strict=True))

    def identity(self, x: Array) -> Coordinates:
        return tuple(part.identity(x) for part in self.parts)

    def factor(self, c: Coordinates) -> Factor:
        factors = [part.factor(block) for part, block in zip(self.parts, c, strict=True)]
        xp = namespace(*(f.values for f in factors))
        values = xp.concat([f.values for f in factors], axis=-1)
        floor = xp.concat([xp.broadcast_to(f.floor, f.values.shape) for f in factors], axis=-1)
        return Factor(self, values, floor, tuple((f.values.shape[-1], f.basis) for f in factors))

    def weights(self, values: Array) -> Array:
        sizes = [part.spectrum_size for part in self.parts]
        return namespace(values).concat(
            [part.weights(v) for part, v in zip(self.parts, _chunks(values, sizes), strict=True)], axis=-1
        )

    @property
    def spectrum_size(self) -> int:
        return sum(part.spectrum_size for part in self.parts)

    def compose(self, values: Array, basis: Any) -> Coordinates:
        chunks = _chunks(values, [size for size, _ in basis])
        return tuple(part.compose(v, own) for part, v, (_, own) in zip(self.parts, chunks, basis, strict=True))

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:
        chunks = _chunks(values, [size for size, _ in basis])
        layers = zip(self.parts, chunks, basis, self.split(X), strict=True)
        return self.join([part.apply_spectrum(v, own, x) for part, v, (_, own), x in layers])

    def apply(self, c: Coordinates, X: Array) -> Array:
        return self.join([part.apply(block, x) for part, block, x in zip(self.parts, c, self.split(X), strict=True)])

    def trace(self, c: Coordinates) -> Array:
        return _total([part.trace(block) for part, block in zip(self.parts, c, strict=True)])

    def norm(self, X: Array) -> Array:
        norms = [part.norm(x) for part, x in zip(self.parts, self.split(X), strict=True)]
        return namespace(X).max(namespace(X).stack(norms, axis=-1), axis=-1)

    def dual_norm(self, G: Array) -> Array:
        return _total([part.dual_norm(g) for part, g in zip(self.parts, self.split(G), strict=True)])


def _total(terms: list[Array]) -> Array:
    """The sum of the layers' terms."""
    return reduce(operator.add, terms)


def _chunks(values: Array, sizes: Sequence[int]) -> list[Array]:
    """Consecutive pieces of the last axis."""
    ends = list(accumulate(sizes))
    return [values[..., end - size : end] for size, end in zip(sizes, ends, strict=True)]


@dataclass(frozen=True, init=False)
class BlockDiagonal(DirectSum):
    """A full matrix per layer, on the concatenated vector; coordinates are a tuple of (..., d_l, d_l) arrays."""

    def __init__(self, layers: Sequence[Sequence[int]]) -> None:
        shapes = [positive_sizes("BlockDiagonal takes a list of layer shapes, and a layer", layer) for layer in layers]
        super().__init__([Full((prod(shape),)) for shape in shapes])

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls([(2,), (3,)]), cls([(1,), (2, 2)])]


@dataclass(frozen=True, init=False)
class Conjugated(Structure):
    """Q K Qᵀ for a fixed orthogonal Q; its coordinates are those of K.

    Q acts on the row-major vec of the parameter. It is host data, converted to the namespace, dtype and device of every
    input. A Q that is orthogonal to single precision is replaced by the nearest orthogonal matrix, so that the laws hold
    to the precision of the data. Raises ValueError when Q is not d×d or not orthogonal to rounding.
    """

    base: Structure
    Q: np.ndarray = field(compare=False, repr=False)
    digest: str  # of Q's bytes: what equality and hashing compare

    def __init__(self, base: Structure, Q: Array) -> None:
        Q = _orthogonal(np.array(to_numpy(Q), dtype=np.float64), base.dim)
        Q.setflags(write=False)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "Q", Q)
        object.__setattr__(self, "digest", hashlib.sha256(Q.tobytes()).hexdigest()[:16])
        object.__setattr__(self, "shape", base.shape)
        self.__post_init__()

    @classmethod
    def examples(cls) -> list[Structure]:
        rng = np.random.default_rng(7)
        bases = [Diagonal((4,)), LeftKronecker((2, 2))]
        return [cls(base, np.linalg.qr(rng.standard_normal((base.dim, base.dim)))[0]) for base in bases]

    @property
    def rank(self) -> int:
        return self.base.rank

    @property
    def spectrum_size(self) -> int:
        return self.base.spectrum_size

    def _into(self, X: Array) -> Array:
        """Qᵀ x, in the shape of the parameter."""
        Q = asarray_like(self.Q, X)
        return self.unflatten((namespace(X).matrix_transpose(Q) @ self.flatten(X)[..., None])[..., 0])

    def _back(self, X: Array) -> Array:
        """Q x, in the shape of the parameter."""
        return self.unflatten((asarray_like(self.Q, X) @ self.flatten(X)[..., None])[..., 0])

    def project(self, M: Array) -> Coordinates:
        S = self._symmetric(M)
        Q = asarray_like(self.Q, S)
        return self.base.project(namespace(S).matrix_transpose(Q) @ S @ Q)

    def dense(self, c: Coordinates) -> Array:
        inner = self.base.dense(c)
        Q = asarray_like(self.Q, inner)
        return Q @ inner @ namespace(inner).matrix_transpose(Q)

    def outer(self, G: Array) -> Coordinates:
        return self.base.outer(self._into(G))

    def identity(self, x: Array) -> Coordinates:
        return self.base.identity(x)

    def factor(self, c: Coordinates) -> Factor:
        inner = self.base.factor(c)
        # Rotated coordinates are sums: an exact zero may come back as rounding of the largest eigenvalue.
        xp = namespace(inner.values)
        eps = float(xp.finfo(inner.values.dtype).eps)
        relative = xp.max(inner.values, axis=-1, keepdims=True) * (self.dim * eps)
        return Factor(self, inner.values, xp.maximum(relative, inner.floor), inner.basis)

    def weights(self, values: Array) -> Array:
        return self.base.weights(values)

    def compose(self, values: Array, basis: Any) -> Coordinates:
        return self.base.compose(values, basis)

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:
        return self._back(self.base.apply_spectrum(values, basis, self._into(X)))

    def apply(self, c: Coordinates, X: Array) -> Array:
        return self._back(self.base.apply(c, self._into(X)))

    def trace(self, c: Coordinates) -> Array:
        return self.base.trace(c)

    def norm(self, X: Array) -> Array:
        return self.base.norm(self._into(X))

    def dual_norm(self, G: Array) -> Array:
        return self.base.dual_norm(self._into(G))


def _orthogonal(Q: np.ndarray, d: int) -> np.ndarray:
    """Q itself when it is orthogonal to double precision, its polar factor when it is to single precision."""
    if Q.shape != (d, d):
        raise ValueError(f"Conjugated needs Q of shape {(d, d)}, got {Q.shape}.")
    defect = float(np.max(np.abs(Q.T @ Q - np.eye(d))))
    if not defect <= tolerance(np.float32(0.0), d):
        raise ValueError(
            f"Q is not orthogonal: the largest entry of QᵀQ - I is {defect:.3g}. Pass numpy.linalg.qr(Q)[0]."
        )
    if defect <= tolerance(Q, d):
        return Q
    left, _, right = np.linalg.svd(Q)
    return left @ right
