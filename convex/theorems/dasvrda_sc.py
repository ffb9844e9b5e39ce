r"""DASVRDA with restarts under quadratic growth: each restart contracts the gap, with the published constants.

.. math::
    \mathbb E[P(x^{(T)}) - P_*] \le \Bigl[\frac{4}{(S+2)^2}
    \Bigl(1 + \frac{4}{(1 - 1/\gamma)^2\, \eta\, m(m+1)\, \mu}\Bigr)\Bigr]^T \bigl(P(x_0) - P_*\bigr), \qquad
    P(x) - P_* \ge \tfrac\mu2 \|x - x_*\|^2 .

Source: derived here (docs/proofs/dasvrda.md#theorem-sc); the form of the bound is remembered from Murata and Suzuki 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from convex.theorems.bounds import contraction
from convex.theorems.hypotheses import COMMON, GROWING, PUBLISHED, WEIGHT_SLOPE
from convex.theorems.outer_cases import far_step, growing_controls, growing_examples
from convex.theorems.outer_theorem import OuterTheorem, gap_at_start
from convex.theorems.runs import OuterRun
from convex.theorems.stage_cases import twice
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["DASVRDAGrowth"]


class DASVRDAGrowth(OuterTheorem):
    id = "dasvrda-sc"
    title = "DASVRDA with restarts under quadratic growth, published constants"
    source = Citation("derived", "docs/proofs/dasvrda.md#theorem-sc", "derived")
    statement = (
        r"\mathbb E[P(x^{(T)}) - P_*] \le \Bigl[\frac{4}{(S+2)^2}\Bigl(1 + "
        r"\frac{4}{(1 - 1/\gamma)^2\,\eta\, m(m+1)\,\mu}\Bigr)\Bigr]^T \bigl(P(x_0) - P_*\bigr), \qquad \gamma \ge 3"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "DASVRDA-sc: T restarts of S stages each, last iterate"
    assumptions: ClassVar = (*COMMON, *GROWING, *PUBLISHED, WEIGHT_SLOPE)

    def bound(self, run: OuterRun) -> float:
        each = contraction(run.mu, stages=run.stages, step=run.step, m=run.length, c=run.c, leading=1.0)
        return each**run.restarts * gap_at_start(run)

    def examples(self) -> Iterator[Example]:
        yield from growing_examples(sharp=False)

    def controls(self) -> Iterator[Example]:
        yield from growing_controls(sharp=False)
        yield from twice("a step two hundred times too large", lambda: far_step(sharp=False), "step")
