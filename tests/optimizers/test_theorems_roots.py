"""The theorems on iterated inverse roots: their numbers, their limits, and what the optimizers' own steps do there."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from optimizers.roots.series import binomial, jorge_step, sandwich_step
from optimizers.theorems.dead_direction import DeadDirection, overflow_step, stream
from optimizers.theorems.fixed_point_cases import basis, newton_point, series_point, spectrum
from optimizers.theorems.fixed_points import one_sided_sum, sandwich_sum
from optimizers.theorems.jorge_interval import JorgeInterval, commuting, errors, step_sizes
from optimizers.theorems.newton_instability import NewtonAmplification
from optimizers.theorems.rules import derivative, newton, one_sided, polish, sandwich
from optimizers.theorems.series_stability import JorgeAmplification
from optimizers.theorems.streams import dynamic_beta2, follow
from optimizers.theorems.truncated import (
    admissible,
    admits,
    coefficients,
    fixed_error,
    gain,
    root_count,
    series,
    step_size,
)
from structures.roots import inverse_root
from theory import Citation, Kind, verify

EPS = float(np.finfo(float).eps)
TABLE = {  # relative error of P at the far end of the interval, in per cent, for s up to 1, 1/2, 1/4, 1/10
    1: (-17.5, -8.3, -4.0, -1.6),
    2: (20.0, 3.7, 0.82, 0.12),
    3: (-10.8, -1.4, -0.16, -0.01),
    4: (12.0, 0.59, 0.03, 0.0),
}


def relative_error(order: int, s: float) -> float:
    return float(np.expm1(-0.25 * fixed_error(s, order)))


@pytest.mark.parametrize("order", TABLE)
def test_the_interval_has_the_ends_of_the_table(order):
    found = [100.0 * relative_error(order, s) for s in (1.0, 0.5, 0.25, 0.1)]
    np.testing.assert_allclose(found, TABLE[order], atol=0.051, rtol=0.02)  # the table has two or three digits


@pytest.mark.parametrize(("order", "leading"), [(1, 5 / 8), (2, -15 / 32), (3, 195 / 512)])
def test_small_steps_err_by_the_first_term_left_out(order, leading):
    s = 1e-4
    # fixed_error loses eps/s^order of its digits, and the next term is of relative size s
    assert float(fixed_error(s, order)) == pytest.approx(leading * s**order, rel=3e-3, abs=2 * EPS)


def test_the_series_are_the_optimizers_own():
    for order in range(1, 8):
        assert tuple(float(a) for a in coefficients(order)) == binomial(order)


def test_sturm_counts_the_roots_of_a_product():
    cubic = tuple(Fraction(a) for a in (-6, 11, -6, 1))  # (x - 1)(x - 2)(x - 3)
    zero, two, ten = Fraction(0), Fraction(2), Fraction(10)
    assert [root_count(cubic, zero, end) for end in (Fraction(1, 2), two, Fraction(5, 2), ten)] == [0, 2, 2, 3]
    assert root_count((Fraction(1), Fraction(0), Fraction(1)), zero, ten) == 0  # x² + 1


@pytest.mark.parametrize("order", range(1, 9))
def test_the_series_is_admissible_for_steps_up_to_one_and_its_error_monotone(order):
    assert admissible(order, Fraction(1))
    s = np.linspace(0.02, 1.0, 400)
    steps = np.diff(fixed_error(s, order))
    assert np.all(np.sign(steps) == (1 if order % 2 else -1))


def test_a_series_whose_error_turns_round_is_refused_from_there_on():
    """Two coefficients a little off: d falls, turns well inside of 0 < q < 1, and rises."""
    q = (Fraction(1), Fraction(-1, 4), Fraction(5, 32) + Fraction(1, 100), Fraction(-1, 10))
    s = np.linspace(1e-3, 1.0, 2000)
    values = np.polynomial.polynomial.polyval(s, [float(a) for a in q])
    d = np.log((values**-4 - 1.0) / s)
    turn = float(s[np.argmin(d)])
    assert np.all((values > 0) & (values < 1)) and 0.3 < turn < 0.4
    assert admits(q, Fraction(turn - 0.02))
    assert not admits(q, Fraction(turn + 0.02))


@pytest.mark.parametrize(("order", "end"), [(1, Fraction(4)), (2, Fraction(8, 5))])
def test_the_range_of_steps_ends_where_the_series_leaves_the_unit_interval(order, end):
    assert admissible(order, end - Fraction(1, 10**6))
    assert not admissible(order, end)


def test_a_random_driver_never_leaves_the_interval_and_a_greedy_one_reaches_its_end():
    theorem = JorgeInterval()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        order = int(rng.integers(1, 5))
        largest = float(rng.choice([0.5, 1.0, 1.3]))
        run = commuting(rng, order, (0.02 * largest, largest), 120, float(rng.normal()))
        verdict = verify(theorem, run)
        # A first step that is all but zero leaves an entry on its bound, to rounding.
        assert verdict.evidence["fails"] == 0 and verdict.evidence["holds"] >= 478, (seed, str(verdict))
    end = abs(float(fixed_error(1.0, 2)))
    greedy = commuting(np.random.default_rng(0), 2, (1.0, 1.0 + 1e-12), 40, 0.0)
    assert np.max(np.abs(errors(greedy))) == pytest.approx(end, rel=1e-6)  # what is left after 40 contractions


class _NaiveInterval(JorgeInterval):
    """The geometric series of the largest error of one step, forgotten at the slowest rate."""

    id = "naive-interval"
    kind = Kind.PATHWISE
    source = Citation("derived", "", "derived")

    def measured(self, run):
        return np.abs(errors(run)[1:])

    def bound(self, run):
        s = float(np.max(step_sizes(run)))
        grid = np.linspace(1e-3, s, 400)
        return float(np.max(np.abs(-4.0 * np.log(series(grid, run.order)) - np.log1p(grid)) * (1.0 + grid) / grid))


def test_the_naive_geometric_bound_is_violated():
    run = next(iter(JorgeInterval().examples())).make()
    theorem = _NaiveInterval()
    assert verify(theorem, run).kind != "VERIFIED" or run.order != 2
    order_two = list(JorgeInterval().examples())[1].make()
    assert order_two.order == 2
    assert float(theorem.bound(order_two)) == pytest.approx(0.5988, abs=1e-4)
    assert np.max(np.abs(errors(order_two))) == pytest.approx(0.7287, abs=1e-3)
    assert verify(theorem, order_two).kind == "VIOLATED"


def test_below_the_fourth_power_of_nine_tenths_order_two_has_no_fixed_point():
    """q_2 is at least 9/10: with (1 - β₂)/β₂ above 0.9⁻⁴ - 1 a constant gradient makes even a 1 × 1 root explode."""

    def last(beta2: float, steps: int) -> float:
        P = np.ones((1, 1))
        for _ in range(steps):
            P = one_sided(P, np.ones((1, 1)), beta2, 2)
        return float(P[0, 0])

    assert last(0.9**4 + 1e-3, 3000) < 1.2
    assert last(0.9**4 - 0.01, 33) > 1.5
    # The dynamic rule is safe there: its step size is 1 on a 1 × 1 matrix.
    run = follow(np.ones((100, 1, 1)), None, 2, np.ones((1, 1)), np.ones((1, 1)))
    assert float(errors(run)[-1, 0]) == pytest.approx(float(fixed_error(1.0, 2)), abs=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_literal_rules_are_the_optimizers_steps(order):
    rng = np.random.default_rng(order)
    P = np.eye(5) + 0.2 * rng.standard_normal((5, 5))
    G = rng.standard_normal((5, 3))
    # Two ways to sum the same few products of well-conditioned matrices.
    np.testing.assert_allclose(
        one_sided(P, G @ G.T, 0.9, order), jorge_step(P, G @ G.T, 0.9, order), rtol=1e-11, atol=1e-11
    )
    S = P @ P.T
    np.testing.assert_allclose(
        sandwich(S, G @ G.T, 0.9, order), sandwich_step(S, S @ S @ G, 0.9, order), rtol=1e-11, atol=1e-9
    )
    rate = dynamic_beta2(P, G @ G.T)
    np.testing.assert_allclose(
        one_sided(P, G @ G.T, rate, order), jorge_step(P, G @ G.T, None, order), rtol=1e-11, atol=1e-11
    )


def growth(step, run, entry: tuple[int, int], size: float = 1e-7) -> float:
    """The measured factor by which a small deviation v_i v_jᵀ changes in one step of the real iteration."""
    i, j = entry
    E = np.outer(run.V[:, i], run.V[:, j])
    return float(run.V[:, i] @ (step(run.P + size * E) - step(run.P - size * E)) @ run.V[:, j] / (2.0 * size))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("cond", [10.0, 1e3])
def test_measured_growth_equals_the_prediction_for_both_rules(order, cond):
    for rule, total in ((jorge_step, one_sided_sum), (None, sandwich_sum)):
        run = series_point(one_sided if rule else sandwich, order, 0.2, cond, V=basis(4))
        beta2 = 1.0 / (1.0 + step_size(0.2, order)[0])
        step = partial(rule, GG=run.C, beta2=beta2, order=order) if rule else _sandwich_of(run.C, beta2, order)
        for entry in ((0, 3), (3, 0), (1, 2)):
            predicted = 1.0 - float(gain(0.2, order)) * float(total(run.ratios[entry]))
            # A difference quotient of size 1e-7 has about nine digits; the prediction is asked for five.
            assert growth(step, run, entry) == pytest.approx(predicted, rel=1e-5, abs=1e-5)


def _sandwich_of(C: np.ndarray, beta2: float, order: int):
    """The optimizer's step is symmetric by construction: a general deviation enters through the literal rule."""
    return lambda P: sandwich(P, C, beta2, order)


