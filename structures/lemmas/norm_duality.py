r"""The two norms are dual: the gradient norm is attained at a parameter of norm one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.arrays import namespace
from structures.lemmas.assumptions import CONE, CONVEX
from structures.lemmas.dual_vector import dual_error, dual_vector, unit
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.rounding import positive_or_one
from structures.not_structured import KroneckerSet
from theory.theorem import Example, Kind

__all__ = ["NormDuality"]


class NormDuality(Law):
    id = "norm-duality"
    title = "The gradient norm is the dual of the parameter norm"
    kind = Kind.EXACT
    source = derived("l7")
    statement = (
        r"\|y\|_{\mathcal H,*} = \inf_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} \|y\|_{H^{-1}} "
        r"= \frac{\langle x^*, y\rangle}{\|x^*\|_{\mathcal H}}, \qquad x^* = P_{\mathcal H}(yy^\top)^{+} y"
    )
    subject = "gradients and the parameters at which their norm is attained"
    assumptions = (CONE, CONVEX)
    axes = ("instance",)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.Y)
        u, length = unit(K, run.Y)
        x = dual_vector(K, run.Y)
        attained = xp.sum(x * u, axis=-1) / positive_or_one(K.norm(K.unflatten(x)))
        return Sides(attained, K.dual_norm(run.Y) / length, 4.0 * dual_error(K, K.unflatten(u)))

    def controls(self) -> Iterable[Example]:
        run = make_instance(KroneckerSet((2, 2)), ("generic",))
        gradients = np.asarray([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.1]]])
        yield from misuse("Kronecker products", replace(run, Y=gradients), "convex")
