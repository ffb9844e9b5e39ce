r"""DASVRDA without strong convexity, with constants that cannot be improved at S = 1: any step, any c from 2/3 to 1 - ρ(η).

.. math::
    \mathbb E[P(x_S) - P_*] \le \frac{4}{(S+2)^2}
    \Bigl(\frac34\bigl(P(x_0) - P_*\bigr) + \frac{2\,\|z_0 - x_*\|^2}{c^2\, \eta\, m(m+1)}\Bigr),
    \qquad \tfrac23 \le c \le 1 - \rho(\eta) .

Source: derived here (docs/proofs/dasvrda.md#theorem-ns).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from convex.theorems.hypotheses import COMMON, MINIMISER, ONE_LOOP, OUTER_WEIGHTS, SHARP_STEP
from convex.theorems.instances import tiny
from convex.theorems.outer_cases import far_step, outer_controls, outer_examples, walked
from convex.theorems.outer_theorem import OuterTheorem, one_loop_bound
from convex.theorems.runs import OuterRun
from convex.theorems.stage_cases import twice
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["SharpDASVRDAConvex"]


class SharpDASVRDAConvex(OuterTheorem):
    id = "dasvrda-ns-sharp"
    title = "DASVRDA without strong convexity, sharp constants"
    source = Citation("derived", "docs/proofs/dasvrda.md#theorem-ns", "derived")
    statement = (
        r"\mathbb E[P(x_S) - P_*] \le \frac{4}{(S+2)^2}\Bigl(\frac34\bigl(P(x_0) - P_*\bigr) + "
        r"\frac{2\,\|z_0 - x_*\|^2}{c^2\,\eta\, m(m+1)}\Bigr), \qquad \tfrac23 \le c \le 1 - \rho(\eta)"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "DASVRDA-ns: S stages with outer momentum, last iterate"
    assumptions: ClassVar = (*COMMON, MINIMISER, ONE_LOOP, SHARP_STEP, OUTER_WEIGHTS)

    def bound(self, run: OuterRun) -> float:
        return one_loop_bound(run, leading=0.75)

    def examples(self) -> Iterator[Example]:
        yield from outer_examples(sharp=True)
        yield Example("published constants", lambda: walked(tiny("squares"), 1.0, sharp=False, length=3, stages=3))

    def controls(self) -> Iterator[Example]:
        yield from outer_controls(sharp=True)
        yield from twice("a step two hundred times too large", lambda: far_step(sharp=True), "step", "outer-weights")
