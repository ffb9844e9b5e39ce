r"""The one-sided update at its fixed point multiplies the deviation (i, j) by :math:`1 - \kappa_k(s)(r + r^2 + r^3 + r^4)`.

.. math::
    a_{ij} = 1 - \kappa_k(s)\,(r_{ij} + r_{ij}^2 + r_{ij}^3 + r_{ij}^4), \qquad
    r_{ij} = (\lambda_j/\lambda_i)^{1/4}, \quad \kappa_k(s) = -\frac{s\,q_k'(s)}{q_k(s)} ,

for a constant C and the step size :math:`s = c\,P^4C`. This is exact for every order and step size. The fixed point attracts if
and only if (up to equality) :math:`\kappa_k(s)(\varrho + \varrho^2 + \varrho^3 + \varrho^4) < 2` with
:math:`\varrho = \operatorname{cond}(C)^{1/4}`; to first order :math:`\kappa \approx c/4`, so about
:math:`c \operatorname{cond}(C) < 8`. Raising the order does not help: :math:`\kappa_k \to s/(4(1+s))`. The dynamic
:math:`\beta_2` has :math:`s = 1/\sqrt n` there, and the same factors off the diagonal.

Source: derived here (docs/proofs/jorge.md#one-sided).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis, misuses, series_point
from optimizers.theorems.fixed_points import Amplification, FixedPointRun, one_sided_sum, same_series
from optimizers.theorems.rules import one_sided, sandwich
from optimizers.theorems.truncated import gain
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example

__all__ = ["JorgeAmplification"]


def _is_one_sided(run: FixedPointRun) -> Check:
    return same_series(run, one_sided)


ONE_SIDED = Assumption("one-sided", r"\Phi(P) = \beta_2^{-1/4} P\, q_k(c\,P^4C)", _is_one_sided)


class JorgeAmplification(Amplification):
    id = "jorge-amplification"
    title = "What the one-sided update does to a small deviation"
    source = Citation("derived", "docs/proofs/jorge.md#one-sided", "derived")
    statement = (
        r"D\Phi(P_*)[v_iv_j^\top] = \bigl(1 - \kappa_k(s)(r + r^2 + r^3 + r^4)\bigr)\, v_iv_j^\top, \quad "
        r"r = (\lambda_j/\lambda_i)^{1/4}, \; \kappa_k(s) = -s\,q_k'(s)/q_k(s)"
    )
    assumptions: ClassVar = (*Amplification.assumptions, ONE_SIDED)

    def factors(self, run: FixedPointRun) -> np.ndarray:  # (n, n)
        return 1.0 - gain(run.size, run.order) * one_sided_sum(run.ratios)

    def examples(self) -> Iterator[Example]:
        yield Example("order 2, cond 10", lambda: series_point(one_sided, 2, 0.2, 10.0, V=basis(4)))
        yield Example(
            "order 1, the largest stable condition number", lambda: series_point(one_sided, 1, 0.1, 48.0, V=basis(4))
        )
        yield Example("order 3, cond 1e6: factors of ten thousands", lambda: series_point(one_sided, 3, 0.5, 1e6))
        yield Example("order 4, a step of 1", lambda: series_point(one_sided, 4, 1.0, 1e3, V=basis(4, 7)))
        yield Example(
            "the dynamic rule's step, n = 9", lambda: series_point(one_sided, 2, 1.0 / 3.0, 100.0, n=9, V=basis(9))
        )

    def controls(self) -> Iterator[Example]:
        yield from misuses(lambda: series_point(one_sided, 2, 0.2, 100.0, V=basis(4)), "one-sided")
        yield Example(
            "the sandwich, through the door", lambda: series_point(sandwich, 2, 0.2, 100.0),
            expect=("HYPOTHESIS_FAILED",), breaks="one-sided",
        )  # fmt: skip
        yield Example(
            "the sandwich, applied anyway", lambda: series_point(sandwich, 2, 0.2, 100.0),
            expect=("VIOLATED",), breaks="one-sided", ignoring=("one-sided",),
        )  # fmt: skip
