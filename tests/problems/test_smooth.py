"""Smooth stochastic problems keep what they declare, and a problem that lies is told how."""

from dataclasses import dataclass

import numpy as np
import pytest

from problems import oracles
from problems.composite import Composite
from problems.domains import Box, L2Ball
from problems.losses import Huber, LeastSquares, Logistic, Softmax
from problems.matrix_quadratic import MatrixQuadratic
from problems.operators import DenseOperator, DiagonalOperator, GramOperator, ShiftedOperator
from problems.penalties import L1, ElasticNet, SquaredL2
from problems.smooth import (
    EntryNoise,
    FactorNoise,
    FiniteSum,
    GemanMcClure,
    Minimum,
    NoNoise,
    SmoothMatrixQuadratic,
    SmoothQuadratic,
)
from problems.smooth.audit import audit
from problems.smooth.minimise import lower_bound
from structures.arrays import to_numpy, tolerance

ROBUST = [FiniteSum(Composite(loss, SquaredL2(a))) for loss in GemanMcClure.examples() for a in (0.0, 0.1)]
PROBLEMS = [p for kind in (SmoothMatrixQuadratic, SmoothQuadratic, FiniteSum) for p in kind.examples()] + ROBUST
IDS = [f"{k}-{p!r}" for k, p in enumerate(PROBLEMS)]


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_every_problem_survives_the_audit(problem):
    assert audit(problem) == []
    assert audit(problem, L2Ball(1.5), seed=1) == []


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_every_array_library_computes_the_same(problem, backend):
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((3, *problem.shape)), rng.standard_normal((3, *problem.shape))
    moved, draw = problem.beside(backend.array(x)), problem.noise(3, seed=2).draw(2)[1]
    pairs = [
        (moved.value(backend.array(x)), problem.value(x)),
        (moved.gradient(backend.array(x)), problem.gradient(x)),
        (moved.hessian_product(backend.array(x), backend.array(v)), problem.hessian_product(x, v)),
        (moved.stochastic_gradient(backend.array(x), draw), problem.stochastic_gradient(x, draw)),
    ]
    for found, expected in pairs:
        assert found.dtype == backend.like.dtype
        rounding = tolerance(backend.like, 100) * (1.0 + np.max(np.abs(expected)))  # sums of at most 100 terms
        np.testing.assert_allclose(to_numpy(found), expected, rtol=0, atol=rounding)


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_hessian_products_broadcast_points_and_directions(problem):
    x, v = np.random.default_rng(1).standard_normal((2, 4, *problem.shape))
    one = problem.hessian_product(x[0], v)
    assert one.shape == v.shape
    assert problem.hessian_product(x, v[0]).shape == x.shape
    np.testing.assert_allclose(one[2], problem.hessian_product(x[0], v[2]), rtol=1e-12, atol=1e-13)


# --- problems that lie, each in one respect ---------------------------------------------------------------------------

BASE = SmoothQuadratic.examples()[0]
SUM = FiniteSum.examples()[0]


class WrongGradient(SmoothQuadratic):
    def gradient(self, x):
        return 1.01 * super().gradient(x)


class WrongHessian(FiniteSum):
    def hessian_product(self, x, v):
        return 0.9 * super().hessian_product(x, v)


class WrongCurvature(SmoothQuadratic):
    @property
    def curvature(self):
        values, vectors = np.linalg.eigh(self.hessian.dense())
        values[-1] *= 0.99
        return DenseOperator((vectors * values) @ vectors.T, self.shape)


class WrongSmoothness(FiniteSum):
    @property
    def smoothness(self):
        return 0.2 * super().smoothness


class Biased(FiniteSum):
    def stochastic_gradient(self, x, draw):
        return super().stochastic_gradient(x, draw) + 1e-3


class WrongCovariance(SmoothQuadratic):
    def noise_covariance(self, domain=None):
        return DiagonalOperator(0.8 * super().noise_covariance(domain).entries)


class ForgetsTheMinibatch(FiniteSum):
    def noise_covariance(self, domain=None):
        return GramOperator(0.3 * super().noise_covariance(domain).vectors)


class WrongMinimum(FiniteSum):
    @property
    def minimum(self):
        low, high = super().minimum
        return Minimum(low + 0.5, high + 0.5)


class WrongSolution(FiniteSum):
    @property
    def solution(self):
        return super().solution + 0.01


class NotConvex(SmoothQuadratic):
    @property
    def convex(self):
        return True


class ClaimsToBeAttained(FiniteSum):
    @property
    def curvature_point(self):
        return np.zeros(self.shape)


@dataclass(frozen=True, eq=False, repr=False)
class BatchDependent(SmoothQuadratic):
    def noise(self, batch=1, seed=0, first=0):
        return super().noise(batch, seed + batch, first)


