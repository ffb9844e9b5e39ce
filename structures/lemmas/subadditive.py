r"""The trace of the preconditioner is subadditive; damping therefore costs at most d√ε."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.arrays import eye, namespace
from structures.diagonal import Diagonal
from structures.lemmas.assumptions import CONVEX, POSITIVE, UNITAL
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.rounding import (
    positive_or_one,
    projected_spectrum,
    projection_error,
    row_norm,
    trace_root_error,
)
from structures.not_structured import KroneckerSet
from theory.theorem import Example, Kind

__all__ = ["Subadditive"]


class Subadditive(Law):
    id = "subadditive-trace"
    title = "The trace of the preconditioner is subadditive"
    kind = Kind.PATHWISE
    source = derived("l3")
    statement = (
        r"\operatorname{Tr} P_{\mathcal H}(M + N) \le \operatorname{Tr} P_{\mathcal H}(M) + \operatorname{Tr} P_{\mathcal H}(N), "
        r"\qquad \operatorname{Tr} P_{\mathcal H}(M + \epsilon I) \le \operatorname{Tr} P_{\mathcal H}(M) + d\sqrt\epsilon"
    )
    subject = "traces of preconditioners of sums; convexity is needed, closure under squaring is not"
    assumptions = (POSITIVE, CONVEX, UNITAL)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        eps = 0.01 * row_norm(run.M)
        damped = run.M + eps[..., None, None] * eye(K.dim, run.M)
        half = [0.5 * run.M, 0.5 * run.N, 0.5 * run.M + 0.5 * run.N]  # halves, so that a sum near overflow survives
        first, second, total = (K.trace(K.preconditioner(A)) for A in half)
        alone, with_eps = (K.trace(K.preconditioner(A)) for A in (run.M, damped))
        measured = xp.stack([total, with_eps], axis=-1)
        bound = xp.stack([first + second, alone + K.dim * xp.sqrt(eps)], axis=-1)
        errors = [trace_root_error(projected_spectrum(K, A), projection_error(A)) for A in (run.M, run.N)]
        return Sides(measured, bound, 2.0 * (errors[0] + errors[1])[..., None])

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("one sum of two orthogonal statistics", _orthogonal, near_tight=True)

    def controls(self) -> Iterable[Example]:
        run = make_instance(Diagonal((3,)), ("generic",))
        shift = 2.0 * positive_or_one(row_norm(run.M))[..., None, None] * eye(3, run.M)
        broken = replace(run, M=run.M - shift)
        yield Example("M is indefinite", lambda: broken, expect=("HYPOTHESIS_FAILED",), breaks="positive")
        corners = [np.diag(np.where(np.arange(4) == i, 1.0, 1e-6))[None] for i in (0, 3)]
        run = Instance(KroneckerSet((2, 2)), M=corners[0], N=corners[1])
        yield from misuse("Kronecker products, two opposite corners", run, "convex")


def _orthogonal() -> Instance:
    run = make_instance(Diagonal((2,)), ("generic",))
    xp = namespace(run.M)
    M, N = (xp.asarray([[[a, 0.0], [0.0, b]]]) for a, b in ((1.0, 1e-6), (1e-6, 1.0)))
    return replace(run, M=M, N=N)
