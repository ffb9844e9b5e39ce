"""The games on data are what they claim: own balls are balls of the norm, reshaping changes nothing, excess is excess."""

import numpy as np
import pytest

import theory
from experiments.plan import specs
from experiments.suite._data_games import DATASETS, Reshaped, own_ball, reference, stream, structures_for
from experiments.suite.regret_vs_bound import RegretVsBound
from problems.domains import Box, L2Ball
from regret import AdaptiveRegularization, play
from structures import Layerwise, RowScalar, Scalar
from structures.arrays import tolerance
from theory.finding import FAILING

RADIUS = 1.7
BALLS = [
    pytest.param(structure, id=f"{dataset}-{name}")
    for dataset in DATASETS
    for name, structure in structures_for(dataset).items()
    if own_ball(structure, 1.0) is not None
]


def support_over_dual_norm(domain, structure):
    """sup over the domain of <g, x>, divided by RADIUS times the dual norm of g: one for the ball of the norm."""
    G = np.random.default_rng(5).standard_normal((6, *structure.shape)) ** 3
    return domain.on(structure.shape).support(G) / (RADIUS * structure.dual_norm(G))


@pytest.mark.parametrize("structure", BALLS)
def test_the_support_function_of_the_own_ball_is_the_dual_norm(structure):
    ratio = support_over_dual_norm(own_ball(structure, RADIUS), structure)
    # A dual norm is a trace of square roots, which turn the rounding of small eigenvalues into its square root.
    allowed = tolerance(ratio, structure.dim) ** 0.5
    assert np.max(np.abs(ratio - 1)) <= allowed
    assert own_ball(structure, RADIUS).on(structure.shape).radius(structure) == pytest.approx(RADIUS, rel=1e-12)


def test_another_ball_of_the_same_radius_is_told_apart():
    structure = Scalar((7,))
    assert np.max(np.abs(support_over_dual_norm(Box(RADIUS), structure) - 1)) > 0.1
    assert np.max(np.abs(support_over_dual_norm(L2Ball(RADIUS), structure) - 1)) > 0.1  # the multiplicity is missing


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_reference_point_lies_on_the_boundary_of_every_own_ball(dataset):
    point = reference(dataset)
    assert np.linalg.norm(point) == pytest.approx(DATASETS[dataset][1], rel=1e-9)
    for structure in structures_for(dataset).values():
        x = point.reshape(structure.shape)
        ball = own_ball(structure, float(structure.norm(x)))
        if ball is not None:
            ball = ball.on(structure.shape)
            assert ball.infeasibility(x) <= tolerance(x, structure.dim) * np.linalg.norm(x)
            assert ball.infeasibility(1.01 * x) > 1e-4 * np.linalg.norm(x)


def test_a_reshaped_game_is_the_same_game():
    domain = L2Ball(5.0)
    plain = AdaptiveRegularization(RowScalar((10, 64)), lr=0.4, eps=1e-6, domain=domain)
    flat = AdaptiveRegularization(Layerwise([(64,)] * 10), lr=0.4, eps=1e-6, domain=domain)
    direct = play(plain, stream("digits"), 6, batch=2, seed=3, loss_grid=[6], progress=False)
    reshaped = play(flat, Reshaped(stream("digits"), (640,)), 6, batch=2, seed=3, progress=False)
    other = play(flat, Reshaped(stream("digits"), (640,)), 6, batch=2, seed=4, progress=False)
    np.testing.assert_allclose(reshaped.losses, direct.losses, rtol=tolerance(direct.losses, 640))
    assert not np.allclose(other.losses, direct.losses)


def test_a_game_is_not_reshaped_to_another_number_of_parameters():
    with pytest.raises(ValueError, match=r"shape \(10, 64\).*\(641,\)|\(10, 64\)"):
        Reshaped(stream("digits"), (641,)).start(1, 0, np.zeros((1, 641)))


@pytest.mark.parametrize("scale", ["ci", "laptop", "paper"])
def test_every_structure_is_planned_once_on_each_of_its_domains(scale):
    planned = specs(RegretVsBound(), scale)
    assert len(planned) == len(RegretVsBound().runs(scale))
    for dataset in DATASETS:
        names = {run.params["structure"] for run in planned if run.params["dataset"] == dataset}
        assert names == set(structures_for(dataset))


@pytest.mark.parametrize(
    ("dataset", "structure", "domain"),
    [
        ("digits", "RightKronecker", "own"),
        ("digits", "Full", "common"),
        ("digits", "ModeK", "common"),
        ("breast_cancer", "DirectSum", "own"),
    ],
)
def test_a_run_stores_regret_below_its_bound_at_every_horizon_and_seed(dataset, structure, domain):
    experiment = RegretVsBound()
    spec = experiment.spec(dataset=dataset, structure=structure, domain=domain, horizon=8, seeds=2, seed=0)
    result = experiment.execute(spec)
    assert all(array.shape == (8, 2) for array in result.arrays.values())
    assert np.all(result.arrays["regret"] < result.arrays["bound"])
    assert [verdict["theorem"] for verdict in result.verdicts] == ["structured-regret-norm", "structured-regret"]
    assert not {verdict["kind"] for verdict in result.verdicts} & FAILING
    assert result.summary["own_ball"] == (domain == "own" or structure == "Full")


def test_excess_is_the_loss_above_that_of_the_reference_point_on_the_same_samples():
    experiment = RegretVsBound()
    spec = experiment.spec(dataset="breast_cancer", structure="Scalar", domain="common", horizon=5, seeds=2, seed=1)
    excess = experiment.execute(spec).arrays["excess"]
    learner = AdaptiveRegularization(Scalar((31,)), lr=1e-12, eps=1.0, domain=L2Ball(9.0))
    game, point = Reshaped(stream("breast_cancer"), (31,)), reference("breast_cancer")
    still = play(learner, game, 5, batch=2, seed=1, x0=point, progress=False)
    at_zero = np.log(2.0) - still.losses[0]  # the run starts at 0, where every logistic loss is log 2
    np.testing.assert_allclose(excess[0], at_zero, rtol=1e-9)


def test_the_theorem_is_refused_on_a_structure_that_is_none_of_the_theory():
    class Doubled(Scalar):
        well_structured = False

        def factor(self, c):  # P_H off by a factor of two: not the root of the projection
            return super().factor(4.0 * c)

    learner = AdaptiveRegularization(Doubled((31,)), lr=0.5, eps=1e-6, domain=L2Ball(2.0))
    trace = play(learner, Reshaped(stream("breast_cancer"), (31,)), 20, batch=1, seed=0, progress=False)
    assert theory.verify(theory.get("structured-regret"), trace).kind in FAILING
