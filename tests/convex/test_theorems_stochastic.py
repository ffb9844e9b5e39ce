"""The theorems on adaptive methods: their formulas, lemmas, constants, records and verdicts."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from convex.adaptive import SteepestDescent, sgd
from convex.theorems.stochastic.accelerated_cases import corner as accelerated_corner
from convex.theorems.stochastic.accelerated_theorem import weights_squared
from convex.theorems.stochastic.broken import Slope, shrunk_noise
from convex.theorems.stochastic.cases import MATRICES, accelerated, adagrad, offset
from convex.theorems.stochastic.constants import (
    almost_sure_distance,
    curvature_trace,
    majorant,
    noise_energy,
    noise_majorant,
    noise_trace,
)
from convex.theorems.stochastic.instances import Corner, Waves, line_noise, logistic, matrix, rotated, rows
from convex.theorems.stochastic.movement import directions, movement
from convex.theorems.stochastic.runs import every_path, exactly, seeded
from convex.theorems.stochastic.smooth import total_at_best_rate
from convex.theorems.stochastic.smooth_cases import against_a_corner, corner
from convex.theorems.stochastic.steepest_descent import memory
from problems.domains import Box, L2Ball
from problems.operators import DiagonalOperator
from problems.smooth import EntryNoise, FactorNoise, NoNoise, SmoothQuadratic
from structures import Diagonal, Full, LeftKronecker, Scalar
from structures.not_structured import MonotoneCone
from theory import get, verify

S, SHARP, A, NOISY = (
    get(name) for name in ("stochastic-smooth", "stochastic-smooth-sharp", "accelerated", "accelerated-stochastic")
)
N, STEEPEST = get("nonconvex-stationarity"), get("steepest-descent")
SPECIAL = {
    Scalar: "stochastic-adagrad-norm",
    Diagonal: "stochastic-adagrad",
    Full: "stochastic-full-matrix",
    LeftKronecker: "stochastic-one-sided-shampoo",
}
REL = 1e-9  # the constants are rounded up by 1e-10


def paths(structure=None, steps: int = 8, eps: float = 1e-3, lr: float = 0.7):
    problem = matrix((2, 2), line_noise((2, 2), 0.3))
    return every_path(adagrad(structure or LeftKronecker((2, 2)), lr, eps), problem, offset(problem), steps)


# --- formulas -----------------------------------------------------------------------------------------------------------


def test_at_the_best_rate_the_bounds_are_the_printed_ones():
    problem = matrix((2, 2), line_noise((2, 2), 0.3))
    box = Box(2.0 * float(np.max(np.abs(problem.solution))))
    structure, T, eps = Diagonal((2, 2)), 50, 0.01
    D = box.on((2, 2)).diameter(structure)
    reach = 2.0 * float(np.max(np.abs(problem.solution))) + float(structure.norm(problem.solution))
    D = min(D, reach)
    run = seeded(adagrad(structure, D / 2**0.5, eps, box), problem, np.zeros((2, 2)), T, seeds=4)
    Lambda, sigma = curvature_trace(run), noise_trace(run)
    assert almost_sure_distance(run) == pytest.approx(D, rel=REL)
    sharp = Lambda * D**2 / T + 2**0.5 * D * sigma / T**0.5 + D * 4 * eps**0.5 / (2**0.5 * T)
    assert SHARP.bound(run) == pytest.approx(sharp, rel=REL)
    printed = total_at_best_rate(Lambda, D, sigma, T, 4 * eps**0.5) / T
    assert sharp < S.bound(run) <= printed * (1 + REL)
    assert printed <= 4 * sharp


def test_the_accelerated_bound_at_the_rate_d_is_the_printed_one():
    problem = rotated((3,), NoNoise())
    start, structure, eps = offset(problem), Full((3,)), 1e-2
    D = float(structure.norm(start - problem.solution))
    run = exactly(accelerated(structure, D, eps), problem, start, 1)
    printed = 2 * D * 3 * eps**0.5 / 4 + 2 * curvature_trace(run) * D**2 * movement(run)[0, 0] / 4
    assert A.bound(run)[0, 0] == pytest.approx(printed, rel=REL)
    assert weights_squared(7) == pytest.approx(sum((t + 2) ** 2 / 4 for t in range(7)))


def test_the_momentum_of_steepest_descent_is_bounded_as_published():
    for alpha, T in product((0.01, 0.3, 1.0), (1, 10, 200)):
        drift, noise = memory(alpha, T)
        weights = [
            np.array([(1 - alpha) ** (t - 1), *(alpha * (1 - alpha) ** (t - s) for s in range(2, t + 1))])
            for t in range(1, T + 1)
        ]
        np.testing.assert_allclose(noise, [np.sqrt(np.sum(w**2)) for w in weights], rtol=1e-12)
        np.testing.assert_allclose([w.sum() for w in weights], 1.0, rtol=1e-12)
        moved = [sum((1 - alpha) ** (t - s + 1) for s in range(2, t + 1)) for t in range(1, T + 1)]
        np.testing.assert_allclose(drift, moved, rtol=1e-9, atol=1e-12)
        assert 0.5 + 2 * drift.mean() <= 2 / alpha
        assert 2 * noise.mean() <= 2 / (alpha * T) + 2 * alpha**0.5


# --- lemmas -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", MATRICES)
@pytest.mark.parametrize("beta", [1.0, 0.7])
def test_the_movement_and_the_trace_are_those_of_the_lemmas(structure, beta):
    K, problem, eps = structure((2, 3)), Waves(np.array([[1.0, 0.5, 0.2], [2.0, 1.0, 0.1]])), 1e-2
    options = {} if beta == 1 else {"accumulate": "weighted", "beta": beta}
    run = exactly(adagrad(K, 0.3, eps, **options), problem, np.full((2, 3), 2.0), 15)
    M, S_T, energy = np.zeros((6, 6)), np.zeros((6, 6)), 0.0
    for t in range(15):
        g = run.gradients[t, 0].reshape(6)
        last = K.dense(K.project(M + eps * np.eye(6)))
        M = beta * M + np.outer(g, g)
        square = K.dense(K.project(M + eps * np.eye(6)))
        values, vectors = np.linalg.eigh(square)
        inverse = (vectors / np.sqrt(values)) @ vectors.T
        S_T = S_T + inverse @ (square - beta * last - (1 - beta) * eps * np.eye(6)) @ inverse
        np.testing.assert_allclose(directions(run)[t, 0].reshape(6), inverse @ g, rtol=1e-7, atol=1e-8)
        assert movement(run)[t, 0] == pytest.approx(np.linalg.eigvalsh(S_T)[-1], rel=1e-7)
        energy = beta**0.5 * energy + float(g @ inverse @ g)
        assert np.sum(np.sqrt(values)) <= 6 * eps**0.5 + energy + 1e-12  # Lemma T, a sum of ten terms of order one


@pytest.mark.parametrize(
    "problem", [rotated((3,), NoNoise()), logistic(), Corner(np.array([1.0, 0.3]), width=0.2)], ids=repr
)
def test_smooth_convex_functions_exceed_their_tangents_by_the_gradient(problem):
    run = exactly(adagrad(Diagonal(problem.shape), 0.1, 1.0), problem, offset(problem), 1)
    H = Diagonal(problem.shape).dense(majorant(run))
    points = np.asarray(problem.solution) + 3.0 * np.random.default_rng(0).standard_normal((200, *problem.shape))
    gradient, gap = problem.gradient(points), problem.value(points) - problem.value(problem.solution)
    square = np.sum(gradient * (gradient @ np.linalg.inv(H)), axis=-1)
    slope = np.sum(gradient * (points - problem.solution), axis=-1)
    assert np.all(square / 2 <= gap + 1e-12)  # values of order one
    assert np.all(gap + square / 2 <= slope + 1e-12)


# --- constants ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", MATRICES)
def test_the_majorants_are_in_the_structure_and_dominate(structure):
    problem = rotated((2, 2), line_noise((2, 2), 0.5, 2))
    run = every_path(adagrad(structure((2, 2)), 0.5, 1e-2), problem, offset(problem), 2)
    K, H = structure((2, 2)), majorant(run)
    assert np.linalg.eigvalsh(K.dense(H) - problem.curvature.dense())[0] >= -1e-12
    assert curvature_trace(run) <= 4 * problem.smoothness * (1 + REL)
    energy, missed = noise_energy(run, noise_majorant(run))
    assert float(np.max(energy)) <= noise_trace(run) and missed < 1e-6  # a root of rounding
    closed = matrix((2, 2), NoNoise())
    exact = exactly(adagrad(K, 0.5, 1e-2), closed, offset(closed), 1)
    assert curvature_trace(exact) == pytest.approx(closed.quadratic.adaptive_smoothness(K), rel=REL)


def test_without_a_declared_covariance_the_noise_is_measured_on_all_points():
    problem = rows()
    run = every_path(adagrad(Full((2,)), 0.5, 0.0), problem, offset(problem), 6)
    assert problem.noise_covariance(None) is None
    energy, _ = noise_energy(run, noise_majorant(run))
    assert 0.99 * noise_trace(run) <= float(np.max(energy)) <= noise_trace(run)


@pytest.mark.parametrize("structure", SPECIAL)
def test_a_specialisation_is_the_theorem_in_other_units(structure):
    run = paths(structure((2, 2)))
    special = get(SPECIAL[structure])
    assert special.bound(run) == pytest.approx(
        SHARP.bound(run), rel=1e-6
    )  # majorants are found in another way, singular noise is regularised
    assert verify(special, run).ok is not False
    assert (
        verify(special, paths(Diagonal((2, 2)) if structure is not Diagonal else Scalar((2, 2)))).kind
        == "HYPOTHESIS_FAILED"
    )


def test_the_expectation_is_that_of_a_tree_walked_by_hand():
    problem = Corner(np.array([1.0]), FactorNoise(np.array([[0.5]]), "signs"), width=0.5)
    run = every_path(adagrad(Diagonal((1,)), 0.4, 0.1), problem, np.array([1.0]), 3)

    def total(x: float, statistic: float, left: int) -> float:
        if left == 0:
            return 0.0
        here = abs(x) - 0.25 if abs(x) > 0.5 else x * x
        slope, ahead = min(max(2 * x, -1.0), 1.0), 0.0
        for noise in (0.5, -0.5):
            g = slope + noise
            after = statistic + g * g
            ahead += 0.5 * total(x - 0.4 * g / after**0.5, after, left - 1)
        return here + ahead

    assert SHARP.exact(run) == pytest.approx(total(1.0, 0.1, 3) / 3, rel=1e-12)
    assert len(run.x0) == 8 and sum(run.probabilities) == pytest.approx(1.0)


# --- how tight ----------------------------------------------------------------------------------------------------------


def test_the_terms_of_the_damping_are_attained_in_the_limit():
    ratios = [float(SHARP.exact(run) / SHARP.bound(run)) for run in (corner(T) for T in (25, 400, 6400))]
    assert ratios[0] < ratios[1] < ratios[2] and ratios[2] > 0.96
    fast = [float(np.max(A.measured(run)[-1] / A.bound(run)[-1])) for run in (accelerated_corner(T) for T in (20, 100))]
    assert fast[0] < fast[1] and fast[1] > 0.97


def test_projected_acceleration_misses_its_bound_by_five_orders():
    problem = Slope(np.array([0.0, 1.0]), claimed=(0.0, -1.0))
    run = exactly(accelerated(Scalar((2,)), 1.0, 1e-12, L2Ball(1.0)), problem, np.array([1.0, 0.0]), 100)
    assert A.measured(run)[0, 0] == pytest.approx(1.0 - (1.0 + 0.5) ** -0.5, rel=1e-5) or A.measured(run)[0, 0] > 0.18
    assert A.bound(run)[0, 0] == pytest.approx(1e-6, rel=1e-3)
    assert A.measured(run)[-1, 0] > 1e4 * A.bound(run)[-1, 0]


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["points", "gradients", "iterates", "answers"])
def test_a_changed_record_is_refused(name):
    for theorem, run in (
        (SHARP, paths(steps=4)),
        (A, exactly(accelerated(Diagonal((3,)), 1.0, 1e-2), rotated((3,), NoNoise()), np.zeros(3), 5)),
        (N, exactly(adagrad(Diagonal((3,)), 1.0, 1e-2), rotated((3,), NoNoise()), np.zeros(3), 5)),
        (STEEPEST, exactly(SteepestDescent(Diagonal((3,)), 0.1, 0.5), rotated((3,), NoNoise()), np.zeros(3), 5)),
    ):
        values = getattr(run, name).copy()
        values[-1] *= 1.0 + 1e-6
        verdict = verify(theorem, replace(run, **{name: values}))
        assert verdict.kind == "HYPOTHESIS_FAILED" and "played" in verdict.evidence["failed"]
        values[-1] = np.nan
        assert verify(theorem, replace(run, **{name: values})).kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("name", ["q", "trace_root", "gap", "dropped"])
def test_a_changed_scalar_is_refused(name):
    run = paths(steps=4)
    verdict = verify(SHARP, replace(run, scalars={**run.scalars, name: run.scalars[name] + 0.1}))
    assert "played" in verdict.evidence["failed"]


def test_seeds_are_confirmed_on_a_domain_and_undecided_without_known_constants():
    problem = rotated((4,), EntryNoise(0.2))
    run = seeded(adagrad(Diagonal((4,)), 2.0, 0.0, Box(2.5)), problem, np.zeros(4), 100, seeds=200)
    low, high = SHARP.support(run)
    assert low <= 0 <= np.min(SHARP.measured(run)) and np.max(SHARP.measured(run)) <= high
    assert verify(SHARP, run).kind == "CONFIRMED"
    few = seeded(adagrad(Diagonal((4,)), 2.0, 0.0, Box(2.5)), problem, np.zeros(4), 100, seeds=5)
    assert verify(SHARP, few).kind == "NOT_REFUTED"
    free = seeded(adagrad(Diagonal((4,)), 2.0, 0.0), problem, np.zeros(4), 20, seeds=5)
    assert verify(SHARP, free).evidence["failed"] == ["bounded"]
    fast = seeded(accelerated(Diagonal((4,)), 1.0, 1e-2), problem, np.zeros(4), 10, seeds=5)
    assert verify(NOISY, fast).kind == "INCONCLUSIVE"
    other = replace(run, draws=run.draws[:, ::-1])
    assert "drawn" in verify(SHARP, other).evidence["failed"]


def test_a_smaller_noise_than_the_declared_one_is_refused_for_seeds_too():
    problem = rotated((4,), EntryNoise(0.2))
    run = seeded(adagrad(Diagonal((4,)), 2.0, 0.0, Box(2.5)), problem, np.zeros(4), 10, seeds=5)
    assert "noise" in verify(SHARP, shrunk_noise(run, 0.99)).evidence["failed"]
    assert "noise" not in verify(SHARP, shrunk_noise(run, 1.01)).evidence.get("failed", [])


def test_a_law_of_the_noise_that_is_not_the_declared_one_is_seen():
    honest = rotated((4,), EntryNoise(0.2))

    class Loud(SmoothQuadratic):
        def stochastic_gradient(self, x, draw):
            return self.gradient(x) + 2.0 * self.noise_model.combine(draw)

    class Tilted(SmoothQuadratic):
        def stochastic_gradient(self, x, draw):
            return super().stochastic_gradient(x, draw) + 0.05

    for kind, name in ((Loud, "noise"), (Tilted, "unbiased")):
        problem = kind(honest.hessian, honest.centre, honest.noise_model)
        run = seeded(adagrad(Diagonal((4,)), 2.0, 0.0, Box(2.5)), problem, np.zeros(4), 10, seeds=5)
        assert verify(SHARP, run).evidence["failed"] == [name]


def test_a_curvature_that_is_declared_too_small_is_seen():
    honest = rotated((3,), NoNoise())

    class Understated(SmoothQuadratic):
        @property
        def curvature(self) -> DiagonalOperator:
            return DiagonalOperator(np.full(3, 0.1))

    class Consistent(Understated):
        """It lies about products with the Hessian as well: only the function itself tells."""

        def hessian_product(self, x, v):
            return 0.1 * v + 0.0 * x

    class Bent(Consistent):
        """Below its lower parabola, and not above the upper one: a concave function that calls itself convex."""

        def value(self, x):
            return -super().value(x)

        def gradient(self, x):
            return -super().gradient(x)

    for kind in (Understated, Consistent, Bent):
        lying = kind(honest.hessian, honest.centre)
        run = exactly(adagrad(Scalar((3,)), 0.5, 1e-2), lying, offset(lying), 5)
        assert "smooth" in verify(SHARP, run).evidence["failed"]
    assert verify(SHARP, exactly(adagrad(Scalar((3,)), 0.5, 1e-2), honest, offset(honest), 5)).ok is not False


def test_an_indefinite_quadratic_is_refused_where_convexity_is_needed_and_taken_where_it_is_not():
    saddle = SmoothQuadratic(DiagonalOperator(np.array([1.0, -0.3])), np.zeros(2))
    run = exactly(adagrad(Diagonal((2,)), 0.1, 1e-2), saddle, np.array([1.0, 0.1]), 20)
    assert verify(N, run).ok
    assert verify(SHARP, run).kind in ("HYPOTHESIS_FAILED", "INCONCLUSIVE") if saddle.solution is not None else True
    down = exactly(SteepestDescent(Diagonal((2,)), 0.1), saddle, np.array([1.0, 0.1]), 20)
    assert "bounded-below" in verify(STEEPEST, down).evidence["failed"]


def test_methods_that_a_theorem_does_not_speak_of_are_refused():
    problem = rotated((3,), NoNoise())
    plain = exactly(sgd((3,), 0.1), problem, np.zeros(3), 5)
    assert verify_names(plain, N) >= {"adaptive-regularization", "well-structured"}
    cone = exactly(adagrad(MonotoneCone((3,)), 0.5, 1e-2), problem, np.zeros(3), 5)
    assert "well-structured" in verify_names(cone, SHARP)


def verify_names(run, theorem) -> set[str]:
    """Names of the assumptions that fail, looked at one by one: others may not be defined for such a run."""
    found = set()
    for assumption in theorem.assumptions:
        try:
            check = assumption.check(run)
        except ValueError:
            continue
        if check.ok is False:
            found.add(assumption.name)
    return found


def test_enumerations_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="cannot list"):
        every_path(adagrad(Diagonal((3,)), 0.5), rotated((3,), EntryNoise(0.1)), np.zeros(3), 3)
    with pytest.raises(ValueError, match="too many"):
        every_path(adagrad(Diagonal((3,)), 0.5), rotated((3,), line_noise((3,), 0.1)), np.zeros(3), 20)
    run = seeded(adagrad(Diagonal((3,)), 0.5), rotated((3,), EntryNoise(0.1)), np.zeros(3), 3, seeds=2)
    with pytest.raises(ValueError, match="seeds"):
        run.expectation(np.zeros(2))


def test_the_noise_s_term_is_nearly_attained_by_a_long_rate_against_a_corner():
    """.59 of the whole bound at T = 1000; the spread of a run is .05 of it. With a tenth of the noise's trace it is refuted."""
    run = against_a_corner(1000, 30)
    ratio = float(np.mean(SHARP.measured(run))) / SHARP.bound(run)
    assert 0.5 <= ratio <= 0.7
    assert verify(SHARP, run).ok is not False
    assert verify(SHARP, shrunk_noise(run, 0.1), ignoring=("noise",)).kind == "REFUTED"
