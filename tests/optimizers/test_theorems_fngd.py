"""FNGD's theorems on random instances, beside their examples: sides that are computed another way, budgets that bite."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers.reference import fngd as literal
from optimizers.theorems.fngd_batch import Batch, batch
from optimizers.theorems.fngd_drift import FngdDrift, Shared
from optimizers.theorems.fngd_exchangeable import Epochs, FngdExchangeable
from optimizers.theorems.fngd_large_damping import FngdLargeDamping
from optimizers.theorems.fngd_push_through import FngdPushThrough, Form
from optimizers.theorems.fngd_small_damping import FngdSmallDamping
from optimizers.theorems.fngd_step_length import FngdStepLength
from theory import verify
from theory.finding import SUPPORTING

LEFT_OPEN = (*SUPPORTING, "INCONCLUSIVE")  # equal sides cannot be told apart in floating point


@st.composite
def gradients(draw, most=12) -> np.ndarray:
    """Per-sample gradients with repeated, zero and hugely different columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d, n = draw(st.integers(1, most)), draw(st.integers(1, most))
    U = rng.normal(size=(d, n)) * 10.0 ** draw(st.integers(-4, 4))
    kind = draw(st.sampled_from(["generic", "repeated", "zero", "spread"]))
    if kind == "repeated":
        U[:, n // 2 :] = U[:, :1]
    if kind == "zero":
        U[:, :: max(1, n // 2)] = 0.0
    return U * np.logspace(-3, 3, n) if kind == "spread" else U


dampings = st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 1e3])


@given(U=gradients(), damping=dampings)
def test_the_weighted_sum_is_the_natural_gradient(U, damping):
    assert verify(FngdPushThrough(), Form(U, U.mean(axis=1), damping)).kind in LEFT_OPEN


@pytest.mark.parametrize("damping", [1e-2, 1e-4, 1e-6])
def test_in_single_precision_the_weighted_sum_keeps_the_digits_that_three_terms_lose(damping):
    U = np.random.default_rng(0).normal(size=(400, 32)).astype(np.float32)
    exact = literal.direct_inverse(U.astype(np.float64), damping)
    lost = [
        np.linalg.norm(rule(U, damping) - exact) / np.linalg.norm(exact)
        for rule in (literal.push_through, literal.three_terms)
    ]
    eps = np.finfo(np.float32).eps
    assert lost[0] < 100 * eps  # a few hundred products of size one, errors of either sign
    assert lost[1] > 1e-2 * eps * np.linalg.norm(U.mean(axis=1)) / damping / np.linalg.norm(exact)
    assert lost[1] > 20 * lost[0]


@given(U=gradients(), damping=dampings)
def test_no_direction_is_longer_than_half_the_inverse_root_of_the_damping(U, damping):
    assert verify(FngdStepLength(), batch(U, damping)).kind in LEFT_OPEN


@given(U=gradients(), damping=dampings)
def test_the_limits_hold_at_every_damping(U, damping):
    run = batch(U, damping)
    assert verify(FngdLargeDamping(), run).kind in (*LEFT_OPEN, "VACUOUS")
    assert verify(FngdSmallDamping(), run).kind in (*LEFT_OPEN, "VACUOUS", "HYPOTHESIS_FAILED")


@given(U=gradients(), damping=dampings, seed=st.integers(0, 1000))
def test_the_residual_bounds_the_drift_of_any_coefficients(U, damping, seed):
    c = np.random.default_rng(seed).normal(size=(1, U.shape[1]))
    run = Shared(U, np.array([damping]), c, U.T @ U)
    assert verify(FngdDrift(), run).kind in LEFT_OPEN


@given(U=gradients(most=5), size=st.integers(1, 5))
def test_every_position_has_the_same_mean_coefficient(U, size):
    from itertools import permutations

    N = U.shape[1]
    run = Epochs(U, min(size, N), 0.1, tuple(permutations(range(N))))
    assert verify(FngdExchangeable(), run).kind in SUPPORTING


def test_a_solution_that_is_wrong_in_its_sixth_digit_is_refused():
    good = batch(np.random.default_rng(1).normal(size=(20, 6)), 1e-2)
    bad = Batch(good.U, good.dampings, good.c * (1.0 + 1e-6))
    assert verify(FngdStepLength(), bad).kind == "HYPOTHESIS_FAILED"


SINGLE = np.random.default_rng(7).normal(size=(400, 32)).astype(np.float32)


@pytest.mark.parametrize(("d", "n", "damping"), [(400, 32, 1e-6), (60, 12, 1e-4), (60, 12, 1e-2), (50, 8, 1e-4)])
def test_a_gradient_that_is_a_mean_in_single_precision_refutes_nothing(d, n, damping):
    """Its rounding, divided by the damping, was held against the theorem."""
    U = SINGLE[:d, :n]
    rounded = U.astype(float).mean(axis=1).astype(np.float32)
    for mean in (U.mean(axis=1), rounded):
        verdict = verify(FngdPushThrough(), Form(U, mean.astype(float), damping)).kind
        assert verdict == "VERIFIED" or (damping < 1e-2 and verdict == "INCONCLUSIVE")
    assert verify(FngdPushThrough(), Form(U, U.astype(float).mean(axis=1), damping)).kind == "VERIFIED"


@pytest.mark.parametrize("by", [1e-6, 1e-3])
def test_a_sample_that_is_hardly_changed_refutes_nothing_and_a_changed_one_is_refused(by):
    mean, U = SINGLE.astype(float).mean(axis=1), SINGLE.copy()
    U[0, 0] += by
    assert verify(FngdPushThrough(), Form(U, mean, 1e-6)).kind == "INCONCLUSIVE"
    U[0, 0] += 1.0
    run = Form(U, mean, 1e-6)
    assert verify(FngdPushThrough(), run).kind == "HYPOTHESIS_FAILED"
    assert verify(FngdPushThrough(), run, ignoring=("per-sample",)).kind == "VIOLATED"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_at_either_end_of_a_precision_refute_no_weighted_sum(dtype):
    """Subnormal pivots and entries of c, Gram matrices that overflow, in units of the precision."""
    low, high = (float(np.log10(x)) for x in (np.finfo(dtype).tiny, np.finfo(dtype).max))
    rng = np.random.default_rng(2)
    with np.errstate(all="ignore"):
        for n in (1, 4):
            for size in (
                *np.linspace(0.5 * low - 3.0, 0.5 * low + 1.0, 8),
                low + 1.0,
                0.0,
                0.5 * high - 1.0,
                0.5 * high,
            ):
                U = (rng.normal(size=(6, n)) * 10.0**size).astype(dtype)
                for damping in (2.0 * size, -size, low - 1.0, low, low + 1.0, high - 2.0, high + 1.0):
                    run = Form(U, U.mean(axis=1).astype(float), float(10.0 ** np.clip(damping, -323.0, 308.0)))
                    assert verify(FngdPushThrough(), run).kind in ("VERIFIED", "INCONCLUSIVE", "HYPOTHESIS_FAILED")


def test_a_weighted_sum_of_tiny_gradients_is_decided_down_to_subnormal_dampings():
    U = np.random.default_rng(0).normal(size=(6, 4))
    kinds = {
        damping: verify(FngdPushThrough(), Form(U * damping**0.5, U.mean(axis=1) * damping**0.5, damping)).kind
        for damping in (1e-308, 1e-306, 1e-200)
    }
    assert kinds == {1e-308: "INCONCLUSIVE", 1e-306: "VERIFIED", 1e-200: "VERIFIED"}


def test_what_the_gram_matrix_is_off_is_not_held_against_the_drift():
    """Coefficients in error along the singular vector of the damping's size, and all entries of K low by 1e-13."""
    n = 30
    U = np.zeros((n, n))
    U[0, 0], U[1, 1:] = 1.0, np.sqrt(0.5 / (n - 1))
    v = np.append(0.0, np.ones(n - 1)) / np.sqrt(n - 1)
    fresh = batch(U, 0.5 / n)
    off = 1e-13 * np.outer(v > 0, v > 0)
    for gram in (fresh.K, fresh.K - off, fresh.K + off):
        assert verify(FngdDrift(), Shared(U, fresh.dampings, fresh.c + 50.0 * v, gram)).kind in LEFT_OPEN
    worse = Shared(U, fresh.dampings, fresh.c + 50.0 * v, fresh.K - 1e3 * off)
    assert verify(FngdDrift(), worse).kind == "HYPOTHESIS_FAILED"
    assert verify(FngdDrift(), worse, ignoring=("this-batch",)).kind == "VIOLATED"
