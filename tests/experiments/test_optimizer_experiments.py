"""The experiments on optimizers store what they claim, on small sizes, and their figures draw it."""

import numpy as np
import pytest
import torch

from experiments.results import Results
from experiments.store import Store
from experiments.suite import agd_switch, agd_toys, root_streams
from experiments.suite._natural import natural_layers, seen
from experiments.suite._tasks import TASKS, characters, digits_cnn, digits_mlp
from experiments.suite._training import METHODS, History, best_step_size, loss_of, train
from experiments.suite.fngd_sharing import FNGDSharing, Notebook
from experiments.suite.optimizer_seconds import OptimizerSeconds
from experiments.suite.optimizer_training import COMPARED, OptimizerTraining
from optimizers import FNGD
from optimizers.reference.fngd import push_through
from paper_figures.base import load_figures
from paper_figures.style import house_style

SUITE = {
    experiment.id: experiment
    for experiment in (
        agd_toys.AGDToys(), agd_switch.AGDSwitch(), FNGDSharing(), root_streams.RootStreams(), OptimizerTraining(),
        OptimizerSeconds(),
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Every run of an experiment at the ci scale, computed once."""
    made = {}

    def of(*names) -> Results:
        for name in set(names) - set(made):
            store = Store(tmp_path_factory.mktemp(name) / "results")
            specs = SUITE[name].runs("ci")
            for spec in specs:
                store.save(spec, SUITE[name].execute(spec), {})
            made[name] = tuple(store.load(spec.key) for spec in specs)
        return Results(tuple(run for name in names for run in made[name]))

    return of


# ---- tasks and training


def test_the_parts_of_the_data_are_apart_and_all_of_it():
    task = digits_mlp()
    parts = [part[0].flatten(1).numpy() for part in (task.learn, task.choose, task.report)]
    assert [len(part) for part in parts] == [1077, 360, 360]
    rows = {tuple(row) for row in np.concatenate(parts)}
    assert len(rows) == 1797  # the digits have no two equal pictures
    seen_ids = torch.cat([ids for _, _, ids in task.batches(0, 0)])
    assert len(set(seen_ids.tolist())) == task.steps * task.batch == len(seen_ids)
    assert not torch.equal(seen_ids, torch.cat([ids for _, _, ids in task.batches(0, 1)]))


def test_a_decoder_does_not_see_what_comes_later():
    task = characters("the quick brown fox jumps over the lazy dog. " * 400, context=8, size=100)
    model, x = task.model(0), task.learn[0][:2].clone()
    before = model(x).detach()
    x[:, 5] = (x[:, 5] + 1) % int(task.learn[0].max())
    after = model(x).detach()
    torch.testing.assert_close(after[:, :5], before[:, :5])
    assert not torch.allclose(after[:, 5:], before[:, 5:])


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_run_bitwise_and_another_one_another(method):
    task = digits_mlp()
    first, again, other = (train(task, method, 1e-3, seed, 1) for seed in (0, 0, 1))
    assert len(first.losses) == task.steps
    assert first.losses == again.losses
    assert first.losses != other.losses


def test_a_run_that_diverges_ends_and_scores_infinity():
    history = train(digits_mlp(), "SGD", 1e6, 0, 2)
    assert history.diverged
    assert history.score == np.inf
    assert len(history.losses) < 32


def test_checks_are_evenly_spaced_and_change_nothing():
    task = digits_mlp()
    once, often = (train(task, "AdamW", 1e-3, 0, 2, checks=checks) for checks in (1, 4))
    assert once.steps == [16, 32]
    assert often.steps == [4, 8, 12, 16, 20, 24, 28, 32]
    assert once.losses == often.losses
    assert once.held_out == often.held_out[3::4]
    assert 0.0 < often.seconds[0] < often.seconds[-1]


def test_the_step_size_with_the_lowest_score_is_chosen():
    def run(lr):
        return History(held_out=[(np.log10(lr) + 2.0) ** 2], diverged=lr > 0.5)

    lr, scores = best_step_size(run, (1e-3, 1e-2, 1e-1, 1.0))
    assert lr == 1e-2
    assert scores[-1] == np.inf


def test_every_task_trains_with_adamw():
    for name, make in TASKS.items():
        history = train(make(), "AdamW", 3e-3, 0, 2)
        assert np.mean(history.losses[-5:]) < 0.9 * np.mean(history.losses[:5]), name


# ---- AGD


def test_the_minimisers_of_the_toys_are_theirs():
    for function, target, starts in agd_toys.FUNCTIONS.values():
        x = torch.tensor(target, dtype=torch.float64, requires_grad=True)
        value = function(x[0], x[1])
        value.backward()
        assert float(value.detach()) == 0.0
        assert float(x.grad.abs().max()) == 0.0
        assert all(function(*start) > 0.0 for start in starts)


def test_a_trajectory_is_that_of_its_optimizer_alone(stored):
    run = stored("agd_toys").one(function="Rosenbrock", method="Adam")
    x = torch.tensor([-2.0, 2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=run.summary["lr"][0])
    for expected in run.arrays["path"][0, :50]:
        np.testing.assert_allclose(x.detach().numpy(), expected, rtol=1e-12)
        optimizer.zero_grad()
        agd_toys.rosenbrock(x[0], x[1]).backward()
        optimizer.step()


def test_arrivals_are_within_the_target_and_not_before(stored):
    for run in stored("agd_toys"):
        for path, steps in zip(run.arrays["path"], run.summary["steps"], strict=True):
            apart = np.linalg.norm(path - run.arrays["target"], axis=1)
            if steps >= 0:
                assert apart[steps] < agd_toys.NEAR <= apart[:steps].min(initial=np.inf)
            else:
                assert apart.min() >= agd_toys.NEAR


def test_more_coordinates_are_in_sgd_mode_for_a_larger_delta(stored):
    shares = [run.arrays["share"].mean() for run in stored("agd_switch")]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < shares[-1] <= 1.0


# ---- FNGD


@pytest.mark.parametrize("make", [digits_mlp, digits_cnn, characters], ids=["MLP", "CNN", "decoder"])
def test_the_natural_direction_seen_from_outside_is_that_of_the_optimizer_and_of_the_inverse(make):
    task = make()
    x, y, _ = next(iter(task.batches(0, 0)))
    model, x, y = task.model(0).double(), x[:12], y[:12]
    x = x.double() if x.is_floating_point() else x
    layers = seen(model, x, y)
    optimizer = FNGD(model, damping=0.1)
    loss_of(model, x, y).backward()
    for layer, module in zip(layers, natural_layers(model), strict=True):
        weight, bias = layer.direction(layer.weights(0.1))
        torch.testing.assert_close(module.weight.grad, weight.reshape(module.weight.shape))
        torch.testing.assert_close(module.bias.grad, bias)
        a = np.concatenate([layer.a.numpy(), np.ones((*layer.a.shape[:2], 1))], 2)
        U = np.swapaxes(layer.g.numpy(), 1, 2) @ a  # (n, outputs, inputs and bias): every sample's gradient
        expected = push_through(U.reshape(len(U), -1).T, 0.1).reshape(len(bias), -1)
        np.testing.assert_allclose(weight.numpy(), expected[:, :-1], rtol=1e-9, atol=1e-14)
    assert len(optimizer.param_groups) == 1  # it has to live as long as its hooks are wanted


def test_the_ratio_of_positions_is_one_for_exchangeable_weights_and_not_for_others():
    rng = np.random.default_rng(0)
    notebook = Notebook(steps=4, damping=1.0, samples=64)
    notebook.cosines = [[[0.0, 0.0]]]
    common = np.cumsum(rng.standard_normal(400))  # what all samples of a batch share says nothing about positions
    notebook.weights = [c + rng.standard_normal((1, 64)) for c in common]
    # A sum of 63 squares over its mean: within 1 ± 5 sqrt(2/63) but once in a million.
    assert abs(notebook.findings()["position_ratio"][0] - 1.0) < 5.0 * (2.0 / 63.0) ** 0.5
    slope = np.linspace(-1.0, 1.0, 64)
    notebook.weights = [w + slope for w in notebook.weights]
    assert notebook.findings()["position_ratio"][0] > 20.0


def test_positions_carry_nothing_on_the_digits(stored):
    ratio = stored("fngd_sharing").one(share="fresh").arrays["position_ratio"]
    assert np.all(np.abs(ratio - 1.0) < 5.0 * (2.0 / 63.0) ** 0.5)


# ---- roots


def test_gaussian_streams_have_the_covariance_that_they_announce():
    steps = list(root_streams.gaussian(400, 100.0, turning=False, seeds=1))
    total, root = sum(G[0].astype(np.float64) @ G[0].T for G, _ in steps) / 400, steps[0][1]
    power = np.linalg.matrix_power(root[0], 2)
    # 400·32 samples of 32 numbers: the whitened covariance is within 3 sqrt(32 / 12800) of I.
    assert np.linalg.norm(power @ total @ power - np.eye(32), 2) < 3.0 * (32.0 / 12_800.0) ** 0.5
    roots = [root for _, root in root_streams.gaussian(3, 100.0, turning=True, seeds=1)]
    assert np.linalg.norm(roots[2] - roots[1]) > 1e-3
    np.testing.assert_allclose(np.linalg.eigvalsh(roots[2]), np.linalg.eigvalsh(roots[0]), rtol=1e-9)


def test_the_sandwich_keeps_the_direction_where_jorge_loses_it(stored):
    runs = stored("root_streams")
    for stream in root_streams.SYNTHETIC:
        for rule in ("sandwich", "sandwich, ridge"):
            assert runs.one(stream=stream, condition=1e3, rule=rule).summary["least_cosine_late"] > 0.99
    assert runs.one(stream="turning axes", condition=1e5, rule="Jorge").summary["median_cosine_late"] < 0.95
    assert runs.one(stream="fixed axes", condition=1e1, rule="Jorge").summary["median_cosine_late"] > 0.99
    for run in runs.where(rule="eigh"):
        assert run.summary["median_cosine_late"] > 0.99


# ---- training, and the pictures


def test_every_method_is_tuned_on_the_same_grid_and_learns(stored):
    runs = stored("optimizer_training")
    assert [run.params["method"] for run in runs] == list(COMPARED)
    for run in runs:
        np.testing.assert_array_equal(run.arrays["grid"], runs[0].arrays["grid"])
        assert run.summary["lr"] == run.arrays["grid"][np.argmin(run.arrays["scores"])]
        assert run.arrays["loss"].shape == (2, 32)
        assert np.median(run.arrays["loss"][:, -5:]) < np.median(run.arrays["loss"][:, :5])
    numbers = {run.params["method"]: run.summary["state_numbers"] / run.summary["parameters"] for run in runs}
    assert numbers["SGD"] == pytest.approx(1.0)
    assert numbers["AGD"] == pytest.approx(2.0)


def test_a_factor_for_every_axis_is_compared_where_there_are_tensors():
    runs = OptimizerTraining().runs("laptop")
    tasks = {run.params["task"] for run in runs if run.params["method"] == "Shampoo, each axis"}
    assert tasks == {"digits CNN"}
    assert {run.params["task"] for run in runs} > tasks


def test_seconds_of_all_methods_are_paired_with_adamw(stored):
    (run,) = stored("optimizer_seconds")
    assert set(run.summary["seconds"]) == set(COMPARED)
    for middle, low, high in run.summary["ratio"].values():
        assert 0.0 < low <= middle <= high


@pytest.mark.parametrize("name", ["agd_switch", "agd_toys", "fngd_sharing", "optimizer_training", "root_streams"])
def test_the_figures_draw_and_give_their_numbers(stored, name):
    from matplotlib.figure import Figure

    spec = load_figures()[name]
    with house_style():
        fig = Figure(figsize=spec.size)
        table = spec(stored(*spec.needs), fig)
        assert len(table) > 0
        assert fig.axes
        assert spec.full_caption(stored(*spec.needs), "ci")
