r"""Full-matrix AdaGrad with noise on smooth convex functions: the trace of the curvature, the root of the covariance.

.. math::
    \mathbb E\sum_{t \le T} f(x_t) - f_* \;\le\; \tfrac12 C^2\operatorname{Tr}A + C\sqrt
    T\operatorname{Tr}\Sigma^{1/2}
    + \frac{D_2^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t, \\
    C = \frac{D_2^2}{2\eta} + \eta

Source: derived here (docs/proofs/stochastic.md#specialisations).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.specialised import Constants, Specialised
from structures import Full

__all__ = ["StochasticFullMatrix"]


class StochasticFullMatrix(Specialised):
    id = "stochastic-full-matrix"
    title = "Full-matrix AdaGrad with noise on smooth convex functions"
    statement = (
        r"\mathbb E\sum_{t \le T} f(x_t) - f_* \le \tfrac12 C^2\operatorname{Tr}A + C\sqrt "
        r"T\operatorname{Tr}\Sigma^{1/2} "
        r"+ \frac{D_2^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t, "
        r"\quad C = \frac{D_2^2}{2\eta} + \eta"
    )
    subject = "Full-matrix AdaGrad with stochastic gradients of a smooth convex function"
    structure = Full
    assumptions: ClassVar = Specialised.hypotheses(Full)

    def multiplicity(self, shape: tuple[int, ...]) -> int:
        return 1

    def constants(self, run: StochasticRun, A: np.ndarray, Sigma: np.ndarray, apart: np.ndarray) -> Constants:
        flat = apart.reshape(len(apart), -1)
        distance = float(np.max(np.sqrt(np.sum(flat**2, axis=-1))))
        deviations = float(np.sum(np.sqrt(np.linalg.eigvalsh(Sigma).clip(0.0, None))))
        return Constants(distance, float(np.trace(A)), deviations, run.problem.dim * run.eps**0.5)
