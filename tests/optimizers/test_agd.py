"""AGD is the printed recursion, whatever the layout of the parameters, and says so when it is asked for something else."""

import copy
import math

import numpy as np
import pytest
import torch

from optimizers import AGD
from optimizers.pieces import ENTRIES, SMALL
from optimizers.reference.agd import Recursion, steps

# A 0-d tensor, small ones, one that is cut into pieces whose last is shorter, and two between.
SHAPES = [(), (3, 4), (5,), (ENTRIES // 128 + 3, 130), (SMALL + 1,), (2, 3, 2, 2)]
# The twin rounds in another order; gradients and steps are of size one, errors of the mean are divided by √v ≥ 1e-2.
ROUNDING = 1e-12
VARIANTS = {
    "published": {"clip": None},
    "the default clip": {"clip": "auto", "delta": 1e-12},
    "a clip that is felt": {"clip": 0.7},
    "AMSGrad": {"amsgrad": True, "clip": None},
    "AMSGrad, clipped": {"amsgrad": True, "clip": 0.7},
    "decoupled decay": {"weight_decay": 0.1, "clip": None},
    "fixed decay": {"weight_decay": 0.01, "decay": "fixed", "clip": None},
    "coupled decay": {"weight_decay": 0.1, "decay": "coupled", "clip": None},
    "a large delta": {"delta": 3.0, "clip": None},
    "no momentum, no memory": {
        "betas": (0.0, 0.0),
        "clip": None,
        "delta": 0.1,
    },  # δ keeps the changes from being divided by
    "fast forgetting": {"betas": (0.5, 0.5), "clip": None},
}


def problem(shapes=SHAPES, seed=0, steps=8):
    """Starting points, and a gradient for each of them at each step."""
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape) for shape in shapes]
    slopes = [[0.3 + rng.normal(size=shape) for shape in shapes] for _ in range(steps)]
    return start, slopes


def trained(start, slopes, dtype=torch.float64, curvature=0.0, **options):
    """Parameters after the steps, and the optimizer."""
    params = [torch.nn.Parameter(torch.tensor(x, dtype=dtype)) for x in start]
    optimizer = AGD(params, **options)
    for rows in slopes:
        for p, g in zip(params, rows, strict=True):
            p.grad = torch.tensor(g, dtype=dtype) + curvature * p.detach()
        optimizer.step()
    return params, optimizer


def rule_of(lr, options):
    betas = options.get("betas", (0.9, 0.999))
    rest = {name: value for name, value in options.items() if name != "betas"}
    return Recursion(lr=lr, beta1=betas[0], beta2=betas[1], **rest)


