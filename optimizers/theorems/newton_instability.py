r"""Newton's step for the inverse fourth root, warm-started, magnifies rounding unless L is all but a multiple of the identity.

.. math::
    \Phi_a(P) = \tfrac14\bigl(5P - P^aLP^{5-a}\bigr), \qquad
    D\Phi_a(L^{-1/4})[v_iv_j^\top] = \tfrac14\Bigl(4 - \sum_{m=a-4}^{a-1} r_{ij}^m\Bigr) v_iv_j^\top, \qquad
    r_{ij} = (\lambda_j/\lambda_i)^{1/4} .

With L on the right (a = 5) the factor is :math:`(4 - r - r^2 - r^3 - r^4)/4`, above 1 in size from cond(L) = 2.83; with L behind
the first factor (a = 1) it is :math:`(3 - \rho - \rho^2 - \rho^3)/4`, :math:`\rho = 1/r`, from 4.91; in the middle (a = 2 or 3)
:math:`(3 - \rho - \rho^{-1} - \rho^2)/4`, from 19.6. So a Newton step on a root that is exact drives it away.

Source: derived here (docs/proofs/jorge.md#newton); the instability of uncoupled Newton iterations is in Higham 2008, ch. 7
(remembered).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis, misuses, newton_point
from optimizers.theorems.fixed_points import Amplification, FixedPointRun, same_step
from optimizers.theorems.rules import newton
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example

__all__ = ["NewtonAmplification"]


def _is_newton(run: FixedPointRun) -> Check:
    return same_step(run, lambda P: newton(P, run.C, run.order))


NEWTON = Assumption("newton", r"\Phi(P) = \tfrac14(5P - P^aLP^{5-a})", _is_newton)


class NewtonAmplification(Amplification):
    id = "newton-amplification"
    title = "A Newton step on an exact root drives it away"
    source = Citation("derived", "docs/proofs/jorge.md#newton", "derived")
    statement = (
        r"D\Phi_a(L^{-1/4})[v_iv_j^\top] = \tfrac14\Bigl(4 - \sum_{m=a-4}^{a-1} r^m\Bigr) v_iv_j^\top, \quad "
        r"\Phi_a(P) = \tfrac14(5P - P^aLP^{5-a}), \; r = (\lambda_j/\lambda_i)^{1/4}"
    )
    assumptions: ClassVar = (*Amplification.assumptions, NEWTON)

    def factors(self, run: FixedPointRun) -> np.ndarray:  # (n, n)
        powers = np.stack([run.ratios ** float(m) for m in range(run.order - 4, run.order)])
        return 0.25 * (4.0 - np.sum(powers, axis=0))

    def examples(self) -> Iterator[Example]:
        for left in range(6):
            yield Example(
                f"{left} factors left of L, cond 30", lambda left=left: newton_point(left, 30.0, V=basis(4, left))
            )
        yield Example("L on the right, cond 1e5", lambda: newton_point(5, 1e5))

    def controls(self) -> Iterator[Example]:
        yield from misuses(lambda: newton_point(5, 30.0, V=basis(4)), "newton")
        for name, left in (("L on the right", 5), ("L behind the first factor", 1)):
            other = 6 - left
            yield Example(
                f"{name}, called the other form, through the door", lambda left=left, other=other: _mislabelled(left, other),
                expect=("HYPOTHESIS_FAILED",), breaks="newton",
            )  # fmt: skip
            yield Example(
                f"{name}, with the factor of the other form", lambda left=left, other=other: _mislabelled(left, other),
                expect=("VIOLATED",), breaks="newton", ignoring=("newton",),
            )  # fmt: skip


def _mislabelled(left: int, said: int) -> FixedPointRun:
    run = newton_point(left, 30.0)
    return FixedPointRun(run.step, run.spectrum, run.V, run.scale, said, 1.0)
