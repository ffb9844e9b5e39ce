"""Honest runs whose numbers have lost their digits, or broke down, are not refuted; what is wrong by more than that still is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import theory
from optimizers.reference.agd import Recursion
from optimizers.theorems import dead_direction, jorge_window
from optimizers.theorems.agd_constant_gradient import AGDConstantGradient
from optimizers.theorems.agd_nonconvex import Cosines
from optimizers.theorems.agd_runs import FAITHFUL, AGDRun, run_rule
from optimizers.theorems.agd_step_bound import AGDStepBound
from optimizers.theorems.fixed_point_cases import basis
from optimizers.theorems.rules import sandwich
from optimizers.theorems.sandwich_basin import polishing
from optimizers.theorems.sandwich_positivity import Updates, updated
from optimizers.theorems.staleness import StaleRoot, aged

AGD = [t.id for t in theory.theorems() if FAITHFUL in t.assumptions]
NO_NUMBERS = [np.nan, np.inf]


def judged(name: str, run, **options) -> str:
    with np.errstate(all="ignore"):  # what overflows or is NaN warns on its way to the verdict
        return theory.verify(theory.get(name), run, **options).kind


def constant(g: float, horizon: int = 50, **options) -> AGDRun:
    with np.errstate(all="ignore"):
        return run_rule(Recursion(**options), np.zeros(1), lambda t, x: np.full(1, g), horizon)


class _AHundredthMore(AGDConstantGradient):
    id = "a-hundredth-more"

    def bound(self, run):
        return 1.01 * super().bound(run)


class _AHundredthLess(AGDStepBound):
    id = "a-hundredth-less"

    def bound(self, run):
        return 0.99 * super().bound(run)


# A constant gradient


@pytest.mark.parametrize(
    ("g", "options"),
    [
        (1e-158, {"delta": 1e-200}),  # g² is subnormal,
        (1e-161, {"delta": 1e-200}),  # then zero
        (1e155, {}),  # g² overflows
        (1.0, {"beta1": 0.99999, "beta2": 0.0, "delta": 1e-12}),  # 1 - β₁^t changes its rounding at every step
        (1.0, {"beta1": 1.0 - 1e-6, "beta2": 0.01, "delta": 1e-10}),
        (1e-20, {"delta": 1e300, "lr": 1.0}),  # m/D is subnormal
    ],
    ids=str,
)
def test_a_constant_gradient_without_digits_refutes_nothing(g, options):
    assert judged("agd-constant-gradient", constant(g, **options)) == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("g", "options"),
    [
        (1e-140, {"delta": 1e-200}),
        (1e140, {}),
        (1.0, {"beta1": 0.99999, "beta2": 0.0, "delta": 1e-4}),
        (1.0, {"beta1": 0.9, "delta": 1e-30}),
    ],
    ids=str,
)
def test_a_constant_gradient_with_digits_is_told_from_a_hundredth_more(g, options):
    run = constant(g, **options)
    assert judged("agd-constant-gradient", run) == "VERIFIED"
    assert theory.verify(_AHundredthMore(), run).kind == "VIOLATED"


# AGD at sizes that no square has


@pytest.mark.parametrize("name", AGD)
@pytest.mark.parametrize("g", [1e160, 1e300, *NO_NUMBERS])
def test_a_run_of_agd_that_broke_down_neither_supports_nor_refutes(name, g):
    """v = ∞ stops every step, and steps of zero are within every bound."""
    assert judged(name, constant(g)) in ("INCONCLUSIVE", "HYPOTHESIS_FAILED")
    assert judged("agd-step-bound", constant(g)) == "INCONCLUSIVE"


def test_the_longest_step_is_told_from_a_hundredth_less_where_squares_are_just_left():
    run = constant(1e150, beta1=0.9, beta2=0.9, delta=1e152, horizon=100)
    assert judged("agd-step-bound", run) in ("VERIFIED", "INCONCLUSIVE")  # equality is within rounding
    assert theory.verify(_AHundredthLess(), run).kind == "VIOLATED"


@pytest.mark.parametrize("beta2", [1e200, -1e200, np.inf])
def test_a_memory_beyond_all_numbers_is_refused_when_the_run_is_made_and_when_it_is_said_to_be_one(beta2):
    with pytest.raises(ValueError, match="β₂"):
        constant(1.0, beta2=beta2)
    honest = constant(1.0)
    for name in AGD:
        assert judged(name, replace(honest, rule=replace(honest.rule, beta2=beta2))) == "HYPOTHESIS_FAILED"


# The non-convex bound


@pytest.mark.parametrize("start", [1e15, 1e17])
def test_an_iterate_without_digits_for_its_steps_refutes_no_bound(start):
    run = Cosines(start, 1.0, 2.0, 3000, noise=0.05, seeds=20)
    verdict = theory.verify(theory.get("agd-nonconvex"), run)
    assert verdict.kind == "INCONCLUSIVE" and verdict.evidence["undecided"] == ["moving"]
    assert judged("agd-nonconvex", run, ignoring=("moving",)) != "REFUTED"  # the budget knows it too


@pytest.mark.parametrize("start", [0.0, 1.2, 1e3, 1e4])
def test_nearer_iterates_are_judged_as_ever_and_a_bias_is_found(start):
    assert judged("agd-nonconvex", Cosines(start, 1.0, 5.0, 12, noise=0.02)) in ("CONFIRMED", "VACUOUS")
    stuck = Cosines(2.0 * np.pi * round(start), 0.4, 4.0, 800, noise=0.2, bias=-0.8)
    assert judged("agd-nonconvex", stuck, ignoring=("unbiased",)) == "REFUTED"


@pytest.mark.parametrize("option", ["start", "alpha", "delta", "noise", "bias"])
@pytest.mark.parametrize("value", [1e200, -1e200, *NO_NUMBERS])
def test_huge_options_of_the_cosines_raise_nothing(option, value):
    options = {"start": 1.2, "alpha": 1.0, "delta": 5.0, "noise": 0.1, option: value}
    kind = judged("agd-nonconvex", Cosines(horizon=5, **options))
    assert kind in ("HYPOTHESIS_FAILED", "INCONCLUSIVE", "VACUOUS")
    if not np.isfinite(value):
        assert kind == "HYPOTHESIS_FAILED"


# Staleness


def test_an_eigenvalue_that_fell_is_undecided_where_rounding_hides_it_and_refused_where_not():
    for least, kind in ((7e-15, "INCONCLUSIVE"), (1e-3, "HYPOTHESIS_FAILED")):
        fallen = StaleRoot(np.diag([1.0, least]), np.diag([1e-3, least])[None], np.ones(1))
        assert judged("root-staleness", fallen) == kind
    assert judged("root-staleness", fallen, ignoring=("grown",)) == "VIOLATED"


def test_what_came_in_may_be_of_rank_one():
    """S has eigenvalues that are zero to rounding, which the budget covers."""
    L0, g = aged(0, 100.0, 1, 0.9, n=3).L0, np.array([[1.0], [-0.5], [2.0]])
    C = g @ g.T
    assert judged("root-staleness", StaleRoot(L0, (0.9 * L0 + 0.1 * C)[None], np.array([0.9]))) == "VERIFIED"


@pytest.mark.parametrize("bad", [*NO_NUMBERS, -1.0])
def test_statistics_without_a_root_are_refused(bad):
    one, broken = np.eye(2), np.diag([bad, 1.0])
    for run in (StaleRoot(broken, one[None], np.ones(1)), StaleRoot(one, broken[None], np.ones(1))):
        assert judged("root-staleness", run) == "HYPOTHESIS_FAILED"
    assert judged("root-staleness", StaleRoot(one, 2.0 * one[None], np.full(1, bad))) == "HYPOTHESIS_FAILED"


# Positivity


def _rounded_below_zero(cond: float) -> Updates:
    """A Gram matrix that is positive to rounding, at a root that makes an eigenvalue of -1 out of it."""
    w = np.array([np.cos(1.1), np.sin(1.1)])
    u = np.array([-w[1], w[0]])
    inverse = np.diag([cond**-2, 1.0])
    C = inverse @ (np.outer(w, w) - np.outer(u, u)) @ inverse
    P, C = np.diag([cond, 1.0])[None], (0.5 * (C + C.T))[None]
    return Updates(1, 0.5, P, C, sandwich(P, C, 0.5, 1))


def test_a_gram_matrix_that_is_negative_by_rounding_refutes_nothing_and_by_more_is_refused():
    assert judged("sandwich-positivity", _rounded_below_zero(1e4)) == "INCONCLUSIVE"
    plain = _rounded_below_zero(100.0)  # -1.7e-8 beside 0.6
    assert judged("sandwich-positivity", plain) == "HYPOTHESIS_FAILED"
    assert judged("sandwich-positivity", plain, ignoring=("gram",)) == "VIOLATED"


def test_gram_matrices_in_single_precision_refute_nothing():
    rng = np.random.default_rng(0)
    V = np.stack([basis(3, seed) for seed in range(200)])
    P = (V * np.array([1.0, 5.0, 33.0])) @ np.swapaxes(V, -1, -2)
    P = (0.5 * (P + np.swapaxes(P, -1, -2))).astype(np.float32)
    inverse = np.linalg.inv(P.astype(float) @ P.astype(float))
    G = inverse @ rng.standard_normal((200, 3, 2))
    C = (G @ np.swapaxes(G, -1, -2)).astype(np.float32)
    assert judged("sandwich-positivity", Updates(2, 0.5, P, C, sandwich(P, C, 0.5, 2))) in (
        "INCONCLUSIVE",
        "HYPOTHESIS_FAILED",
    )


@pytest.mark.parametrize("bad", NO_NUMBERS)
@pytest.mark.parametrize("part", ["P", "grams", "after"])
def test_an_update_without_numbers_is_refused(part, bad):
    run = updated(np.diag([2.0, 1.0])[None], np.diag([0.5, 0.1])[None], 1)
    assert judged("sandwich-positivity", run) == "VERIFIED"
    broken = getattr(run, part).copy()
    broken[0, 0, 0] = bad
    assert judged("sandwich-positivity", replace(run, **{part: broken})) == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("options", [{"beta2": 0.0}, {"beta2": -0.5}, {"beta2": 1.5}, {"beta2": np.nan}, {"order": 0}])
def test_an_update_with_a_rate_or_an_order_that_none_has_is_not_made(options):
    run = updated(np.diag([2.0, 1.0])[None], np.diag([0.5, 0.1])[None], 1)
    with pytest.raises(ValueError, match="beta2"):
        replace(run, **options)


# The basin, dead directions, the window


@pytest.mark.parametrize("bad", NO_NUMBERS)
def test_a_polished_root_without_numbers_is_refused(bad):
    run = polishing(0, 10.0, 0.15, 5)
    for part in ("P", "L"):
        for t in (0, 2, 5):
            broken = getattr(run, part).copy()
            broken[t, 0, 0] = bad
            assert judged("sandwich-basin", replace(run, **{part: broken})) == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("step", [1e200, *NO_NUMBERS, 0.0, -1.0])
def test_a_step_of_no_length_that_polishes_is_refused(step):
    assert judged("sandwich-basin", replace(polishing(0, 10.0, 0.15, 5), step=step)) == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("bad", NO_NUMBERS)
@pytest.mark.parametrize("part", ["P", "L", "grams", "beta2"])
def test_a_stream_without_numbers_is_refused(part, bad):
    run = dead_direction.stream(0, 4, 20, None)
    for t in (0, 5):
        broken = getattr(run.record, part).copy()
        broken[t] = bad
        lost = replace(run, record=replace(run.record, **{part: broken}))
        assert judged("jorge-dead-direction", lost) == "HYPOTHESIS_FAILED"


def _signs(off: float, n: int, m: int, rule: str) -> jorge_window.WindowRun:
    spectrum = np.full(n, 0.3)
    Z = jorge_window._drawn(0, "signs", (50, n, m))
    return jorge_window.WindowRun(rule, "signs", spectrum, (1.0 + off) * spectrum**-0.25, Z, 0)


@pytest.mark.parametrize("rule", ["sandwich", "one-sided"])
@pytest.mark.parametrize(("n", "m"), [(1, 3), (4, 1)])
def test_where_jensen_is_an_equality_the_window_has_the_room_that_the_root_is_given(rule, n, m):
    assert judged("jorge-window", _signs(1e-13, n, m, rule)) == "INCONCLUSIVE"
    assert judged("jorge-window", _signs(1e-9, n, m, rule)) == "HYPOTHESIS_FAILED"
    assert judged("jorge-window", _signs(1e-9, n, m, rule), ignoring=("exact-root",)) == "REFUTED"