@pytest.mark.parametrize("foreach", [None, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_its_printed_recursion(name, foreach):
    start, slopes = problem()
    params, _ = trained(start, slopes, lr=0.05, curvature=0.5, foreach=foreach, **VARIANTS[name])
    for i, p in enumerate(params):
        *_, last = steps(
            rule_of(0.05, VARIANTS[name]), start[i], lambda t, x, i=i: slopes[t - 1][i] + 0.5 * x, len(slopes)
        )
        np.testing.assert_allclose(p.detach().numpy(), last.after, rtol=ROUNDING, atol=ROUNDING)


def test_the_recursion_holds_over_thousands_of_steps_while_the_scale_of_v_returns_to_one():
    start, slopes = problem([(4,)], steps=300)
    params, optimizer = trained(start, slopes, betas=(0.9, 0.8), clip=None)
    *_, last = steps(Recursion(beta1=0.9, beta2=0.8), start[0], lambda t, x: slopes[t - 1][0], 300)
    np.testing.assert_allclose(params[0].detach().numpy(), last.after, rtol=ROUNDING, atol=ROUNDING)
    assert 2.0**-20 <= optimizer.state[params[0]]["scale"] <= 1.0


@pytest.mark.parametrize("name", VARIANTS)
def test_small_tensors_side_by_side_and_each_by_itself_give_the_same(name):
    start, slopes = problem()
    many, _ = trained(start, slopes, dtype=torch.float32, **VARIANTS[name])
    single, _ = trained(start, slopes, dtype=torch.float32, foreach=False, **VARIANTS[name])
    for p, q in zip(many, single, strict=True):  # the last rows of a vectorised loop may fuse their products otherwise
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_the_published_clip_acts_before_the_corrections_and_the_default_one_after_them():
    start, slopes = [np.zeros(2)], [[np.array([1.0, -1.0])]] * 3
    published, _ = trained(start, slopes[:1], lr=1.0, clip=0.1)
    factor = math.sqrt(1 - 0.999) / (1 - 0.9)
    np.testing.assert_allclose(published[0].detach().numpy(), [-0.1 * factor, 0.1 * factor], rtol=1e-12)
    assert factor != pytest.approx(1.0, rel=0.5)
    slow = [[np.array([1.0, -1.0])]] * 4000
    default, _ = trained(start, slow[:3999], lr=1.0)
    longer, _ = trained(start, slow, lr=1.0)
    np.testing.assert_allclose((default[0] - longer[0]).detach().numpy(), [10.0, -10.0], rtol=1e-9)


def test_without_a_clip_a_constant_gradient_makes_the_steps_grow():
    start, slow = [np.zeros(1)], [[np.ones(1)]] * 2000
    free, _ = trained(start, slow, lr=1.0, clip=None, delta=1e-12)
    clipped, _ = trained(start, slow, lr=1.0, delta=1e-12)
    assert abs(free[0].item()) > 2 * abs(clipped[0].item()) > 0


def test_the_clip_bounds_the_longest_step_and_the_overshoot_and_arrives_later():
    """On |x - 20| from 0: its price is as real as its use."""
    walks = {}
    for clip in (None, "auto"):
        records = steps(Recursion(lr=1e-2, delta=1e-8, clip=clip), np.zeros(1), lambda t, x: np.sign(x - 20.0), 3000)
        walks[clip] = np.array([record.after[0] for record in records])
    longest = {clip: np.max(np.abs(np.diff(walk))) for clip, walk in walks.items()}
    assert longest["auto"] == pytest.approx(1e-2 / (1 - 0.9), rel=1e-6)
    assert longest[None] > 1.2 * longest["auto"]
    assert np.max(walks["auto"]) < np.max(walks[None])
    assert np.argmax(walks["auto"] >= 20) > np.argmax(walks[None] >= 20) > 0


def test_maximize_climbs_where_minimising_descends():
    start, slopes = problem([(3, 4)])
    down, _ = trained(start, slopes)
    up, _ = trained(start, [[-g for g in rows] for rows in slopes], maximize=True)
    assert torch.equal(down[0], up[0])


def test_gradients_are_read_only():
    start, slopes = problem([(3, 4), (ENTRIES + 7,)])
    for options in ({}, {"weight_decay": 0.1, "decay": "coupled"}, {"foreach": False}):
        params, optimizer = trained(start, slopes, **options)
        before = [p.grad.clone() for p in params]
        optimizer.step()
        assert all(torch.equal(p.grad, g) for p, g in zip(params, before, strict=True))


def test_the_difference_that_it_squares_is_that_of_the_momenta():
    start, slopes = problem([(6,)], steps=1)
    params, optimizer = trained(start, slopes, betas=(0.9, 0.0), clip=None)
    mean = optimizer.state[params[0]]["mean"].clone()
    params[0].grad = torch.randn(6, dtype=torch.float64)
    optimizer.step()
    change = optimizer.state[params[0]]["mean"] - mean
    torch.testing.assert_close(optimizer.change(params[0]), change.abs(), rtol=1e-12, atol=1e-14)


def test_a_coordinate_is_in_sgd_mode_when_its_changes_are_below_delta():
    start, slopes = problem([(50,), (7,)], steps=20)
    params, optimizer = trained(start, slopes, delta=0.3, clip=None)
    expected = []
    for i, p in enumerate(params):
        *_, last = steps(Recursion(delta=0.3), start[i], lambda t, x, i=i: slopes[t - 1][i], 20)
        expected.append(np.sqrt(last.v / (1 - 0.999**20)) <= 0.3)
        assert optimizer.sgd_share(p) == expected[-1].mean()
        sgd = p.detach().clone()
        optimizer_state = optimizer.state[p]
        p.grad = torch.tensor(slopes[0][i])
        optimizer.step()
        moved = (sgd - p.detach()).numpy()
        as_sgd = 1e-3 / 0.3 * optimizer_state["mean"].numpy()
        mode = optimizer.change(p).numpy() <= 0.3
        np.testing.assert_allclose(moved[mode], as_sgd[mode], rtol=1e-9)
        assert np.all(np.abs(moved[~mode]) < np.abs(as_sgd[~mode]))
        p.grad = None
    assert 0 < np.concatenate(expected).mean() < 1
    assert math.isnan(AGD([torch.nn.Parameter(torch.zeros(2))]).sgd_share())


def test_delta_is_chosen_from_the_changes_that_were_seen():
    start, slopes = problem([(400,), (100,)], steps=12)
    slopes = [[rows[0] * np.logspace(-3, 0, 400), rows[1] * 0.0] for rows in slopes]
    params, optimizer = trained(start, slopes[:9], delta="auto", delta_share=0.3, delta_steps=10)
    assert optimizer.param_groups[0]["chosen_delta"] is None
    params, optimizer = trained(start, slopes[:10], delta="auto", delta_share=0.3, delta_steps=10)
    chosen = optimizer.param_groups[0]["chosen_delta"]
    assert np.mean(optimizer.change(params[0]).numpy() <= chosen) == pytest.approx(0.3, abs=0.01)  # zeros do not count
    for p, g in zip(params, slopes[10], strict=True):
        p.grad = torch.tensor(g)
    optimizer.step()
    assert optimizer.param_groups[0]["chosen_delta"] == chosen
    assert copy.deepcopy(optimizer).param_groups[0]["chosen_delta"] == chosen


def test_delta_from_no_gradient_at_all_is_still_a_number():
    params, optimizer = trained([np.zeros(4)], [[np.zeros(4)]] * 3, delta="auto", delta_steps=2)
    assert 0 < optimizer.param_groups[0]["chosen_delta"] < 1e-6
    assert torch.equal(params[0], torch.zeros(4, dtype=torch.float64))


@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"foreach": False}, {"delta": "auto", "delta_steps": 6}])
def test_training_goes_on_bitwise_from_a_saved_state(options, tmp_path):
    start, slopes = problem(steps=12)
    whole, _ = trained(start, slopes, dtype=torch.float32, **options)
    half, optimizer = trained(start, slopes[:5], dtype=torch.float32, **options)
    torch.save({"model": half, "optimizer": optimizer.state_dict()}, tmp_path / "half.pt")
    saved = torch.load(tmp_path / "half.pt", weights_only=True)
    params = [torch.nn.Parameter(p.detach().clone()) for p in saved["model"]]
    again = AGD(params, lr=7.0)
    again.load_state_dict(saved["optimizer"])
    for rows in slopes[5:]:
        for p, g in zip(params, rows, strict=True):
            p.grad = torch.tensor(g, dtype=torch.float32)
        again.step()
    assert all(torch.equal(p, q) for p, q in zip(params, whole, strict=True))


