r"""Definitions, solved as they are written: the independent answers that closed forms and solvers are tested against.

.. math::
    P_{\mathcal H}(M) &= \operatorname*{argmin}_{H \in \mathcal H} \langle M, H^{-1}\rangle + \operatorname{Tr} H, \qquad
    \|x\|_{\mathcal H}^2 = \max_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} x^\top H x, \\
    \|y\|_{\mathcal H,*}^2 &= \min_{H \in \mathcal H,\, \operatorname{Tr} H \le 1} y^\top H^{-1} y, \qquad
    \Pi_X^H(y) = \operatorname*{argmin}_{x \in X} \tfrac12\|x - y\|_H^2, \qquad \min_{x \in X} F(x), \qquad
    \operatorname{prox}_{\eta R}(v), \qquad \min_x F(x) + R(x).

Every problem goes to a conic solver through cvxpy, at small sizes and to the solver's accuracy (about 1e-8): for tests, and
never inside a loop. This is the only file that imports cvxpy, and it does so inside its functions.

Source: Diamond and Boyd 2016 (cvxpy); Goulart and Chen 2024 (Clarabel).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import singledispatch
from math import prod
from typing import Any

import numpy as np

from problems.composite import Composite
from problems.domains import Box, Domain, L2Ball, Product, Simplex, SpectralBall
from problems.losses import (
    Huber,
    LeastSquares,
    LinearFunction,
    Logistic,
    Loss,
    Objective,
    Quadratic,
    Softmax,
    WeightedSum,
)
from problems.pattern import label_pattern
from problems.penalties import L1, BoxIndicator, ElasticNet, GroupL1, Penalty, SquaredL2, ZeroPenalty
from structures import Structure
from structures.arrays import Array, to_numpy
from structures.roots import matrix_power

__all__ = [
    "adaptive_norm",
    "basis",
    "composite_minimum",
    "dual_norm",
    "minimum",
    "norm",
    "preconditioner",
    "project",
    "prox",
    "smallest_envelope",
]

Expression = Any  # of cvxpy, which is not imported here
Constraint = Any


def basis(structure: Structure) -> np.ndarray:  # -> (dim J, d, d)
    """A Frobenius-orthonormal basis of J: the range of E on symmetric matrices.

    Raises ValueError when `project` is not linear, so that its range would not be the set.
    """
    d = structure.dim
    units = np.eye(d * d).reshape(d * d, d, d)
    units = (units + units.swapaxes(-1, -2)) / 2
    images = to_numpy(structure.dense(structure.project(units)))
    if not np.allclose(to_numpy(structure.dense(structure.project(-units))), -images, atol=1e-12):
        raise ValueError(f"{structure} does not project linearly: its set has no basis.")
    _, values, rows = np.linalg.svd(images.reshape(d * d, d * d))
    return rows[values > 1e-9 * values[0]].reshape(-1, d, d)


def preconditioner(structure: Structure, M: Array) -> np.ndarray:  # (d, d) PD -> (d, d)
    """P_H(M) by its definition, for M ≻ 0."""
    import cvxpy as cp

    H, constraints = _element(structure)
    root = np.linalg.cholesky(to_numpy(M))  # <M, H⁻¹> = Tr Rᵀ H⁻¹ R for M = R Rᵀ
    _solve(cp.Problem(cp.Minimize(cp.matrix_frac(root, H) + cp.trace(H)), constraints))
    return H.value


def norm(structure: Structure, x: Array) -> float:  # (*shape)
    """‖x‖_H by its definition."""
    import cvxpy as cp

    H, constraints = _element(structure)
    v = to_numpy(x).reshape(-1)
    return float(_solve(cp.Problem(cp.Maximize(v @ H @ v), [*constraints, _budget(H)]))) ** 0.5


def dual_norm(structure: Structure, y: Array) -> float:  # (*shape)
    """‖y‖_{H,*} as the smallest ‖y‖_{H⁻¹} over the set."""
    return adaptive_norm(structure, to_numpy(y)[None, ...])


def adaptive_norm(structure: Structure, Gs: Array) -> float:  # (T, *shape)
    """|||g_{1:T}|||_H = min over H ∈ H, Tr H ≤ 1 of sqrt(Σ g_tᵀ H⁻¹ g_t)."""
    import cvxpy as cp

    H, constraints = _element(structure)
    G = to_numpy(Gs).reshape(len(Gs), -1).T
    return float(_solve(cp.Problem(cp.Minimize(cp.matrix_frac(G, H)), [*constraints, _budget(H)]))) ** 0.5


def smallest_envelope(
    structure: Structure,
    matrices: Sequence[np.ndarray],  # each (d, d) symmetric
    solver: str = "CLARABEL",  # or "SCS", coarser and faster above 64 parameters
) -> tuple[np.ndarray, list[np.ndarray]]:  # (d, d), one (d, d) for each matrix
    """argmin of Tr H over H ∈ H with H ⪰ A for every A, and the multipliers Z ⪰ 0, to the solver's accuracy."""
    import cvxpy as cp
    from scipy import sparse

    d, elements = structure.dim, _elements(structure)
    z = cp.Variable(elements.shape[1])
    H = cp.reshape(elements @ z, (d, d), order="C")
    constraints: list[Constraint] = [H - A >> 0 for A in (*matrices, sparse.csr_array((d, d)))]
    traces = np.asarray(elements.T @ np.eye(d).reshape(-1)).reshape(-1)
    problem, settings = cp.Problem(cp.Minimize(traces @ z), constraints), {}
    if solver == "SCS":
        settings = {"eps": 1e-7, "max_iters": 20000}
    with warnings.catch_warnings():  # an inaccurate answer is an answer: whoever calls repairs it and sees the cost
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        _solve(problem, solver, **settings)
    found = np.reshape(elements @ z.value, (d, d))
    multipliers = [np.asarray(c.dual_value) for c in constraints[:-1]]
    return (found + found.T) / 2, [(Z + Z.T) / 2 for Z in multipliers]


