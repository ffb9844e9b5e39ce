"""No verdict where rounding leaves nothing to compare, nor on a record that differs in a small entry, and no crash either."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import theory
from optimizers.reference.agd import Recursion
from optimizers.theorems import agd_constant_gradient, dead_direction, fngd_push_through, jorge_interval
from optimizers.theorems.agd_noise_law import Noise
from optimizers.theorems.agd_nonconvex import Cosines
from optimizers.theorems.agd_runs import FAITHFUL, run_rule
from optimizers.theorems.fixed_point_cases import away, basis, newton_point, series_point
from optimizers.theorems.fngd_batch import batch
from optimizers.theorems.fngd_exchangeable import Epochs
from optimizers.theorems.fngd_push_through import Form
from optimizers.theorems.loewner_certificate import RootPairs
from optimizers.theorems.probe_certificate import _rank_one, probes
from optimizers.theorems.resolution import apart, length, or_nan, resolved
from optimizers.theorems.rules import one_sided, sandwich
from optimizers.theorems.sandwich_basin import polishing
from optimizers.theorems.sandwich_positivity import random_updates, updated
from optimizers.theorems.staleness import StaleRoot
from theory.theorem import Kind

OURS = {t.id: t for t in theory.theorems() if type(t).__module__.startswith("optimizers.theorems")}
IDENTITIES = [name for name, theorem in OURS.items() if theorem.kind is Kind.EXACT]
AGD = [t.id for t in theory.theorems() if FAITHFUL in t.assumptions]
UNDECIDED = ("INCONCLUSIVE", "HYPOTHESIS_FAILED")


def judged(name: str, run, **options) -> str:
    return theory.verify(OURS[name], run, **options).kind


def noisy(rule: Recursion, scale: float = 1.0, horizon: int = 40):
    rng = np.random.default_rng(0)
    return run_rule(rule, np.zeros(2), lambda t, x: scale * rng.standard_normal(2), horizon)


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_asks_whether_rounding_leaves_it_anything(name):
    assert any(assumption.name == "resolved" for assumption in OURS[name].assumptions)


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_formula_that_is_a_hundredth_off_passes_none_of_the_examples(name):
    kind = type(OURS[name])
    factor = 2.0 if name == "fngd-push-through" else 1.01  # of single precision at small dampings: a digit is left
    off = type("Off", (kind,), {"bound": lambda self, run: factor * kind.bound(self, run)})()
    for example in OURS[name].examples():
        run = example.make()
        if np.any(OURS[name].bound(run) != 0.0):
            assert theory.verify(off, run).kind == "VIOLATED", example.name


@pytest.mark.parametrize("cond", [3.0, 100.0, 1e3])
def test_a_point_that_is_off_by_what_a_check_lets_through_refutes_no_derivative(cond):
    """The check looks at one step, which hides a deviation by a factor of 1/(1 - a): an honest rule was refuted."""
    points = {
        "sandwich-amplification": series_point(sandwich, 2, 0.2, cond, V=basis(4)),
        "jorge-amplification": series_point(one_sided, 3, 0.1, cond, V=basis(4)),
        "newton-amplification": newton_point(5, cond, V=basis(4)),
    }
    for name, point in points.items():
        kinds = [judged(name, away(point, by)) for by in np.logspace(-14.0, -6.0, 25)]
        assert kinds[0] == "VERIFIED" and "VIOLATED" not in kinds
        assert judged(name, away(point, 0.05), ignoring=("fixed-point",)) == "VIOLATED"


def _exact_pair(least: float) -> RootPairs:
    return RootPairs(np.diag([1.0, least**-0.25])[None], np.diag([1.0, least])[None])


def _all_pairs(damping: float, U: np.ndarray) -> Epochs:
    from itertools import permutations

    return Epochs(U, 2, damping, tuple(permutations(range(U.shape[1]))))


def _far_away():
    """Growing gradients in SGD's place: at 1e15 no step is seen."""
    rule = Recursion(delta=1e-3, lr=1e-3, beta1=0.0)
    return run_rule(rule, np.full(1, 1e15), lambda t, x: np.ones(1) * (1 + t), 50)


