r"""Adaptive smoothness of a problem in a structure: one call, the cheapest method that is enough.

.. math::
    \Lambda_{\mathcal H}(f) = \min\{\operatorname{Tr} H : H \in \mathcal H,\; -H \preceq \nabla^2 f(x) \preceq H \;\; \forall x\}
    = \min_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} L_{\|\cdot\|_H}(f) .

A closed form where there is one; else, for :math:`A \succeq 0`, the iteration of `matrix_free`, whose bracket is 1e-6 wide up to
512 parameters; for an indefinite Hessian the semidefinite program, up to 160 parameters.

The bracket is that of the problem's *envelope*. Where the problem names no point at which the envelope is its Hessian, the
constant may be smaller, and the lower end is the largest that the Hessians at given points prove.

Source: Xie et al. 2025, arXiv 2511.20584 (definition); methods derived here, docs/proofs/adaptive-smoothness.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convex.smoothness.bracket import Bracket
from convex.smoothness.closed_forms import closed_form
from convex.smoothness.matrix_free import matrix_free_bracket
from convex.smoothness.semidefinite import semidefinite_bracket
from problems.operators import SymmetricOperator
from problems.operators.hessian import HessianOperator
from problems.operators.negated import NegatedOperator
from problems.smooth.base import SmoothProblem
from structures import Structure
from structures.arrays import Array, to_numpy

__all__ = ["adaptive_smoothness", "envelope_smoothness"]

PROGRAM_UP_TO = 160  # parameters that the semidefinite program is asked for
METHODS = ("auto", "closed", "program", "iteration")


def adaptive_smoothness(
    problem: SmoothProblem,
    structure: Structure,
    *,
    method: str = "auto",  # or "closed", "program", "iteration"
    points: Array
    | None = None,  # (k, *shape) where Hessians are taken for the lower end, when the envelope is not attained
    seed: int = 0,
) -> Bracket:
    """Λ_H(f) from both sides.

    Raises ValueError when the structure is not for the problem's shape, when the method is unknown or does not apply.
    """
    bracket = envelope_smoothness(problem.envelope, structure, method=method, seed=seed)
    if problem.curvature_point is not None:
        return bracket
    lower = 0.0
    if points is not None and problem.convex:
        hessians = [HessianOperator(problem, x) for x in points]
        lower = envelope_smoothness(hessians, structure, method="auto", seed=seed).lower
    said = "the upper end is the envelope's; the lower end " + (
        "is proved by the Hessians at the given points" if lower > 0 else "is trivial, for no points were given"
    )
    joined = "; ".join(text for text in (bracket.assumes, said) if text)
    return replace(bracket, lower=min(lower, bracket.upper), assumes=joined, multipliers=())


def envelope_smoothness(
    operators: Sequence[SymmetricOperator],  # A_k, all to be dominated by H ⪰ 0
    structure: Structure,
    *,
    method: str = "auto",
    seed: int = 0,
) -> Bracket:
    """min Tr H over H ∈ H with H ⪰ A_k for every k. Raises ValueError as `adaptive_smoothness` does."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    for operator in operators:
        operator.require(structure)
    operators = _double(operators)
    if method in ("auto", "closed"):
        found = _closed(operators, structure)
        if found is not None:
            return found
        if method == "closed":
            raise ValueError(f"no closed form is known for {operators[0]} in {structure}.")
    iterable = structure.well_structured and all(A.psd for A in operators)
    if method == "iteration" or (method == "auto" and iterable):
        return matrix_free_bracket(operators, structure, seed=seed)
    if structure.dim > PROGRAM_UP_TO:
        raise ValueError(
            f"{structure.dim} parameters are too many for the semidefinite program (at most {PROGRAM_UP_TO}), and the "
            f"iteration needs A ⪰ 0: bound the Hessian by a positive semidefinite operator such as |A|."
        )
    matrices = [to_numpy(A.dense()).astype(np.float64) for A in operators]
    return semidefinite_bracket([(A + A.T) / 2 for A in matrices], structure)


def _double(operators: Sequence[SymmetricOperator]) -> list[SymmetricOperator]:
    """In double precision, which every slack here counts on; a pair A, −A stays a pair."""
    first = operators[0].double()
    if _paired(operators):
        return [first, NegatedOperator(first)]
    return [first, *(operator.double() for operator in operators[1:])]


def _paired(operators: Sequence[SymmetricOperator]) -> bool:
    """Whether they are A and −A."""
    return len(operators) == 2 and isinstance(operators[1], NegatedOperator) and operators[1].base is operators[0]


def _closed(operators: Sequence[SymmetricOperator], structure: Structure) -> Bracket | None:
    """Of one A ⪰ 0, or of a pair A, −A."""
    first = operators[0]
    if len(operators) == 1 and first.psd:
        return closed_form(first, structure)
    return closed_form(first, structure) if _paired(operators) else None
