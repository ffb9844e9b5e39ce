r"""One step of adaptive regularization costs at least what it adds to the trace of the preconditioner."""

from __future__ import annotations

from structures.lemmas.assumptions import CUMULATIVE, DAMPED, WELL_STRUCTURED
from structures.lemmas.instance import Instance
from structures.lemmas.law import Law, Sides, derived
from structures.lemmas.sequence import growth_and_energy, steps
from theory.theorem import Kind

__all__ = ["StepGrowth"]


class StepGrowth(Law):
    id = "step-growth"
    title = "The trace grows by at most the step's energy"
    kind = Kind.PATHWISE
    source = derived("l5")
    statement = (
        r"\operatorname{Tr} H_t - \operatorname{Tr} H_{t-1} \le g_t^\top H_t^{-1} g_t, \qquad "
        r"\operatorname{Tr} H_T - d\sqrt\epsilon \le \textstyle\sum_t g_t^\top H_t^{-1} g_t"
    )
    subject = "each step of a run, and the sums up to it"
    assumptions = (DAMPED, CUMULATIVE, WELL_STRUCTURED)
    axes = ("step", "instance", "entry")

    def sides(self, run: Instance) -> Sides:
        growth, energy, budget = growth_and_energy(steps(run))
        return Sides(growth, energy, 2.0 * budget)
