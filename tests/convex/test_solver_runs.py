"""Laws of every solver's runs: counted evaluations, seeds, batches, array libraries, divergence, and bad input."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from finite_sums import data, problem

from convex.solvers import DASVRDA, SAGA, SVRG, AcceleratedGradient, AccProxSVRG, Katyusha
from convex.solvers.sampling import IndexStream
from problems.composite import Composite
from problems.losses import LeastSquares
from problems.penalties import L1
from structures.arrays import dtype_name, to_numpy, tolerance

EPS = float(np.finfo(np.float64).eps)
SOLVERS = [
    DASVRDA(minibatch=3),
    DASVRDA(minibatch=3, restart="function", sharp=True, sampling="uniform"),
    DASVRDA(minibatch=3, restart=2),
    SVRG(minibatch=3, step=0.05),
    SAGA(minibatch=3),
    Katyusha(minibatch=3),
    AcceleratedGradient(restart="gradient"),
    AccProxSVRG(minibatch=3, step=0.05),
]
RANDOM = [solver for solver in SOLVERS if not isinstance(solver, AcceleratedGradient)]
P = problem("logistic", "elastic net", weighted=True)
BUDGET = 16 * 12


@dataclass(frozen=True, eq=False)
class Counting(Composite):
    """A problem that counts the component gradients of a single run."""

    counted: list[int] = field(default_factory=list)

    def gradient(self, x):
        self.counted.append(self.samples)
        return super().gradient(x)

    def sample_gradient(self, i, x):
        gradients = super().sample_gradient(i, x)
        self.counted.append(gradients.size // 4)
        return gradients


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_evaluations_of_a_path_are_those_that_were_made(solver):
    counting = Counting(P.loss, P.penalty, P.weights)
    path = solver.run(counting, np.zeros(4), evaluations=BUDGET)
    assert sum(counting.counted) == path.evaluations[-1] <= BUDGET < path.evaluations[-1] + solver.stage_cost(P)
    assert path.evaluations[0] == 0 and np.all(np.diff(path.evaluations) > 0)
    assert np.array_equal(path.passes, path.evaluations / 16)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_values_are_those_of_the_points(solver):
    path = solver.run(P, np.ones(4), evaluations=BUDGET, batch=2)
    stages = len(path.evaluations)
    assert path.points.shape == (stages, 2, 4) and path.restarts.shape == path.values.shape == (stages, 2)
    assert np.allclose(path.values, P.value(path.points), rtol=64 * EPS)
    assert np.array_equal(path.x, path.points[-1]) and np.array_equal(path.points[0], np.ones((2, 4)))
    assert not np.any(path.restarts[0])


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_seed_fixes_every_bit(solver):
    runs = [solver.run(P, np.zeros(4), evaluations=BUDGET, batch=2, seed=seed).points for seed in (7, 7, 8)]
    assert np.array_equal(runs[0], runs[1])
    if solver in RANDOM:
        assert not np.allclose(runs[0], runs[2], rtol=0, atol=1e-6)
        assert not np.allclose(runs[0][-1, 0], runs[0][-1, 1], rtol=0, atol=1e-6)  # elements are different runs


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_batch_is_its_runs_one_by_one(solver):
    starts = np.random.default_rng(0).standard_normal((3, 4))
    together = solver.run(P, starts, evaluations=BUDGET, seed=5)
    for j in range(3):
        alone = solver.run(P, starts[j], evaluations=BUDGET, seed=5, first=j)
        # Sums over the data may be taken in another order for another batch size: rounding, amplified by a few dozen steps.
        assert np.allclose(together.points[:, j], alone.points[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_short_run_is_the_beginning_of_a_long_one(solver):
    long, short = (solver.run(P, np.zeros(4), evaluations=size, batch=2) for size in (2 * BUDGET, BUDGET))
    assert np.array_equal(long.points[: len(short.points)], short.points)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_every_array_library_makes_the_same_run(solver, backend):
    x0 = np.random.default_rng(0).standard_normal((2, 4))
    expected = solver.run(P, x0, evaluations=BUDGET)
    found = solver.run(P, backend.array(x0), evaluations=BUDGET)  # the data move to the start's library and device
    assert dtype_name(found.points) == backend.dtype and found.points.device == backend.like.device
    if backend.dtype == "float64":  # in single precision a restart may hinge on a rounding error
        assert np.allclose(to_numpy(found.points), expected.points, rtol=0, atol=1e-12)
        assert np.array_equal(found.restarts, expected.restarts)
    else:
        room = tolerance(backend.like, 1000)
        assert np.allclose(to_numpy(found.values), expected.values, rtol=0, atol=room)


def test_indices_do_not_depend_on_how_they_are_asked_for():
    q = np.array([0.1, 0.0, 0.6, 0.3])
    whole = IndexStream(q, 3, seed=4).draw(10, 2)
    stream = IndexStream(q, 3, seed=4)
    assert np.array_equal(np.concatenate([stream.draw(4, 2), stream.draw(6, 2)]), whole)
    assert np.array_equal(IndexStream(q, 1, seed=4, first=2).draw(10, 2)[:, 0], whole[:, 2])
    assert whole.dtype == np.int64 and 1 not in whole


@pytest.mark.parametrize(
    "solver",
    [
        DASVRDA(step=100.0),
        SVRG(step=100.0),
        SAGA(step=100.0),
        Katyusha(smoothness=1e-2),
        AcceleratedGradient(step=100.0),
        AccProxSVRG(minibatch=2, step=100.0, strong_convexity=1e-3),
    ],
    ids=str,
)
def test_a_step_far_too_large_diverges_and_says_so(solver):
    A, _, targets = data()
    diverging = Composite(LeastSquares(A, targets), L1(0.01))
    with pytest.raises(FloatingPointError, match="its step is too large"):
        solver.run(diverging, np.zeros(4), evaluations=16 * 4000)


def test_a_step_somewhat_too_large_climbs():
    path = AcceleratedGradient(step=2.5 / problem("squares", "l2").smoothness).run(
        problem("squares", "l2"), np.zeros(4), evaluations=16 * 30
    )
    assert path.values[-1, 0] > 10 * path.values[0, 0]


@pytest.mark.parametrize(
    ("x0", "options", "error", "words"),
    [
        (np.zeros(5), {}, ValueError, "x0 has shape"),
        (np.zeros((2, 2, 4)), {}, ValueError, "expected"),
        (np.zeros((2, 4)), {"batch": 3}, ValueError, "expected"),
        (np.zeros(4), {"batch": 0}, ValueError, "batch must be"),
        (np.full(4, np.nan), {}, ValueError, "x0 is not finite"),
        (np.zeros(4, dtype=int), {}, TypeError, "real floating"),
        (np.zeros(4), {"evaluations": 15}, ValueError, "does not pay for one stage"),
        (np.zeros(4), {"seed": -1}, ValueError, "seed"),
    ],
)
@pytest.mark.parametrize("solver", [DASVRDA(), AcceleratedGradient()], ids=str)
def test_runs_that_cannot_be_made_are_refused(solver, x0, options, error, words):
    with pytest.raises(error, match=words):
        solver.run(P, x0, **{"evaluations": 1000, **options})


def test_a_start_is_not_changed_and_not_shared():
    x0 = np.zeros((1, 4))
    path = SAGA().run(P, x0, evaluations=64)
    assert np.array_equal(x0, np.zeros((1, 4))) and not np.shares_memory(path.points, x0)


def test_importing_the_solvers_loads_nothing_heavy():
    import subprocess
    import sys

    heavy = ("numba", "sklearn", "torch", "cvxpy", "matplotlib", "pandas", "dask")
    script = f"import convex, sys; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_comes_later_is_named_and_what_does_not_exist_is_refused():
    import convex

    assert {"DASVRDA", "DASVRDAClassifier", "DASVRDARegressor"} <= set(dir(convex))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = convex.Nothing