def _elements(structure: Structure) -> Any:  # -> (d², k) sparse or dense
    """A basis of J as columns: the label classes where it has such a pattern, orthonormal matrices otherwise."""
    from scipy import sparse

    try:
        labels = label_pattern(structure).reshape(-1)
    except ValueError:
        return basis(structure).reshape(-1, structure.dim**2).T
    rows = np.flatnonzero(labels >= 0)
    return sparse.csr_array((np.ones(len(rows)), (rows, labels[rows])), shape=(len(labels), labels.max() + 1))


def project(domain: Domain, Y: Array, H: Array) -> np.ndarray:  # (*shape), (d, d) -> (*shape)
    """argmin over the domain of ½‖x - Y‖_H²."""
    import cvxpy as cp

    y = to_numpy(Y)
    root = to_numpy(matrix_power(to_numpy(H), 0.5))
    x: Expression = cp.Variable(y.size)
    constraints = _constraints(domain.on(y.shape), x, y.shape)
    _solve(cp.Problem(cp.Minimize(0.5 * cp.sum_squares(root @ (x - y.reshape(-1)))), constraints))
    return np.reshape(x.value, y.shape)


def minimum(objective: Objective, domain: Domain) -> tuple[float, np.ndarray]:
    """min F over the domain and a minimiser, for one element of the objectives of `problems.losses`."""
    import cvxpy as cp

    shape = objective.shape
    x: Expression = cp.Variable(prod(shape))
    value = _solve(cp.Problem(cp.Minimize(_objective(objective, x)), _constraints(domain.on(shape), x, shape)))
    return float(value), np.reshape(x.value, shape)


