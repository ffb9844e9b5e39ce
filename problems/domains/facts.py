r"""Facts of a structure that decide which closed forms a domain has.

.. math::
    \text{isotropic:} &\quad J = \mathbb R I; \\
    \text{axis-aligned:} &\quad J \subseteq \{\operatorname{diag}(h)\}; \\
    \text{left, right operator:} &\quad J \subseteq \{A \otimes I_n\}, \quad J \subseteq \{I_m \otimes B\}
    \quad \text{on } m \times n \text{ matrices}; \\
    \text{smallest multiplicity:} &\quad w_{\min} = \min\{\operatorname{Tr}\Pi : 0 \ne \Pi = \Pi^2 \in J\},
    \qquad \sup_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} \|H\|_{\mathrm{op}} = 1/w_{\min}; \\
    \text{summands:} &\quad J = \textstyle\bigoplus_l J_l \text{ along consecutive pieces of the parameter vector.}

The last equality holds because :math:`\operatorname{Tr} H \ge w_k \lambda_k` for every eigenvalue, with equality at
:math:`H = \Pi_k/w_k`; hence :math:`\|x\|_{\mathcal H} \le \|x\|_2/\sqrt{w_{\min}}` for all x.

No structure has to declare anything. Each of the three inclusions says that J commutes with a set of operators (diagonal
ones, right multiplications, left multiplications), and is read off one generic element: the commutator of the random element
E(ggᵀ) with a random operator of that set, applied to a random vector, vanishes with probability zero unless the inclusion
holds. A wrong answer about a projection could not go unnoticed either: its Frank-Wolfe gap would be positive.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod

import numpy as np

from structures import Diagonal, DirectSum, Full, Layerwise, Scalar, Structure
from structures.arrays import to_numpy

__all__ = [
    "group",
    "is_axis_aligned",
    "is_isotropic",
    "is_left_operator",
    "is_right_operator",
    "smallest_multiplicity",
    "summands",
]


def is_isotropic(structure: Structure) -> bool:
    """Whether every element is a multiple of the identity: the identity is then the only idempotent."""
    return structure.rank == 1


@cache
def is_axis_aligned(structure: Structure) -> bool:
    """Whether every element is diagonal in the coordinates of the parameter."""
    u = _generator().standard_normal(structure.shape)
    return _commutes(structure, lambda X: u * X)


@cache
def is_left_operator(structure: Structure) -> bool:
    """Whether every element maps a matrix X to A X: it commutes with right multiplications. False for other shapes."""
    if len(structure.shape) != 2:
        return False
    V = _generator().standard_normal((structure.shape[1],) * 2)
    return _commutes(structure, lambda X: X @ V)


@cache
def is_right_operator(structure: Structure) -> bool:
    """Whether every element maps a matrix X to X B: it commutes with left multiplications. False for other shapes."""
    if len(structure.shape) != 2:
        return False
    U = _generator().standard_normal((structure.shape[0],) * 2)
    return _commutes(structure, lambda X: U @ X)


def _generator() -> np.random.Generator:
    return np.random.default_rng(20250310)


def _commutes(structure: Structure, operator: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether a generic element of J commutes with `operator`, seen on a random parameter."""
    g, x = _generator().spawn(1)[0].standard_normal((2, *structure.shape))
    element = structure.outer(g)
    kept = operator(structure.apply(element, x))
    commutator = structure.apply(element, operator(x)) - kept
    return bool(np.max(np.abs(commutator)) <= 1e-9 * np.max(np.abs(kept)))  # rounding, against a number of order one


@cache
def smallest_multiplicity(structure: Structure) -> float:
    """w_min, the smallest trace of an idempotent; 1 (always safe) for a structure that does not tell multiplicities."""
    if isinstance(structure, Full):
        return 1.0  # without its d×d identity, which the Gram form of full-matrix AdaGrad never has room for
    unit = structure.factor(structure.identity(np.ones(1)))
    return float(np.min(to_numpy(unit.weights)))


def summands(structure: Structure, shapes: Sequence[tuple[int, ...]]) -> list[Structure] | None:
    """The J_l with J = ⊕ J_l on consecutive pieces of these shapes, or None where J is not known to split so."""
    sizes = [prod(shape) for shape in shapes]
    if sum(sizes) != structure.dim:
        raise ValueError(f"blocks of sizes {sizes} do not fill the {structure.dim} parameters of {structure}.")
    if len(sizes) == 1:
        return [structure]
    if isinstance(structure, Diagonal):
        return [Diagonal(tuple(shape)) for shape in shapes]
    if isinstance(structure, Layerwise) and list(structure.sizes) == sizes:
        return [Scalar(tuple(shape)) for shape in shapes]
    if isinstance(structure, DirectSum):
        groups = group(leaves(structure), sizes)
        return None if groups is None else [parts[0] if len(parts) == 1 else DirectSum(parts) for parts in groups]
    return None


def leaves(structure: Structure) -> list[Structure]:
    """The parts of nested direct sums, in order; a structure that is not a direct sum is its own leaf."""
    if not isinstance(structure, DirectSum):
        return [structure]
    return [leaf for part in structure.parts for leaf in leaves(part)]


def group(parts: Sequence[Structure], sizes: Sequence[int]) -> list[list[Structure]] | None:
    """Consecutive parts that add up to each size, or None where one part straddles two blocks."""
    groups, rest = [], list(parts)
    for size in sizes:
        taken: list[Structure] = []
        while rest and sum(part.dim for part in taken) < size:
            taken.append(rest.pop(0))
        if sum(part.dim for part in taken) != size:
            return None
        groups.append(taken)
    return groups
