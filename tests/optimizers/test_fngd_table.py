"""FNGD's table by sample id takes any ids at the memory of those it has seen; siamese networks; what is loaded is looked at."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from fngd_models import apart, cross_entropy, directions, gradients_of, layer_columns, problem, same
from torch import Tensor, nn

from optimizers import FNGD
from optimizers.fngd import sharing, table
from optimizers.reference import fngd as literal

IDS = {
    "small": lambda draw, n: draw.integers(0, 300, n),
    "large": lambda draw, n: 10**12 + draw.integers(0, 300, n) ** 5,
    "up to the largest": lambda draw, n: 2**63 - 1 - draw.integers(0, 300, n),
    "sparse at first, dense later": lambda draw, n: draw.permutation(90_000)[: 100 * n],
    "small and large": lambda draw, n: np.where(draw.random(n) < 0.5, draw.integers(0, 300, n), 2**40 + np.arange(n)),
}


@pytest.mark.parametrize("name", IDS)
def test_a_table_of_any_ids_is_the_literal_one(name):
    draw, found, twin = np.random.default_rng(0), table.empty(), {}
    for _ in range(30):
        ids = np.unique(IDS[name](draw, 20))
        w = draw.random(len(ids)).astype(np.float32)
        found = table.store(found, table.as_ids(ids), torch.from_numpy(w))
        twin.update(zip(ids.tolist(), w.tolist(), strict=True))
        asked = np.concatenate([np.unique(IDS[name](draw, 20)), ids])
        expected = [twin.get(i, math.nan) for i in asked.tolist()]
        np.testing.assert_array_equal(table.lookup(found, table.as_ids(asked)).numpy(), np.float32(expected))
        assert table.mean(found) == pytest.approx(np.mean(list(twin.values())), rel=1e-5)
    assert len(found.weights) <= max(65536, 8 * len(twin)), "memory is for what was seen"
    assert (found.ids is None) == (name in ("small", "sparse at first, dense later"))


def test_an_id_twice_in_a_batch_has_one_of_its_weights():
    ids = table.as_ids([10**15, 3, 10**15])
    found = table.store(table.empty(), ids, torch.tensor([1.0, 2.0, 5.0]))
    once, three, again = table.lookup(found, ids).tolist()
    assert once == again and once in (1.0, 5.0) and three == 2.0


def trained(ids, steps=6):
    """A model after steps on the same samples with these ids, and its optimizer."""
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.05, damping=0.05, share="table")
    for t in range(steps):
        part = [(t + i) % 7 for i in range(4)]
        optimizer.zero_grad()
        with optimizer.samples([ids[i] for i in part]):
            cross_entropy(model(X[part]), y[part]).backward()
        optimizer.step()
    return model, optimizer


def test_training_does_not_depend_on_how_large_the_ids_are():
    near, far = trained(range(7)), trained([10**12 + 7919 * i**3 for i in range(7)])
    assert same(near[0].parameters(), far[0].parameters())


def test_a_table_of_large_ids_is_saved_and_loaded(tmp_path):
    ids = [10**12 + i for i in range(7)]
    model, optimizer = trained(ids)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    twin = copy.deepcopy(model)
    other = FNGD(twin, share="table")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    _, X, y = problem("mlp")
    for each, how in ((model, optimizer), (twin, other)):
        how.zero_grad()
        with how.samples(ids):
            cross_entropy(each(X), y).backward()
        how.step()
    assert same(model.parameters(), twin.parameters())


def test_negative_ids_are_refused_before_anything_is_computed():
    model, optimizer = trained(range(7))
    before = str(optimizer.state_dict())
    with pytest.raises(ValueError, match="with -3"), optimizer.samples([0, -3]):
        raise AssertionError("the block is not entered")
    assert str(optimizer.state_dict()) == before and optimizer.ids is None


# ---- siamese networks


class Siamese(nn.Module):
    """One encoder on both halves of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(3, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:  # (n, 6)
        return self.head(torch.tanh(self.encoder(x[:, :3])) - torch.tanh(self.encoder(x[:, 3:])))


def pairs():
    torch.manual_seed(4)
    return Siamese().double(), torch.randn(7, 6, dtype=torch.float64), torch.randint(3, (7,))


def test_a_submodule_that_sees_both_halves_of_a_pair_has_one_weight_for_the_pair():
    model, X, y = pairs()
    expected = directions(model, X, y, 0.05)  # of per-pair gradients, which sum over both calls
    optimizer = FNGD(model, damping=0.05)
    cross_entropy(model(X), y).backward()
    assert apart(gradients_of(model), expected) < 1e-11
    assert [len(layer.passes) for layer in optimizer.layers] == [1, 1]


def test_a_pair_is_one_id_of_the_table():
    model, X, y = pairs()
    names, U = layer_columns(model, X, y)["encoder"]
    optimizer = FNGD(model, lr=0.0, damping=0.05, share="table")
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        optimizer.zero_grad()
        with optimizer.samples([10**9 + i for i in order]):
            cross_entropy(model(X[order]), y[order]).backward()
        found = gradients_of(model)
        optimizer.step()
        part = U[:, [0, 1, 2, 3]]
        np.testing.assert_allclose(
            np.concatenate([found[k].reshape(-1) for k in names]), part @ literal.weights(part, 0.05), rtol=1e-5
        )


# ---- one weight per layer against the weights that it is the mean of


@pytest.mark.parametrize("damping", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("name", ["mlp", "convolutions"])
def test_the_mean_weight_goes_at_least_as_far_along_the_gradient_as_the_natural_gradient(name, damping):
    """What happens when a window closes: docs/proofs/fngd.md#the-mean-weight-overshoots."""
    model, X, y = problem(name)
    ratios = []
    for _, U in layer_columns(model, X, y).values():
        c, g = literal.weights(U, damping), U.mean(axis=1)
        ratios.append(len(y) * c.mean() * (g @ g) / (g @ (U @ c)))
    assert min(ratios) >= 1.0 - 1e-12
    assert max(ratios) > 1.0 + 1e-3 or damping == 1.0


# ---- loading


def with_coefficients(**entries):
    return lambda state: state["coefficients"].update(entries)


SPOILED = {
    "another optimizer's": (lambda state: state.update(exp_avg=1.0), "not that of FNGD"),
    "no unit": (lambda state: state.pop("unit"), "has a unit"),
    "a unit of zero": (lambda state: state.update(unit=0.0), "unit must not be zero"),
    "NaN in the momentum": (lambda state: state["momentum_buffer"].fill_(math.nan), "momentum_buffer must be finite"),
    "a momentum that is a number": (
        lambda state: state.update(momentum_buffer=1.0),
        "momentum_buffer must be a tensor",
    ),
    "a step that is a word": (lambda state: state.update(step="6"), "step must be an integer"),
    "coefficients that are a number": (lambda state: state.update(coefficients=3), "must be a dict"),
    "no scale": (lambda state: state["coefficients"].pop("scale"), "not that of FNGD's coefficients"),
    "an infinite scale": (with_coefficients(scale=math.inf), "scale must be a number"),
    "a negative count": (with_coefficients(count=-1), "count must be a finite number"),
    "an infinite weight": (with_coefficients(table=torch.tensor([1.0, math.inf])), "table must be a vector"),
    "a table of integers": (with_coefficients(table=torch.arange(3)), "table must be a vector"),
    "ids that fall": (with_coefficients(ids=torch.tensor([9, 8])), "ids must be increasing"),
    "fewer ids than weights": (with_coefficients(ids=torch.tensor([9])), "ids must be increasing"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_state_is_refused_and_nothing_changes(name):
    model, optimizer = trained(range(7))
    saved, before = copy.deepcopy(optimizer.state_dict()), str(optimizer.state_dict())
    spoil, words = SPOILED[name]
    spoil(saved["state"][0])
    saved["param_groups"][0]["lr"] = 0.9
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(saved)
    assert str(optimizer.state_dict()) == before


def test_a_table_without_entries_is_kept_and_found_empty():
    state: sharing.State = {}
    sharing.keep(state, table.empty())
    assert "ids" not in state and bool(torch.isnan(table.lookup(sharing.kept(state), table.as_ids([10**12, 0]))).all())
