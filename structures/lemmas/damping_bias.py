r"""The trace of the preconditioner is at most the energy of all steps plus what the damping alone accounts for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.arrays import namespace, tolerance
from structures.diagonal import Diagonal
from structures.lemmas.assumptions import CUMULATIVE, DAMPED, WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.sequence import growth_and_energy, steps
from structures.not_structured import DiagonalLinear
from theory.theorem import Example, Kind

__all__ = ["DampingBias"]


class DampingBias(Law):
    id = "damping-bias"
    title = "The trace is at most the energy plus the damping's share"
    kind = Kind.PATHWISE
    source = derived("l5")
    statement = (
        r"\operatorname{Tr} H_T \le \textstyle\sum_t g_t^\top H_t^{-1} g_t + \epsilon \operatorname{Tr} H_T^{-1}"
    )
    subject = "every horizon of a run; the first, where equality holds, only when there is no other"
    assumptions = (DAMPED, CUMULATIVE, WELL_STRUCTURED)
    axes = ("step", "instance")

    def sides(self, run: Instance) -> Sides:
        xp = namespace(run.gradients)
        played = steps(run)
        _, energy, errors = growth_and_energy(played)
        share = run.eps * xp.linalg.trace(xp.linalg.inv(played.H[1:, ...]))
        bound = energy[..., 1] + share
        # ε ≤ λ_min(M_t), so the share is at most d√ε and inherits no more than the relative error of H_t.
        relative = played.root_error[1:, ...] / xp.sqrt(run.eps)
        budget = 2.0 * errors[..., 1] + share * (relative + tolerance(share, run.structure.dim))
        first = min(2, run.gradients.shape[0])
        return Sides(played.trace[first:, ...], bound[first - 1 :, ...], budget[first - 1 :, ...])

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("small gradients beside ε", _small_gradients, near_tight=True)

    def controls(self) -> Iterable[Example]:
        gradients = np.asarray([[[1.75, 0.0, 0.0]], [[0.0, 0.0, 3.5]]])
        run = Instance(DiagonalLinear((3,)), gradients=gradients, eps=np.asarray([1.0]))
        yield from misuse("the second gradient undoes the first", run, "well-structured")


def _small_gradients() -> Instance:
    run = make_instance(Diagonal((3,)), ("generic",))
    return replace(run, gradients=0.1 * run.gradients, eps=1.0 + 0.0 * run.eps)
