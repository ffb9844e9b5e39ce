"""Records that do not fit a theorem are refused, and honest ones are not refuted: what a reviewer found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import theory
from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_growth_bound import AGDGrowthBound
from optimizers.theorems.agd_noise_law import Noise
from optimizers.theorems.agd_runs import run_rule
from optimizers.theorems.agd_sgd_limit import AGDSGDLimit, _quadratic
from optimizers.theorems.agd_step_bound import AGDStepBound
from optimizers.theorems.dead_direction import DeadDirection
from optimizers.theorems.probe_certificate import ProbeCertificate, _evading, estimate, probes


def constant(rule: Recursion, size: float = 1.0, horizon: int = 60):
    return run_rule(rule, np.zeros(2), lambda t, x: size * np.array([1.0, -0.5]), horizon)


@pytest.mark.parametrize("clip", [5.0, 1e9, None])
def test_a_published_clip_is_not_the_default_one(clip):
    """The bound took every clip for "auto": an honest run was refuted."""
    rule = Recursion(beta1=0.9, beta2=0.9, delta=1e-6, clip=clip)
    assert theory.verify(AGDStepBound(), constant(rule)).kind != "VIOLATED"


def test_the_default_clip_goes_with_the_momentum_of_the_step():
    rule = Recursion(beta1=lambda t: 0.0 if t == 1 else 0.9, beta2=0.9, delta=1e-6, clip="auto")
    assert theory.verify(AGDStepBound(), constant(rule)).kind != "VIOLATED"


@pytest.mark.parametrize("options", [{"beta1": lambda t: 0.9 / t}, {"debias": False}])
@pytest.mark.parametrize("beta2", [0.99, 1.0 - 1e-14])
def test_the_limit_is_that_of_a_constant_momentum_with_its_correction(options, beta2):
    """Other recursions are refused; with β₂ next to 1 their error was once within a budget that had grown beyond all sizes."""
    run = _quadratic(60.0, **{"beta2": beta2, **options})
    assert theory.verify(AGDSGDLimit(), run).kind == "HYPOTHESIS_FAILED"


def test_nothing_is_decided_where_rounding_leaves_no_digit():
    run = _quadratic(60.0, beta2=1.0 - 1e-14)
    assert theory.verify(AGDSGDLimit(), run).kind in ("INCONCLUSIVE", "HYPOTHESIS_FAILED")


@pytest.mark.parametrize("size", [1e-158, 1e-160, 1e-162])
def test_squares_that_vanish_do_not_refute(size):
    rng = np.random.default_rng(0)
    run = run_rule(Recursion(beta1=0.9, beta2=0.99), np.zeros(2), lambda t, x: size * rng.standard_normal(2), 60)
    assert theory.verify(AGDGrowthBound(), run).kind != "VIOLATED"


def test_a_step_that_ignores_its_gradients_is_not_jorges():
    run = next(iter(DeadDirection().examples())).make()
    assert theory.verify(DeadDirection(), run).ok
    blind = replace(run, step=lambda P, C, beta2, order: beta2**-0.25 * P)
    assert theory.verify(DeadDirection(), blind).kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("name", ["agd-identity", "agd-difference-bound", "agd-growth-bound", "agd-step-bound"])
def test_a_decay_that_is_coupled_to_the_gradients_is_judged_like_any_other(name):
    """The record was refused: its gradients, which have the decay in them, were decayed once more."""
    rng = np.random.default_rng(1)
    rule = Recursion(beta1=0.9, beta2=0.99, delta=1e-3, lr=0.1, weight_decay=0.3, decay="coupled", clip="auto")
    run = run_rule(rule, np.ones(3), lambda t, x: rng.standard_normal(3), 60)
    kind = theory.verify(theory.get(name), run).kind
    other = replace(rule, decay="decoupled", weight_decay=0.0)
    assert kind == theory.verify(theory.get(name), run_rule(other, np.ones(3), lambda t, x: run.g[t - 1], 60)).kind
    assert kind in ("VERIFIED", "INCONCLUSIVE") or name == "agd-growth-bound"  # which speaks of no clip
    lies = replace(run, g=run.g - 0.3 * run.x)  # gradients without their decay are not those of the momentum
    assert theory.verify(theory.get(name), lies).kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("chances", [(0.375, 0.875, -0.25), (0.5, 0.25, 0.125)])
def test_what_is_no_distribution_is_no_noise(chances):
    verdict = theory.verify(theory.get("agd-noise-law"), Noise((-1.0, 1.0, 2.0), chances, 0.9, 0.99, 5))
    assert verdict.kind == "HYPOTHESIS_FAILED"


@pytest.mark.parametrize("copy", [-0.5, 1.5])
def test_a_chance_of_repetition_outside_of_the_interval_is_refused(copy):
    noise = Noise((-1.0, 1.0), (0.5, 0.5), 0.9, 0.99, 5, copy=copy)
    verdict = theory.verify(theory.get("agd-noise-law"), noise, ignoring=("independent",))
    assert verdict.kind == "HYPOTHESIS_FAILED"


def test_noise_needs_a_chance_for_each_value():
    with pytest.raises(ValueError, match="one chance for each value"):
        Noise((-1.0, 1.0), (1.0,), 0.9, 0.99, 5)


def test_a_residual_that_was_made_for_its_probe_is_refused_and_the_probe_that_is_drawn_after_it_is_not_fooled():
    run = _evading()
    assert np.all(estimate(run.R, run.V, run.delta) < 1e-12)
    assert theory.verify(ProbeCertificate(), run).kind == "HYPOTHESIS_FAILED"
    honest = probes(run.R, 400, 2, 0.2)
    assert theory.verify(ProbeCertificate(), honest).ok
    again = probes(run.R, 400, 2, 0.2)
    assert np.array_equal(honest.V, again.V)
    assert not np.array_equal(honest.V, probes(run.R * (1 + 1e-15), 400, 2, 0.2).V)


def test_a_probe_within_the_threshold_bounds_no_residual_and_the_estimate_does():
    """Why ``refresh="certificate"`` looks at the estimate: a root that is off along one direction passes the relative probe."""
    v = np.linalg.qr(np.random.default_rng(0).standard_normal((256, 1)))[0]
    R = 0.9 * v @ v.T  # of a root that is off by a factor of nearly two
    run = probes(R, 2000, 2, 0.01)
    relative = np.linalg.norm(R @ run.V, axis=(1, 2)) / np.linalg.norm(run.V, axis=(1, 2))
    assert np.mean(relative <= 0.1) > 0.7
    for power in (1, 4):
        missed = np.mean(estimate(R, run.V, 0.01, power) < 0.9 - 1e-12)
        assert 0.0 < missed < 0.02
