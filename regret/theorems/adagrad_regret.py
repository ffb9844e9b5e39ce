r"""AdaGrad at the best learning rate: :math:`\sqrt 2\, D_\infty \sum_i \|g_{1:t,i}\|_2`.

Source: Duchi, Hazan, Singer 2011, Corollary 6 (the form; remembered); derived here (docs/proofs/regret.md#specialisations).
"""

from __future__ import annotations

import numpy as np

from regret.theorems.constants import diameter, largest_distance
from regret.theorems.gradient_statistics import entrywise
from regret.theorems.specialisation import Specialisation, instance_of
from regret.trace import Trace
from structures import Diagonal

__all__ = ["AdaGradRegret"]


class AdaGradRegret(Specialisation):
    id = "adagrad-regret"
    title = "Regret of AdaGrad"
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \sqrt 2\, D_\infty \sum_i \|g_{1:t,i}\|_2 + "
        r"\frac{D_\infty d \sqrt\varepsilon}{\sqrt 2} + \frac1\eta \sum_{s \le t} \delta_s"
    )
    subject = "AdaGrad with the learning rate D/√2, every horizon"
    own = instance_of("adagrad", r"\mathcal H = \{\operatorname{diag}(h) : h \ge 0\}", Diagonal)
    instance = "AdaGrad"

    def size(self, run: Trace) -> float:
        # ‖·‖_H is ‖·‖_∞.
        return largest_distance(run) if run.domain is None else diameter(run)

    def statistic(self, run: Trace, gradients: np.ndarray) -> np.ndarray:
        return entrywise(gradients)
