r"""The sandwich update at its fixed point multiplies the deviation (i, j) by :math:`1 - \kappa_k(s)\,\sigma(r_{ij})`.

.. math::
    a_{ij} = 1 - \kappa_k(s)\,\sigma(r_{ij}), \qquad
    \sigma(r) = 1 + r + \frac1r + \frac{r^2 + r^{-2}}2 = \frac{(1+r)^2(1+r^2)}{2r^2},

exact for every order and step size. The fixed point attracts if and only if (up to equality)
:math:`\kappa_k(s)\,\sigma(\varrho) < 2` with :math:`\varrho = \operatorname{cond}(C)^{1/4}`; to first order about
:math:`c\sqrt{\operatorname{cond}(C)} < 16`, where the one-sided rule needs :math:`c \operatorname{cond}(C) < 8`. The gain that
contracts fastest is :math:`\kappa = 2/(4 + \sigma(\varrho))`, with the factor :math:`(\sigma-4)/(\sigma+4)`. No symmetric rule
whose first-order term is a combination of :math:`P^aCP^{5-a}` has a factor of lower degree in r.

Source: derived here (docs/proofs/jorge.md#sandwich).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis, misuses, series_point
from optimizers.theorems.fixed_points import Amplification, FixedPointRun, same_series, sandwich_sum
from optimizers.theorems.rules import one_sided, sandwich
from optimizers.theorems.truncated import gain
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example

__all__ = ["SandwichAmplification"]


def _is_sandwich(run: FixedPointRun) -> Check:
    return same_series(run, sandwich)


SANDWICH = Assumption(
    "sandwich", r"\Phi(P) = \beta_2^{-1/4} \tfrac12(q_k(Y)P + P\,q_k(Y)), \; Y = c\,P^2CP^2", _is_sandwich
)


class SandwichAmplification(Amplification):
    id = "sandwich-amplification"
    title = "What the sandwich update does to a small deviation"
    source = Citation("derived", "docs/proofs/jorge.md#sandwich", "derived")
    statement = (
        r"D\Phi(P_*)[v_iv_j^\top] = \bigl(1 - \kappa_k(s)\,\sigma(r)\bigr)\, v_iv_j^\top, \quad "
        r"\sigma(r) = \frac{(1+r)^2(1+r^2)}{2r^2}, \; r = (\lambda_j/\lambda_i)^{1/4}"
    )
    assumptions: ClassVar = (*Amplification.assumptions, SANDWICH)

    def factors(self, run: FixedPointRun) -> np.ndarray:  # (n, n)
        return 1.0 - gain(run.size, run.order) * sandwich_sum(run.ratios)

    def examples(self) -> Iterator[Example]:
        yield Example("order 2, cond 10", lambda: series_point(sandwich, 2, 0.2, 10.0, V=basis(4)))
        yield Example("order 1, cond 1e4", lambda: series_point(sandwich, 1, 0.1, 1e4, V=basis(4)))
        yield Example("order 3, cond 1e6", lambda: series_point(sandwich, 3, 0.5, 1e6))
        yield Example("order 4, a step of 1", lambda: series_point(sandwich, 4, 1.0, 1e3, V=basis(4, 7)))
        yield Example(
            "the dynamic rule's step, n = 9", lambda: series_point(sandwich, 2, 1.0 / 3.0, 100.0, n=9, V=basis(9))
        )

    def controls(self) -> Iterator[Example]:
        yield from misuses(lambda: series_point(sandwich, 2, 0.2, 100.0, V=basis(4)), "sandwich")
        yield Example(
            "the one-sided rule, through the door", lambda: series_point(one_sided, 2, 0.2, 100.0),
            expect=("HYPOTHESIS_FAILED",), breaks="sandwich",
        )  # fmt: skip
        yield Example(
            "the one-sided rule, applied anyway", lambda: series_point(one_sided, 2, 0.2, 100.0),
            expect=("VIOLATED",), breaks="sandwich", ignoring=("sandwich",),
        )  # fmt: skip
