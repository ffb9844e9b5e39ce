"""The definitions, solved as they are written, agree with every structure's closed forms."""

from __future__ import annotations

import subprocess
import sys

import hard_metrics
import numpy as np
import pytest

from problems import L2Ball, oracles
from structures import Diagonal, Full, Scalar, Structure
from structures.arrays import sym

ACCURACY = 3e-6  # of the conic solver, relative; the minimiser of a function of curvature one is known to its root

SMALL = [structure for structure in hard_metrics.structures() if structure.dim <= 7]


class _Tridiagonal(Structure):
    """Symmetric tridiagonal 3×3 matrices: not closed under squaring."""

    def __init__(self) -> None:
        super().__init__((3,))

    def project(self, M):
        return sym(M) * (np.abs(np.subtract.outer(np.arange(3), np.arange(3))) <= 1)

    def dense(self, c):
        return c


def _statistic(d: int, seed: int = 0) -> np.ndarray:
    G = np.random.default_rng(seed).standard_normal((d, d + 2))
    return G @ G.T


@pytest.mark.parametrize("structure", SMALL, ids=hard_metrics.name)
def test_the_basis_is_orthonormal_and_spans_the_range_of_the_projection(structure):
    B = oracles.basis(structure).reshape(-1, structure.dim**2)
    assert np.allclose(B @ B.T, np.eye(len(B)), atol=1e-12)
    M = _statistic(structure.dim)
    projected = structure.dense(structure.project(M)).reshape(-1)
    assert np.allclose(B.T @ (B @ M.reshape(-1)), projected, atol=1e-12 * np.linalg.norm(M))


@pytest.mark.parametrize("structure", SMALL, ids=hard_metrics.name)
def test_the_preconditioner_minimises_its_definition(structure):
    M = _statistic(structure.dim)
    H = structure.dense(structure.preconditioner(M))
    by_definition = oracles.preconditioner(structure, M)

    def objective(P):
        return np.trace(np.linalg.solve(P, M)) + np.trace(P)

    assert objective(H) == pytest.approx(objective(by_definition), rel=ACCURACY)
    assert np.allclose(H, by_definition, atol=ACCURACY**0.5 * np.linalg.norm(H))
    assert objective(H) == pytest.approx(2 * np.trace(H), rel=1e-10)  # <M, P⁻¹> = Tr P


@pytest.mark.parametrize("structure", SMALL, ids=hard_metrics.name)
def test_norms_equal_their_definitions(structure):
    rng = np.random.default_rng(4)
    x, Gs = rng.standard_normal(structure.shape), rng.standard_normal((3, *structure.shape))
    assert oracles.norm(structure, x) == pytest.approx(structure.norm(x), rel=ACCURACY)
    assert oracles.dual_norm(structure, x) == pytest.approx(structure.dual_norm(x), rel=1e-4)  # a singular minimiser
    assert oracles.adaptive_norm(structure, Gs) == pytest.approx(structure.adaptive_norm(Gs), rel=1e-4)


def test_off_an_algebra_the_root_is_not_the_preconditioner():
    M = np.array([[8.0, 2, 12], [2, 1, 3], [12, 3, 19]])
    K = _Tridiagonal()
    by_definition = oracles.preconditioner(K, M)
    expected = [[2.8126, 0.29879, 0], [0.29879, 0.7736, 0.33911], [0, 0.33911, 4.34569]]  # by Newton's method
    assert np.allclose(by_definition, expected, atol=1e-3)
    assert np.linalg.norm(by_definition @ by_definition - K.project(M)) == pytest.approx(2.2314, abs=1e-2)


def test_a_projection_that_is_not_linear_has_no_basis():
    class Clipped(Diagonal):
        def pool(self, energy):
            return np.maximum(energy, 0)

    with pytest.raises(ValueError, match="does not project linearly"):
        oracles.basis(Clipped((2,)))


def test_the_oracle_projection_knows_its_metric():
    # min 8 (x_1 - 1)² + (x_2 - 1)²/2 over the disc: H (1 - x) = μ x, where the Euclidean answer is (1, 1)/√2.
    x = oracles.project(L2Ball(1.0), np.ones(2), np.diag([16.0, 1.0]))
    multipliers = np.array([16.0, 1.0]) * (1 - x) / x
    assert np.linalg.norm(x) == pytest.approx(1, abs=1e-6)
    assert multipliers[0] == pytest.approx(multipliers[1], rel=1e-4)  # the solver's 1e-8, through a root
    assert x[0] > 0.9


def test_an_unsolved_problem_is_an_error():
    import cvxpy as cp

    x = cp.Variable()
    with pytest.raises(RuntimeError, match="stopped with status"):
        oracles._solve(cp.Problem(cp.Minimize(x)))


def test_an_unknown_domain_or_objective_is_an_error():
    with pytest.raises(TypeError, match="no conic description"):
        oracles._constraints(object(), None, (1,))
    with pytest.raises(TypeError, match="no conic description"):
        oracles._objective(object(), None)
    with pytest.raises(TypeError, match="no conic description"):
        oracles._terms(object(), None)


def test_importing_problems_loads_no_solver_and_no_framework():
    heavy = ["cvxpy", "torch", "sklearn", "matplotlib", "pandas"]
    code = f"import sys, problems, problems.oracles, problems.datasets; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_scalar_and_full_bracket_every_structure():
    x = np.random.default_rng(0).standard_normal(4)
    norms = [oracles.norm(K, x) for K in (Scalar((4,)), Diagonal((4,)), Full((4,)))]
    assert norms == sorted(norms) and norms[0] < norms[2]
