r"""AdaGrad-Norm with noise on smooth convex functions: Euclidean distance, the largest curvature, the total variance.

.. math::
    \mathbb E\sum_{t \le T} f(x_t) - f_* \;\le\; \tfrac12 C^2\|A\|_{\rm op} + C\sqrt
    T\,(\operatorname{Tr}\Sigma)^{1/2}
    + \frac{D_2^2}{2\eta'}\sqrt{d\varepsilon} + \frac1\eta\mathbb E\sum\delta_t, \\
    C = \frac{D_2^2}{2\eta'} + \eta', \; \eta' = \eta\sqrt d

Source: derived here (docs/proofs/stochastic.md#specialisations).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.specialised import Constants, Specialised
from structures import Scalar

__all__ = ["StochasticAdaGradNorm"]


class StochasticAdaGradNorm(Specialised):
    id = "stochastic-adagrad-norm"
    title = "AdaGrad-Norm with noise on smooth convex functions"
    statement = (
        r"\mathbb E\sum_{t \le T} f(x_t) - f_* \le \tfrac12 C^2\|A\|_{\rm op} + C\sqrt "
        r"T\,(\operatorname{Tr}\Sigma)^{1/2} "
        r"+ \frac{D_2^2}{2\eta'}\sqrt{d\varepsilon} + \frac1\eta\mathbb E\sum\delta_t, "
        r"\quad C = \frac{D_2^2}{2\eta'} + \eta', \; \eta' = \eta\sqrt d"
    )
    subject = "AdaGrad-Norm with stochastic gradients of a smooth convex function"
    structure = Scalar
    assumptions: ClassVar = Specialised.hypotheses(Scalar)

    def multiplicity(self, shape: tuple[int, ...]) -> int:
        return int(np.prod(shape))

    def constants(self, run: StochasticRun, A: np.ndarray, Sigma: np.ndarray, apart: np.ndarray) -> Constants:
        flat = apart.reshape(len(apart), -1)
        distance = float(np.max(np.sqrt(np.sum(flat**2, axis=-1))))
        largest = float(np.linalg.eigvalsh(A)[-1])
        return Constants(distance, largest, float(np.trace(Sigma)) ** 0.5, (run.problem.dim * run.eps) ** 0.5)
