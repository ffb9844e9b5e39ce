"""Torch optimizers in the games of the theorems: who stays below the bound, and where the cyclic game is lost."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.optimize import brentq

from experiments.results import Results
from experiments.store import Store
from experiments.suite.optimizer_regret import METHODS, SHAPES, OptimizerRegret, game, grid
from optimizers import AGD
from optimizers.learner import TorchLearner
from paper_figures.base import load_figures
from paper_figures.style import house_style
from problems.domains import Box
from regret import play


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    experiment, store = OptimizerRegret(), Store(tmp_path_factory.mktemp("games") / "results")
    specs = experiment.runs("ci")
    for spec in specs:
        store.save(spec, experiment.execute(spec), {})
    return Results(tuple(store.load(spec.key) for spec in specs))


def test_on_the_cyclic_game_a_short_memory_exceeds_the_bound_and_a_second_moment_that_never_falls_does_not(stored):
    for run in stored.where(game="cyclic"):
        ratio = run.arrays["regret"][-1, 0] / run.arrays["bound"][-1, 0]
        assert (ratio > 0.7) == (run.params["method"] in ("Adam, fast", "AGD, fast")), run.params["method"]


def test_the_bound_of_one_parameter_is_the_closed_form(stored):
    for run in stored.where(game="cyclic"):
        t = run.arrays["horizons"]
        squares = np.cumsum(np.where(np.arange(t[-1]) % 3 == 0, 9.0, 1.0))[t - 1]
        np.testing.assert_allclose(
            run.arrays["bound"][:, 0], np.sqrt(2.0) * 2.0 * np.sqrt(squares), rtol=1e-12
        )  # a sum


def test_every_game_has_every_method_that_fits_and_the_best_rate_is_the_one_with_the_least_regret(stored):
    for name, shape in SHAPES.items():
        methods = {run.params["method"] for run in stored.where(game=name)}
        assert methods == set(METHODS) - (set() if len(shape) == 2 else {"OneSidedShampoo", "Muon"})
    for run in stored:
        assert run.summary["lr"] == run.arrays["rates"][run.arrays["final"].argmin()]
        assert np.median(run.arrays["regret"][-1]) == pytest.approx(run.arrays["final"].min())
        assert np.all(np.diff(run.arrays["bound"], axis=0) >= -1e-12)


def test_the_figure_draws_every_run(stored):
    spec = load_figures()["optimizer_regret"]
    with house_style():
        fig = Figure(figsize=spec.size)
        table = spec(stored, fig)
    assert len(table) == sum(len(run.arrays["horizons"]) for run in stored)


def drift(beta: float, squares: tuple[float, float, float], C: float) -> float:
    """Δ(β) of docs/proofs/agd.md."""
    a = np.array(squares)
    v = (1 - beta) * (a + beta * np.roll(a, 1) + beta**2 * np.roll(a, 2)) / (1 - beta**3)
    return float(-np.array([C, -1.0, -1.0]) @ v**-0.5)


SQUARES = {
    torch.optim.Adam: lambda C: (C**2, 1.0, 1.0),
    AGD: lambda C: ((C + 1) ** 2, (C + 1) ** 2, 0.0),
}


@pytest.mark.parametrize(
    ("optimizer", "C", "threshold"),
    [(torch.optim.Adam, 3, 0.472), (AGD, 3, 0.202), (torch.optim.Adam, 2.5, 0.629), (AGD, 2.5, 0.331),
     (torch.optim.Adam, 4, 0.317), (AGD, 4, 0.099), (torch.optim.Adam, 10, 0.098), (AGD, 10, 0.012)],
)  # fmt: skip
def test_the_printed_thresholds_are_the_zeros_of_the_drift(optimizer, C, threshold):
    zero = brentq(drift, 1e-6, 0.99, args=(SQUARES[optimizer](C), C))
    assert zero == pytest.approx(threshold, abs=5e-4)


@pytest.mark.parametrize(
    ("optimizer", "beta2", "lost"),
    [(torch.optim.Adam, 0.35, True), (torch.optim.Adam, 0.6, False), (AGD, 0.1, True), (AGD, 0.35, False)],
)
def test_the_sign_of_the_drift_decides_where_the_iterate_goes_for_every_learning_rate(optimizer, beta2, lost):
    assert (drift(beta2, SQUARES[optimizer](3.0), 3.0) > 0) == lost
    options = {"betas": (0.0, beta2)} | ({"clip": None, "delta": 1e-8} if optimizer is AGD else {})
    rates = tuple(grid(3)[1:])  # smaller ones take longer to arrive, larger ones to come to rest
    learner = TorchLearner((1,), optimizer, rates, options, Box(1.0), "inverse_sqrt")
    trace = play(learner, game("cyclic", 600), 600, x0=np.zeros((2, 1)), progress=False)
    tail = trace.regret[-1] - trace.regret[299]  # of 100 cycles, each of which costs 2 at the wrong end
    assert np.all(tail > 200.0) if lost else np.all(tail < 100.0)


def test_a_short_memory_does_no_better_than_standing_still_at_any_rate_of_the_grid(stored):
    """At 0 the regret is T/3; the methods that the game does not mislead beat it."""
    for run in stored.where(game="cyclic"):
        lost = run.params["method"] in ("Adam, fast", "AGD, fast")
        assert bool(run.arrays["final"].min() >= run.params["horizon"] / 3.0) == lost, run.params["method"]
