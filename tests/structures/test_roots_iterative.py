"""The tracked inverse square root: few products and small errors while the statistic moves a little, else a fresh start."""

from dataclasses import replace

import array_api_strict
import numpy as np
import pytest
import torch

from structures.roots import inverse_root
from structures.roots_iterative import fresh_root, newton_schulz_root, refresh_root

TOL = 1e-8
SPECTRA = {
    "logarithmic, 1e4": np.logspace(0, -4, 48),
    "logarithmic, 1e8": np.logspace(0, -8, 48),
    "two clusters": np.repeat([1.0, 1e-6], [12, 36]),
    "identity": np.ones(48),
    "near pairs": np.repeat(np.linspace(1.0, 2.0, 24), 2) + 1e-12 * np.arange(48),
    "tiny": 1e-150 * np.logspace(0, -4, 48),
    "huge": 1e150 * np.logspace(0, -4, 48),
}


def rotated(values, seed=0):
    """A matrix with these eigenvalues in a random basis."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values),) * 2))[0]
    S = (Q * values) @ Q.T
    return (S + S.T) / 2


def moved(S, size, rng):
    """R (I + F) R with R² = S and ‖F‖₂ = size: every direction changes by up to that share, whatever its eigenvalue."""
    values, U = np.linalg.eigh(S)
    R = (U * np.sqrt(values)) @ U.T
    F = rng.standard_normal(S.shape)
    F = F + F.T
    T = R @ (np.eye(len(S)) + F * (size / np.linalg.norm(F, 2))) @ R
    return (T + T.T) / 2


def error(X, S):
    exact = inverse_root(S, 2)
    return float(np.linalg.norm(X - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize("name", SPECTRA)
def test_at_most_8_products_and_an_error_below_1e_8_while_the_statistic_moves_by_a_percent_a_step(name):
    rng, S = np.random.default_rng(1), rotated(SPECTRA[name])
    state, fresh = fresh_root(S).state, 0
    for _ in range(12):
        S = moved(S, 0.0099, rng)
        found = refresh_root(S, state, tol=TOL)
        state, fresh = found.state, fresh + found.fresh
        assert found.products <= 8
        # Two eigendecompositions of a matrix with condition number κ differ by about κ eps in the root.
        assert error(found.root, S) <= TOL + 1e-16 * np.linalg.cond(S) * len(S)
        assert np.array_equal(found.root, found.root.T)
    assert fresh <= 1


def adding_up(S):
    """Moves of a percent that all point the same way: R (I + t F) R."""
    rng = np.random.default_rng(2)
    values, U = np.linalg.eigh(S)
    R, F = (U * np.sqrt(values)) @ U.T, rng.standard_normal(S.shape)
    F = (F + F.T) / np.linalg.norm(F + F.T, 2)
    for t in range(1, 61):
        now = R @ (np.eye(len(S)) + 0.0099 * t * F) @ R
        yield (now + now.T) / 2


def turning(S):
    """A spread of 10 % in a basis that turns by 0.4 % a step, around S."""
    rng = np.random.default_rng(3)
    values, U = np.linalg.eigh(S)
    R, K = (U * np.sqrt(values)) @ U.T, rng.standard_normal(S.shape)
    angles, W = np.linalg.eigh(1j * (K - K.T))
    angles = angles / np.max(np.abs(angles))
    for t in range(1, 61):
        Q = np.real((W * np.exp(-0.004j * t * angles)) @ W.conj().T)
        now = R @ (Q * np.linspace(0.9, 1.1, len(S))) @ Q.T @ R
        yield (now + now.T) / 2


def followed(stream, state, forget=False):
    """Products of the steps without an eigendecomposition, and how many had one; errors are checked on the way."""
    products, fresh = [], 0
    for S in stream:
        found = refresh_root(S, replace(state, correction=None) if forget else state, tol=TOL)
        state, fresh = found.state, fresh + found.fresh
        products += [] if found.fresh else [found.products]
        assert error(found.root, S) <= TOL + 1e-16 * np.linalg.cond(S) * len(S)
    return products, fresh


@pytest.mark.parametrize("name", SPECTRA)
def test_moves_that_add_up_in_one_direction_cost_at_most_8_products_and_a_few_fresh_starts(name):
    S = rotated(SPECTRA[name])
    products, fresh = followed(adding_up(S), fresh_root(S).state)
    assert max(products) <= 8 and fresh <= 4


def test_a_basis_that_turns_steadily_is_followed_by_the_last_correction_without_a_newton_step():
    """The negative control forgets the correction and pays for a Newton step every time."""
    S = rotated(SPECTRA["logarithmic, 1e4"])
    stream = list(turning(S))
    state = refresh_root(stream[0], fresh_root(S).state, tol=TOL).state
    products, fresh = followed(stream[1:], state)
    without, _ = followed(stream[1:], state, forget=True)
    assert fresh == 0 and np.mean(products) < 5.5 and min(products) == 4
    assert min(without) >= 6


def test_the_residual_says_how_large_the_error_is():
    """Within a factor of three, which eight random vectors leave open; condition number 1e6, errors of the size of tol."""
    S, rng = rotated(np.logspace(0, -6, 48)), np.random.default_rng(7)
    state = fresh_root(S).state
    for _ in range(10):
        S = moved(S, 0.0099, rng)
        found = refresh_root(S, state, tol=1e-4)
        state = found.state
        assert 0.3 <= found.residual / error(found.root, S) <= 3.0


@pytest.mark.parametrize("size", [0.3, 0.9, 0.999])
def test_a_leap_costs_products_or_an_eigendecomposition_but_no_accuracy(size):
    S = rotated(SPECTRA["logarithmic, 1e8"])
    after = moved(S, size, np.random.default_rng(3))
    found = refresh_root(after, fresh_root(S).state, tol=TOL)
    assert error(found.root, after) <= TOL + 1e-16 * np.linalg.cond(after) * len(S)


def test_another_matrix_of_another_scale_in_another_basis_is_met_by_a_fresh_start():
    state = fresh_root(rotated(SPECTRA["logarithmic, 1e8"])).state
    other = rotated(1e6 * SPECTRA["two clusters"], seed=9)
    found = refresh_root(other, state, tol=TOL)
    assert found.fresh and error(found.root, other) < 1e-12


def test_a_singular_statistic_has_its_pseudo_inverse_root_and_is_not_tracked():
    S = rotated(np.repeat([1.0, 0.0], [10, 38]))
    found = fresh_root(S)
    assert found.state is None and error(found.root, S) < 1e-7
    assert refresh_root(S, found.state).fresh


def test_the_plain_warm_started_iteration_is_the_negative_control_it_diverges_beyond_a_condition_number_of_34():
    """X + (XE + EX)/4 from a root that is wrong by one part in 10^6, with κ = 30 and κ = 400."""

    def after(kappa):
        S = rotated(np.geomspace(1.0, 1.0 / kappa, 24))
        rng = np.random.default_rng(4)
        X = inverse_root(S, 2) + 1e-6 * (lambda N: N + N.T)(rng.standard_normal(S.shape))
        for _ in range(30):
            E = np.eye(24) - X @ S @ X
            X = X + 0.25 * (X @ E + E @ X)
            if error(X, S) > 1.0:
                break
        return error(X, S)

    assert after(30.0) < 1e-6 and after(400.0) > 1e-2


def test_newton_schulz_from_nothing_agrees_and_its_products_grow_with_the_condition_number():
    counts = []
    for kappa in (1e1, 1e3, 1e5):
        S = rotated(np.geomspace(1.0, 1.0 / kappa, 24))
        X, products = newton_schulz_root(S)
        assert error(X, S) < 1e-7
        counts.append(products)
    assert counts[0] < counts[1] < counts[2] <= 80
    with pytest.raises(ArithmeticError, match="nearly singular"):
        newton_schulz_root(rotated(np.repeat([1.0, 0.0], 12)), most=30)


def test_a_tolerance_below_rounding_is_refused():
    with pytest.raises(ValueError, match="rounding"):
        refresh_root(np.eye(3), fresh_root(np.eye(3)).state, tol=1e-17)


def test_torch_strict_and_batches_do_what_numpy_does():
    rng, S = np.random.default_rng(5), rotated(np.logspace(0, -4, 12))
    after = moved(S, 0.005, rng)
    expected = refresh_root(after, fresh_root(S).state)
    both = np.stack([S, 2 * S]), np.stack([after, 2 * after])
    strict = array_api_strict.Device("device1")
    for convert in (torch.from_numpy, lambda a: array_api_strict.asarray(a, device=strict), lambda a: a):
        before, now = (convert(a) for a in both)
        found = refresh_root(now, fresh_root(before).state)
        assert type(found.root) is type(now) and found.root.device == now.device
        first = np.asarray([[float(found.root[0, i, j]) for j in range(12)] for i in range(12)])
        assert found.products == expected.products and error(first, after) < TOL
        assert float(found.root[1, 0, 0]) == pytest.approx(float(expected.root[0, 0]) / 2**0.5, rel=1e-7)


def test_single_precision_is_tracked_to_what_it_can_hold():
    rng, S = np.random.default_rng(6), rotated(np.logspace(0, -2, 32))
    state = fresh_root(S.astype(np.float32)).state
    for _ in range(5):
        S = moved(S, 0.009, rng)
        found = refresh_root(S.astype(np.float32), state, tol=1e-5)
        state = found.state
        assert found.root.dtype == np.float32 and error(found.root.astype(float), S) < 1e-4 and found.products <= 8