NORMAL = np.random.default_rng(0).normal(size=(5, 3))
UNRESOLVED = {
    "growth that rounding has stopped": (
        "agd-constant-gradient",
        lambda: agd_constant_gradient._run(1e-300, 150, beta2=0.5),
    ),
    "a million of eigenvalues, off the point": (
        "sandwich-amplification",
        lambda: away(series_point(sandwich, 2, 0.2, 1e12, V=basis(4)), 0.05),
    ),
    "another rule, badly conditioned": (
        "jorge-amplification",
        lambda: series_point(sandwich, 2, 0.2, 1e14, V=basis(4)),
    ),
    "Newton, badly conditioned": ("newton-amplification", lambda: newton_point(2, 1e13, V=basis(4))),
    "a reference root that is a pseudo-inverse": ("root-certificate", lambda: _exact_pair(1e-17)),
    "a stale pseudo-inverse": (
        "root-staleness",
        lambda: StaleRoot(np.diag([1.0, 1e-17]), np.diag([1.1, 1.1e-17])[None], np.array([0.9])),
    ),
    "coefficients without damping": ("fngd-exchangeable", lambda: _all_pairs(1e-300, NORMAL)),
    "coefficients of a singular Gram matrix": ("fngd-exchangeable", lambda: _all_pairs(1e-18, np.ones((1, 4)))),
    "a vector beyond float64": ("fngd-push-through", lambda: fngd_push_through._exactly(1e160 * NORMAL, 1.0)),
    "a singular form": ("fngd-push-through", lambda: fngd_push_through._exactly(1e150 * NORMAL, 1.0)),
    "no numbers at all": ("fngd-push-through", lambda: Form(np.full((3, 2), np.nan), np.full(3, np.nan), 1.0)),
    "no numbers in a batch": ("fngd-step-length", lambda: batch(np.full((3, 2), np.nan), 1.0)),
    "no numbers in a batch, large damping": ("fngd-large-damping", lambda: batch(np.full((3, 2), np.nan), 1.0)),
    "no numbers in a batch, small damping": ("fngd-small-damping", lambda: batch(np.full((3, 2), np.nan), 1.0)),
}


@pytest.mark.parametrize("case", UNRESOLVED)
def test_nothing_is_decided_where_float64_cannot(case):
    name, make = UNRESOLVED[case]
    assert judged(name, make()) in UNDECIDED


def test_far_from_the_origin_no_step_is_seen():
    assert judged("agd-sgd-limit", _far_away(), ignoring=("sgd-mode",)) == "INCONCLUSIVE"
    assert (
        judged("agd-sgd-limit", _far_away(), ignoring=("sgd-mode", "moving")) == "VERIFIED"
    )  # what `moving` is there for


def _one_statistic_changed():
    run = jorge_interval._dynamic()  # scales from 1e-8 to 1e8
    L = run.L.copy()
    L[100, 0, 0] *= 1000.0
    return replace(run, L=L)


def _one_member_turned():
    run = updated(np.stack([1e6 * np.eye(2), 1e-6 * np.diag([2.0, 1.0])]), np.stack([np.diag([0.5, 0.1])] * 2), 1)
    after = run.after.copy()
    after[1] = -after[1]
    return replace(run, after=after)


def _one_root_changed():
    run = polishing(0, 10.0, 0.15, 10)
    P = run.P.copy()
    P[5] *= 1.0 + 3e-13
    return replace(run, P=P)


