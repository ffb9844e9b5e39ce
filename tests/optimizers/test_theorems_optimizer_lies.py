"""Records that do not fit a theorem are refused, and honest ones are not refuted: what a reviewer found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import theory
from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_growth_bound import AGDGrowthBound
from optimizers.theorems.agd_runs import run_rule
from optimizers.theorems.agd_sgd_limit import AGDSGDLimit, _quadratic
from optimizers.theorems.agd_step_bound import AGDStepBound
from optimizers.theorems.dead_direction import DeadDirection


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
