r"""AdaGrad with noise on smooth convex functions: the largest distance of a coordinate, a diagonal majorant, standard deviations.

.. math::
    \mathbb E\sum_{t \le T} f(x_t) - f_* \;\le\; \tfrac12 C^2\operatorname{Tr}L + C\sqrt
    T\textstyle\sum_i\Sigma_{ii}^{1/2}
    + \frac{D_\infty^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t, \\
    C = \frac{D_\infty^2}{2\eta} + \eta, \; L \text{ diagonal}, L \succeq A

Source: derived here (docs/proofs/stochastic.md#specialisations).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from convex.theorems.stochastic.runs import StochasticRun
from convex.theorems.stochastic.specialised import Constants, Specialised, scaled_trace
from structures import Diagonal

__all__ = ["StochasticAdaGrad"]


class StochasticAdaGrad(Specialised):
    id = "stochastic-adagrad"
    title = "AdaGrad with noise on smooth convex functions"
    statement = (
        r"\mathbb E\sum_{t \le T} f(x_t) - f_* \le \tfrac12 C^2\operatorname{Tr}L + C\sqrt "
        r"T\textstyle\sum_i\Sigma_{ii}^{1/2} "
        r"+ \frac{D_\infty^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t, "
        r"\quad C = \frac{D_\infty^2}{2\eta} + \eta, \; L \text{ diagonal}, L \succeq A"
    )
    subject = "AdaGrad with stochastic gradients of a smooth convex function"
    structure = Diagonal
    assumptions: ClassVar = Specialised.hypotheses(Diagonal)

    def multiplicity(self, shape: tuple[int, ...]) -> int:
        return 1

    def constants(self, run: StochasticRun, A: np.ndarray, Sigma: np.ndarray, apart: np.ndarray) -> Constants:
        d, diagonal = run.problem.dim, np.diag(np.diag(A))
        trace = min(scaled_trace(diagonal, A, diagonal), d * float(np.linalg.eigvalsh(A)[-1]))
        deviations = float(np.sum(np.sqrt(np.diag(Sigma))))
        return Constants(float(np.max(np.abs(apart))), trace, deviations, d * run.eps**0.5)
