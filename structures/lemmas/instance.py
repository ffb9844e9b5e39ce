r"""What a law is tried on: a structure with a batch of matrices, parameters and gradient sequences.

Every array carries the batch as its leading axis (behind time where there is time), so one run holds many hard instances:
repeated and tiny eigenvalues, extreme scales, exact rank deficiency, elements of J itself.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from structures.arrays import Array, asarray_like
from structures.base import Structure

__all__ = ["EVERY", "SIMPLE", "STRICT", "Instance", "make_instance", "moved"]

STEPS = 5  # gradients in a sequence
Kind = Callable[[Structure, np.random.Generator], tuple[np.ndarray, np.ndarray]]  # -> PSD M, PSD increment


@dataclass(frozen=True, eq=False)
class Instance:
    """Arrays that a law may read; one that a law does not mention may be None."""

    structure: Structure
    M: Array = None  # (B, d, d) positive semidefinite
    N: Array = None  # (B, d, d) positive semidefinite, N ⪰ M
    S: Array = None  # (B, d, d) symmetric; E(S) is a generic element of J
    X: Array = None  # (B, *shape) a parameter
    Y: Array = None  # (B, *shape) a gradient
    gradients: Array = None  # (T, B, *shape)
    points: Array = None  # (T, B, *shape) parameters, or a second sequence of gradients
    eps: Array = None  # (B,) the statistic starts at eps·I
    decay: float = 1.0  # M_t = decay·M_{t-1} + g gᵀ
    finer: Structure | None = None  # a larger set on the same parameter
    Q: Array = None  # (B, d, d) or (d, d) orthogonal

    @property
    def pair(self) -> tuple[Structure, Structure]:
        """The structure and the finer one; ValueError when the run names no finer one."""
        if self.finer is None:
            raise ValueError("a law of nested structures needs a run with a `finer` structure.")
        return self.structure, self.finer


def _wishart(d: int, rng: np.random.Generator, rank: int | None = None) -> np.ndarray:
    A = rng.standard_normal((d, rank or d))
    return A @ A.T / d


def _orthogonal(d: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def _with_spectrum(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    V = _orthogonal(len(values), rng)
    A = (V * values) @ V.T
    return 0.5 * (A + A.T)


def _generic(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _wishart(K.dim, rng) + 0.1 * np.eye(K.dim), _wishart(K.dim, rng) + 0.1 * np.eye(K.dim)


def _repeated(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    values = np.where(np.arange(K.dim) < K.dim / 2, 1.0, 4.0)
    return _with_spectrum(values, rng), _with_spectrum(values[::-1], rng)


def _stiff(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _with_spectrum(np.logspace(0, -6, K.dim), rng), _with_spectrum(np.logspace(-2, 0, K.dim), rng)


def _ill_conditioned(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _with_spectrum(np.logspace(0, -12, K.dim), rng), _with_spectrum(np.logspace(-12, 0, K.dim), rng)


def _rank_one(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    u, v = rng.standard_normal((2, K.dim))
    return np.outer(u, u), np.outer(v, v)


def _singular(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    grid = rng.integers(-2, 3, (K.dim, 2)) / 2.0  # dyadic: the products are exact, so is the rank
    return grid @ grid.T, np.diag((np.arange(K.dim) % 2).astype(float))


def _zero(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((K.dim, K.dim)), _wishart(K.dim, rng)


def _inside(K: Structure, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inner = [K.dense(K.project(_wishart(K.dim, rng))) for _ in range(2)]
    return inner[0], inner[1] if np.linalg.eigvalsh(inner[1])[0] >= 0 else np.eye(K.dim)


KINDS: dict[str, Kind] = {
    "generic": _generic,
    "repeated": _repeated,
    "stiff": _stiff,
    "ill-conditioned": _ill_conditioned,
    "rank-one": _rank_one,
    "singular": _singular,
    "zero": _zero,
    "inside": _inside,
}
SCALES = {"tiny": 1e-150, "huge": 1e150}  # of a gradient; matrices scale with the square
STRICT = ("generic", "repeated", "stiff", "tiny", "huge")  # where inequalities hold with room to spare
SIMPLE = ("generic", "stiff", "tiny", "huge")  # without eigenspaces that may meet a block: E would touch λ_min there
EVERY = (*KINDS, *SCALES)


def make_instance(
    structure: Structure, kinds: Sequence[str] = STRICT, seed: int = 0, scales: dict[str, float] | None = None
) -> Instance:
    """One batch element per kind, in float64; `scales` overrides the two extreme scales (float32 needs milder ones)."""
    rng = np.random.default_rng([seed, structure.dim])
    sizes = {**SCALES, **(scales or {})}
    columns = [_fields(structure, KINDS.get(kind, _generic), sizes.get(kind, 1.0), rng) for kind in kinds]
    stacked: dict[str, Any] = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
    for name in ("gradients", "points"):
        stacked[name] = np.moveaxis(stacked[name], 1, 0)
    return Instance(structure, **stacked)


def _fields(K: Structure, kind: Kind, scale: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    M, increment = kind(K, rng)
    S = rng.standard_normal((K.dim, K.dim))
    return {
        "M": scale * (scale * M),
        "N": scale * (scale * (M + increment)),
        "S": S + S.T,
        "X": scale * rng.standard_normal(K.shape),
        "Y": scale * rng.standard_normal(K.shape),
        "gradients": scale * rng.standard_normal((STEPS, *K.shape)),
        "points": scale * rng.standard_normal((STEPS, *K.shape)),
        "eps": np.asarray(scale * (scale * 1e-3)),
    }


def moved(run: Instance, x: Array) -> Instance:
    """The run with its arrays in the namespace, dtype and device of `x`."""
    arrays: dict[str, Any] = {
        name: asarray_like(value, x) for name, value in vars(run).items() if isinstance(value, np.ndarray)
    }
    return replace(run, **arrays)
