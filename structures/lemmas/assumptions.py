r"""What the laws assume, checked on the run: nothing is taken on a structure's word except where the law says "declared".

A structure is a description, so its properties are computed once per structure, in float64, on random elements; a property
that is polynomial in the element and fails somewhere fails for almost every element.

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from structures.arrays import Array, Coordinates, namespace, to_numpy, tolerance, tree_map
from structures.base import Structure
from structures.lemmas.instance import Instance
from structures.roots import NotPositiveError, eigh
from theory.theorem import Assumption, Check

__all__ = [
    "CONE",
    "CONSISTENT",
    "CONVEX",
    "CUMULATIVE",
    "DAMPED",
    "DECLARED",
    "INVARIANT",
    "LINEAR",
    "NESTED",
    "ORDERED",
    "POSITIVE",
    "UNITAL",
    "WELL_STRUCTURED",
]


DEFINITE = 1e-10  # of the largest eigenvalue: below it the minimiser over a set that is not closed is ill-conditioned


def _sample(K: Structure) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """A fixed generator and two random symmetric matrices of norm about one."""
    rng = np.random.default_rng(20250)
    A, B = rng.standard_normal((2, K.dim, K.dim)) / np.sqrt(K.dim)
    return rng, A + A.T, B + B.T


def _dense_projection(K: Structure, M: np.ndarray) -> np.ndarray:
    return K.dense(K.project(M))


def _scaled(c: Coordinates, s: float) -> Coordinates:
    return tree_map(lambda leaf: s * leaf, c)


def _linearity(K: Structure) -> float:
    _, A, B = _sample(K)
    return float(
        np.max(np.abs(_dense_projection(K, A - 2.0 * B) - _dense_projection(K, A) + 2.0 * _dense_projection(K, B)))
    )


def _unitality(K: Structure) -> float:
    return float(np.max(np.abs(_dense_projection(K, np.eye(K.dim)) - np.eye(K.dim))))


def _closure(K: Structure) -> float:
    _, A, _ = _sample(K)
    square = np.linalg.matrix_power(_dense_projection(K, A), 2)
    return float(np.max(np.abs(_dense_projection(K, square) - square)))


def _rooting(K: Structure) -> float:
    """How far the set's own root is from the square root, on a positive definite element at scales 1e-6, 1 and 1e6."""
    _, A, _ = _sample(K)
    element = K.project(_dense_projection(K, A) @ _dense_projection(K, A) + 0.5 * np.eye(K.dim))
    squares = [(s, np.linalg.matrix_power(K.dense(K.root(_scaled(element, s))), 2)) for s in (1e-6, 1.0, 1e6)]
    return max(float(np.max(np.abs(square / s - K.dense(element)))) for s, square in squares)


def _statistic(K: Structure) -> float:
    rng, _, _ = _sample(K)
    g = rng.standard_normal(K.shape)
    flat = g.reshape(-1)
    return float(np.max(np.abs(K.dense(K.outer(g)) - _dense_projection(K, np.outer(flat, flat)))))


def _scaling(K: Structure) -> float:
    """How far P_H is from homogeneous of degree ½, between scales 1e-6, 1 and 1e6."""
    _, A, _ = _sample(K)
    M = A @ A.T + 0.5 * np.eye(K.dim)
    unit = K.dense(K.preconditioner(M))
    return max(float(np.max(np.abs(K.dense(K.preconditioner(s * s * M)) / s - unit))) for s in (1e-6, 1e6))


def _mixing(K: Structure) -> float:
    """How far the mean of two elements of H is from the span of H."""
    _, A, B = _sample(K)
    elements = [K.dense(K.preconditioner(S @ S + 0.5 * np.eye(K.dim))) for S in (A, B)]
    mean = 0.5 * (elements[0] + elements[1])
    return float(np.max(np.abs(_dense_projection(K, mean) - mean)))


Test = tuple[str, Callable[[Structure], float], float]
# The last number is the error of P_H relative to rounding: iterative controls are solved to about 1e-10.
_LINEAR: Test = ("E is linear", _linearity, 1.0)
_UNITAL: Test = ("E(I) = I", _unitality, 1.0)
_CLOSED: Test = ("squares of elements are elements", _closure, 1.0)
_ROOT: Test = ("the root is the square root", _rooting, 1.0)
_STATISTIC: Test = ("outer(G) is the projection of g gᵀ", _statistic, 1.0)
_CONE: Test = ("P_H(s² M) = s P_H(M)", _scaling, 1e5)
_CONVEX: Test = ("means of elements stay in the span", _mixing, 1e5)


@cache
def _audit(K: Structure, tests: tuple[Test, ...]) -> Check:
    """The first property that fails, or the one with the least room."""
    margins = []
    for name, residual, slack in tests:
        allowed = slack * tolerance(np.float64(1.0), K.dim**2, 100.0)  # elements have condition number below 100
        try:
            found = residual(K)
        except (NotPositiveError, ValueError) as error:
            return Check(False, -1.0, f"{name}: {error}")
        if not found <= allowed:
            return Check(
                False, allowed - found, f"{name}: off by {found:.3g} on a random element, {allowed:.1g} is rounding"
            )
        margins.append(allowed - found)
    return Check(True, min(margins), "; ".join(name for name, _, _ in tests) + " on random elements")