def test_the_first_order_formula_is_not_the_factor():
    """c/4 in place of κ: right to first order in c only."""
    run = series_point(one_sided, 2, 0.5, 100.0)
    c = step_size(0.5, 2)[0]
    entry = tuple(np.unravel_index(int(np.argmax(run.ratios)), run.ratios.shape))
    naive = 1.0 - 0.25 * c * float(one_sided_sum(run.ratios[entry]))
    exact = float(JorgeAmplification().factors(run)[entry])
    assert growth(run.step, run, entry) == pytest.approx(exact, rel=1e-5)
    assert abs(naive - exact) > 0.5 * abs(exact)


def deviation(step, run, steps: int, size: float = 1e-7) -> float:
    """How much a symmetric random deviation has grown after `steps` of the real iteration."""
    n = len(run.spectrum)
    E = np.random.default_rng(0).standard_normal((n, n))
    P = run.P + size * (E + E.T)
    for _ in range(steps):
        P = step(P)
    return float(np.linalg.norm(P - run.P) / (size * np.linalg.norm(E + E.T)))


def critical(total, kappa: float) -> float:
    """The condition number at which κ · total(ρ) = 2, by bisection."""
    low, high = 1.0, 1e4
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if kappa * float(total(np.float64(middle))) < 2.0 else (low, middle)
    return low**4


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("rule", "total"), [(one_sided, one_sided_sum), (sandwich, sandwich_sum)])
def test_the_iteration_turns_from_stable_to_unstable_at_the_critical_condition_number(order, rule, total):
    limit = critical(total, float(gain(0.1, order)))
    below, above = (series_point(rule, order, 0.1, by * limit, n=3) for by in (0.9, 1.15))
    assert deviation(below.step, below, 400) < 1e-2
    assert deviation(above.step, above, 100) > 10.0


