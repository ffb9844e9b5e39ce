"""Eigendecompositions and powers: exact where they can be, loud where there is no answer, and never silently wrong."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from backends import BACKENDS
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import psd

from structures import roots
from structures.arrays import all_finite, dtype_name, namespace, to_numpy, tolerance
from structures.roots import NotPositiveError, clip_to_psd, eigh, inverse_root, matrix_power, values_power

POWERS = [Fraction(1, 2), Fraction(-1, 2), Fraction(1, 4), Fraction(-1, 4), Fraction(3, 4), -1, 1, 2, Fraction(1, 3)]


def spd(rng, n, low=-6):
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = np.logspace(0, low, n)
    return (Q * values) @ Q.T, Q, values


@pytest.mark.parametrize("p", POWERS)
def test_a_power_is_the_power_of_the_eigenvalues(p, backend):
    rng = np.random.default_rng(0)
    A, Q, values = spd(rng, 4, -2)
    found = to_numpy(matrix_power(backend.array(A), p))
    size = max(values ** float(p))
    # A is known to eps, its smallest eigenvalue to 100 eps, and the power multiplies that by |p| ≤ 2.
    np.testing.assert_allclose(found, (Q * values ** float(p)) @ Q.T, atol=tolerance(backend.like, 4, 200.0) * size)


@given(A=psd(4), q=st.sampled_from([2, 3, 4]))
def test_the_power_of_a_root_is_the_matrix(A, q):
    root = matrix_power(A, Fraction(1, q))
    # Compared as the power: a root of a singular matrix has no more than half (a third, a quarter) of the digits itself.
    error = tolerance(A, 4, float(q)) * max(1.0, np.linalg.norm(A, 2))
    np.testing.assert_allclose(np.linalg.matrix_power(root, q), A, atol=error)


@given(A=psd(4))
def test_the_inverse_power_is_the_pseudo_inverse(A):
    values, vectors = np.linalg.eigh(A)
    kept = values > 1e-5 * max(values[-1], 1e-300)  # no eigenvalue near the cut-off itself
    assume(all(kept | (values < 1e-14 * max(values[-1], 1e-300))))
    inverse = (vectors * np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)) @ vectors.T
    scale = 1.0 / min(values[kept], default=1.0)
    np.testing.assert_allclose(matrix_power(A, -1), inverse, atol=tolerance(A, 4, 1e5) * scale)


def test_an_eigenvalue_at_the_level_of_rounding_counts_as_null():
    A = np.diag([1.0, 3e-16, 0.0])
    np.testing.assert_array_equal(np.diag(matrix_power(A, -1)), [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(np.diag(matrix_power(A, Fraction(-1, 2))), [1.0, 0.0, 0.0])


def test_the_cut_off_is_relative_so_that_scale_does_not_matter():
    for scale in (1e-150, 1.0, 1e150):
        found = matrix_power(scale * np.diag([1.0, 1e-10, 1e-17]), Fraction(-1, 2)) * np.sqrt(scale)
        np.testing.assert_allclose(np.diag(found), [1.0, 1e5, 0.0], rtol=1e-14)  # three roundings


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_extreme_scales_neither_overflow_nor_vanish(scale):
    A, Q, values = spd(np.random.default_rng(1), 3, -1)
    found = matrix_power(scale * A, Fraction(1, 2)) / np.sqrt(scale)
    np.testing.assert_allclose(found, (Q * np.sqrt(values)) @ Q.T, atol=tolerance(A, 3, 10.0))
    assert np.isfinite(matrix_power(scale * A, Fraction(-1, 4))).all()


def test_entries_near_the_overflow_threshold_survive_symmetrisation():
    A = np.full((2, 2), 1e308)
    np.testing.assert_allclose(eigh(A / 2)[0], [0.0, 1e308], atol=tolerance(A, 2) * 1e308)


@pytest.mark.parametrize("part", [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), Fraction(3, 4)])
def test_dyadic_powers_are_exact_on_exact_powers(part):
    base = np.asarray([0.0, 1.0, 2.0, 3.0, 5.0])
    np.testing.assert_array_equal(values_power(base**8, part), base ** int(8 * part))


def test_power_zero_is_the_identity_and_one_is_the_value():
    values = np.asarray([0.0, 2.0, 7.0])
    np.testing.assert_array_equal(values_power(values, 0), [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(values_power(values, 1), values)


def test_an_inverse_root_is_a_negative_fraction():
    A, _, _ = spd(np.random.default_rng(2), 3, -1)
    np.testing.assert_array_equal(inverse_root(A, 4), matrix_power(A, Fraction(-1, 4)))
    with pytest.raises(ValueError, match="positive integer"):
        inverse_root(A, 0)


def test_a_non_finite_entry_is_named(backend):
    A = np.eye(3)
    A[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"entry \(1, 2\) is nan"):
        matrix_power(backend.array(A), 0.5)
    A[1, 2] = np.inf
    with pytest.raises(ValueError, match=r"\(1, 2\) is inf \(1 of 9 entries"):
        eigh(backend.array(A))


def test_an_indefinite_matrix_has_no_root(backend):
    with pytest.raises(NotPositiveError, match="smallest eigenvalue is -0.5"):
        matrix_power(backend.array(np.diag([1.0, -0.5])), 0.5)


def test_rounding_below_zero_is_not_indefiniteness():
    A = np.diag([1.0, -1e-15])
    np.testing.assert_array_equal(np.diag(matrix_power(A, 0.5)), [1.0, 0.0])
    with pytest.raises(NotPositiveError):
        matrix_power(np.diag([1.0, -1e-13]), 0.5)


def test_nan_eigenvalues_are_not_clipped_to_zero():
    assert np.isnan(clip_to_psd(np.asarray([np.nan, 1.0]), 2)[0])


@pytest.mark.parametrize("shape", [(0, 0), (2, 3), (3,), (2, 0, 0)])
def test_matrices_that_are_not_square_or_empty_are_refused(shape):
    with pytest.raises(ValueError, match="square matrices"):
        matrix_power(np.zeros(shape), 0.5)


def test_complex_matrices_are_refused():
    hermitian = np.asarray([[2.0, 1.0j], [-1.0j, 2.0]])
    for matrix in (hermitian, torch.tensor(hermitian)):
        with pytest.raises(ValueError, match="real symmetric matrices, got complex128"):
            eigh(matrix)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int64", "complex64"])
def test_a_sum_that_overflows_is_no_infinity_and_a_sum_that_cancels_hides_none(dtype):
    kind = getattr(torch, dtype)
    if dtype.startswith("int"):
        assert all_finite(torch.full((9,), 2**62, dtype=kind))
        return
    real = torch.float32 if kind.is_complex else kind
    largest = torch.full((9,), torch.finfo(real).max, dtype=kind)
    assert all_finite(largest)
    for bad in ([torch.inf, -torch.inf], [torch.nan], [-torch.inf]):
        assert not all_finite(torch.cat([largest, torch.tensor(bad, dtype=kind)]))
        assert not all_finite(torch.tensor([0.0, *bad, 1.0], dtype=kind))


def test_one_by_one_and_batched_matrices():
    np.testing.assert_array_equal(matrix_power(np.asarray([[4.0]]), Fraction(-1, 2)), [[0.5]])
    A = np.stack([np.eye(2), 4.0 * np.eye(2)])
    np.testing.assert_array_equal(matrix_power(A, Fraction(1, 2)), np.stack([np.eye(2), 2.0 * np.eye(2)]))


class _Flaky:
    """A namespace whose eigh fails in single precision, as LAPACK's does on some spreads of scales."""

    def __init__(self, xp, error):
        self.xp, self.error, self.linalg, self.calls = xp, error, self, []

    def __getattr__(self, name):
        return getattr(self.xp, name)

    def eigh(self, A):
        self.calls.append(dtype_name(A))
        if self.error is None or dtype_name(A) == "float32":
            raise self.error or RuntimeError("linalg.eigh: failed to converge")
        return self.xp.linalg.eigh(A)