CHANGED = {
    "jorge-interval": (jorge_interval._dynamic, _one_statistic_changed),
    "sandwich-positivity": (
        lambda: updated(np.diag([2.0, 1.0])[None], np.diag([0.5, 0.1])[None], 1),
        _one_member_turned,
    ),
    "sandwich-basin": (lambda: polishing(0, 10.0, 0.15, 10), _one_root_changed),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_record_that_differs_in_a_small_member_is_not_that_of_the_recursion(name):
    honest, tampered = CHANGED[name]
    assert judged(name, honest()) == "VERIFIED"
    verdict = theory.verify(OURS[name], tampered())
    assert verdict.kind == "HYPOTHESIS_FAILED" and verdict.evidence["assumption"] == "faithful"


def test_a_root_in_single_precision_stays_positive_too():
    run = random_updates(2, 0, 0.9, 20.0)
    P, C = run.P.astype(np.float32), run.grams.astype(np.float32)
    single = replace(run, P=P, grams=C, after=sandwich(P, C, run.beta2, run.order))
    assert judged("sandwich-positivity", single) in ("VERIFIED", "INCONCLUSIVE")  # gram was refused for its rounding
    wrong = replace(single, after=np.float32(0.99) * single.after)
    assert judged("sandwich-positivity", wrong) == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("ridge", [1e-15, 5e-15, 1e-300])
def test_a_row_that_is_nearly_zero_is_not_dead(ridge):
    """P⁴ magnifies it without end: after 330 steps at 1e-15 the growth stops."""
    run = dead_direction.stream(4, 6, 400, 0.9, ridge=ridge)
    assert judged("jorge-dead-direction", run) in UNDECIDED


def test_a_direction_that_is_no_axis_is_followed_only_as_long_as_rounding_allows():
    """From a condition number of the root of about 12 on the rule magnifies what rounding has turned."""
    assert (
        judged("jorge-dead-direction", dead_direction.stream(3, 6, 60, 0.9, step=sandwich, turned=True)) == "VERIFIED"
    )
    with np.errstate(all="ignore"):  # the root itself overflows in the end
        for horizon in (120, 130, 160, 200, 500):
            run = dead_direction.stream(3, 6, horizon, 0.9, step=sandwich, turned=True)
            assert judged("jorge-dead-direction", run) in UNDECIDED


@pytest.mark.parametrize("name", AGD)
@pytest.mark.parametrize(
    "options", [{"lr": -1.0}, {"delta": -1.0}, {"delta": 0.0}, {"beta2": 1.0}, {"beta1": -0.5}], ids=str
)
def test_what_is_not_agd_is_refused(name, options):
    with np.errstate(all="ignore"):  # the recursion itself divides by zero
        run = noisy(Recursion(**{"beta2": 0.99, "delta": 1.0, **options}))
        verdict = theory.verify(OURS[name], run)
    assert verdict.kind == "HYPOTHESIS_FAILED" and "posed" in verdict.evidence["failed"]


@pytest.mark.parametrize("name", AGD)
@pytest.mark.parametrize("scale", [1e-150, 1e-200, 1e-300, 1e-320, 0.0])
@pytest.mark.parametrize("beta1", [0.0, 0.9, 0.999999])
def test_gradients_that_are_hardly_there_refute_nothing(name, scale, beta1):
    run = noisy(Recursion(beta1=beta1, delta=max(10.0 * scale, 1e-300)), scale)
    assert judged(name, run) in ("VERIFIED", *UNDECIDED)
    if scale >= 1e-300 and name in ("agd-identity", "agd-sgd-limit") and beta1 < 0.9:
        assert judged(name, run) == "VERIFIED"


def test_one_step_has_no_growth_and_a_memory_of_nothing_has_no_bound():
    assert judged("agd-growth-bound", noisy(Recursion(), horizon=1)) == "HYPOTHESIS_FAILED"
    assert judged("agd-growth-bound", noisy(Recursion(beta2=0.0))) == "HYPOTHESIS_FAILED"


def test_without_a_memory_only_the_floor_is_left_of_a_constant_gradient():
    assert judged("agd-constant-gradient", agd_constant_gradient._run(1e-3, 5, beta2=0.0)) == "VERIFIED"


@pytest.mark.parametrize("values", [(-1e12, 1e12), (-1.0, 1.0), (-1e-12, 1e-12)])
def test_chances_are_those_of_a_distribution_at_every_scale(values):
    assert judged("agd-noise-law", Noise(values, (0.5005, 0.5005), 0.9, 0.99, 8)) == "HYPOTHESIS_FAILED"
    assert judged("agd-noise-law", Noise(values, (0.5, 0.5 - 2.0**-54), 0.9, 0.99, 8)) == "VERIFIED"


@pytest.mark.parametrize("value", [1e-162, 1e-170, 0.0])
def test_noise_whose_squares_vanish_refutes_nothing(value):
    assert judged("agd-noise-law", Noise((-value, value), (0.5, 0.5), 0.9, 0.99, 6)) in ("VERIFIED", "INCONCLUSIVE")


@pytest.mark.parametrize(
    "options",
    [{"alpha": -1.0}, {"alpha": 0.0}, {"delta": -5.0}, {"delta": 0.0}, {"beta2": 1.0}, {"beta2": 1.5}],
    ids=str,
)
def test_rates_and_floors_that_are_not_positive_have_no_stationarity_bound(options):
    run = Cosines(**{"start": 1.2, "alpha": 1.0, "delta": 5.0, "horizon": 10, "noise": 0.1, **options})
    assert judged("agd-nonconvex", run) == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("damping", [1e160, 1e170, 1e300])
def test_a_damping_beyond_all_gradients_refutes_nothing(damping):
    """Norms of numbers below 1e-162 are 0 in float64, and the budget was."""
    assert judged("fngd-push-through", fngd_push_through._exactly(NORMAL, damping)) == "VERIFIED"


def test_a_probe_without_a_product_is_no_probe():
    assert judged("root-probe", probes(_rank_one(5), 20, 2, 0.2, power=0)) == "HYPOTHESIS_FAILED"


def test_the_helpers_take_zero_for_zero_and_nothing_for_what_is_not_finite():
    zero, one = np.zeros(2), np.ones(2)
    assert resolved(zero, zero).ok and resolved(1e-7, 1.0).ok
    assert resolved(1e-3, one).ok is None and resolved(1.0, zero).ok is None and resolved(np.nan, 1.0).ok is None
    assert apart(one, one, zero) == 0.0 and apart(one, zero, zero) == np.inf and apart(one * np.nan, one, one) == np.inf
    assert length(np.full(4, 1e-200)) == 2e-200 and length(np.full(4, 1e200)) == 2e200 and length(zero) == 0.0
    assert np.all(np.isnan(or_nan(lambda: np.linalg.solve(np.zeros((2, 2)), one), (2,))))