def quadratic(kind, problem=BASE):
    return kind(problem.hessian, problem.centre, problem.noise_model)


LIARS = {
    "the gradient is not the derivative of the value": quadratic(WrongGradient),
    "the Hessian product is not the derivative of the gradient": WrongHessian(SUM.composite),
    "the Hessian leaves the declared curvature": quadratic(WrongCurvature),
    "the smoothness constant is below a stretch of the curvature": WrongSmoothness(SUM.composite),
    "the stochastic gradient is biased": Biased(SUM.composite),
    "the noise is not what the declared covariance says": quadratic(WrongCovariance),
    "the value falls below the declared minimum": WrongMinimum(SUM.composite),
    "the gradient does not vanish at the solution": WrongSolution(SUM.composite),
    "the function is not convex": quadratic(NotConvex, SmoothQuadratic.examples()[4]),
    "the Hessian at the curvature's point is not the curvature": ClaimsToBeAttained(FiniteSum.examples()[3].composite),
    "a run's randomness depends on the batch": quadratic(BatchDependent),
}


@pytest.mark.parametrize("words", LIARS)
def test_the_audit_says_what_a_lying_problem_lies_about(words):
    assert any(words in found for found in audit(LIARS[words]))


def test_the_audit_sees_a_covariance_that_forgets_a_part_of_the_noise():
    assert "the noise is not what the declared covariance says" in audit(ForgetsTheMinibatch(SUM.composite))


# --- randomness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_a_run_in_a_batch_is_the_run_alone(problem):
    together, alone = problem.noise(4, seed=7).draw(5), problem.noise(1, seed=7, first=3)
    np.testing.assert_array_equal(together[:, 3:], np.concatenate([alone.draw(2), alone.draw(3)]))
    if together.size:
        assert not np.array_equal(together[:, 0], together[:, 1])


def test_signs_can_be_enumerated_and_normal_noise_cannot():
    A, centre = DiagonalOperator(np.ones((2, 2))), np.zeros((2, 2))
    signs = SmoothQuadratic(A, centre, EntryNoise(np.array([[1.0, 2.0], [0.0, 3.0]]), "signs")).outcomes()
    assert signs is not None and len(signs.draws) == 16
    assert SmoothQuadratic(A, centre, EntryNoise(1.0)).outcomes() is None
    assert SmoothQuadratic(A, centre, FactorNoise(np.ones((13, 2, 2)), "signs")).outcomes() is None
    silent = SmoothQuadratic(A, centre, NoNoise()).outcomes()
    assert silent is not None and len(silent.draws) == 1


def test_a_minibatch_with_importance_weights_has_the_exact_covariance_under_its_bound():
    f = FiniteSum(Composite(Logistic.examples()[0]), minibatch=2, sampling="importance")
    x = np.array([0.3, -1.0, 2.0, 0.1])
    draws, p = f.outcomes()
    errors = f.stochastic_gradient(np.broadcast_to(x, (len(p), 4)), draws) - f.gradient(x)
    covariance = errors.T @ (p[:, None] * errors)
    gap = np.linalg.eigvalsh(f.noise_covariance().dense() - covariance)
    assert gap[0] >= 0
    half = FiniteSum(f.composite, minibatch=1, sampling="importance").noise_covariance().dense()
    np.testing.assert_allclose(half, 2 * f.noise_covariance().dense(), rtol=1e-12)


def test_on_a_domain_least_squares_has_bounded_noise_and_elsewhere_not():
    f = FiniteSum(Composite(LeastSquares.examples()[0]))
    assert f.noise_covariance() is None
    narrow, wide = (f.noise_covariance(Box(r)) for r in (0.1, 1.0))
    assert np.linalg.eigvalsh(wide.dense() - narrow.dense())[0] >= 0
    assert audit(f, Box(1.0)) == []


# --- the minimum ------------------------------------------------------------------------------------------------------

RIDGED = [
    Composite(loss, SquaredL2(a))
    for loss in (Logistic.examples()[0], LeastSquares.examples()[0], Softmax.examples()[0], Huber.examples()[0])
    for a in (0.0, 0.3)
]


@pytest.mark.parametrize("composite", RIDGED, ids=lambda c: f"{type(c.loss).__name__}-{c.penalty.strong_convexity}")
def test_the_minimum_is_bracketed_and_agrees_with_a_conic_solver(composite):
    f = FiniteSum(composite)
    low, high = f.minimum
    expected, _ = oracles.composite_minimum(composite)
    assert low - 1e-7 <= expected <= high + 1e-7  # the conic solver's own accuracy
    if composite.strong_convexity > 0 or not isinstance(composite.loss, Softmax):
        assert high - low <= 1e-12
    x = f.solution
    assert x is not None and f.value(x) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("composite", RIDGED, ids=lambda c: f"{type(c.loss).__name__}-{c.penalty.strong_convexity}")
