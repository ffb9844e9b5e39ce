r"""One-sided Shampoo at the best learning rate.

.. math:: \sqrt 2\, D_{\mathrm{op}} \operatorname{Tr}\bigl(\textstyle\sum_s G_s G_s^\top\bigr)^{1/2} \quad\text{(left)}, \qquad
          \sqrt 2\, D_{\mathrm{op}} \operatorname{Tr}\bigl(\textstyle\sum_s G_s^\top G_s\bigr)^{1/2} \quad\text{(right)}.

Source: derived here (docs/proofs/regret.md#specialisations); Xie et al. 2025, arXiv 2503.10537 (the learner as an instance).
"""

from __future__ import annotations

import numpy as np

from regret.theorems.constants import diameter, largest_distance, structure_of
from regret.theorems.gradient_statistics import nuclear
from regret.theorems.specialisation import Specialisation, instance_of
from regret.trace import Trace
from structures import LeftKronecker, RightKronecker

__all__ = ["OneSidedShampooRegret"]


class OneSidedShampooRegret(Specialisation):
    id = "one-sided-shampoo-regret"
    title = "Regret of one-sided Shampoo"
    statement = (
        r"\sum_{s \le t} \langle G_s, X_s - U\rangle \le \sqrt 2\, D_{\mathrm{op}} \operatorname{Tr}\Bigl(\sum_{s \le t} "
        r"G_s G_s^\top\Bigr)^{1/2} + \frac{D_{\mathcal H}\, d \sqrt\varepsilon}{\sqrt 2} + \frac1\eta \sum_{s \le t} \delta_s"
        r"\qquad \text{(left; } G_s^\top G_s \text{ for right)}"
    )
    subject = "one-sided Shampoo, of either side, with the learning rate D/√2, every horizon"
    own = instance_of(
        "one-sided", r"\mathcal H = S_+^m \otimes I_n \text{ or } I_m \otimes S_+^n", LeftKronecker, RightKronecker
    )
    instance = "one-sided Shampoo"

    def size(self, run: Trace) -> float:
        """D_op: ‖X‖_H is ‖X‖_op over the root of the multiplicity."""
        K = structure_of(run)
        multiplicity = K.shape[1 if isinstance(K, LeftKronecker) else 0]
        return multiplicity**0.5 * (largest_distance(run) if run.domain is None else diameter(run))

    def statistic(self, run: Trace, gradients: np.ndarray) -> np.ndarray:
        left = isinstance(structure_of(run), LeftKronecker)
        return nuclear(np.swapaxes(gradients, -1, -2) if left else gradients)