@pytest.mark.parametrize("error", [np.linalg.LinAlgError("no convergence"), RuntimeError("torch says no")])
@pytest.mark.parametrize("like", [b.like for b in BACKENDS if b.dtype == "float32"][:2], ids=["numpy", "torch"])
def test_a_failed_single_precision_decomposition_is_tried_in_double(monkeypatch, error, like):
    flaky = _Flaky(namespace(like), error)
    monkeypatch.setattr(roots, "namespace", lambda *arrays: flaky)
    xp = flaky.xp
    A = xp.asarray([[2e30, 1e30], [1e30, 2e30]], dtype=like.dtype)
    values, _ = eigh(A)
    assert flaky.calls == ["float32", "float64"]
    assert dtype_name(values) == "float32"
    np.testing.assert_allclose(to_numpy(values), [1e30, 3e30], rtol=1e-6)  # a few roundings of float32


def test_when_double_fails_too_the_error_says_so(monkeypatch):
    flaky = _Flaky(namespace(np.zeros(1)), None)
    monkeypatch.setattr(roots, "namespace", lambda *arrays: flaky)
    with pytest.raises(np.linalg.LinAlgError, match="nor in float64"):
        eigh(np.eye(2, dtype=np.float32))


class _Silent(_Flaky):
    """A namespace whose eigh returns NaN in these precisions, without an error: MKL's ssyevd on some matrices of low rank."""

    def __init__(self, xp, precisions):
        super().__init__(xp, None)
        self.precisions = precisions

    def eigh(self, A):
        self.calls.append(dtype_name(A))
        values, vectors = self.xp.linalg.eigh(A)
        wrong = float("nan") if dtype_name(A) in self.precisions else 1.0
        return values, vectors * wrong


