r"""The regret theorem at :math:`\eta = D/\sqrt 2` for one structure, in that structure's own words.

.. math::
    \sum_{s \le t} \langle g_s, x_s - u\rangle \le \sqrt 2\, \mathsf D\, \mathsf N(g_{1:t})
        + \tfrac1{\sqrt 2} D_{\mathcal H}\, d\sqrt\varepsilon + \frac1\eta \sum_{s \le t} \delta_s ,

where :math:`\mathsf D\, \mathsf N = D_{\mathcal H} |||g|||_{\mathcal H}`: the multiplicities of the structure cancel in the
product. 𝖣 is read off the domain in its own norm and 𝖭 off the recorded gradients by a formula of its own, so that the
comparison does not go through the learner's code.

Source: derived here (docs/proofs/regret.md#specialisations).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from regret.theorems import runs
from regret.theorems.assumptions import TUNED
from regret.theorems.budget import norm_rounding, rounding_budget
from regret.theorems.constants import damping_trace, distance, rates
from regret.theorems.structured_regret import StructuredRegret
from regret.trace import Trace
from structures.base import Structure
from theory.theorem import Assumption, Check, Example

__all__ = ["Specialisation", "instance_of"]


def _recorded(run: Trace) -> Check:
    if run.gradients is None:
        return Check(None, 0.0, "the gradients were not kept: play with keep_history=True")
    return Check(True, float("inf"), f"{run.horizon} gradients are recorded")


RECORDED = Assumption("recorded", r"g_1, \dots, g_T \text{ are recorded}", _recorded)


def instance_of(name: str, statement: str, *classes: type[Structure]) -> Assumption:
    """The assumption that the structure is of one of these classes."""

    def check(run: Trace) -> Check:
        fits = isinstance(run.structure, classes) and run.structure.well_structured
        return Check(fits, 1.0 if fits else -1.0, f"the structure is {run.structure}")

    return Assumption(name, statement, check)


class Specialisation(StructuredRegret):
    """`StructuredRegret` for one structure and the best learning rate; a subclass writes the two factors of its bound."""

    own: ClassVar[Assumption]  # which structure it is
    instance: ClassVar[str]  # of `runs.MATCHED`, or of `runs` itself

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        cls.assumptions = (cls.own, *StructuredRegret.assumptions, TUNED, RECORDED)

    @abstractmethod
    def size(self, run: Trace) -> float:
        """𝖣: the diameter of the domain in the norm of the statement, or the largest distance from the comparator."""

    @abstractmethod
    def statistic(self, run: Trace, gradients: np.ndarray) -> np.ndarray:  # (T, B, *shape) -> (T, B)
        """𝖭(g_{1:t}) at every horizon."""

    def bound(self, run: Trace) -> np.ndarray:
        largest = float(np.max(distance(run)))
        if run.gradients is not None:
            leading = self.size(run) * self.statistic(run, run.gradients)
        else:  # the verdict is INCONCLUSIVE then; the number is the same
            leading = largest * np.asarray(run.adaptive_norm)
        return 2**0.5 * leading + largest / 2**0.5 * damping_trace(run) + run.gap_sum / rates(run)

    def budget(self, run: Trace) -> np.ndarray:
        return rounding_budget(run, self.bound(run)) + 2.0 * rates(run) * norm_rounding(run)

    def examples(self) -> Iterable[Example]:
        yield Example("hard sequence", partial(runs.hard, self.instance, 600, keep_history=True), near_tight=True)
        yield Example("coin flips", partial(runs.signs, self.instance, 150, keep_history=True))
        yield Example("coin flips, damped", partial(runs.damped, self.instance))

    def controls(self) -> Iterator[Example]:
        make = partial(runs.hard, self.instance, 600, factor=2.0, keep_history=True)
        yield from runs.misuse("twice the learning rate", make, "tuned")
        other = next(name for name in runs.MATCHED if name != self.instance)
        yield Example(
            "another structure", partial(runs.hard, other, 60, keep_history=True), expect=("HYPOTHESIS_FAILED",),
            breaks=self.own.name,
        )  # fmt: skip
        yield Example(
            "gradients that were not kept",
            partial(runs.signs, self.instance, 30),
            expect=("INCONCLUSIVE",),
            breaks="recorded",
        )
