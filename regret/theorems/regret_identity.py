r"""The exact identity behind the regret theorem: without a projection nothing is lost before the norms are bounded.

.. math::
    \sum_{s \le t} \langle g_s, x_s - u\rangle = \frac1{2\eta} \Bigl[ \|x_1 - u\|_{H_1}^2
        + \sum_{s=2}^t \|x_s - u\|_{H_s - H_{s-1}}^2 - \|x_{t+1} - u\|_{H_t}^2 \Bigr]
        + \frac\eta2 \sum_{s \le t} \langle g_s, H_s^{-1} g_s\rangle .

It holds for every sequence of positive definite H_s whatever they are made of, so that no hypothesis on the structure is
needed, and none on the accumulation. The bracket is summed as :math:`\sum_s \|x_s - u\|_{H_s}^2 - \|x_{s+1} - u\|_{H_s}^2`.

Source: derived here (docs/proofs/regret.md#the-identity).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from regret.theorems.assumptions import ADAPTIVE, FAITHFUL, FINITE, FIXED_COMPARATOR, UNCONSTRAINED
from regret.theorems.budget import step_rounding
from regret.theorems.constants import rates, structure_of, unit_roundoff
from regret.theorems.linear_regret import LinearRegret
from regret.trace import Trace
from theory.citation import Citation
from theory.theorem import Example, Kind

__all__ = ["RegretIdentity"]


class RegretIdentity(LinearRegret):
    id = "regret-identity"
    title = "The regret identity without projection"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/regret.md#the-identity", "derived")
    statement = (
        r"\sum_{s \le t} \langle g_s, x_s - u\rangle = \frac1{2\eta} \sum_{s \le t} \bigl( \|x_s - u\|_{H_s}^2 - "
        r"\|x_{s+1} - u\|_{H_s}^2 \bigr) + \frac\eta2 \sum_{s \le t} \langle g_s, H_s^{-1} g_s\rangle"
    )
    proof = "docs/proofs/regret.md"
    subject = "unconstrained adaptive regularization against a fixed comparator, every horizon"
    assumptions: ClassVar = (FAITHFUL, ADAPTIVE, UNCONSTRAINED, FIXED_COMPARATOR, FINITE)

    def bound(self, run: Trace) -> np.ndarray:
        before, after = _energies(run)
        return np.cumsum(before - after, axis=0) / (2.0 * rates(run)) + 0.5 * rates(run) * run.q_sum

    def budget(self, run: Trace) -> np.ndarray:
        """The rounding of the steps, of their energies and of the sums, and the width of the regret's own bracket."""
        before, after = _energies(run)
        size = np.cumsum(before + after, axis=0) / (2.0 * rates(run)) + 0.5 * rates(run) * run.q_sum
        sums = 8.0 * (structure_of(run).dim + 4) * unit_roundoff(run) * size
        return np.cumsum(step_rounding(run), axis=0) + sums + (run.regret - run.regret_lower)

    def examples(self) -> Iterable[Example]:
        return _examples()

    def controls(self) -> Iterable[Example]:
        return _controls()


def _energies(run: Trace) -> tuple[np.ndarray, np.ndarray]:
    """‖x_t - u‖²_{H_t} and ‖x_{t+1} - u‖²_{H_t}."""
    if run.energy_before is None or run.energy_after is None:
        raise ValueError("the identity needs a comparator that is fixed in advance: play(..., comparator=u).")
    return run.energy_before, run.energy_after


def _examples() -> Iterator[Example]:
    from regret.theorems import runs

    yield Example("anisotropic gradients, full matrix", partial(runs.unconstrained, "Full", eps=0.1), near_tight=True)
    yield Example(
        "one-sided Shampoo, three rates", partial(runs.unconstrained, "LeftKronecker", eps=0.01, keep_history=True)
    )
    yield Example("no damping, a singular statistic", partial(runs.unconstrained, "LeftKronecker", eps=0.0, rank=1))
    yield Example("an exponential average", partial(runs.unconstrained, "Diagonal", accumulate="ema", beta=0.9))
    yield Example("decreasing diagonals, which are no structure", partial(runs.staircase, 2))


def _controls() -> Iterator[Example]:
    from regret.theorems import runs

    yield from runs.misuse("a projection", partial(runs.hard, "AdaGrad", 60, comparator=np.ones(4)), "unconstrained")
    yield Example(
        "a q-sum multiplied by two",
        partial(runs.tampered_identity, q_sum=2.0),
        expect=("HYPOTHESIS_FAILED",),
        breaks="faithful",
    )
    yield Example(
        "a q-sum multiplied by two, applied anyway", partial(runs.tampered_identity, q_sum=2.0), expect=("VIOLATED",),
        breaks="faithful", ignoring=("faithful",),
    )  # fmt: skip