def _structural(name: str, statement: str, *tests: Test) -> Assumption:
    return Assumption(name, statement, lambda run: _audit(run.structure, tests))


WELL_STRUCTURED = _structural(
    "well-structured",
    r"J \ni I \text{ is a linear space of symmetric matrices, closed under squaring, and } P_{\mathcal H} = E^{1/2}",
    _LINEAR, _UNITAL, _CLOSED, _ROOT, _STATISTIC,
)  # fmt: skip
LINEAR = _structural("linear", r"L \text{ is a linear space and } I \in L", _LINEAR, _UNITAL)
UNITAL = _structural("unital", r"I \in L", _UNITAL)
CONSISTENT = _structural("consistent", r"\text{the statistic of } g \text{ is } E(gg^\top)", _STATISTIC)
CONE = _structural("cone", r"\mathcal H \text{ is a cone: } P_{\mathcal H}(s^2 M) = s\,P_{\mathcal H}(M)", _CONE)
CONVEX = _structural("convex", r"\mathcal H \text{ is convex}", _CONVEX)


def _declared(run: Instance) -> Check:
    claim = run.structure.well_structured
    return Check(claim, 1.0 if claim else -1.0, f"{type(run.structure).__name__}.well_structured is {claim}")


DECLARED = Assumption("declared", r"\text{the structure claims to be well-structured}", _declared)


def _least(name: str, A: Array, reference: Array) -> Check:
    """Whether every matrix A of the batch is PSD up to rounding relative to the size of `reference`."""
    values, scales = eigh(A)[0], eigh(reference)[0]
    xp = namespace(values)
    size = xp.max(xp.abs(scales), axis=-1)
    smallest = float(xp.finfo(values.dtype).smallest_normal)  # below it rounding is absolute
    lowest = values[..., 0] / (size + smallest)
    worst = float(to_numpy(xp.min(lowest)))
    allowed = tolerance(values, A.shape[-1])
    return Check(worst >= -allowed, worst + allowed, f"the least eigenvalue of {name} is {worst:.3g} beside its size")


def _positive(run: Instance) -> Check:
    """M ⪰ 0 and N ⪰ 0 up to rounding; both definite where P_H has no closed form, whose minimiser may not exist otherwise."""
    judge = _definite if run.structure.precision > 0 else lambda name, A: _least(name, A, A)
    checks = [judge(name, A) for name, A in (("M", run.M), ("N", run.N)) if A is not None]
    return min(checks, key=lambda check: check.margin)


def _definite(name: str, A: Array) -> Check:
    values = eigh(A)[0]
    xp = namespace(values)
    top = values[..., -1]
    lowest = float(to_numpy(xp.min(values[..., 0] / xp.where(top > 0, top, xp.ones_like(top)))))
    reason = f"the least eigenvalue of {name} is {lowest:.3g} of the largest; without a closed form it must be positive"
    return Check(lowest > DEFINITE, lowest - DEFINITE, reason)


POSITIVE = Assumption(
    "positive",
    r"M, N \succeq 0; \quad M, N \succ 0 \text{ where } P_{\mathcal H} \text{ has no closed form}",
    _positive,
)
ORDERED = Assumption("ordered", r"M \preceq N", lambda run: _least("N - M", run.N - run.M, run.N))


def _cumulative(run: Instance) -> Check:
    return Check(
        run.decay == 1.0, -abs(run.decay - 1.0), f"the statistic is multiplied by {run.decay:g} before it grows"
    )


def _damped(run: Instance) -> Check:
    least = float(np.min(to_numpy(run.eps)))
    return Check(least > 0, least, f"the smallest ε is {least:.3g}")


CUMULATIVE = Assumption("cumulative", r"M_t = M_{t-1} + g_t g_t^\top", _cumulative)
DAMPED = Assumption("damped", r"M_0 = \epsilon I,\ \epsilon > 0", _damped)


def _nested(run: Instance) -> Check:
    if run.finer is None:
        return Check(None, float("nan"), "the run names no finer set")
    _, A, _ = _sample(run.structure)
    element = _dense_projection(run.structure, A)
    found = float(np.max(np.abs(_dense_projection(run.finer, element) - element)))
    allowed = tolerance(np.float64(1.0), run.structure.dim**2)
    return Check(
        found <= allowed, allowed - found, f"an element of the coarser set is {found:.3g} away from the finer one"
    )


NESTED = Assumption("nested", r"J_1 \subseteq J_2", _nested)


def _invariant(run: Instance) -> Check:
    _, A, _ = _sample(run.structure)
    element = _dense_projection(run.structure, A)
    Q = to_numpy(run.Q)
    turned = Q @ element @ np.swapaxes(Q, -1, -2)
    found = float(np.max(np.abs(_dense_projection(run.structure, turned) - turned)))
    allowed = tolerance(run.Q, run.structure.dim**2)
    return Check(found <= allowed, allowed - found, f"a turned element is {found:.3g} away from the set")


INVARIANT = Assumption("invariant", r"Q J Q^\top = J,\ Q \text{ orthogonal}", _invariant)
