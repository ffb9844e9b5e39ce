"""What FNGD shares between steps: weights by sample id, one weight per layer, and when they are computed again."""

import math

import numpy as np
import pytest
import torch
from fngd_models import cross_entropy, gradients_of, layer_columns, plain_gradients, problem

from optimizers import FNGD
from optimizers.fngd import sharing, table
from optimizers.fngd.drift import measure
from optimizers.reference import fngd as literal

EXACT = 1e-11


def train_step(optimizer: FNGD, model, X, y, ids=None) -> dict[str, np.ndarray]:
    """One step; the gradients that were used."""
    optimizer.zero_grad()
    with optimizer.samples(ids):
        cross_entropy(model(X), y).backward()
    found = gradients_of(model)
    optimizer.step()
    return found


def scalar_options(**more) -> dict:
    return {"share": "scalar", "window": None, "refresh": None, "drift": None, "probe": 10, "measure": "change", **more}


def flat(found: dict[str, np.ndarray], names: list[str]) -> np.ndarray:
    return np.concatenate([found[k].reshape(-1) for k in names])


# ---- the table


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [6, 2, 0, 5, 1, 4, 3]])
def test_weights_go_with_the_sample_wherever_it_is_in_the_batch(order):
    model, X, y = problem("convolutions")
    optimizer = FNGD(model, lr=0.0, damping=0.05, share="table")
    ids = torch.tensor([40, 3, 17, 8, 25, 0, 11])
    w = {name: 7 * literal.weights(U, 0.05) for name, (_, U) in layer_columns(model, X, y).items()}
    fresh = train_step(optimizer, model, X, y, ids)
    with torch.no_grad():  # other gradients, so that fresh coefficients would be others
        for p in model.parameters():
            p.mul_(1.5)
    shared = train_step(optimizer, model, X[order], y[order], ids[order])
    for name, (names, U) in layer_columns(model, X, y).items():
        expected = U @ w[name] / 7
        assert np.allclose(
            flat(shared, names), expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max()
        )  # float32 table
        assert not np.allclose(flat(shared, names), U @ literal.weights(U, 0.05), rtol=1e-2)
        assert not np.allclose(flat(fresh, names), flat(shared, names), rtol=1e-2)


def test_batches_of_another_size_and_mixture_are_the_literal_table():
    """Fresh for two batches, then shared: a step with samples of both, in a batch of its own size."""
    model, X, y = problem("mlp")
    optimizer, twin = FNGD(model, lr=0.0, damping=0.05, share="table", window=2), literal.Table()
    columns = {name: found for name, found in layer_columns(model, X, y).items() if name == "4"}
    names, U = columns["4"]
    for part in ([0, 1, 2], [3, 4]):
        train_step(optimizer, model, X[part], y[part], part)
        twin.write(part, len(part) * literal.weights(U[:, part], 0.05))
    mixed = [4, 6, 0, 2]  # 6 was never seen
    found = train_step(optimizer, model, X[mixed], y[mixed], mixed)
    expected = U[:, mixed] @ twin.read(mixed) / len(mixed)
    assert np.allclose(flat(found, names), expected, rtol=1e-5, atol=1e-7)


def test_without_a_window_a_batch_with_an_unknown_sample_is_fresh():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.0, damping=0.05, share="table")
    train_step(optimizer, model, X[:4], y[:4], [0, 1, 2, 3])
    found = train_step(optimizer, model, X[2:], y[2:], [2, 3, 4, 5, 6])
    for names, U in layer_columns(model, X[2:], y[2:]).values():
        assert np.allclose(flat(found, names), literal.direct_inverse(U, 0.05), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        (None, ValueError, "none were"),
        ([1, 2], ValueError, "ids of the 7 samples"),
        ([0.5] * 7, TypeError, "integers"),
        ([-1, 0, 1, 2, 3, 4, 5], ValueError, "from 0 to"),
        ([10**20] * 7, ValueError, "from 0 to"),
        (np.full(7, 2**64 - 1, dtype=np.uint64), ValueError, "from 0 to"),
        ([[0, 1, 2, 3, 4, 5, 6]], ValueError, "vector"),
    ],
)
def test_a_table_says_what_is_wrong_with_the_ids(ids, error, words):
    model, X, y = problem("mlp")
    optimizer = FNGD(model, share="table")
    with pytest.raises(error, match=words):
        train_step(optimizer, model, X, y, ids)