def prox(penalty: Penalty, v: Array, step: float) -> np.ndarray:  # (*shape) -> (*shape)
    """argmin R(u) + ‖u - v‖²/(2 step)."""
    import cvxpy as cp

    host = to_numpy(v)
    u: Expression = cp.Variable(host.size)
    value, constraints = _penalty(penalty.on(host.shape), u)
    _solve(cp.Problem(cp.Minimize(step * value + 0.5 * cp.sum_squares(u - host.reshape(-1))), constraints), **TIGHT)
    return np.reshape(u.value, host.shape)


def composite_minimum(problem: Composite) -> tuple[float, np.ndarray]:
    """min F + R and a minimiser."""
    import cvxpy as cp

    x: Expression = cp.Variable(prod(problem.shape))
    value, constraints = _penalty(problem.penalty, x)
    smooth = cp.sum(cp.multiply(to_numpy(problem.mass), _terms(problem.loss, x)))
    found = _solve(cp.Problem(cp.Minimize(smooth + value), constraints), **TIGHT)
    return float(found), np.reshape(x.value, problem.shape)


def _element(structure: Structure) -> tuple[Expression, list[Constraint]]:
    """A variable element of J that is positive semidefinite."""
    import cvxpy as cp

    matrices = basis(structure)
    z = cp.Variable(len(matrices))
    H = cp.reshape(matrices.reshape(len(matrices), -1).T @ z, (structure.dim, structure.dim), order="C")
    P = cp.Variable((structure.dim, structure.dim), PSD=True)
    return P, [P == H]


def _budget(H: Expression) -> Constraint:
    """Tr H ≤ 1."""
    import cvxpy as cp

    return cp.trace(H) <= 1


TIGHT: dict[str, Any] = {
    "tol_gap_abs": 1e-11,
    "tol_gap_rel": 1e-11,
    "tol_feas": 1e-11,
}  # for what solvers are compared with to 1e-8


def _solve(problem: Any, solver: str = "CLARABEL", **settings: Any) -> Any:
    """Solve, or raise RuntimeError: an oracle without an answer must not pass for one."""
    value = problem.solve(solver=solver, **settings)
    if problem.status not in {"optimal", "optimal_inaccurate"}:
        raise RuntimeError(f"the conic solver stopped with status {problem.status!r}.")
    return value


@singledispatch
def _constraints(domain: Domain, x: Expression, shape: tuple[int, ...]) -> list[Constraint]:
    """x ∈ X for the flattened variable x."""
    raise TypeError(f"no conic description of {type(domain).__name__}: add one beside the others.")


@_constraints.register
def _(domain: L2Ball, x: Expression, shape: tuple[int, ...]) -> list[Constraint]:
    import cvxpy as cp

    return [cp.norm(x, 2) <= domain.r]


@_constraints.register
def _(domain: Box, x: Expression, shape: tuple[int, ...]) -> list[Constraint]:
    return [x <= domain.r, x >= -domain.r]


@_constraints.register
def _(domain: SpectralBall, x: Expression, shape: tuple[int, ...]) -> list[Constraint]:
    import cvxpy as cp

    return [cp.sigma_max(cp.reshape(x, shape, order="C")) <= domain.r]


@_constraints.register
def _(domain: Simplex, x: Expression, shape: tuple[int, ...]) -> list[Constraint]:
    import cvxpy as cp

    return [x >= 0, cp.sum(x) == domain.mass]


@_constraints.register
def _(domain: Product, x: Expression, shape: tuple[int, ...]) -> list[Constraint]:
    constraints, begin = [], 0
    for block, own in zip(domain.blocks, domain.shapes, strict=True):
        end = begin + prod(own)
        constraints += _constraints(block, x[begin:end], own)
        begin = end
    return constraints


@singledispatch
def _objective(objective: Any, x: Expression) -> Expression:
    """F(x) for the flattened variable x."""
    raise TypeError(f"no conic description of {type(objective).__name__}: add one beside the others.")