def test_the_lower_end_holds_at_every_point_and_not_only_at_the_minimiser(composite):
    f = FiniteSum(composite)
    rng, units = np.random.default_rng(4), np.eye(f.dim).reshape(f.dim, *f.shape)
    near = 0.0
    for spread in (1e-4, 1e-2, 0.3, 1.0):
        for _ in range(5):
            x = f.solution + spread * rng.standard_normal(f.shape)
            hessian = f.hessian_product(x, units).reshape(f.dim, f.dim)
            step = -np.linalg.lstsq(hessian, f.gradient(x).reshape(-1), rcond=None)[0].reshape(f.shape)
            low = lower_bound(f, x, step)
            assert low <= f.minimum.upper * (1 + 1e-12)
            near = max(near, low)
    if composite.strong_convexity > 0:
        assert near >= f.minimum.upper * (1 - 1e-4)  # a bound that is always true and says nothing would fail here


def test_the_ridge_bound_is_sharp_where_the_function_is_nothing_but_the_ridge():
    flat = FiniteSum(Composite(LeastSquares(np.zeros((1, 3)), np.ones(1)), SquaredL2(0.3)))
    x = np.array([1.0, -2.0, 0.5])
    assert lower_bound(flat, x, -x) == pytest.approx(flat.minimum.upper, rel=1e-12)


def test_separable_data_have_an_infimum_and_no_solution():
    f = FiniteSum(Composite(Logistic(np.array([[1.0, 0.5], [-2.0, 1.0]]), np.array([1.0, -1.0]))))
    assert f.solution is None
    assert 0 <= f.minimum.lower <= f.minimum.upper < 1e-8


def test_many_parameters_are_minimised_by_products_alone():
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((40, 1001)), rng.choice([-1.0, 1.0], 40)
    f = FiniteSum(Composite(Logistic(X, y), SquaredL2(0.05)))
    assert f.minimum.upper - f.minimum.lower <= 1e-10
    assert f.solution is not None


def test_an_indefinite_quadratic_has_no_minimum_and_two_inequalities():
    f = SmoothQuadratic.examples()[4]
    assert not f.convex and f.minimum.lower == -np.inf and f.solution is None and len(f.envelope) == 2


# --- refusals ---------------------------------------------------------------------------------------------------------

PLANE = MatrixQuadratic(np.ones(2), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: FiniteSum(Composite(Logistic.examples()[0], L1(0.1))), "not smooth"),
        (lambda: FiniteSum(Composite(Logistic.examples()[0], ElasticNet(0.1, 0.1))), "proximal solver"),
        (lambda: FiniteSum(Composite(Logistic.examples()[0]), minibatch=0), "minibatch"),
        (lambda: FiniteSum(Composite(Logistic.examples()[0]), sampling="best"), "sampling"),
        (lambda: SmoothMatrixQuadratic(PLANE, EntryNoise(np.ones((3, 2)))), "scale has shape"),
        (lambda: SmoothMatrixQuadratic(PLANE, FactorNoise(np.ones((1, 3, 2)))), "factors has shape"),
        (lambda: SmoothMatrixQuadratic(PLANE, EntryNoise(-1.0)), "negative"),
        (lambda: SmoothMatrixQuadratic(PLANE, EntryNoise(1.0, "cauchy")), "law must be"),
        (lambda: SmoothMatrixQuadratic(PLANE).noise(batch=0), "batch must be"),
        (lambda: SmoothQuadratic(DiagonalOperator(np.ones(3)), np.zeros(2)), "centre has shape"),
        (lambda: SmoothMatrixQuadratic(PLANE).value(np.zeros((3, 2))), "last axes must be"),
        (lambda: Huber(np.ones((1, 1)), np.zeros(1), 0.0), "delta"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(build, words):
    with pytest.raises(ValueError, match=words):
        build()


def test_huber_is_attained_only_where_all_residuals_are_small():
    X = np.eye(2)
    assert FiniteSum(Composite(Huber(X, np.array([0.5, -0.5]), 1.0))).curvature_point is not None
    assert FiniteSum(Composite(Huber(X, np.array([0.5, -5.0]), 1.0))).curvature_point is None


def test_a_ridge_is_part_of_the_curvature():
    f = FiniteSum(Composite(Logistic.examples()[0], SquaredL2(0.25)))
    assert isinstance(f.curvature, ShiftedOperator) and f.curvature.shift == 0.25
