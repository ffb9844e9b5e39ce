r"""Is a structure what the theorems need? The decision through the operations of a learner, without a d×d matrix.

The theorems need that J is a unital Jordan algebra (a linear space of symmetric matrices that contains I and is closed under
squaring), that ``outer`` gives :math:`E(gg^\top)` for the orthogonal projection E onto J, and that the metric is
:math:`P_{\mathcal H} = E^{1/2}`. With random parameters g, x and a = E(gg^⊤), b = E(xx^⊤), c = a + b, all of it follows from

.. math::
    \operatorname{Tr} a = \|g\|^2, \quad
    \tfrac12\bigl(\operatorname{Tr} c^2 - \operatorname{Tr} a^2 - \operatorname{Tr} b^2\bigr) = \langle x, a x\rangle, \quad
    c\,z = a\,z + b\,z, \quad I z = z, \quad c^2 z = c\,(c\,z), \quad P_{\mathcal H}(c)^2 z = c\,z,

with probability one: each side is polynomial in (g, x, z) or a power of one that is, and a polynomial identity that fails
somewhere fails almost everywhere. The second identity says :math:`\langle E(gg^\top), E(xx^\top)\rangle = \langle E(gg^\top),
xx^\top\rangle`, so E is an orthogonal projection, and the first that it fixes I; and closure of the sums of two E(gg^⊤) under
squaring is closure of J, because :math:`A^2 - E(A^2)` is a quadratic form in A whose polar form then vanishes on pairs.
Only P_H may be a rule with cases; it is tried on several elements, at several scales, growing and falling along the parameter.
That ``outer`` is a quadratic form is tested too, and that the norm, and what a step reads off a metric (inverse, energy, trace),
belong to it. What is not of this kind (code that counts its calls, or knows these numbers) no test can find.

Source: derived here, docs/proofs/regret.md#the-structure-is-checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from structures.arrays import tolerance, tree_map
from structures.base import Structure
from structures.full import Full
from structures.roots import NotPositiveError
from theory.theorem import Check

__all__ = ["jordan_check"]

CONDITION = 100.0  # of the numbers compared: sums of a few random outer products
SCALES = (1e-6, 1.0, 1e6)  # at which P_H is compared: a set that is not a cone shows it at one of them
LARGE = 512  # parameters of a full matrix beyond which a small instance answers for it


@cache
def jordan_check(structure: Structure) -> Check:
    """Whether `structure` is a Jordan algebra with P_H = E^{1/2}; the margin is the room of the tightest identity.

    ``Full`` with more than 512 parameters is answered for by a small instance: its elements are all symmetric matrices.
    """
    K = Full((8,)) if type(structure) is Full and structure.dim > LARGE else structure
    allowed = tolerance(np.float64(1.0), K.dim, CONDITION)
    worst = 0.0
    try:
        for name, found in _residuals(K):
            if not found <= allowed:
                return Check(
                    False, allowed - found, f"{name}: off by {found:.3g} on random elements, {allowed:.1g} is rounding"
                )
            worst = max(worst, found)
    except (NotPositiveError, ValueError, NotImplementedError) as error:
        return Check(False, -1.0, f"squares or roots of elements do not exist in the set: {error}")
    return Check(
        True, allowed - worst, "a linear space with I, closed under squaring, with P_H the root of the projection"
    )


def _residuals(K: Structure) -> Iterator[tuple[str, float]]:
    """Every identity with its relative error."""
    rng = np.random.default_rng(20250310)
    g, x, z = (rng.standard_normal(K.shape) / np.sqrt(K.dim) for _ in range(3))
    a, b = K.outer(g), K.outer(x)
    c = tree_map(lambda p, q: p + q, a, b)
    az, bz, cz = (K.apply(p, z) for p in (a, b, c))
    size = float(np.linalg.norm(cz))
    yield "Tr E(M) = Tr M", abs(float(K.trace(a)) - float(np.sum(g * g)))
    inner = 0.5 * (_energy(K, c) - _energy(K, a) - _energy(K, b))
    yield "E is an orthogonal projection", abs(inner - float(np.sum(x * K.apply(a, x)))) / max(inner, size)
    yield "elements add up", float(np.linalg.norm(az + bz - cz)) / size
    yield "elements are symmetric", abs(float(np.sum(x * az)) - float(np.sum(z * K.apply(a, x)))) / size
    yield "I is an element", float(np.linalg.norm(K.apply(K.identity(z), z) - z))
    squared = K.apply(c, cz)
    yield (
        "squares of elements are elements",
        float(np.linalg.norm(K.apply(K.power(c, 2), z) - squared)) / float(np.linalg.norm(squared)),
    )
    for element, s in _statistics(K, rng):
        metric = K.metric(tree_map(lambda p, s=s: s * p, element))
        twice, once = metric.apply(0.5, metric.apply(0.5, z)) / s, K.apply(element, z)
        yield "P_H(M)² = E(M)", float(np.linalg.norm(twice - once) / np.linalg.norm(once))
    yield from _outer_residuals(K, g, x, z)
    yield from _metric_residuals(K, tree_map(lambda p, i: p + i, c, K.identity(z)), z)


def _outer_residuals(K: Structure, g: np.ndarray, x: np.ndarray, z: np.ndarray) -> Iterator[tuple[str, float]]:
    """That ``outer`` is a quadratic form at every scale, as all the rest takes for granted, and ``norm`` the root of its top."""
    a, b = K.apply(K.outer(g), z), K.apply(K.outer(x), z)
    size = float(np.linalg.norm(a) + np.linalg.norm(b))
    crossed = K.apply(K.outer(g + x), z) + K.apply(K.outer(g - x), z)
    yield "outer is a quadratic form", float(np.linalg.norm(crossed - 2.0 * (a + b))) / size
    top = float(np.max(K.factor(K.outer(x)).values)) ** 0.5
    for s in SCALES:
        yield "outer is a quadratic form", float(np.linalg.norm(K.apply(K.outer(s * g), z) / s / s - a)) / size
        yield "‖x‖_H² is the largest eigenvalue of E(xxᵀ)", abs(float(K.norm(s * x)) / s / top - 1.0)


def _metric_residuals(K: Structure, element: object, z: np.ndarray) -> Iterator[tuple[str, float]]:
    """That what a step reads off a metric besides the root belongs to it, on an element with condition number of order one."""
    for s in SCALES:
        metric = K.metric(tree_map(lambda p, s=s: s * s * p, element))
        back = metric.apply(-0.5, metric.apply(0.5, z))
        yield "H⁻¹ H = I", float(np.linalg.norm(back - z) / np.linalg.norm(z))
        energy = float(np.sum(z * metric.apply(0.5, z)))
        yield "the energy is <z, H z>", abs(float(metric.quad(0.5, z)) / energy - 1.0)
        root = float(K.trace(metric.power(0.5)))
        yield "the trace is Tr H", abs(float(metric.trace(0.5)) / root - 1.0)


def _statistics(K: Structure, rng: np.random.Generator) -> Iterator[tuple[object, float]]:
    """Elements and scales that P_H is tried on."""
    ramp = np.linspace(0.1, 1.0, K.dim).reshape(K.shape)
    for profile in (1.0, 1.0, ramp, np.flip(ramp)):
        g, x = (profile * rng.standard_normal(K.shape) / np.sqrt(K.dim) for _ in range(2))
        element = tree_map(lambda p, q: p + q, K.outer(g), K.outer(x))
        yield from ((element, s) for s in SCALES)


def _energy(K: Structure, c: object) -> float:
    """Tr c²."""
    return float(K.factor(c).trace(2))