def test_the_table_grows_and_forgets_nothing():
    found = table.empty()
    for ids, w in (([5], [1.0]), ([2, 900], [2.0, 3.0]), ([5], [4.0])):
        found = table.store(found, table.as_ids(ids), torch.tensor(w))
    ids = table.as_ids([5, 2, 900, 7, 10_000])
    entries = table.lookup(found, ids)
    assert entries[:3].tolist() == [4.0, 2.0, 3.0] and bool(torch.isnan(entries[3:]).all())
    assert table.filled(found, entries, -1.0)[3:].tolist() == [3.0, 3.0]
    assert math.isnan(table.mean(table.empty())) and table.filled(table.empty(), entries, -1.0)[4] == -1.0


# ---- one weight per layer


def test_a_scalar_of_a_summed_loss_is_refused():
    """Its plain gradient grows with a batch whose size nobody looks at between windows: steps were off by that factor."""
    model, *_ = problem("mlp")
    with pytest.raises(ValueError, match='needs a loss with reduction="mean"'):
        FNGD(model, share="scalar", reduction="sum")


def test_a_scalar_is_sgd_with_the_mean_weight_of_the_window():
    model, X, y = problem("convolutions")
    optimizer = FNGD(model, lr=0.0, momentum=0.0, damping=0.05, share="scalar", window=2)
    loss = torch.nn.CrossEntropyLoss()
    seen = {}
    for part in (slice(0, 7), slice(1, 6)):
        for name, (_, U) in layer_columns(model, X[part], y[part]).items():
            seen.setdefault(name, []).extend(U.shape[1] * literal.weights(U, 0.05))
        optimizer.zero_grad()
        loss(model(X[part]), y[part]).backward()
        optimizer.step()
    assert not any(layer.hooked for layer in optimizer.layers)
    plain = {k: g.numpy() for k, g in plain_gradients(model, X[:5], y[:5]).items()}  # of the mean loss
    before = {k: p.detach().clone() for k, p in model.named_parameters()}
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.zero_grad()
    loss(model(X[:5]), y[:5]).backward()
    optimizer.step()
    for layer in optimizer.layers:
        for name in (f"{layer.name}.weight", f"{layer.name}.bias"):
            if name in plain:
                moved = (before[name] - dict(model.named_parameters())[name].detach()).numpy()
                expected = np.mean(seen[layer.name]) * plain[name]
                assert np.allclose(moved, expected, rtol=1e-9, atol=1e-12)


def test_a_scalar_leaves_the_model_bare_between_windows():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, share="scalar", window=2, refresh=5)
    hooked = []
    for _ in range(12):
        hooked.append(optimizer.layers[0].hooked)
        train_step(optimizer, model, X, y)
    assert hooked == [True, True, False, False, False] * 2 + [True, True]


def test_a_position_in_the_batch_says_nothing_after_reshuffling():
    """Averages of c by position over many shuffled batches agree with one another, and so with the scalar."""
    model, X, y = problem("mlp")
    (_, U) = layer_columns(model, X, y)["0"]
    rng = np.random.default_rng(0)
    by_position = []
    for _ in range(4000):
        order = rng.permutation(7)[:4]
        by_position.append(literal.weights(U[:, order], 0.05))
    means, spread = np.mean(by_position, axis=0), np.std(by_position, axis=0) / math.sqrt(4000)
    assert np.all(np.abs(means - means.mean()) < 5 * spread)
    assert np.std(by_position) > 10 * spread.max()  # samples do differ


# ---- rules


