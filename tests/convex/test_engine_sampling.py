"""How rows are drawn: every way is unbiased, keeps the data where they must stay, and is chosen where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import data, optimum

from convex.engine import Options, minimise
from convex.engine import rows as rows_module
from convex.engine.minimise import make_task
from convex.engine.rows import Rows, mapped
from convex.engine.sampling import arranged, automatic_batch, contraction, gamma_star, step_size
from convex.engine.spectrum import longest_direction

N = 203  # no multiple of a chunk, a batch or a range


def task_of(spread: float, d: int = 6, weights: np.ndarray | None = None, stays: bool = False):
    """Rows whose lengths spread; of one length for a negative spread."""
    rng = np.random.default_rng(0)
    X = np.sign(rng.standard_normal((N, d))) if spread < 0 else rng.standard_normal((N, d))
    X = X * np.exp(max(spread, 0.0) * rng.standard_normal((N, 1)))
    y = np.sign(rng.standard_normal(N))
    task = make_task(X, y, "log_loss", 0.0, 0.1, weights, False, 1.0)
    return replace(task, rows=replace(task.rows, stays=stays))


CASES = {
    "contiguous": (-1.0, Options(), False, "contiguous"),
    "chunks": (1.0, Options(), False, "drawn"),
    "chunks because they are asked for": (0.0, Options(contiguous=False), False, "drawn"),
    "i.i.d. importance": (1.0, Options(contiguous=False, importance="iid"), False, "drawn"),
    "i.i.d. uniform": (1.0, Options(contiguous=False, importance="uniform"), False, "drawn"),
    "contiguous uniform": (1.0, Options(importance="uniform"), False, "contiguous"),
    "ranges where the data stay": (0.0, Options(batch=64), True, "ranges"),
    "drawn ranges where the data stay": (2.0, Options(batch=16), True, "drawn"),
    "rows drawn one by one where the data stay": (1.0, Options(contiguous=False), True, "drawn"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_weights_make_every_draw_unbiased(name):
    """The expected weight of each row in a batch is 1; batches of one stage may depend on each other, stages do not."""
    spread, options, stays, kind = CASES[name]
    _, plan, order = arranged(task_of(spread, stays=stays), options, np.random.default_rng(1))
    assert plan.kind == kind
    assert (order is None) == (stays or name.startswith("i.i.d."))
    rng, stages = np.random.default_rng(2), []
    for _ in range(1500):
        starts, weights, length, wrap = plan.draw(rng)
        assert starts.dtype == np.uint64
        assert starts.shape == weights.shape == (plan.length, plan.batch // length)
        rows = (starts.astype(int).reshape(-1, 1) + np.arange(length)).ravel()
        each = np.repeat(weights.ravel(), length)
        rows, each = (rows % N, each) if wrap else (rows[rows < N], each[rows < N])
        stages.append(np.bincount(rows, each, N) / plan.length)
    mean, error = np.mean(stages, axis=0), np.std(stages, axis=0) / np.sqrt(len(stages))
    # One of 203 rows is beyond 6 standard errors by chance in 1 of 1e6 tests. A row with hardly a chance is not seen enough.
    often = np.mean(np.asarray(stages) > 0, axis=0) > 0.03
    assert often.mean() > 0.6
    assert np.all(np.abs(mean - 1)[often] <= 6 * error[often] + 1e-12)


def test_the_smoothness_of_a_plan_is_that_of_its_draws():
    weights = np.random.default_rng(3).uniform(0.5, 2.0, N)
    task = task_of(1.0, weights=weights)
    each = task.smoothness()
    assert each.sum() == pytest.approx(float(task.p @ (0.25 * task.rows.squared_norms())), rel=1e-13)
    uniform = arranged(task, Options(importance="uniform"), np.random.default_rng(0))[1]
    important = arranged(task, Options(importance="iid"), np.random.default_rng(0))[1]
    assert uniform.smoothness == pytest.approx(N * each.max(), rel=1e-13)
    assert important.smoothness == pytest.approx(each.sum(), rel=1e-13)
    assert important.weights is not None
    np.testing.assert_allclose(important.weights, each.sum() / (each * important.batch), rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_the_published_constants_are_those_of_the_reference_and_the_sharper_ones_are_better(batch):
    from convex.solvers.constants import gamma_star as reference_gamma
    from convex.solvers.constants import step_size as reference_step

    length = 200 // batch
    gamma = gamma_star(length, batch)
    assert gamma == pytest.approx(reference_gamma(length, batch), rel=1e-14)
    assert step_size(gamma, length, batch, 2.5) == pytest.approx(reference_step(gamma, length, batch, 2.5), rel=1e-14)
    assert contraction(gamma, sharp=False) == pytest.approx(1 - 1 / gamma)
    assert contraction(gamma, sharp=True) > contraction(gamma, sharp=False)


def test_batches_grow_where_vectors_are_long_and_rows_are_incoherent():
    rng = np.random.default_rng(4)
    y = np.ones(400)
    short = make_task(rng.standard_normal((400, 10)), y, "log_loss", 0.0, 0.1, None, False, 1.0)
    long = make_task(rng.standard_normal((400, 1000)), y, "log_loss", 0.0, 0.1, None, False, 1.0)
    parallel = make_task(np.ones((400, 1000)), y, "log_loss", 0.0, 0.1, None, False, 1.0)
    assert automatic_batch(short) == automatic_batch(parallel) == 10
    assert 10 < automatic_batch(long) <= 80


def test_the_longest_direction_is_the_largest_eigenvalue():
    rng = np.random.default_rng(5)
    p = rng.random(50)
    p /= p.sum()
    for X in (np.abs(rng.standard_normal((50, 8))), rng.standard_normal((50, 8)) * [5, 1, 1, 1, 1, 1, 1, 1]):
        exact = np.linalg.eigvalsh((X * p[:, None]).T @ X)[-1]
        for form in (np.asarray, sp.csr_array):
            found = longest_direction(Rows.of(form(X)), p)
            assert exact / 2 <= found <= exact * (1 + 1e-12)
    assert longest_direction(Rows.of(np.zeros((3, 2))), np.full(3, 1 / 3)) == 0.0


def test_mapped_files_are_recognised_and_never_copied(tmp_path, monkeypatch):
    X, y, weights = data("log_loss")
    path = tmp_path / "rows"
    X.astype(np.float32).tofile(path)
    on_disk = np.memmap(path, np.float32, "r", shape=X.shape)
    assert mapped(on_disk)
    assert mapped(on_disk[3:])
    assert mapped(np.asarray(on_disk))
    assert not mapped(X)
    rows = Rows.of(on_disk)
    assert rows.stays
    assert np.shares_memory(rows.arrays[0], on_disk)
    taken = []
    monkeypatch.setattr(rows_module.Rows, "take", lambda self, order: taken.append(order) or pytest.fail("a copy"))
    arguments = {"l1": 0.05, "l2": 0.1, "sample_weight": weights, "tol": 1e-9, "max_passes": 3000}
    for options in (Options(), Options(finish=False), Options(finish=False, contiguous=False)):
        solution = minimise(on_disk, y, **arguments, options=options)
        assert solution.converged
        assert solution.objective == pytest.approx(optimum("log_loss", "elastic net", True), abs=1e-6)  # float32 data
    assert not taken


def test_large_data_in_memory_stay_where_they_are(monkeypatch):
    X = np.ones((10, 3))
    assert not Rows.of(X).stays
    monkeypatch.setattr(rows_module, "LARGE", 100)
    assert Rows.of(X).stays
    assert Rows.of(sp.csr_array(X)).stays
