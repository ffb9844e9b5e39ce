r"""Stochastic smooth convex optimization by structured AdaGrad, in the form of the paper.

.. math::
    \mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \;\le\; \frac1T\Bigl(\frac{a + \sqrt{a^2 + 4b}}2\Bigr)^2, \qquad
    a = C\sqrt{2\Lambda}, \quad b = C\sqrt T\,\sigma + \frac{D^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb
    E\sum\delta_t, \quad
    C = \frac{D^2}{2\eta} + \eta ,

which is at most :math:`4\Lambda D^2/T + 2\sqrt2\,D\sigma/\sqrt T + \sqrt2\,D d\sqrt\varepsilon/T` at
:math:`\eta = D/\sqrt2`, and bounds the average iterate as well. `SharpStochasticSmooth` says more.

Source: derived here (docs/proofs/stochastic.md#theorem-s), in the form of Xie et al. 2025, arXiv 2503.10537, whose
constants are remembered, not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from convex.theorems.stochastic.of_noise import NOISE, UNBIASED
from convex.theorems.stochastic.of_problem import BOUNDED, CONVEX, MINIMISER, PROJECTED, SMOOTH
from convex.theorems.stochastic.of_run import ADAGRAD
from convex.theorems.stochastic.smooth_theorem import Ingredients, SmoothTheorem
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["StochasticSmooth"]


class StochasticSmooth(SmoothTheorem):
    id = "stochastic-smooth"
    title = "Structured AdaGrad on smooth convex functions with noise"
    source = Citation("derived", "docs/proofs/stochastic.md#theorem-s", "derived")
    statement = (
        r"\mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \le \frac1T\Bigl(\frac{a + \sqrt{a^2 + 4b}}2\Bigr)^2, "
        r"\quad a = C\sqrt{2\Lambda}, "
        r"\; b = C\sqrt T\,\sigma + \frac{D^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t, \; C "
        r"= \frac{D^2}{2\eta} + \eta"
    )
    assumptions: ClassVar = (*ADAGRAD, UNBIASED, CONVEX, SMOOTH, MINIMISER, NOISE, BOUNDED, PROJECTED)

    def total(self, part: Ingredients) -> float:
        a, b = part.C * (2.0 * part.Lambda) ** 0.5, part.C * part.root_steps * part.sigma + part.rest
        return float(((a + np.sqrt(a * a + 4.0 * b)) / 2.0) ** 2)

    def examples(self) -> Iterable[Example]:
        from convex.theorems.stochastic.smooth_cases import smooth_examples

        return smooth_examples()

    def controls(self) -> Iterable[Example]:
        from convex.theorems.stochastic.smooth_cases import smooth_controls

        return smooth_controls(sharp=False)


def total_at_best_rate(Lambda: float, D: float, sigma: float, steps: int, damping: float) -> float:
    """4ΛD² + 2√2 Dσ√T + √2 D d√ε: the printed form of T times the bound, for η = D/√2 and exact projections."""
    return 4.0 * Lambda * D**2 + 8.0**0.5 * D * sigma * steps**0.5 + 2.0**0.5 * D * damping
