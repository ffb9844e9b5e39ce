r"""DASVRDA with restarts under quadratic growth, with the sharp constants of the outer loop.

.. math::
    \mathbb E[P(x^{(T)}) - P_*] \le \Bigl[\frac{4}{(S+2)^2}
    \Bigl(\frac34 + \frac{4}{c^2\, \eta\, m(m+1)\, \mu}\Bigr)\Bigr]^T \bigl(P(x_0) - P_*\bigr), \qquad
    P(x) - P_* \ge \tfrac\mu2 \|x - x_*\|^2, \quad \tfrac23 \le c \le 1 - \rho(\eta) .

Source: derived here (docs/proofs/dasvrda.md#theorem-sc).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from convex.theorems.bounds import contraction
from convex.theorems.hypotheses import COMMON, GROWING, OUTER_WEIGHTS, SHARP_STEP
from convex.theorems.instances import tiny
from convex.theorems.outer_cases import far_step, growing_controls, growing_examples, walked
from convex.theorems.outer_theorem import OuterTheorem, gap_at_start
from convex.theorems.runs import OuterRun
from convex.theorems.stage_cases import twice
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["SharpDASVRDAGrowth"]


class SharpDASVRDAGrowth(OuterTheorem):
    id = "dasvrda-sc-sharp"
    title = "DASVRDA with restarts under quadratic growth, sharp constants"
    source = Citation("derived", "docs/proofs/dasvrda.md#theorem-sc", "derived")
    statement = (
        r"\mathbb E[P(x^{(T)}) - P_*] \le \Bigl[\frac{4}{(S+2)^2}\Bigl(\frac34 + "
        r"\frac{4}{c^2\,\eta\, m(m+1)\,\mu}\Bigr)\Bigr]^T \bigl(P(x_0) - P_*\bigr), \qquad \tfrac23 \le c \le 1 - \rho(\eta)"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "DASVRDA-sc: T restarts of S stages each, last iterate"
    assumptions: ClassVar = (*COMMON, *GROWING, SHARP_STEP, OUTER_WEIGHTS)

    def bound(self, run: OuterRun) -> float:
        each = contraction(run.mu, stages=run.stages, step=run.step, m=run.length, c=run.c, leading=0.75)
        return each**run.restarts * gap_at_start(run)

    def examples(self) -> Iterator[Example]:
        yield from growing_examples(sharp=True)
        yield Example(
            "published constants",
            lambda: walked(tiny("squares+ridge"), 1.0, sharp=False, length=2, stages=3, restarts=2),
        )

    def controls(self) -> Iterator[Example]:
        yield from growing_controls(sharp=True)
        yield from twice("a step two hundred times too large", lambda: far_step(sharp=True), "step", "outer-weights")