@_objective.register
def _(objective: LinearFunction, x: Expression) -> Expression:
    return to_numpy(objective.slopes).reshape(-1) @ x


@_objective.register
def _(objective: Quadratic, x: Expression) -> Expression:
    import cvxpy as cp

    root = to_numpy(matrix_power(to_numpy(objective.curvature), 0.5))
    return 0.5 * cp.sum_squares(root @ (x - to_numpy(objective.minimiser).reshape(-1))) + objective.offset


@_objective.register
def _(objective: WeightedSum, x: Expression) -> Expression:
    import cvxpy as cp

    return cp.sum(cp.multiply(to_numpy(objective.weights), _terms(objective.loss, x)))


@singledispatch
def _terms(loss: Loss, x: Expression) -> Expression:
    """The vector of f_i(x)."""
    raise TypeError(f"no conic description of {type(loss).__name__}: add one beside the others.")


@_terms.register
def _(loss: Logistic, x: Expression) -> Expression:
    import cvxpy as cp

    return cp.logistic(-cp.multiply(to_numpy(loss.targets), _scores(loss, x)))


@_terms.register
def _(loss: LeastSquares, x: Expression) -> Expression:
    import cvxpy as cp

    return 0.5 * cp.square(_scores(loss, x) - to_numpy(loss.targets))


@_terms.register
def _(loss: Huber, x: Expression) -> Expression:
    import cvxpy as cp

    bend: Any = loss.delta  # cvxpy's annotation says integer; it takes any number
    return 0.5 * cp.huber(_scores(loss, x) - to_numpy(loss.targets), bend)


@_terms.register
def _(loss: Softmax, x: Expression) -> Expression:
    import cvxpy as cp

    scores = to_numpy(loss.features) @ cp.reshape(x, loss.shape, order="C").T
    return cp.log_sum_exp(scores, axis=1) - cp.sum(cp.multiply(to_numpy(loss.targets), scores), axis=1)


def _scores(loss: Any, x: Expression) -> Expression:
    """<a_i, x>."""
    return to_numpy(loss.features).reshape(loss.samples, -1) @ x


@singledispatch
def _penalty(penalty: Penalty, x: Expression) -> tuple[Expression, list[Constraint]]:
    """R(x) for the flattened variable x, and the constraints of its domain."""
    raise TypeError(f"no conic description of {type(penalty).__name__}: add one beside the others.")


@_penalty.register
def _(penalty: ZeroPenalty, x: Expression) -> tuple[Expression, list[Constraint]]:
    return 0.0, []


@_penalty.register
def _(penalty: L1, x: Expression) -> tuple[Expression, list[Constraint]]:
    import cvxpy as cp

    return penalty.lam * cp.norm1(x), []


@_penalty.register
def _(penalty: SquaredL2, x: Expression) -> tuple[Expression, list[Constraint]]:
    import cvxpy as cp

    return 0.5 * penalty.lam * cp.sum_squares(x), []


@_penalty.register
def _(penalty: ElasticNet, x: Expression) -> tuple[Expression, list[Constraint]]:
    import cvxpy as cp

    return penalty.l1 * cp.norm1(x) + 0.5 * penalty.l2 * cp.sum_squares(x), []


@_penalty.register
def _(penalty: BoxIndicator, x: Expression) -> tuple[Expression, list[Constraint]]:
    lower = [x >= penalty.low] if np.isfinite(penalty.low) else []
    return 0.0, lower + ([x <= penalty.high] if np.isfinite(penalty.high) else [])


@_penalty.register
def _(penalty: GroupL1, x: Expression) -> tuple[Expression, list[Constraint]]:
    import cvxpy as cp

    labels = np.asarray(penalty.groups)
    weights = penalty.weights or (1.0,) * (max(penalty.groups) + 1)
    terms = [w * cp.norm(x[np.flatnonzero(labels == g)], 2) for g, w in enumerate(weights)]
    return penalty.lam * cp.sum(cp.hstack(terms)), []
