r"""One structure per layer at the best learning rate: :math:`\sqrt 2\, \max_l D_l \cdot \sum_l |||g_{1:t,l}|||_{\mathcal H_l}`.

The layers do not see each other, but the learning rate is one: it is set by the layer with the largest domain.

Source: derived here (docs/proofs/regret.md#specialisations).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from regret.theorems import runs
from regret.theorems.constants import diameter, largest_distance, structure_of
from regret.theorems.gradient_statistics import layered
from regret.theorems.specialisation import Specialisation, instance_of
from regret.trace import Trace
from structures import DirectSum, Layerwise
from theory.theorem import Example

__all__ = ["DirectSumRegret"]


class DirectSumRegret(Specialisation):
    id = "direct-sum-regret"
    title = "Regret with one structure per layer"
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \sqrt 2\, \max_l D_l \sum_l |||g_{1:t,l}|||_{\mathcal H_l} + "
        r"\frac{\max_l D_l\, d \sqrt\varepsilon}{\sqrt 2} + \frac1\eta \sum_{s \le t} \delta_s"
    )
    subject = "adaptive regularization with one structure per layer and the learning rate D/√2, every horizon"
    own = instance_of("direct-sum", r"\mathcal H = \textstyle\bigoplus_l \mathcal H_l", DirectSum, Layerwise)
    instance = "two layers"

    def size(self, run: Trace) -> float:
        # ‖·‖_H is the largest of the layers' norms.
        return largest_distance(run) if run.domain is None else diameter(run)

    def statistic(self, run: Trace, gradients: np.ndarray) -> np.ndarray:
        return layered(structure_of(run), gradients)

    def examples(self) -> Iterable[Example]:
        yield from super().examples()
        yield Example("four kinds of layers", partial(runs.mixed_layers, 100))
