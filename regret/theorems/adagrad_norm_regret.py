r"""AdaGrad-Norm at the best learning rate: :math:`\sqrt 2\, D_2 \bigl(\sum_s \|g_s\|_2^2\bigr)^{1/2}`.

Source: derived here (docs/proofs/regret.md#specialisations).
"""

from __future__ import annotations

import numpy as np

from regret.theorems.constants import euclidean_diameter
from regret.theorems.gradient_statistics import euclidean
from regret.theorems.specialisation import Specialisation, instance_of
from regret.trace import Trace
from structures import Scalar

__all__ = ["AdaGradNormRegret"]


class AdaGradNormRegret(Specialisation):
    id = "adagrad-norm-regret"
    title = "Regret of AdaGrad-Norm"
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \sqrt 2\, D_2 \Bigl(\sum_{s \le t} \|g_s\|_2^2\Bigr)^{1/2} + "
        r"\frac{D_2 \sqrt{d\,\varepsilon}}{\sqrt 2} + \frac1\eta \sum_{s \le t} \delta_s"
    )
    subject = "AdaGrad-Norm with the learning rate D/√2, every horizon"
    own = instance_of("adagrad-norm", r"\mathcal H = \{c I : c \ge 0\}", Scalar)
    instance = "AdaGrad-Norm"

    def size(self, run: Trace) -> float:
        return euclidean_diameter(run)

    def statistic(self, run: Trace, gradients: np.ndarray) -> np.ndarray:
        return euclidean(gradients)
