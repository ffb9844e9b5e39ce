"""The experiments on stochastic smooth optimization store what they claim at the smallest scale, and their figures draw it."""

import numpy as np
import pytest

from convex.smoothness import adaptive_smoothness
from experiments.results import Results
from experiments.store import Store
from experiments.structure_runs import EXPONENTS, run_structures
from experiments.suite._stochastic import CHOICES, choice_problem, choice_structures, interval, own_ball, rate_problem
from experiments.suite.acceleration import Acceleration
from experiments.suite.one_sided_versus_full import OneSidedVersusFull
from experiments.suite.stochastic_rates import StochasticRates
from experiments.suite.structure_choice import StructureChoice
from experiments.suite.structures_tradeoff import PROBLEMS, SHAPES, StructuresTradeoff
from paper_figures.base import load_figures
from paper_figures.structure_choice import outcome, tally
from paper_figures.style import house_style
from problems.matrix_quadratic import gaussian_matrix_quadratic
from problems.smooth import SmoothMatrixQuadratic
from structures import Circulant, Diagonal, Full, LeftKronecker, Scalar

SUITE = {
    e.id: e for e in (StochasticRates(), Acceleration(), OneSidedVersusFull(), StructureChoice(), StructuresTradeoff())
}
FEW = {"structure_choice": ("diagonal", "rotated", "iris")}  # the rest of the ten is what `make reproduce` runs


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The runs of an experiment at the ci scale, computed once."""
    made = {}

    def of(name) -> Results:
        if name not in made:
            store = Store(tmp_path_factory.mktemp(name) / "results")
            specs = [
                s
                for s in SUITE[name].runs("ci")
                if s.params.get("problem") in FEW.get(name, (s.params.get("problem"),))
            ]
            for spec in specs:
                store.save(spec, SUITE[name].execute(spec), {})
            made[name] = Results(tuple(store.load(spec.key) for spec in specs))
        return made[name]

    return of


def test_every_mean_is_below_its_bound_and_the_theorem_s_object_says_so(stored):
    for run in stored("stochastic_rates"):
        s = run.summary
        assert s["lower"] <= s["mean"] <= s["upper"] and s["mean"] <= s["bound_sharp"] <= s["bound"]
        assert {v["theorem"] for v in run.verdicts} == {"stochastic-smooth", "stochastic-smooth-sharp"}
        assert {v["kind"] for v in run.verdicts} <= {"CONFIRMED", "NOT_REFUTED", "VACUOUS"}
        # Jensen: f at the average of the points is at most the average of f.
        assert np.all(run.arrays["average"] <= run.arrays["suboptimality"] * (1 + 1e-12))


def test_bounds_fall_with_the_horizon(stored):
    for (_, _), runs in stored("stochastic_rates").groups("problem", "structure"):
        assert np.all(np.diff(runs.column("bound_sharp")) < 0)


def test_accelerated_runs_are_verified_and_the_projected_one_is_refused_and_violated(stored):
    for run in stored("acceleration"):
        kinds = [v["kind"] for v in run.verdicts]
        gap, bound = run.arrays["gap"], run.arrays["bound"]
        if run.params["kind"] == "projected":
            assert kinds == ["HYPOTHESIS_FAILED", "VIOLATED"] and np.any(gap > bound)
        else:
            assert kinds[0] in ("CONFIRMED", "VERIFIED") and np.all(gap <= bound)


def test_the_ratio_of_bounds_is_near_the_quarter_of_the_square_and_both_constants_are_the_trace(stored):
    for run in stored("one_sided_versus_full"):
        n = run.params["n"]
        # The largest singular value of a Gaussian matrix is below 2√n by a share that vanishes slowly.
        assert n**2 / 4 < run.summary["ratio_of_bounds"] < n**2
    problem = SmoothMatrixQuadratic(gaussian_matrix_quadratic(4, 0))
    left, full = (adaptive_smoothness(problem, K((4, 4))).upper for K in (LeftKronecker, Full))
    assert left == pytest.approx(full, rel=1e-9)


@pytest.mark.parametrize("name", ["diagonal", "left", "right", "rows", "columns", "circulant"])
def test_a_quadratic_named_for_a_structure_has_its_hessian_there_and_the_others_do_not(name):
    problem = choice_problem(name, 0)
    A, found = problem.curvature.dense(), {}
    for K in choice_structures(problem.shape):
        if not isinstance(K, Full):
            found[type(K).__name__] = float(np.linalg.norm(A - K.dense(K.project(A))) / np.linalg.norm(A))
    assert min(found.values()) < 1e-12 and found["Scalar"] > 0.1
    assert np.linalg.cond(A) == pytest.approx(100.0)


@pytest.mark.parametrize("name", ["blocks", "rotated"])
def test_the_hard_quadratics_are_in_no_candidate(name):
    problem = choice_problem(name, 1)
    A = problem.curvature.dense()
    assert np.linalg.eigvalsh(A)[0] > 0
    for K in choice_structures(problem.shape):
        if not isinstance(K, Full):
            assert np.linalg.norm(A - K.dense(K.project(A))) > 0.1 * np.linalg.norm(A)


def test_ten_problems_are_planned_at_every_scale():
    for scale in ("ci", "laptop", "paper"):
        assert {spec.params["problem"] for spec in SUITE["structure_choice"].runs(scale)} == set(CHOICES)
    assert len(CHOICES) == 10


def test_the_outcome_of_a_choice_is_a_factor_of_at_least_one_and_its_words_count_wins(stored):
    found = [outcome(run) for run in stored("structure_choice")]
    for each in found:
        assert min(each.loss.values()) >= 1.0 and each.taken["diagonal"] == "Diagonal"
        assert all((loss == 1.0) == (each.taken[rule] == each.winner) for rule, loss in each.loss.items())
    wins = sum(each.loss["chosen"] <= 1.05 for each in found)
    assert tally(found, "chosen").startswith(f"{wins} of {len(found)} wins")


def test_shapes_are_those_of_the_problems():
    assert {name: make().shape for name, make in PROBLEMS.items()} == SHAPES


def test_speed_memory_and_loss_are_kept_for_every_structure(stored):
    for run in stored("structures_tradeoff"):
        assert run.summary["seconds"] > 0 and run.summary["state"] >= 1
        assert np.all(run.arrays["final"] >= -1e-12)


def test_structures_meet_the_same_draws_and_the_same_grid():
    problem = rate_problem("matrix quadratic")
    x0 = np.zeros(problem.shape)
    structures = [Scalar(problem.shape), Diagonal(problem.shape)]
    both = run_structures(problem, x0, structures, 5, seeds=2)
    alone = run_structures(problem, x0, structures[1:], 5, seeds=2)[0]
    np.testing.assert_array_equal(both[1].last, alone.last)
    for run in both:
        unit = float(run.structure.norm(x0 - problem.solution))
        np.testing.assert_allclose(run.rates, unit * 10.0 ** (np.array(EXPONENTS) / 2))
        assert run.last.shape == (1, len(EXPONENTS), 2) and run.final().shape == (2,)
    with pytest.raises(ValueError, match="pass `scales`"):
        run_structures(choice_without_solution(), np.zeros(2), [Scalar((2,))], 3)


def choice_without_solution():
    """Classes that are apart: the loss has no minimiser."""
    from problems.smooth import from_arrays

    return from_arrays(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1, -1]), "logistic")


@pytest.mark.parametrize("kind", [Scalar, Diagonal, LeftKronecker, Full])
def test_the_ball_holds_the_solution_with_room(kind):
    solution = np.random.default_rng(0).standard_normal((3, 4))
    K = kind((3, 4))
    domain = own_ball(K, solution)
    inside, gap = domain.on((3, 4)).project(
        1.1 * solution[None], K.metric(K.identity(solution[None])), start=solution[None]
    )
    np.testing.assert_allclose(inside[0], 1.1 * solution, atol=1e-9)
    assert not np.allclose(
        domain.on((3, 4)).project(1.3 * solution[None], K.metric(K.identity(solution[None])), start=solution[None])[0],
        1.3 * solution,
    )


def test_the_interval_holds_the_mean_of_its_samples_and_of_coins():
    coins = (np.random.default_rng(1).random(400) < 0.1).astype(float)
    low, high = interval(coins, 0.0, 1.0)
    assert low < 0.1 < high and low < coins.mean() < high and high - low < 0.15


def test_circulant_is_among_the_candidates_of_a_vector():
    assert any(isinstance(K, Circulant) for K in choice_structures((12,)))


@pytest.mark.parametrize("name", SUITE)
def test_the_figure_draws_every_run(stored, name):
    import matplotlib.pyplot as plt

    with house_style():
        fig = plt.figure()
        table = load_figures()[name](stored(name), fig)
        fig.canvas.draw()
        plt.close(fig)
    assert len(table) > 0