def test_a_loaded_or_replaced_state_is_the_one_that_counts():
    start, slopes = problem([(3,), (4,)], steps=3)
    params, optimizer = trained(start, slopes)
    optimizer.state[params[0]]["mean"] = torch.full((3,), 5.0, dtype=torch.float64)
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(
        optimizer.state[params[0]]["mean"], torch.full((3,), 5.0 * (1 - 0.1 / (1 - 0.9**4)), dtype=torch.float64)
    )


def test_a_copy_and_its_original_do_not_share_what_they_learn():
    start, slopes = problem([(3,), (4,)], steps=3)
    params, optimizer = trained(start, slopes)
    twin = copy.deepcopy(optimizer)
    mean = twin.state[twin.param_groups[0]["params"][0]]["mean"].clone()
    optimizer.step()
    assert torch.equal(twin.state[twin.param_groups[0]["params"][0]]["mean"], mean)
    assert not torch.equal(optimizer.state[params[0]]["mean"], mean)


def test_parameters_that_take_turns_are_each_in_their_own_step():
    start, slopes = problem([(3,), (4,), (2, 2)], steps=30)
    together = [torch.nn.Parameter(torch.tensor(x)) for x in start]
    optimizer = AGD(together, clip=None)
    turns = [[t % 2 == 0, t % 3 == 0, True] for t in range(30)]
    for rows, turn in zip(slopes, turns, strict=True):
        for p, g, own in zip(together, rows, turn, strict=True):
            p.grad = torch.tensor(g) if own else None
        optimizer.step()
    for i, p in enumerate(together):
        own = [rows[i] for rows, turn in zip(slopes, turns, strict=True) if turn[i]]
        *_, last = steps(Recursion(), start[i], lambda t, x, own=own: own[t - 1], len(own))
        np.testing.assert_allclose(p.detach().numpy(), last.after, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("foreach", [None, False])
def test_half_precision_parameters_keep_statistics_in_single(foreach):
    start, slopes = problem([(40,), (ENTRIES + 9,)], steps=5)
    params, optimizer = trained(start, slopes, dtype=torch.bfloat16, lr=0.1, foreach=foreach)
    exact, _ = trained(start, slopes, lr=0.1)
    for p, q in zip(params, exact, strict=True):
        assert p.dtype == torch.bfloat16
        assert {optimizer.state[p][name].dtype for name in ("mean", "square")} == {torch.float32}
        torch.testing.assert_close(p.double(), q, rtol=2e-2, atol=2e-2)  # five roundings to eight bits
    loaded = AGD(params)
    loaded.load_state_dict(optimizer.state_dict())
    assert all(torch.equal(loaded.state[p]["mean"], optimizer.state[p]["mean"]) for p in params)


def test_tensors_that_are_not_contiguous_are_stepped_like_others():
    start, slopes = problem([(300, 500), (6, 5)])
    plain, _ = trained(start, slopes)
    params = [torch.nn.Parameter(torch.tensor(x.T.copy()).T) for x in start]
    assert not any(p.is_contiguous() for p in params)
    optimizer = AGD(params)
    for rows in slopes:
        for p, g in zip(params, rows, strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
    for p, q in zip(params, plain, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)


def test_a_closure_computes_the_loss_with_gradients():
    p = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = AGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert p.item() < 3.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(bad):
    start, slopes = problem([(3, 4), (ENTRIES + 5,)])
    params, optimizer = trained(start, slopes)
    before, state = [p.detach().clone() for p in params], copy.deepcopy(optimizer.state_dict())
    params[1].grad[-1] = bad
    with pytest.raises(ValueError, match="parameter 1 in group 0"):
        optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    after = optimizer.state_dict()
    for key, entry in state["state"].items():
        assert entry["step"] == after["state"][key]["step"]
        assert torch.equal(entry["square"], after["state"][key]["square"])


def test_without_the_guard_a_nan_goes_where_it_may_as_in_torch():
    start, slopes = problem([(3, 4), (ENTRIES + 5,)])
    params, optimizer = trained(start, slopes, guard=False)
    plain, _ = trained(start, slopes)
    assert all(torch.equal(p, q) for p, q in zip(params, plain, strict=True))
    params[1].grad[-1] = float("nan")
    optimizer.step()
    assert bool(torch.isnan(params[1][-1]))
    assert bool(torch.isfinite(params[1][:-1]).all() and torch.isfinite(params[0]).all())


@pytest.mark.parametrize("size", [3, SMALL + 2])
def test_finite_gradients_whose_squares_overflow_are_refused_and_nothing_changes(size):
    """v would be infinite, and every later step 0, without a word."""
    p = torch.nn.Parameter(torch.zeros(size))
    optimizer = AGD([p], lr=1.0)
    p.grad = torch.full((size,), 1e22)
    with pytest.raises(ValueError, match="squares of the gradients overflow"):
        optimizer.step()
    assert not p.any() and not optimizer.state[p]


def test_large_half_precision_gradients_are_taken():
    p = torch.nn.Parameter(torch.zeros(SMALL + 2, dtype=torch.float16))
    p.grad = torch.full((SMALL + 2,), 6e4, dtype=torch.float16)
    AGD([p], lr=1.0).step()
    assert bool(torch.isfinite(p).all()) and bool(p.any())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": -1.0}, "lr must be"),
        ({"lr": float("nan")}, "lr must be"),
        ({"betas": (0.9,)}, "betas must be two"),
        ({"betas": (1.0, 0.9)}, r"betas must be in \[0, 1\)"),
        ({"betas": (0.9, -0.1)}, r"betas must be in \[0, 1\)"),
        ({"delta": 0.0}, "delta must be"),
        ({"delta": "large"}, "delta must be"),
        ({"delta_share": 1.5}, "delta_share must be"),
        ({"delta_steps": 0}, "delta_steps at least 1"),
        ({"weight_decay": -0.1}, "weight_decay must be"),
        ({"clip": 0.0}, "clip must be"),
        ({"clip": True}, "clip must be"),
        ({"clip": "sharp"}, "clip must be"),
        ({"decay": "l2"}, "decay must be one of"),
    ],
)
def test_options_that_are_not_allowed_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        AGD([torch.nn.Parameter(torch.zeros(2))], **options)


def test_the_state_of_another_shape_is_refused():
    _, optimizer = trained([np.zeros(3)], [[np.ones(3)]])
    other = AGD([torch.nn.Parameter(torch.zeros(4))])
    with pytest.raises(ValueError, match=r"shape \(3,\), the parameter \(4,\)"):
        other.load_state_dict(optimizer.state_dict())
