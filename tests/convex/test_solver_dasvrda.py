"""DASVRDA: equal to a literal reference with every restart, and to none of the slips of public implementations."""

from __future__ import annotations

import literal_dasvrda as literal
import numpy as np
import pytest
from finite_sums import data

from convex.solvers import DASVRDA
from convex.solvers.dasvrda import outer_point
from convex.solvers.sampling import IndexStream, probabilities
from problems.composite import Composite
from problems.losses import Logistic
from problems.penalties import ElasticNet

EPS = float(np.finfo(np.float64).eps)
A, LABELS, _ = data(12, 3, seed=4)
L1, L2 = 0.02, 0.003
PROBLEM = Composite(Logistic(A, LABELS), ElasticNet(L1, L2))
X0 = np.array([0.5, -1.0, 2.0])
STAGES, M, B, SEED = 24, 10, 3, 8


def _draw(seed=SEED):
    stream = IndexStream(probabilities(PROBLEM), 1, seed)
    return lambda m, b: stream.draw(m, b)[:, 0]


def _path(stages=STAGES, seed=SEED, **options):
    solver = DASVRDA(minibatch=B, length=M, **options)
    return solver.run(PROBLEM, X0, evaluations=stages * (12 + 2 * B * M), seed=seed)


@pytest.mark.parametrize("restart", [None, 3, "function", "gradient"])
def test_a_run_is_the_literal_one(restart):
    expected = literal.run(A, LABELS, L1, L2, X0, STAGES, M, B, _draw(), restart)
    found = _path(restart=restart)
    assert found.points.shape == (STAGES + 1, 1, 3)
    assert np.allclose(
        found.points[:, 0], expected, rtol=0, atol=1e-12
    )  # some hundred steps, each a few rounding errors
    assert np.any(found.restarts) == (restart is not None)


@pytest.mark.parametrize("slip", ["8b/m", "z is the start"])
def test_a_run_is_none_of_the_slips(slip):
    wrong = literal.run(A, LABELS, L1, L2, X0, STAGES, M, B, _draw(), slip=slip)
    assert np.max(np.abs(_path().points[:, 0] - wrong)) > 1e-4


@pytest.mark.parametrize("restart", [3, "gradient"])
def test_a_restart_resets_the_outer_counter_for_good(restart):
    # One public code resets θ for a single stage and lets s run on.
    right, found = literal.run(A, LABELS, L1, L2, X0, STAGES, M, B, _draw(), restart), _path(restart=restart)
    wrong = literal.run(A, LABELS, L1, L2, X0, STAGES, M, B, _draw(), restart, slip="s goes on")
    first = int(np.flatnonzero(found.restarts[:, 0])[0])
    assert np.allclose(wrong[: first + 1], right[: first + 1], rtol=0, atol=1e-12)
    assert np.max(np.abs(np.asarray(wrong) - found.points[:, 0])) > 1e-4


def test_a_step_that_is_tuned_is_not_the_step_of_the_theorem():
    assert (
        np.max(np.abs(_path(step=3 * DASVRDA(minibatch=B, length=M).constants(PROBLEM).step).points - _path().points))
        > 1e-3
    )


def test_restarts_after_s_stages_are_runs_one_after_the_other():
    draw, x = _draw(), X0
    for _ in range(3):
        x = literal.run(A, LABELS, L1, L2, x, 4, M, B, draw)[-1]
    found = _path(stages=12, restart=4)
    assert np.allclose(found.x[0], x, rtol=0, atol=1e-12)
    assert np.array_equal(np.flatnonzero(found.restarts[:, 0]), [4, 8, 12])


def test_function_restarts_come_when_the_objective_has_risen_and_never_else():
    path = _path(stages=80, restart="function")
    assert np.array_equal(path.restarts[1:, 0], np.diff(path.values[:, 0]) > 0)
    assert np.any(path.restarts) and not np.all(path.restarts[1:])


def test_runs_of_one_batch_restart_on_their_own():
    solver = DASVRDA(minibatch=B, length=M, restart="gradient")
    path = solver.run(PROBLEM, X0, evaluations=60 * (12 + 2 * B * M), batch=4)
    assert len({tuple(column) for column in path.restarts.T}) > 1


def test_the_first_stage_starts_at_the_starting_point():
    c = 0.7
    x = np.stack([X0, 2 * X0])
    assert np.array_equal(outer_point(x, x, x, 1, c), x)  # s = 1: x_{-1} = z_0 = x_0
    other = outer_point(x, x, x + 1.0, np.array([1, 5]), c)
    for row, s in enumerate((1, 5)):
        theta, last = c * (s + 2) / 2, c * (s + 1) / 2
        assert np.allclose(other[row], x[row] + last / theta, rtol=0, atol=4 * EPS)


def test_the_weights_of_the_outer_point_are_the_telescope_of_the_proof():
    # θ_s ỹ_s - (θ_s - 1) x_{s-1} = θ_{s-1} z_{s-1} - (θ_{s-1} - 1) x_{s-2}: what makes the squared distances cancel.
    rng, c = np.random.default_rng(0), 0.71
    for s in (2, 3, 17):
        x, before, z = rng.standard_normal((3, 1, 4))
        theta, last = c * (s + 2) / 2, c * (s + 1) / 2
        y = outer_point(x, before, z, s, c)
        assert np.allclose(theta * y - (theta - 1) * x, last * z - (last - 1) * before, rtol=0, atol=64 * EPS)
        assert theta * (theta - c) <= last**2


def test_the_sharper_constants_take_a_larger_step_and_get_there_too():
    plain, sharp = _path(stages=100, restart="gradient"), _path(stages=100, restart="gradient", sharp=True)
    assert np.max(np.abs(plain.points[1] - sharp.points[1])) > 1e-3
    assert plain.values[-1, 0] == pytest.approx(sharp.values[-1, 0], abs=1e-6)


@pytest.mark.parametrize("options", [{"restart": "sometimes"}, {"restart": 0}, {"restart": True}, {"restart": 2.5}])
def test_restarts_that_do_not_exist_are_refused(options):
    with pytest.raises(ValueError, match="restart must be"):
        DASVRDA(**options)


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_steps_that_are_no_steps_are_refused(step):
    with pytest.raises(ValueError, match="step must be"):
        DASVRDA(step=step)
