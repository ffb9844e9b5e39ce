"""The error bounds of sums hold against exact rational arithmetic, and plain summation breaks them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regret.rounding import compensated_cumsum, compensated_error, discounted_cumsum, gamma, two_sum, unit_roundoff

U = 2.0**-53
WILD = st.floats(-1e12, 1e12, allow_subnormal=False) | st.sampled_from([1e16, -1e16, 1.0, -1.0, 1e-8])


def exact_prefix_sums(terms):
    total, sums = Fraction(0), []
    for term in terms:
        total += Fraction(float(term))
        sums.append(total)
    return sums


@given(arrays(np.float64, st.integers(1, 40), elements=WILD))
def test_compensated_sums_are_within_their_error_bound(terms):
    sums = compensated_cumsum(terms)
    bounds = compensated_error(sums, terms, U)
    for found, bound, exact in zip(sums, bounds, exact_prefix_sums(terms), strict=True):
        assert abs(Fraction(float(found)) - exact) <= Fraction(float(bound))


def test_plain_summation_is_not():
    terms = np.array([1e16, 1.0, -1e16] * 10)
    exact = exact_prefix_sums(terms)[-1]
    found = compensated_cumsum(terms)
    assert float(exact) == 10.0 == found[-1]
    assert np.cumsum(terms)[-1] != 10.0
    assert compensated_error(found, terms, U)[-1] < 1e-10 < abs(np.cumsum(terms)[-1] - 10)


@given(WILD, WILD)
def test_two_sum_loses_nothing(a, b):
    total, error = two_sum(a, b)
    assert Fraction(total) + Fraction(error) == Fraction(a) + Fraction(b)


def test_sums_run_along_the_first_axis():
    terms = np.random.default_rng(0).standard_normal((5, 3))
    assert np.allclose(compensated_cumsum(terms), np.cumsum(terms, axis=0), rtol=1e-14)
    assert compensated_error(terms, terms, U).shape == (5, 3)


def test_discounted_sums_follow_their_recursion():
    terms = np.array([[1.0], [2.0], [4.0]])
    assert np.array_equal(discounted_cumsum(terms, 0.5), [[1.0], [2.5], [5.25]])
    assert np.array_equal(discounted_cumsum(terms, 1.0), np.cumsum(terms, axis=0))


def test_gamma_is_what_it_is_called_and_infinite_when_nothing_is_known():
    assert float(gamma(10, U)) == pytest.approx(10 * U, rel=1e-14)
    assert np.isinf(gamma(2**60, U))
    assert unit_roundoff(np.zeros(1)) == U
    assert unit_roundoff(np.zeros(1, dtype=np.float32)) == 2.0**-24
