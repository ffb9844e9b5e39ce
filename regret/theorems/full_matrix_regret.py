r"""Full-matrix AdaGrad at the best learning rate: :math:`\sqrt 2\, D_2 \operatorname{Tr}\bigl(\sum_s g_s g_s^\top\bigr)^{1/2}`.

Source: Duchi, Hazan, Singer 2011 (the form; remembered); derived here (docs/proofs/regret.md#specialisations).
"""

from __future__ import annotations

import numpy as np

from regret.theorems.constants import euclidean_diameter
from regret.theorems.gradient_statistics import nuclear
from regret.theorems.specialisation import Specialisation, instance_of
from regret.trace import Trace
from structures import Full

__all__ = ["FullMatrixRegret"]


class FullMatrixRegret(Specialisation):
    id = "full-matrix-regret"
    title = "Regret of full-matrix AdaGrad"
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \sqrt 2\, D_2 \operatorname{Tr}\Bigl(\sum_{s \le t} g_s g_s^\top"
        r"\Bigr)^{1/2} + \frac{D_2 d \sqrt\varepsilon}{\sqrt 2} + \frac1\eta \sum_{s \le t} \delta_s"
    )
    subject = "full-matrix AdaGrad with the learning rate D/√2, every horizon"
    own = instance_of("full-matrix", r"\mathcal H = S_+^d", Full)
    instance = "full-matrix AdaGrad"

    def size(self, run: Trace) -> float:
        return euclidean_diameter(run)

    def statistic(self, run: Trace, gradients: np.ndarray) -> np.ndarray:
        return nuclear(gradients.reshape(*gradients.shape[:2], 1, -1))
