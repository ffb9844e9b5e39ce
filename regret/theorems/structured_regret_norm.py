r"""The regret theorem in its printed form, through the adaptive gradient norm.

.. math::
    \sum_{s \le t} \langle g_s, x_s - u\rangle \le \Bigl(\frac{D_t^2}{2\eta} + \eta\Bigr) |||g_{1:t}|||_{\mathcal H}
        + \frac{D_t^2}{2\eta}\, d\sqrt\varepsilon + \frac1\eta \sum_{s \le t} \delta_s ,

from `StructuredRegret` and :math:`\operatorname{Tr} P_{\mathcal H}(M + \varepsilon I) \le \operatorname{Tr} P_{\mathcal H}(M)
+ d\sqrt\varepsilon`. It is weaker by up to :math:`\eta d \sqrt\varepsilon`, and speaks about the gradients alone.

Source: derived here (docs/proofs/regret.md#theorem-r); Xie et al. 2025, arXiv 2503.10537, has
:math:`(D^2/2\eta + \eta)(|||g||| + d\sqrt\varepsilon)` (remembered).
"""

from __future__ import annotations

import numpy as np

from regret.theorems.assumptions import ADAPTIVE
from regret.theorems.budget import norm_rounding, rounding_budget
from regret.theorems.constants import damping_trace, distance, rates
from regret.theorems.structured_regret import StructuredRegret
from regret.trace import Trace

__all__ = ["StructuredRegretNorm"]


class StructuredRegretNorm(StructuredRegret):
    id = "structured-regret-norm"
    title = "Regret against the adaptive gradient norm"
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle \le \Bigl(\frac{D_t^2}{2\eta} + \eta\Bigr) |||g_{1:t}|||_{\mathcal H} + "
        r"\frac{D_t^2}{2\eta}\, d\sqrt\varepsilon + \frac1\eta \sum_{s \le t} \delta_s "
        r"\qquad \text{for every } t \le T,\ u \in \mathcal X"
    )

    def bound(self, run: Trace) -> np.ndarray:
        if run.adaptive_norm is None:
            raise ValueError(f"{self.id} needs |||g|||_H: {ADAPTIVE.name} does not hold, the learner has no structure.")
        eta = rates(run)
        share = np.square(distance(run)) / (2.0 * eta)
        return (share + eta) * run.adaptive_norm + share * damping_trace(run) + run.gap_sum / eta

    def budget(self, run: Trace) -> np.ndarray:
        eta = rates(run)
        weight = np.square(distance(run)) / (2.0 * eta) + eta
        return rounding_budget(run, self.bound(run)) + weight * norm_rounding(run)
