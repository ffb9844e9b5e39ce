r"""How far the structured norms can be from the Euclidean one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from structures.arrays import namespace, tolerance
from structures.diagonal import Diagonal
from structures.lemmas.assumptions import UNITAL
from structures.lemmas.dual_vector import dual_error, unit
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, representatives
from structures.not_structured import NoIdentity
from theory.theorem import Example, Kind

__all__ = ["NormChain"]


class NormChain(Law):
    id = "norm-chain"
    title = "The structured norms beside the Euclidean norm"
    kind = Kind.PATHWISE
    source = derived("l7")
    statement = r"\|x\|_2/\sqrt d \le \|x\|_{\mathcal H} \le \|x\|_2 \le \|x\|_{\mathcal H,*} \le \sqrt d\,\|x\|_2"
    subject = "parameters of length one; equality holds at both ends for multiples of I, in the middle for all matrices"
    assumptions = (UNITAL,)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.X)
        x = K.unflatten(unit(K, run.X)[0])
        length = xp.linalg.vector_norm(K.flatten(x), axis=-1)  # one, or zero for x = 0
        primal, dual, root = K.norm(x), K.dual_norm(x), K.dim**0.5
        measured = xp.stack([length / root, primal, length, dual], axis=-1)
        bound = xp.stack([primal, length, dual, root * length], axis=-1)
        rounding = xp.stack([0.0 * length + tolerance(x, K.dim)] * 4, axis=-1)
        return Sides(measured, bound, rounding + dual_error(K, x)[..., None])

    def examples(self) -> Iterable[Example]:
        for K in representatives(proper=True, several=True):
            yield Example(str(K), partial(make_instance, K, STRICT))
        yield Example("nearly a coordinate", _nearly_a_coordinate, near_tight=True)

    def controls(self) -> Iterable[Example]:
        run = make_instance(NoIdentity((3,)), ("generic",))
        yield from misuse("orthogonal to the only direction", replace(run, X=np.asarray([[1.0, -1.0, 0.25]])), "unital")


def _nearly_a_coordinate() -> Instance:
    run = make_instance(Diagonal((3,)), ("generic",))
    return replace(run, X=np.asarray([[1.0, 0.05, 0.0]]))
