r"""The adaptive gradient norm is a minimum: every element of trace one gives an upper bound on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from structures.arrays import namespace, tolerance
from structures.full import Full
from structures.lemmas.assumptions import CONE, CONSISTENT, UNITAL
from structures.lemmas.candidates import candidates
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse, representatives
from structures.lemmas.sequence import adaptive_error, second_moment
from structures.not_structured import TextbookOneSided
from theory.theorem import Example, Kind

__all__ = ["AdaptiveNormInfimum"]


class AdaptiveNormInfimum(Law):
    id = "adaptive-norm-infimum"
    title = "The adaptive gradient norm is the best over fixed preconditioners"
    kind = Kind.PATHWISE
    source = derived("l7")
    statement = (
        r"|||g_{1:T}|||_{\mathcal H} \le \bigl(\textstyle\sum_t \|g_t\|_{H^{-1}}^2\bigr)^{1/2} "
        r"\qquad \text{for every } H \in \mathcal H \text{ with } \operatorname{Tr} H \le 1"
    )
    subject = "a sequence of gradients against three fixed preconditioners"
    assumptions = (CONE, CONSISTENT, UNITAL)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.gradients)
        M = second_moment(K, run.gradients)
        bounds = []
        for H in candidates(K, M, M + second_moment(K, run.points)):
            energy = xp.linalg.trace(xp.linalg.solve(H, M))
            bounds.append(xp.sqrt(energy) * xp.sqrt(xp.linalg.trace(H)))
        bound = xp.stack(bounds, axis=-1)
        norm = K.adaptive_norm(run.gradients)[..., None] + 0.0 * bound
        rounding = tolerance(bound, K.dim, 17.0) * bound  # the squared condition numbers of the candidates
        return Sides(norm, bound, adaptive_error(K, run.gradients)[..., None] + rounding)

    def examples(self) -> Iterable[Example]:
        for K in representatives(several=True):
            yield Example(str(K), partial(make_instance, K, STRICT))
        yield Example("many gradients in all directions", _isotropic, near_tight=True)

    def controls(self) -> Iterable[Example]:
        yield from misuse("a statistic without 1/n", make_instance(TextbookOneSided((2, 3))), "consistent")


def _isotropic() -> Instance:
    run = make_instance(Full((2,)), ("generic",))
    xp = namespace(run.gradients)
    return replace(run, gradients=xp.asarray([[[1.0, 0.3]], [[-0.3, 1.0]], [[0.0, 0.1]]]), points=run.points[:3])