@pytest.mark.parametrize("like", [b.like for b in BACKENDS if b.dtype == "float32"][:2], ids=["numpy", "torch"])
def test_nan_from_a_finite_matrix_is_tried_in_double_or_is_an_error(monkeypatch, like):
    silent = _Silent(namespace(like), ("float32",))
    monkeypatch.setattr(roots, "namespace", lambda *arrays: silent)
    A = silent.xp.asarray([[2.0, 1.0], [1.0, 2.0]], dtype=like.dtype)
    values, vectors = eigh(A)
    assert silent.calls == ["float32", "float64"]
    np.testing.assert_allclose(to_numpy(vectors * values[None, :] @ vectors.T), to_numpy(A), rtol=1e-6)  # roundings
    monkeypatch.setattr(silent, "precisions", ("float32", "float64"))
    with pytest.raises(np.linalg.LinAlgError, match="gave NaN"):
        eigh(A)


@pytest.mark.parametrize(("seed", "n", "rank"), [(14, 263, 2), (68, 200, 1), (202, 128, 3), (0, 64, 1)])
def test_matrices_of_low_rank_in_single_precision_are_decomposed(seed, n, rank):
    import torch

    draw = torch.Generator().manual_seed(seed)
    G = torch.randn(n, rank, generator=draw)
    G[torch.rand(n, generator=draw) < 0.3] = 0.0
    A = G @ G.mT  # of the first two, MKL 2024.2 with AVX-512 returns NaN, for the third it says that it fails
    values, vectors = eigh(A)
    allowed = tolerance(values, n)  # of A - VΛVᵀ and of VVᵀ - I, each a sum over n
    assert float((vectors * values @ vectors.mT - A).norm() / A.norm()) < allowed
    assert float((vectors @ vectors.mT - torch.eye(n)).norm()) < allowed * n**0.5


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precisions_are_computed_in_single(name):
    import torch

    A = torch.tensor([[5.0, 4.0], [4.0, 5.0]], dtype=getattr(torch, name))
    root = matrix_power(A, Fraction(1, 2))
    assert dtype_name(root) == name
    np.testing.assert_array_equal(to_numpy(root.float()), [[2.0, 1.0], [1.0, 2.0]])  # exact in three bits
    A[0, 1] = float("nan")
    with pytest.raises(ValueError, match=r"entry \(0, 1\) is nan"):
        eigh(A)
