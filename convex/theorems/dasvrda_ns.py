r"""DASVRDA without strong convexity: the gap falls like 1/S², with the published constants.

.. math::
    \mathbb E[P(x_S) - P_*] \le \frac{4}{(S+2)^2}
    \Bigl(P(x_0) - P_* + \frac{2\,\|z_0 - x_*\|^2}{(1 - 1/\gamma)^2\, \eta\, m(m+1)}\Bigr), \qquad \gamma \ge 3 .

Below γ = 3 the proof stops, because :math:`\theta_1 = \tfrac32(1 - 1/\gamma) < 1`, and the bound is false for γ < 5/3.

Source: derived here (docs/proofs/dasvrda.md#theorem-ns); the form of the bound is remembered from Murata and Suzuki 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from convex.theorems.hypotheses import COMMON, MINIMISER, ONE_LOOP, PUBLISHED, WEIGHT_SLOPE
from convex.theorems.instances import tiny
from convex.theorems.outer_cases import far_step, outer_controls, outer_examples, walked
from convex.theorems.outer_theorem import OuterTheorem, one_loop_bound
from convex.theorems.runs import OuterRun
from convex.theorems.stage_cases import twice
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["DASVRDAConvex"]


class DASVRDAConvex(OuterTheorem):
    id = "dasvrda-ns"
    title = "DASVRDA without strong convexity, published constants"
    source = Citation("derived", "docs/proofs/dasvrda.md#theorem-ns", "derived")
    statement = (
        r"\mathbb E[P(x_S) - P_*] \le \frac{4}{(S+2)^2}\Bigl(P(x_0) - P_* + "
        r"\frac{2\,\|z_0 - x_*\|^2}{(1 - 1/\gamma)^2\,\eta\, m(m+1)}\Bigr), \qquad \gamma \ge 3"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "DASVRDA-ns: S stages with outer momentum, last iterate"
    assumptions: ClassVar = (*COMMON, MINIMISER, ONE_LOOP, *PUBLISHED, WEIGHT_SLOPE)

    def bound(self, run: OuterRun) -> float:
        return one_loop_bound(run, leading=1.0)

    def examples(self) -> Iterator[Example]:
        yield from outer_examples(sharp=False)

    def controls(self) -> Iterator[Example]:
        yield from outer_controls(sharp=False)
        yield from twice("a step two hundred times too large", lambda: far_step(sharp=False), "step")
        yield Example("a second loop", _restarted, expect=("HYPOTHESIS_FAILED",), breaks="one-loop")


def _restarted() -> OuterRun:
    return walked(tiny("squares"), 1.0, sharp=False, length=2, stages=2, restarts=2)
