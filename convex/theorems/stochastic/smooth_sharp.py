r"""Stochastic smooth convex optimization by structured AdaGrad, with constants four and two times smaller.

.. math::
    \mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \;\le\; \frac1T\Bigl( \tfrac12 C^2\Lambda + C\sqrt T\,\sigma
    + \frac{D^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t \Bigr), \qquad C = \frac{D^2}{2\eta} +
    \eta ,

which is :math:`\Lambda D^2/T + \sqrt2\,D\sigma/\sqrt T + D d\sqrt\varepsilon/(\sqrt2\,T)` at :math:`\eta = D/\sqrt2`.
The proof keeps the term :math:`\tfrac12\|\nabla f(x_t)\|^2_{H_*^{-1}}` by which smooth convex functions exceed their
tangents. The damping's term is sharp, and so is the coefficient of :math:`\eta\sqrt T\sigma`; at :math:`\eta = D/\sqrt2`
the noise's term is at most twice what it could be.

Source: derived here (docs/proofs/stochastic.md#the-sharper-form).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from convex.theorems.stochastic.smooth import StochasticSmooth
from convex.theorems.stochastic.smooth_theorem import Ingredients, SmoothTheorem
from theory.citation import Citation
from theory.theorem import Example

__all__ = ["SharpStochasticSmooth"]


class SharpStochasticSmooth(SmoothTheorem):
    id = "stochastic-smooth-sharp"
    title = "Structured AdaGrad on smooth convex functions with noise, sharper constants"
    source = Citation("derived", "docs/proofs/stochastic.md#the-sharper-form", "derived")
    statement = (
        r"\mathbb E\,\frac1T\sum_{t \le T} f(x_t) - f_* \le \frac1T\Bigl( \tfrac12 C^2\Lambda + C\sqrt T\,\sigma + "
        r"\frac{D^2}{2\eta} d\sqrt\varepsilon + \frac1\eta\mathbb E\sum\delta_t \Bigr), \qquad C = "
        r"\frac{D^2}{2\eta} + \eta"
    )
    assumptions: ClassVar = StochasticSmooth.assumptions

    def total(self, part: Ingredients) -> float:
        return 0.5 * part.C**2 * part.Lambda + part.C * part.root_steps * part.sigma + part.rest

    def examples(self) -> Iterable[Example]:
        from convex.theorems.stochastic.smooth_cases import smooth_examples

        return smooth_examples()

    def controls(self) -> Iterable[Example]:
        from convex.theorems.stochastic.smooth_cases import smooth_controls

        return smooth_controls(sharp=True)
