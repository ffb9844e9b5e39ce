r"""One step of adaptive regularization costs at most twice what it adds to the trace of the preconditioner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from structures.diagonal import Diagonal
from structures.full import Full
from structures.lemmas.assumptions import CONE, CUMULATIVE, DAMPED, UNITAL
from structures.lemmas.instance import STRICT, Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.sequence import growth_and_energy, steps
from theory.theorem import Example, Kind

__all__ = ["StepStability"]


class StepStability(Law):
    id = "step-stability"
    title = "The step's energy is at most twice the growth of the trace"
    kind = Kind.PATHWISE
    source = derived("l5")
    statement = (
        r"g_t^\top H_t^{-1} g_t \le 2(\operatorname{Tr} H_t - \operatorname{Tr} H_{t-1}), \qquad "
        r"\textstyle\sum_t g_t^\top H_t^{-1} g_t \le 2(\operatorname{Tr} H_T - d\sqrt\epsilon)"
    )
    subject = "each step of a run, and the sums up to it; any cone will do, convex or not"
    assumptions = (DAMPED, CUMULATIVE, CONE, UNITAL)
    axes = ("step", "instance", "entry")

    def sides(self, run: Instance) -> Sides:
        growth, energy, budget = growth_and_energy(steps(run))
        return Sides(energy, 2.0 * growth, 2.0 * budget)

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("small gradients beside ε", _small_gradients, near_tight=True)

    def controls(self) -> Iterable[Example]:
        yield from misuse("a decaying statistic", replace(make_instance(Full((4,)), STRICT), decay=0.9), "cumulative")


def _small_gradients() -> Instance:
    run = make_instance(Diagonal((3,)), ("generic",))
    return replace(run, gradients=0.01 * run.gradients, eps=1.0 + 0.0 * run.eps)
