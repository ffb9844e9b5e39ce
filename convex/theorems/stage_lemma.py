r"""One stage of DASVRDA pays for itself: the stage lemma with the published constants.

.. math::
    \mathbb E[P(x_m) - P(x)] \le \frac1\gamma \bigl(P(\tilde x) - P(x)\bigr)
    + \frac{2}{\eta m(m+1)} \bigl(\|\tilde y - x\|^2 - \mathbb E\|z_m - x\|^2\bigr), \qquad x \in \{\tilde x, x_*\}

for :math:`\eta \le 1/((1 + \gamma(m+1)/b)\bar L(q))`. The verdict is about the left side minus the last term.

Source: derived here (docs/proofs/dasvrda.md#stage-lemma); that it is the published lemma is inferred from the published γ_*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from convex.theorems.hypotheses import COMMON, MINIMISER, PUBLISHED
from convex.theorems.instances import orthogonal, slope
from convex.theorems.runs import StageRun
from convex.theorems.stage_cases import far_step, on_first, stage_controls, stage_examples, taken, twice
from convex.theorems.stage_theorem import StageTheorem
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["StageLemma"]


class StageLemma(StageTheorem):
    id = "dasvrda-stage"
    title = "A stage of DASVRDA pays for itself, published constants"
    source = Citation("derived", "docs/proofs/dasvrda.md#stage-lemma", "derived")
    statement = (
        r"\mathbb E[P(x_m) - P(x)] \le \frac1\gamma\bigl(P(\tilde x) - P(x)\bigr) + \frac{2}{\eta m(m+1)}"
        r"\bigl(\|\tilde y - x\|^2 - \mathbb E\|z_m - x\|^2\bigr), \qquad x \in \{\tilde x, x_*\}"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "one stage of accelerated variance-reduced dual averaging, from any start and snapshot"
    assumptions: ClassVar = (*COMMON, MINIMISER, *PUBLISHED)
    optimal = True

    def bound(self, run: StageRun) -> float:
        return float(run.problem.value(run.xtil) - run.problem.value(run.comparator)) / run.gamma

    def examples(self) -> Iterator[Example]:
        yield from stage_examples(sharp=False)

    def controls(self) -> Iterator[Example]:
        yield from stage_controls(sharp=False)
        yield from twice("a step eight times too large", far_step, "step")
        yield from twice("uniform draws with the step of importance", _uniform, "step")
        yield Example("a step from a small gamma", _small_gamma, expect=("HYPOTHESIS_FAILED",), breaks="gamma")
        yield from twice("a comparator that is not optimal", _uphill, "minimiser")


def _small_gamma() -> StageRun:
    return taken(orthogonal(3), 1.0, 1.0, gamma=0.4, sharp=False, length=2)


def _uniform() -> StageRun:
    return on_first(False, "uniform", "uniform", start=0.1)


def _uphill() -> StageRun:
    """P at the comparator is above P at the snapshot, which the bound takes for a gain."""
    case = slope(5.0)
    return taken(case._replace(optimum=np.array([-25.0])), -22.5, -20.0, gamma=3.0, sharp=False, length=2)
