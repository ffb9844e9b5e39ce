r"""One-sided Shampoo with noise on smooth convex functions: spectral distance, a majorant on the rows, the rows' covariance.

.. math::
    \mathbb E\sum_{t \le T} f(x_t) - f_* \;\le\; \tfrac12 C^2\operatorname{Tr}L
    + C\sqrt T\operatorname{Tr}(\operatorname{Tr}_2\Sigma)^{1/2}
    + \frac{D_{\rm op}^2}{2\eta'} m\sqrt{n\varepsilon} + \frac1\eta\mathbb E\sum\delta_t, \\
    C = \frac{D_{\rm op}^2}{2\eta'} + \eta', \; \eta' = \eta\sqrt n, \; L \otimes I \succeq A

Source: derived here (docs/proofs/stochastic.md#specialisations).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.specialised import Constants, Specialised, scaled_trace
from structures import LeftKronecker

__all__ = ["StochasticOneSidedShampoo"]


class StochasticOneSidedShampoo(Specialised):
    id = "stochastic-one-sided-shampoo"
    title = "One-sided Shampoo with noise on smooth convex functions"
    statement = (
        r"\mathbb E\sum_{t \le T} f(x_t) - f_* \le \tfrac12 C^2\operatorname{Tr}L "
        r"+ C\sqrt T\operatorname{Tr}(\operatorname{Tr}_2\Sigma)^{1/2} "
        r"+ \frac{D_{\rm op}^2}{2\eta'} m\sqrt{n\varepsilon} + \frac1\eta\mathbb E\sum\delta_t, "
        r"\quad C = \frac{D_{\rm op}^2}{2\eta'} + \eta', \; \eta' = \eta\sqrt n, \; L \otimes I \succeq A"
    )
    subject = "One-sided Shampoo with stochastic gradients of a smooth convex function"
    structure = LeftKronecker
    assumptions: ClassVar = Specialised.hypotheses(LeftKronecker)

    def multiplicity(self, shape: tuple[int, ...]) -> int:
        return shape[1]

    def constants(self, run: StochasticRun, A: np.ndarray, Sigma: np.ndarray, apart: np.ndarray) -> Constants:
        m, n = run.problem.shape
        rows, noise = (np.trace(M.reshape(m, n, m, n), axis1=1, axis2=3) for M in (A, Sigma))
        trace = min(scaled_trace(rows, A, np.kron(rows, np.eye(n))), m * float(np.linalg.eigvalsh(A)[-1]))
        deviations = float(np.sum(np.sqrt(np.linalg.eigvalsh(noise).clip(0.0, None))))
        distance = float(np.max(np.linalg.svd(apart, compute_uv=False)))
        return Constants(distance, trace, deviations, m * (n * run.eps) ** 0.5)
