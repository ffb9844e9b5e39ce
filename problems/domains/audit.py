r"""Is a domain what it says? Its parts are compared with each other on random parameters, as `structures.jordan` does for sets.

With v(s) the point of the linear oracle, p the Euclidean projection of y and σ the support function,

.. math::
    \langle s, v(s)\rangle = -\sigma(-s), \qquad \langle s, v(s')\rangle,\ \langle s, p\rangle \le \sigma(s), \qquad
    \langle y - p, p\rangle = \sigma(y - p), \qquad \mathrm{dist}(v), \mathrm{dist}(p) = 0,

and radius and diameter, Euclidean and in the structure's norm, are not below the sizes and distances of the points v. The third
says that p is the projection on the set whose support function is σ. A constant that is larger than it need be is not noticed:
bounds that use it are true and weaker.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod

import numpy as np

from problems.domains.base import Domain
from structures.arrays import tolerance
from structures.base import Structure
from theory.theorem import Check

__all__ = ["domain_check"]

DIRECTIONS = 64
ENTRIES = 1 << 20  # of all directions together, down to eight of them
CONDITION = 100.0  # of the numbers compared, relative to sizes of directions and points


def domain_check(
    domain: Domain,
    shape: tuple[int, ...],  # of the parameter
    structure: Structure | None = None,  # whose norm the constants are used in
) -> Check:
    """Whether the parts of `domain` belong to one convex set; the margin is the room of the tightest comparison."""
    try:
        return _decided(domain, shape, structure)
    except TypeError:  # a domain that holds an array has no hash
        return _decided.__wrapped__(domain, shape, structure)


@cache
def _decided(domain: Domain, shape: tuple[int, ...], structure: Structure | None) -> Check:
    allowed, worst = tolerance(np.float64(1.0), prod(shape), CONDITION), 0.0
    for name, found in _residuals(domain.on(shape), shape, structure):
        if not found <= allowed:
            return Check(False, allowed - found, f"{name}: off by {found:.3g} (relative), {allowed:.1g} is rounding")
        worst = max(worst, found)
    return Check(True, allowed - worst, "support function, oracle, projection and constants belong to one convex set")


def _residuals(domain: Domain, shape: tuple[int, ...], K: Structure | None) -> Iterator[tuple[str, float]]:
    """Every comparison, with how far it fails."""
    rng, size = np.random.default_rng(20250310), domain.euclidean_radius(shape)
    k, ones = max(8, min(DIRECTIONS, ENTRIES // prod(shape))), [1] * len(shape)
    s = rng.standard_normal((k, *shape)) / prod(shape) ** 0.5
    y = size * np.geomspace(0.01, 100.0, k).reshape(-1, *ones) * rng.standard_normal((k, *shape))
    v, p = domain.lmo(s), domain.project_euclidean(y)
    here, there = np.asarray(domain.support(s)), np.asarray(domain.support(-s))
    yield "the oracle attains the support function", _largest(np.abs(_inner(s, v) + there)) / size
    for name, points in (("the oracle", v), ("the projection", p)):
        products = s.reshape(k, -1) @ points.reshape(k, -1).T  # every direction with every point
        yield f"{name} stays below the support function", _largest(products - here[:, None]) / size
        yield f"{name} has points in the domain", _largest(np.asarray(domain.infeasibility(points))) / size
    away = (y - p) / np.maximum(_length(y - p), np.finfo(np.float64).tiny).reshape(-1, *ones)
    yield "the projection is the nearest point", _largest(np.asarray(domain.support(away)) - _inner(away, p)) / size
    apart = v - domain.lmo(-s)
    yield "the Euclidean radius", _largest(_length(v)) / size - 1.0
    yield "the Euclidean diameter", _beyond(_length(apart), domain.euclidean_diameter(shape), size)
    if K is not None:
        yield "the radius in the structure's norm", _beyond(np.asarray(K.norm(v)), domain.radius(K), size)
        yield "the diameter in the structure's norm", _beyond(np.asarray(K.norm(apart)), domain.diameter(K), size)


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum((a * b).reshape(len(a), -1), axis=1)


def _length(a: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a.reshape(len(a), -1), axis=1)


def _largest(values: np.ndarray) -> float:
    """The maximum; a NaN stays one, and fails every comparison."""
    return float(np.max(values))


def _beyond(found: np.ndarray, claimed: float, size: float) -> float:
    """How far lengths exceed a claimed constant, relative to it, or to the domain's size where it is zero."""
    return (_largest(found) - claimed) / (claimed if claimed > 0 else size)
