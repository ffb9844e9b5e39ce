r"""Hölder's inequality between the norm of a parameter and the dual norm of a gradient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.arrays import namespace
from structures.lemmas.assumptions import UNITAL
from structures.lemmas.dual_vector import dual_error, dual_vector
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.not_structured import NoIdentity
from structures.scalar import Scalar
from theory.theorem import Example, Kind

__all__ = ["Hoelder"]


class Hoelder(Law):
    id = "hoelder"
    title = "A gradient against a parameter"
    kind = Kind.PATHWISE
    source = derived("l7")
    statement = r"|\langle x, y\rangle| \le \|x\|_{\mathcal H}\,\|y\|_{\mathcal H,*}"
    subject = "pairs of parameters and gradients, among them a nearly extremal one"
    assumptions = (UNITAL,)
    axes = ("instance", "entry")

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.X)
        x, y = K.flatten(run.X), K.flatten(run.Y)
        extremal = K.unflatten(dual_vector(K, run.Y) + 0.1 * x / _length(x)[..., None])
        points = (run.X, extremal)
        measured = xp.stack([xp.abs(xp.sum(K.flatten(p) * y, axis=-1)) for p in points], axis=-1)
        dual = K.dual_norm(run.Y)
        norms = xp.stack([K.norm(p) for p in points], axis=-1)
        return Sides(measured, norms * dual[..., None], norms * dual_error(K, run.Y)[..., None])

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("nearly parallel", _nearly_parallel, near_tight=True)

    def controls(self) -> Iterable[Example]:
        run = make_instance(NoIdentity((3,)), ("generic",))
        x = np.asarray([[1.0, -1.0, 0.25]])
        yield from misuse("orthogonal to the only direction", replace(run, X=x, Y=x), "unital")


def _length(x: np.ndarray) -> np.ndarray:
    length = namespace(x).linalg.vector_norm(x, axis=-1)
    return namespace(x).where(length > 0, length, namespace(x).ones_like(length))


def _nearly_parallel() -> Instance:
    run = make_instance(Scalar((5,)), ("generic",))
    return replace(run, X=run.Y + 0.05 * run.X)