def test_the_dynamic_rule_has_the_same_factors_off_the_diagonal_and_is_stable_on_it():
    n, order, cond = 9, 2, 300.0
    run = series_point(one_sided, order, n**-0.5, cond, n=n)
    step = partial(jorge_step, GG=run.C, beta2=None, order=order)
    np.testing.assert_allclose(step(run.P), run.P, rtol=1e-10)
    kappa = float(gain(n**-0.5, order))
    for entry in ((0, 8), (8, 0), (2, 5)):
        assert growth(step, run, entry) == pytest.approx(
            1.0 - kappa * float(one_sided_sum(run.ratios[entry])), rel=1e-5
        )
    scaled = [(step(run.P * (1.0 + h)) - run.P) for h in (1e-6, -1e-6)]
    beta2 = 1.0 / (1.0 + step_size(n**-0.5, order)[0])
    mean = np.trace((scaled[0] - scaled[1]) @ np.linalg.inv(run.P)) / (2e-6 * n)
    assert mean == pytest.approx(beta2, rel=1e-5)  # a common factor is forgotten at the rate of the average


@pytest.mark.parametrize(("left", "cond"), [(5, 2.834), (0, 2.834), (1, 4.906), (4, 4.906), (2, 19.551), (3, 19.551)])
def test_newton_turns_unstable_where_the_factor_passes_minus_one(left, cond):
    theorem = NewtonAmplification()
    for by, unstable in ((0.99, False), (1.01, True)):
        run = newton_point(left, by * cond, n=3)
        assert bool(np.max(np.abs(theorem.factors(run))) > 1.0) is unstable
        assert bool(np.max(np.abs(np.linalg.eigvals(run.jacobian))) > 1.0) is unstable


