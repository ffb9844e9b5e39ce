"""Roots followed over a long stream are those of the optimizers, and what is said about their directions is so."""

import numpy as np
import pytest
import torch

import optimizers
from experiments.results import Results
from experiments.spec import quiet
from experiments.store import Store
from experiments.suite import root_streams
from experiments.suite._followed_roots import FollowedRoot
from experiments.suite.long_root_streams import (
    DEFAULTS,
    OTHERS,
    PLAIN,
    SETTINGS,
    LongRootStreams,
    followed,
    options,
    quality,
)
from paper_figures.base import load_figures
from paper_figures.style import house_style


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Every run at the ci scale."""
    store, experiment = Store(tmp_path_factory.mktemp("long") / "results"), LongRootStreams()
    specs = experiment.runs("ci")
    for spec in specs:
        store.save(spec, experiment.execute(spec), {})
    return Results(tuple(store.load(spec.key) for spec in specs))


def gradients(steps, condition=1e3, n=12):
    for G, _ in root_streams.gaussian(steps, condition, True, 2, n):
        yield torch.from_numpy(G)


def follow(chosen, stream):
    follower = None
    for G in stream:
        follower = follower or FollowedRoot(chosen, G)
        follower.take(G, G.double() @ G.double().mT)
    assert follower is not None
    return follower


@pytest.mark.parametrize("setting", DEFAULTS)
def test_the_followed_root_is_the_left_one_of_the_optimizer_bitwise(setting):
    name, given = DEFAULTS[setting]
    follower = follow(options(setting), gradients(25))
    W = torch.nn.Parameter(torch.zeros(12, 12))
    optimizer = getattr(optimizers, name)([W], **given)
    for G in gradients(25):
        W.grad = G[0].clone()
        optimizer.step()
    (left,) = optimizer.state[W]["left_series"]
    torch.testing.assert_close(follower.P[0].float(), left, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("setting", ["sandwich", "Jorge, published", "sandwich, ridge=0.01"])
def test_the_statistic_is_the_one_of_the_rules_written_out(setting):
    chosen = options(setting)
    follower = follow(chosen, gradients(30, condition=10.0))
    literal, state = root_streams.series(chosen["root"], chosen["ridge"]), None
    for G in gradients(30, condition=10.0):
        state = literal(state or root_streams.start(G.double().numpy()), G.double().numpy(), 0)
    # float32 against float64 over thirty steps that are stable at this condition number: some 100 roundings
    near = 1e3 * float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(follower.L.numpy(), state.L, atol=near * np.max(state.L))
    np.testing.assert_allclose(follower.P.numpy(), state.P, atol=near * np.max(state.P))
    np.testing.assert_allclose(follower.beta2.numpy(), state.beta2, rtol=near)


def test_a_root_that_was_just_taken_exactly_has_no_residual_and_one_that_was_not_has():
    exact = follow(PLAIN | {"refresh": "certificate", "threshold": 1e-9, "probes": 2}, gradients(40, condition=10.0))
    series = follow(PLAIN, gradients(40, condition=10.0))
    assert exact.refreshes.tolist() == [40, 40]
    assert series.refreshes.tolist() == [0, 0]
    G = torch.eye(12, dtype=torch.float64).expand(2, 12, 12)
    found = [quality(root, root.L, G, G) for root in (exact, series)]
    assert np.all(found[0]["residual"] < 1e-4)  # the rounding of float32, times the condition number
    assert np.all(found[1]["residual"] > 1e-2)
    np.testing.assert_allclose(found[0]["cosine"], 1.0, atol=1e-6)


def test_a_frozen_rule_looks_perfect_against_its_own_statistic_only():
    stream = root_streams.gaussian(400, np.array([1e3]), True, 1, 12)
    arrays, _ = followed(options("sandwich") | {"beta2": 1.0 - 1e-7}, stream, 400, quiet)
    assert np.all(arrays["cosine"] > 0.9999)
    assert np.median(arrays["cosine_to_fixed"][20:]) < 0.98
    assert np.median(arrays["cosine_to_current"][20:]) < 0.98


def least(stored, setting):
    return np.array(stored.one(setting=setting).summary["least_cosine"])


@pytest.mark.parametrize(
    "setting", ["Jorge(rule='sandwich')", "Shampoo(root='sandwich')", "sandwich, ridge=0.01", "sandwich, beta2=0.99"]
)
def test_the_sandwich_by_default_with_a_ridge_or_a_floor_keeps_the_direction(stored, setting):
    assert np.all(least(stored, setting) > 0.99)


@pytest.mark.parametrize("setting", ["sandwich", "sandwich, order=1", "sandwich, order=3"])
def test_without_them_it_keeps_it_up_to_a_thousand_and_not_at_a_hundred_thousand(stored, setting):
    assert np.all(least(stored, setting)[:2] > 0.99)
    assert 0.97 < least(stored, setting)[2] < 0.99


@pytest.mark.parametrize("setting", ["Jorge, published", "Jorge, ridge=0.01"])
def test_jorges_rule_loses_it_from_a_thousand_on(stored, setting):
    assert least(stored, setting)[0] > 0.99
    assert np.all(least(stored, setting)[1:] < 0.97)


def test_the_sandwich_is_nearer_to_the_current_covariance_than_the_root_of_its_own_statistic(stored):
    run = stored.one(setting="sandwich")
    own, exact = (np.array(run.summary[f"median_{name}_to_current"]) for name in ("cosine", "exact"))
    assert own[2] > exact[2] + 2e-3
    assert own[0] < exact[0] + 1e-3  # nearly commuting: nothing to be ahead of


def test_the_certificate_asks_for_exact_roots_nearly_always_where_the_series_is_off(stored):
    run = stored.one(setting="sandwich, certificate")
    assert run.summary["refreshes"][0] == 0.0
    assert run.summary["refreshes"][2] > 0.8 * run.params["steps"]
    assert np.all(least(stored, "sandwich, certificate") > 0.999)


def test_every_setting_is_planned_at_every_scale_and_the_claim_over_ten_thousand_steps():
    for scale in ("ci", "laptop", "paper"):
        specs = LongRootStreams().runs(scale)
        assert {spec.params["setting"] for spec in specs} == {*SETTINGS, *OTHERS, *DEFAULTS}
        assert len({spec.key for spec in specs}) == len(specs)
    long = [spec for spec in LongRootStreams().runs("laptop") if spec.params["setting"] not in OTHERS]
    assert {spec.params["steps"] for spec in long} == {10_000}


def test_the_figure_draws_every_setting(stored):
    from matplotlib.figure import Figure

    spec = load_figures()["long_root_streams"]
    with house_style():
        fig = Figure(figsize=spec.size)
        assert len(spec(stored, fig)) == 3 * (len(SETTINGS) + len(OTHERS) + len(DEFAULTS))
        assert len(fig.axes) == 2
