"""The certified bound on the smallest eigenvalue is below the exact one, always, and not far below it."""

from fractions import Fraction

import numpy as np
import pytest

from theory.rational import Factors, exact_symmetric, ldlt
from theory.verified_cholesky import is_certainly_psd, smallest_eigenvalue_bound

U = 2.0**-53


def is_psd_exactly(A, shift=0.0):
    """Whether A - shift I is positive semidefinite, in rational arithmetic."""
    matrix = exact_symmetric(A)
    shifted = [[entry - (i == j) * Fraction(shift) for j, entry in enumerate(row)] for i, row in enumerate(matrix)]
    return isinstance(ldlt(shifted), Factors)


def rotated(values, rng):
    n = len(values)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (Q * np.asarray(values)) @ Q.T
    return (A + A.T) / 2


def nearly_singular(count=150):
    """Matrices whose smallest eigenvalue is +-1e-13 ... 1e-18 or rounding noise, exactly decided by rational elimination."""
    rng = np.random.default_rng(3)
    for k in range(count):
        n = int(rng.integers(2, 7))
        tiny = (-1) ** k * 10.0 ** -rng.integers(13, 19)
        yield rotated([tiny, *rng.uniform(0.1, 1, n - 1)], rng)


def test_an_indefinite_matrix_is_never_certified_where_the_naive_test_errs():
    naive_errors = certified = indefinite = 0
    for A in nearly_singular():
        truth = is_psd_exactly(A)
        indefinite += not truth
        naive_errors += (np.linalg.eigvalsh(A)[0] >= -1e-12) and not truth
        certified += is_certainly_psd(A)
        assert truth or not is_certainly_psd(A)
    assert indefinite > 40 and naive_errors > 40  # the control: the usual tolerance accepts indefinite matrices
    assert certified > 10  # and the certified test is not silent: 1e-13 is within its reach


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("scale", [1.0, 1e150, 1e-150, 1e-300])
def test_the_bound_is_below_the_exact_smallest_eigenvalue_and_close(n, scale):
    rng = np.random.default_rng(n)
    for values in (rng.standard_normal(n), rng.uniform(1, 2, n), np.logspace(0, -12, n), np.ones(n)):
        A = rotated(values, rng) * scale
        bound = smallest_eigenvalue_bound(A)
        assert is_psd_exactly(A, bound)
        # the shift costs 4 (n + 2) u max(row sum, sum of roots), the radius about as much again: measured 3 to 22 n^2 u max|A|
        reach = 32 * n * n * U * abs(A).max() + 2.0**-1060
        assert not is_psd_exactly(A, bound + reach)


def test_definite_matrices_of_size_one_hundred_are_certified():
    rng = np.random.default_rng(0)
    A = rotated(rng.uniform(0.01, 1, 100), rng)
    assert 0.0099 < smallest_eigenvalue_bound(A) <= np.linalg.eigvalsh(A)[0]
    assert is_certainly_psd(A) and not is_certainly_psd(-A)


def test_matrices_at_the_edges_of_the_number_range_are_safe():
    assert smallest_eigenvalue_bound(np.zeros((3, 3))) == 0.0 and is_certainly_psd(np.zeros((2, 2)))
    assert 0 < smallest_eigenvalue_bound(np.eye(2) * 1.7e308) <= 1.7e308
    subnormal = np.array([[5e-324, 0.0], [0.0, -5e-324]])
    assert smallest_eigenvalue_bound(subnormal) <= -5e-324
    mixed = np.array([[1e300, 0.0], [0.0, -5e-324]])  # the second entry vanishes when the first is scaled to one
    assert smallest_eigenvalue_bound(mixed) <= -5e-324
    assert smallest_eigenvalue_bound(np.array([[0.0, 1.0], [1.0, 0.0]])) <= -1.0


def test_a_wrong_factor_costs_sharpness_but_never_truth(monkeypatch):
    A = rotated([-0.5, 1.0, 2.0], np.random.default_rng(1))
    for factor in (np.eye(3), 3 * np.ones((3, 3)), np.zeros((3, 3)), np.full((3, 3), np.nan)):
        monkeypatch.setattr(np.linalg, "cholesky", lambda _, factor=factor: factor)
        assert smallest_eigenvalue_bound(A) <= np.linalg.eigvalsh(A)[0]


@pytest.mark.parametrize(
    "A",
    [
        np.ones((2, 3)),
        np.ones(3),
        np.zeros((0, 0)),
        np.eye(2, dtype=np.float32),
        np.array([[1.0, 2.0], [2.0 + 1e-15, 1.0]]),
        np.array([[np.nan]]),
        np.array([[np.inf]]),
    ],
)
def test_input_that_the_error_analysis_does_not_cover_is_refused(A):
    with pytest.raises(ValueError, match="expected"):
        smallest_eigenvalue_bound(A)
