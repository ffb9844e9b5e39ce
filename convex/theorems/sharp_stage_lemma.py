r"""The stage lemma with its free parameter optimised: any step, any comparator, and a constant that cannot be improved.

.. math::
    \mathbb E[P(x_m) - P(x)] \le \rho(\eta)\, B_F(\tilde x, x)
    + \frac{2}{\eta m(m+1)} \bigl(\|\tilde y - x\|^2 - \mathbb E\|z_m - x\|^2\bigr) \qquad \text{for every fixed } x ,

with the Bregman distance :math:`B_F(\tilde x, x) = F(\tilde x) - F(x) - \langle\nabla F(x), \tilde x - x\rangle`, which is
at most :math:`P(\tilde x) - P(x)` at a minimiser and 0 at :math:`x = \tilde x`, and ρ(η) of `convex.theorems.bounds`.

Source: derived here (docs/proofs/dasvrda.md#stage-lemma).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from convex.theorems.hypotheses import COMMON, SHARP_STEP, rho_of
from convex.theorems.instances import cancer, tiny
from convex.theorems.runs import StageRun
from convex.theorems.stage_cases import far_step, stage_controls, stage_examples, taken
from convex.theorems.stage_theorem import StageTheorem
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["SharpStageLemma"]


class SharpStageLemma(StageTheorem):
    id = "dasvrda-stage-sharp"
    title = "A stage of DASVRDA pays for itself, sharp constant, every comparator"
    source = Citation("derived", "docs/proofs/dasvrda.md#stage-lemma", "derived")
    statement = (
        r"\mathbb E[P(x_m) - P(x)] \le \rho(\eta) B_F(\tilde x, x) + \frac{2}{\eta m(m+1)}"
        r"\bigl(\|\tilde y - x\|^2 - \mathbb E\|z_m - x\|^2\bigr), \quad "
        r"\rho(\eta) = \frac4{m(m+1)}\sum_{k=1}^m \frac k2 \frac{w_k}{1 - w_k}, \quad "
        r"w_k = \frac{k\bar L(q)/2b}{1/\eta - L_F k/(k+1)}"
    )
    proof = "docs/proofs/dasvrda.md"
    subject = "one stage of accelerated variance-reduced dual averaging, from any start and snapshot"
    assumptions: ClassVar = (*COMMON, SHARP_STEP)
    optimal = False

    def bound(self, run: StageRun) -> float:
        problem, u = run.problem, run.comparator
        linear = problem.smooth_value(u) + np.sum(problem.gradient(u) * (run.xtil - u))
        return rho_of(run) * float(problem.smooth_value(run.xtil) - linear)

    def examples(self) -> Iterator[Example]:
        yield from stage_examples(sharp=True)
        for kind in ("squares+net", "logistic+box"):
            yield Example(f"{kind}, against a point that is not optimal", lambda kind=kind: _elsewhere(tiny(kind, 2)))
        yield Example(
            "breast cancer, elastic net, a point that is not optimal", lambda: _elsewhere(cancer("net"), seeds=100)
        )

    def controls(self) -> Iterator[Example]:
        yield from stage_controls(sharp=True)
        yield Example("a step beyond the largest", far_step, expect=("HYPOTHESIS_FAILED",), breaks="step")


def _elsewhere(case, seeds: int | None = None) -> StageRun:
    return taken(case, 0.3, -0.2, gamma=0.8, sharp=True, length=4, comparator="elsewhere", seeds=seeds)
