r"""One step of adaptive regularization costs at least what it adds to the trace of the preconditioner.

Convexity of the set is all that it takes: the trace is the adaptive norm of the gradients so far, and a norm lies above its
tangents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from structures.full import Full
from structures.lemmas.assumptions import CONE, CONVEX, CUMULATIVE, DAMPED, UNITAL
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.sequence import growth_and_energy, steps
from structures.not_structured import KroneckerSet
from theory.theorem import Example, Kind

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
    subject = "each step of a run, and the sums up to it; convexity is needed, closure under squaring is not"
    assumptions = (DAMPED, CUMULATIVE, CONE, CONVEX, UNITAL)
    axes = ("step", "instance", "entry")

    def sides(self, run: Instance) -> Sides:
        growth, energy, budget = growth_and_energy(steps(run))
        return Sides(growth, energy, 2.0 * budget)

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("large gradients beside ε", _large_gradients, near_tight=True)

    def controls(self) -> Iterable[Example]:
        gradients = np.asarray([[[[1.0, 0.0], [0.0, 0.0]]], [[[0.0, 0.0], [0.0, 1.0]]]])
        run = Instance(KroneckerSet((2, 2)), gradients=gradients, eps=np.asarray([1e-6]))
        yield from misuse("Kronecker products, one corner after the other", run, "convex")
        stale = replace(make_instance(Full((4,))), decay=3.0)
        yield from misuse("a statistic that grows by itself", stale, "cumulative")


def _large_gradients() -> Instance:
    run = make_instance(Full((4,)), ("generic",))
    return replace(run, gradients=run.gradients[:1], eps=1e-3 * run.eps)
