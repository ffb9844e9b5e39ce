r"""The constants of the bounds, computed from a run: D, η, Tr H_0, the unit roundoff.

.. math::
    D_t = \max_{s \le t} \|x_s - u\|_{\mathcal H} \text{ for a comparator fixed in advance}, \qquad
    D = \sup_{x, y \in \mathcal X} \|x - y\|_{\mathcal H} \text{ for the best point in hindsight.}

Source: derived here, docs/proofs/regret.md#constants.
"""

from __future__ import annotations

from math import isqrt, prod

import numpy as np

from regret.trace import Trace
from structures.base import Structure

__all__ = [
    "damping_trace",
    "diameter",
    "distance",
    "euclidean_diameter",
    "feasibility_tolerance",
    "largest_distance",
    "rates",
    "structure_of",
    "unit_roundoff",
]


ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}


def structure_of(run: Trace) -> Structure:
    """The learner's structure; raises ValueError for a learner without one, whose run no structured bound speaks about."""
    if run.structure is None:
        raise ValueError(
            f"{type(run.learner).__name__} has no structure, so that no norm ‖·‖_H is defined for its run."
        )
    return run.structure


def rates(run: Trace) -> np.ndarray:  # (1,) or (B,)
    """η, one for all elements or one for each."""
    return np.atleast_1d(np.asarray(run.lr, dtype=np.float64))


def unit_roundoff(run: Trace) -> float:
    """u of the dtype that the game was played in."""
    return ROUNDOFF[run.meta.get("dtype", "float64")]


def feasibility_tolerance(run: Trace) -> float:
    """Euclidean distance from the domain that is rounding: a projection is a few sums of d terms and a division."""
    if run.domain is None:
        return 0.0
    shape = run.learner.shape
    return 32.0 * unit_roundoff(run) * (isqrt(prod(shape)) + 8) * run.domain.euclidean_radius(shape)


def diameter(run: Trace) -> float:
    """D of the domain in the structure's norm, for points that may lie outside of it by rounding; infinite without one.

    The Euclidean diameter for a learner without a structure.
    """
    if run.domain is None:
        return float("inf")
    if run.structure is None:
        return run.domain.euclidean_diameter(run.learner.shape) + feasibility_tolerance(run)
    return run.domain.diameter(structure_of(run)) + feasibility_tolerance(run)  # ‖x‖_H ≤ ‖x‖₂


def distance(run: Trace) -> np.ndarray | float:  # (T, B) or a number
    """D at every horizon."""
    return diameter(run) if run.distance is None else run.distance


def damping_trace(run: Trace) -> float:
    """Tr H_0 = d √ε."""
    return structure_of(run).dim * run.eps**0.5


def largest_distance(run: Trace, norm: str = "structure") -> float:
    """max over the whole run of ‖x_t - u‖ in one of the learner's norms; infinite when the comparator is not fixed."""
    return float("inf") if run.distances is None else float(np.max(run.distances[norm]))


def euclidean_diameter(run: Trace) -> float:
    """D_2: the Euclidean diameter of the domain, or the largest Euclidean distance from a comparator in the whole space."""
    if run.domain is None:
        return largest_distance(run, "euclidean")
    return run.domain.euclidean_diameter(run.learner.shape) + feasibility_tolerance(run)
