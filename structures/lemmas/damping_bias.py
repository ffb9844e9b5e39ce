r"""The trace of the preconditioner is at most the energy of all steps plus what the damping alone accounts for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from structures.arrays import namespace, tolerance
from structures.diagonal import Diagonal
from structures.lemmas.assumptions import CUMULATIVE, DAMPED, WELL_STRUCTURED
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.sequence import growth_and_energy, steps
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
    subject = "every horizon of a run"
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
        return Sides(
            played.trace[1:, ...], bound, 2.0 * errors[..., 1] + share * (relative + tolerance(share, run.structure.dim))
        )

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("small gradients beside ε", _small_gradients, near_tight=True)

    def controls(self) -> Iterable[Example]:
        run = replace(make_instance(Diagonal((3,))), decay=0.5)
        yield from misuse("a decaying statistic", run, "cumulative")


def _small_gradients() -> Instance:
    run = make_instance(Diagonal((3,)), ("generic",))
    return replace(run, gradients=0.1 * run.gradients, eps=1.0 + 0.0 * run.eps)