def test_newton_dies_from_an_exact_start_and_the_symmetric_polish_does_not():
    values = spectrum(4, 1e3)
    V = basis(4, 3)
    L = (V * values) @ V.T
    start = (V * values**-0.25) @ V.T
    P, Q = start, start
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(14):
            P, Q = newton(P, L, 5), polish(Q, L, 0.05)
    assert not np.linalg.norm(P - start) < 1e3 * np.linalg.norm(start)
    assert np.linalg.norm(Q - start) < 1e-10 * np.linalg.norm(start)


def word(P: np.ndarray, C: np.ndarray, weights: np.ndarray) -> np.ndarray:
    power = np.linalg.matrix_power
    return sum(w * power(P, a) @ C @ power(P, 5 - a) for a, w in enumerate(weights))


def test_no_symmetric_word_beats_the_sandwich_at_large_ratios():
    """The factor of Σ w_a P^a C P^(5-a), w symmetric with sum 1, has degree at least 2 in r, leading coefficient 1/2."""
    p = np.array([1.0, 100.0])
    P, C = np.diag(p), np.diag(p**-4)
    E = np.array([[0.0, 0.0], [1.0, 0.0]])

    def response(weights) -> float:
        return float(derivative(lambda X: word(X, C, np.array(weights)), P, E)[1, 0])

    half_r_squared = response((0, 0, 0.5, 0.5, 0, 0))
    assert half_r_squared == pytest.approx(1.0 + float(sandwich_sum(np.float64(100.0))), rel=1e-12)
    rng = np.random.default_rng(1)
    for _ in range(50):
        w0, w1 = rng.normal(size=2)
        others = (w0, w1, 0.5 - w0 - w1, 0.5 - w0 - w1, w1, w0)
        assert abs(response(others)) > half_r_squared


def test_a_derivative_is_taken_without_a_difference_quotient():
    P = np.array([[2.0, 1.0], [0.0, 3.0]])
    E = np.array([[1.0, -1.0], [0.5, 2.0]])
    np.testing.assert_allclose(derivative(lambda X: X @ X @ X, P, E), E @ P @ P + P @ E @ P + P @ P @ E, rtol=1e-14)