def test_a_drift_beyond_the_threshold_opens_a_window():
    options = scalar_options(window=3, drift=0.5, probe=4)
    weight = torch.zeros(2)
    state = sharing.initial(options, weight)
    opened = []
    for step in range(12):
        fresh = sharing.fresh_ahead(options, state)
        if fresh:
            sharing.learn(options, state, None, torch.ones(5))
        drifted = {"change": 0.9 if step >= 8 else 0.1} if state["probe"] else None
        sharing.advance(options, state, drifted)
        opened.append(fresh)
    # a window of three, a probe after step 4, one after step 8 that finds drift, and a window of three
    assert opened == [True] * 3 + [False, True, False, False, False, True, True, True, True]


@pytest.mark.parametrize("share", ["scalar", "table"])
def test_a_probe_measures_and_the_step_is_fresh(share):
    model, X, y = problem("mlp")
    window = 1 if share == "scalar" else None
    optimizer = FNGD(model, lr=0.0, damping=0.05, share=share, window=window, drift=1e9, probe=2)
    ids = list(range(7))
    train_step(optimizer, model, X, y, ids)
    assert optimizer.drift() == {}
    with torch.no_grad():
        model[4].weight.mul_(3.0)
    train_step(optimizer, model, X, y, ids)
    found = train_step(optimizer, model, X, y, ids)
    drift = optimizer.drift()
    assert set(drift) == {"0", "2", "4"} and drift["0"]["change"] > 0.05
    for names, U in layer_columns(model, X, y).values():
        assert np.allclose(flat(found, names), literal.direct_inverse(U, 0.05), rtol=1e-9, atol=1e-12)


def test_the_measures_of_drift_are_what_they_say():
    rng = np.random.default_rng(2)
    U, damping = rng.normal(size=(20, 6)), 0.3
    fresh, shared = literal.weights(U, damping), rng.uniform(0.01, 0.1, size=6)
    x, x_s, mean = U @ fresh, U @ shared, U.mean(axis=1)
    found = measure(
        *(torch.from_numpy(v) if not np.isscalar(v) else v for v in (U.T @ U, damping, fresh, shared)), False
    )

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert np.isclose(found["cosine"], 1 - cosine(x_s, x), rtol=EXACT)
    assert np.isclose(found["uniform"], 1 - cosine(mean, x), rtol=EXACT)
    assert np.isclose(found["change"], np.linalg.norm(shared - fresh) / np.linalg.norm(fresh), rtol=EXACT)
    assert found["residual"] >= np.linalg.norm(x_s - x) / np.linalg.norm(x)
    scalar = measure(torch.from_numpy(U.T @ U), damping, torch.from_numpy(fresh), torch.full((6,), 0.01).double(), True)
    assert np.isclose(scalar["change"], abs(0.01 - fresh.mean()) / fresh.mean(), rtol=1e-6)


def test_a_table_that_is_refreshed_learns_the_epoch_anew():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.0, damping=0.05, share="table", refresh=3)
    ids = list(range(7))
    for step in range(6):
        with torch.no_grad():
            model[4].weight.mul_(1.3)
        found = train_step(optimizer, model, X, y, ids)
        (names, U) = layer_columns(model, X, y)["0"]
        fresh = np.allclose(flat(found, names), literal.direct_inverse(U, 0.05), rtol=1e-6, atol=1e-9)
        assert fresh == (step in (0, 3))


def test_a_step_that_is_refused_teaches_nothing():
    model, X, y = problem("mlp")
    optimizer = FNGD(model, share="scalar", window=5)
    train_step(optimizer, model, X, y)
    before = {**optimizer.state[model[0].weight]["coefficients"]}
    optimizer.zero_grad()
    cross_entropy(model(X * math.nan), y).backward()
    with pytest.raises(ValueError, match="NaN or infinite"):
        optimizer.step()
    assert optimizer.state[model[0].weight]["coefficients"] == before or math.isnan(before["scale"])
    assert optimizer.state[model[0].weight]["coefficients"]["sum"] == before["sum"]
