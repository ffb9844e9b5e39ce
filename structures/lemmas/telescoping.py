r"""The moving norms telescope: bounded points pay for the growth of the preconditioner once, not at every step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from structures.arrays import namespace
from structures.lemmas.assumptions import CUMULATIVE, DAMPED, WELL_STRUCTURED
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, representatives
from structures.lemmas.rounding import positive_or_one
from structures.lemmas.sequence import steps
from structures.not_structured import DiagonalLinear, MonotoneCone
from structures.scalar import Scalar
from theory.theorem import Example, Kind

__all__ = ["Telescoping"]


class Telescoping(Law):
    id = "telescoping"
    title = "Bounded points pay for the growth of the trace once"
    kind = Kind.PATHWISE
    source = derived("l6")
    statement = (
        r"\textstyle\sum_{t \le T} \|x_t\|_{H_t - H_{t-1}}^2 \le D^2\,(\operatorname{Tr} H_T - \operatorname{Tr} H_0), "
        r"\qquad D = \max_t \|x_t\|_{\mathcal H}"
    )
    subject = "arbitrary points along a run, every horizon"
    assumptions = (DAMPED, CUMULATIVE, WELL_STRUCTURED)
    axes = ("step", "instance")

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.points)
        played = steps(run)
        x = K.flatten(run.points)
        x = x / positive_or_one(xp.max(xp.abs(x), axis=(0, -1)))[..., None]  # both sides are quadratic in the points
        difference = played.H[1:, ...] - played.H[:-1, ...]
        terms = xp.sum(x * (difference @ x[..., None])[..., 0], axis=-1)
        largest = xp.max(K.norm(K.unflatten(x)), axis=0) ** 2
        bound = largest * (played.trace[1:, ...] - played.trace[:1, ...])
        # |x|² ≤ d ‖x‖_H², and H_t enters two differences.
        each = played.root_error[1:, ...] + played.root_error[:-1, ...]
        error = K.dim * xp.cumulative_sum(each, axis=0) + played.trace_error[1:, ...] + played.trace_error[:1, ...]
        return Sides(xp.cumulative_sum(terms, axis=0), bound, 2.0 * largest * error)

    def examples(self) -> Iterable[Example]:
        for K in representatives(several=True):
            yield Example(str(K), partial(make_instance, K, STRICT))
        yield Example("points of nearly constant norm", _nearly_constant, near_tight=True)

    def controls(self) -> Iterable[Example]:
        yield from misuse("decreasing diagonals, one coordinate after the other", staircase(4), "well-structured")
        yield from misuse("the split flips while the trace stands still", flips(), "well-structured")


def _nearly_constant() -> Instance:
    run = make_instance(Scalar((5,)), ("generic",))
    length = np.linalg.norm(run.points, axis=-1, keepdims=True)
    return replace(run, points=run.points / length * np.linspace(0.98, 1.0, len(length))[:, None, None])


def staircase(d: int) -> Instance:
    """Coordinate i grows while the player stands at √i e_i, which has norm one: the ratio tends to (d + 1)/2."""
    scale = np.sqrt(np.arange(1.0, d + 1.0))
    gradients = np.eye(d)[:, None, :]
    return Instance(
        MonotoneCone((d,)),
        gradients=gradients,
        points=scale[:, None, None] * np.eye(d)[:, None, :],
        eps=np.asarray([1e-8]),
    )


def flips() -> Instance:
    """After one large middle gradient, tiny ones at either end move H back and forth by a fixed amount."""
    sizes = [1.0, 1e-4, 1e-2, 1.0, 100.0, 1e4]
    rows = [[0.0, 1e7, 0.0]] + [[s if i % 2 else 0.0, 0.0, 0.0 if i % 2 else s] for i, s in enumerate(sizes)]
    gradients = np.asarray(rows)[:, None, :]
    corner = np.sqrt(1.5)
    points = np.asarray([[0.0, 0.0, 0.0]] + [[corner, 0.0, 0.0] if i % 2 else [0.0, 0.0, corner] for i in range(6)])[
        :, None, :
    ]
    return Instance(DiagonalLinear((3,)), gradients=gradients, points=points, eps=np.asarray([1e-12]))