def test_a_dead_row_overflows_at_the_predicted_step():
    largest = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore", invalid="ignore"):
        run = stream(0, 8, 1000, 0.8, dtype=np.float32)
        broken = np.argmax(~np.isfinite(run.record.P).all(axis=(1, 2)))
    predicted = overflow_step(run.record.beta2, 1.0, largest)
    assert predicted is not None
    assert broken == predicted + 1
    assert overflow_step(run.record.beta2[: predicted - 1], 1.0, largest) is None
    assert np.isnan(run.record.P[broken]).any()


def test_the_optimizers_steps_obey_the_law_of_dead_rows():
    rng = np.random.default_rng(3)
    P, S, grown = np.eye(6), np.eye(6), 1.0
    for _ in range(60):
        G = rng.standard_normal((6, 12))
        G[-1] = 0.0
        rate = dynamic_beta2(P, G @ G.T)
        P = jorge_step(P, G @ G.T, None, 2)
        S = sandwich_step(S, S @ S @ G, rate, 2)
        grown *= rate**-0.25
    for root in (P, S):
        assert root[-1, -1] == pytest.approx(grown, rel=1e-12)
        assert not np.any(root[-1, :-1]) and not np.any(root[:-1, -1])


def test_a_zero_gradient_divides_by_zero_under_the_dynamic_rule():
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not np.isfinite(jorge_step(np.eye(3), np.zeros((3, 3)), None, 2)).any()
    run = stream(0, 4, 3, 0.9)
    assert dynamic_beta2(run.record.P[0], np.zeros((4, 4))) == 0.0


def test_a_rate_outside_of_the_unit_interval_is_refused():
    from dataclasses import replace

    run = stream(0, 4, 3, 0.9)
    broken = replace(run, record=replace(run.record, beta2=np.array([0.9, 0.0, 0.9])))
    assert verify(DeadDirection(), broken).kind == "HYPOTHESIS_FAILED"


def rotating(cond: float, steps: int, n: int = 8, angle: float = 0.02):
    """Gaussian gradients (n, 2n) of a covariance whose eigenbasis turns by `angle` a step."""
    rng = np.random.default_rng(1)
    V, values = basis(n), np.logspace(0.0, -np.log10(cond), n)
    A = rng.standard_normal((n, n))
    A = 0.5 * angle * (A - A.T) / np.linalg.norm(A - A.T, 2)
    turn = np.linalg.solve(np.eye(n) - A, np.eye(n) + A)
    for _ in range(steps):
        V = V @ turn
        yield (V * np.sqrt(values)) @ rng.standard_normal((n, 2 * n)) / np.sqrt(2 * n)


@pytest.mark.parametrize(("cond", "frozen"), [(10.0, False), (1e3, True)])
def test_on_a_rotating_stream_the_literal_rule_freezes_and_the_sandwich_does_not(cond, frozen):
    values = np.logspace(0.0, -np.log10(cond), 8)
    L = (basis(8) * values) @ basis(8).T
    roots, statistics = [inverse_root(L, 4)] * 2, [L, L]
    rates, G = [0.0, 0.0], np.zeros((8, 16))
    for G in rotating(cond, 1200):
        P, S = roots
        rates = [dynamic_beta2(P, G @ G.T), float(np.linalg.norm(S @ S @ G @ G.T @ S @ S))]
        rates[1] = rates[1] / (1.0 + rates[1])
        statistics = [b * M + (1.0 - b) * G @ G.T for b, M in zip(rates, statistics, strict=True)]
        roots = [jorge_step(P, G @ G.T, None, 2), sandwich_step(S, S @ S @ G, None, 2)]
    directions = [(P @ G, inverse_root(M, 4) @ G) for P, M in zip(roots, statistics, strict=True)]
    cosines = [float(np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in directions]
    assert rates[1] < 0.9 and cosines[1] > 0.99
    if frozen:
        assert rates[0] > 0.998 and cosines[0] < 0.5
    else:
        assert rates[0] < 0.9 and cosines[0] > 0.99
