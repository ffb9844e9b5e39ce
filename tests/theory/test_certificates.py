"""A certificate proves exactly what it says: the independent checker accepts true ones and rejects every altered one."""

import copy
import json
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import check as checker
from theory.certificate import (
    Certificate,
    NotCertified,
    all_of,
    inequality,
    loewner,
    not_psd,
    nuclear_norm_lower,
    psd,
    trace_sqrt_lower,
    write,
)
from theory.rational import Factors, Indefinite, exact, ldlt, matmul, quadratic_form, transpose


def checked(certificate: Certificate) -> str:
    return checker.check(json.loads(certificate.to_json()))


def number(document, key="value"):
    return checker.number(document.inputs[key], key)


def spectrum(values, seed=0):
    """A symmetric float matrix with about these eigenvalues."""
    n = len(values)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    A = (Q * np.asarray(values)) @ Q.T
    return (A + A.T) / 2


def dyadic(shape, seed=0):
    """A matrix of multiples of 1/8, on which floating-point products are exact."""
    return np.random.default_rng(seed).integers(-8, 9, shape) / 8


SEMIDEFINITE = {
    "one by one": np.array([[0.1]]),
    "zero": np.zeros((3, 3)),
    "identity": np.eye(3),
    "repeated eigenvalues": np.ones((4, 4)) + np.eye(4),
    "rank one": np.outer([1.0, 2.0, -3.0], [1.0, 2.0, -3.0]),
    "rank two of six": dyadic((6, 2)) @ dyadic((6, 2)).T,
    "zero first pivot": np.diag([0.0, 1.0, 0.0, 2.0]),
    "condition 1e12": spectrum(np.logspace(0, -12, 5)),
    "scale 1e150": spectrum([1.0, 2.0, 3.0]) * 1e150,
    "scale 1e-150": spectrum([1.0, 2.0, 3.0]) * 1e-150,
}
INDEFINITE = {
    "negative pivot": np.array([[-1.0]]),
    "negative later pivot": np.array([[1.0, 2.0], [2.0, 1.0]]),
    "zero pivot with a row": np.array([[0.0, 1e-160], [1e-160, 5.0]]),
    "zero pivot after elimination": np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 7.0]]),
    "by 1e-300": np.diag([1.0, -1e-300]),
    "by an ulp": np.array([[1.0, 1.0], [1.0, 1.0 - 2**-53]]),
    "scale 1e150": spectrum([1.0, -2.0, 3.0]) * 1e150,
}


@pytest.mark.parametrize("name", SEMIDEFINITE)
def test_a_semidefinite_matrix_is_certified_and_never_the_opposite(name):
    assert "positive semidefinite" in checked(psd(SEMIDEFINITE[name]))
    with pytest.raises(NotCertified):
        not_psd(SEMIDEFINITE[name])


@pytest.mark.parametrize("name", INDEFINITE)
def test_an_indefinite_matrix_is_certified_and_never_the_opposite(name):
    assert "not positive semidefinite" in checked(not_psd(INDEFINITE[name]))
    with pytest.raises(NotCertified, match="not positive semidefinite"):
        psd(INDEFINITE[name])


def determinant(A):
    """Laplace expansion: slow, exact, and nothing like elimination."""
    if not A:
        return Fraction(1)
    minors = (determinant([row[:j] + row[j + 1 :] for row in A[1:]]) for j in range(len(A)))
    return sum(((-1) ** j * A[0][j] * minor for j, minor in enumerate(minors)), Fraction(0))


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.integers(-3, 3), min_size=n * n, max_size=n * n)))
def test_elimination_agrees_with_the_principal_minors(entries):
    n = int(len(entries) ** 0.5)
    A = [[Fraction(entries[min(i, j) * n + max(i, j)], 2) for j in range(n)] for i in range(n)]
    subsets = [rows for size in range(1, n + 1) for rows in combinations(range(n), size)]
    semidefinite = all(determinant([[A[i][j] for j in rows] for i in rows]) >= 0 for rows in subsets)
    outcome = ldlt(A)
    if semidefinite:
        assert isinstance(outcome, Factors) and all(pivot > 0 for pivot in outcome.D)
        scaled = [[entry * pivot for entry, pivot in zip(row, outcome.D, strict=True)] for row in outcome.L]
        assert not outcome.D or matmul(scaled, transpose(outcome.L)) == A
        checked(psd(A))
    else:
        assert isinstance(outcome, Indefinite) and quadratic_form(A, outcome.x) < 0
        checked(not_psd(A))


def test_the_loewner_order_is_that_of_the_exact_difference():
    A, V = spectrum([1.0, 2.0, 3.0]), dyadic((3, 1))
    exact_sum = [[exact(a) + exact(v) for a, v in zip(r, s, strict=True)] for r, s in zip(A, V @ V.T, strict=True)]
    assert "Loewner" in checked(loewner(A, exact_sum))
    with pytest.raises(NotCertified, match="B - A"):
        loewner(exact_sum, A)


@pytest.mark.parametrize("name", SEMIDEFINITE)
def test_the_trace_of_a_root_is_bounded_from_below_and_closely(name):
    A = SEMIDEFINITE[name]
    certificate = trace_sqrt_lower(A)
    assert "Tr sqrt(A)" in checked(certificate)
    about = np.sqrt(np.clip(np.linalg.eigvalsh(A), 0, None)).sum()
    # eigvalsh errs by n * eps * lambda_max, its root by n * sqrt(eps) on a kernel
    assert float(number(certificate)) == pytest.approx(about, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_certified_trace_never_exceeds_one_that_is_known_exactly(seed):
    rng = np.random.default_rng(seed)
    root = [[Fraction(int(entry), 8) for entry in row] for row in rng.integers(-8, 9, (4, 4))]
    X = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in root] for p in root]  # positive semidefinite
    truth = sum(X[i][i] for i in range(4))
    certificate = trace_sqrt_lower(matmul(X, X))  # sqrt(X^2) = X
    assert truth * (1 - Fraction(1, 10**9)) <= number(certificate) <= truth
    checked(certificate)
    with pytest.raises(NotCertified, match="reaches"):
        trace_sqrt_lower(matmul(X, X), value=truth * (1 + Fraction(1, 10**12)))


def test_a_given_value_is_kept_and_a_matrix_without_a_root_refused():
    assert number(trace_sqrt_lower(np.diag([4.0, 9.0]), value=4.5)) == Fraction(9, 2)
    with pytest.raises(NotCertified, match="not positive semidefinite"):
        trace_sqrt_lower(np.diag([4.0, -9.0]))


HADAMARD = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])


@pytest.mark.parametrize(
    ("B", "truth"),
    [
        (HADAMARD, 8.0),
        (HADAMARD[:2], 4.0),
        (np.array([[3.0], [4.0]]), 5.0),
        (np.zeros((2, 3)), 0.0),
        (np.diag([1.0, 1e-9, 0.0]), 1.0 + 1e-9),
        (HADAMARD * 2.0**-500, 2.0**-497),
        (HADAMARD * 2.0**500, 2.0**503),
        (np.ones((3, 40)), 120**0.5),
    ],
)
def test_a_nuclear_norm_is_bounded_from_below_and_closely_at_every_rank(B, truth):
    certificate = nuclear_norm_lower(B)
    assert "|B|_*" in checked(certificate)
    assert truth * (1 - 1e-13) <= float(number(certificate)) <= truth * (1 + 2**-52)
    with pytest.raises(NotCertified, match="reaches"):
        nuclear_norm_lower(B, value=(truth + 2.0**-1000) * (1 + 1e-12))


def leaves(node, path=()):
    """Paths to all numbers of the inputs and the witness."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from leaves(child, (*path, key))
    if not isinstance(node, (dict, list)):
        yield path


def altered(document, path):
    """The document with one more at this place."""
    copied = copy.deepcopy(document)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = write(checker.number(place[path[-1]], "entry") + 1)
    return copied


@pytest.mark.parametrize(
    "certificate",
    [
        psd(spectrum([1.0, 2.0, 3.0])),
        psd(dyadic((3, 1)) @ dyadic((3, 1)).T),
        loewner(np.eye(3), 2 * np.eye(3) + np.ones((3, 3))),
        trace_sqrt_lower(spectrum([1.0, 2.0])),
        nuclear_norm_lower(dyadic((2, 3))),
    ],
    ids=["psd", "rank one", "loewner", "trace", "nuclear"],
)
def test_no_number_of_a_certificate_can_be_altered(certificate):
    document = json.loads(certificate.to_json())
    paths = [(part, *path) for part in ("inputs", "witness") for path in leaves(document[part])]
    paths = [path for path in paths if path[:2] != ("inputs", "B")]  # a larger B makes another claim, and a true one
    assert len(paths) > 6
    for path in paths:
        with pytest.raises(checker.CertificateError):
            checker.check(altered(document, path))


def test_a_nuclear_norm_is_that_of_its_own_matrix():
    document = json.loads(nuclear_norm_lower(HADAMARD).to_json())
    document["inputs"]["B"] = [[entry * 3 // 4 for entry in row] for row in document["inputs"]["B"]]
    with pytest.raises(checker.CertificateError, match="below the claimed"):
        checker.check(document)


def trace_fact():
    return trace_sqrt_lower(np.diag([4.0, 9.0]), value=5.0 - 2**-40)


def test_an_inequality_may_lean_on_a_proved_lower_bound_from_the_right_side_only():
    value = number(trace_fact())
    good = inequality([("regret", 1, 9.5), ("trace", -2, value)], 0, {"trace": trace_fact()})
    assert "regret" in checked(good) and "trace: Tr sqrt(A)" in checked(good)
    for terms in (
        [("regret", -1, 9.5), ("trace", 1, value)],  # a lower bound on the wrong side
        [("regret", 1, 9.5), ("trace", -2, value + 1)],  # more than was proved
        [("regret", 1, -9.5)],  # the fact is not used
    ):
        with pytest.raises(checker.CertificateError):
            checked(inequality(terms, 0, {"trace": trace_fact()}))
    with pytest.raises(checker.CertificateError, match="bounds no quantity"):
        checked(inequality([("trace", -1, 1)], 0, {"trace": psd(np.eye(2))}))


def test_a_sum_is_compared_exactly():
    tenth = [("a", 1, 0.1), ("b", 1, 0.2)]
    assert 0.1 + 0.2 > 0.3  # in floating point the sum rounds up
    with pytest.raises(NotCertified, match="above"):
        inequality(tenth, 0.3)  # and exactly it exceeds the double 0.3 as well
    checked(inequality(tenth, Fraction(0.1) + Fraction(0.2)))


def test_all_parts_must_hold():
    good = all_of([psd(np.eye(2)), not_psd(-np.eye(2))])
    assert checked(good).count(";") == 1
    document = json.loads(good.to_json())
    document["inputs"]["parts"][1]["inputs"]["A"][0][0] = 7
    with pytest.raises(checker.CertificateError):
        checker.check(document)
    with pytest.raises(ValueError, match="empty"):
        all_of([])


@given(st.fractions() | st.floats(allow_nan=False, allow_infinity=False).map(Fraction))
def test_numbers_survive_writing_exactly(value):
    assert checker.number(json.loads(json.dumps(write(value))), "x") == value


@pytest.mark.parametrize(
    "rows", [[[1.0, 2.0], [2.0 + 2**-51, 1.0]], [[1.0, np.nan], [np.nan, 1.0]], [[np.inf]], [], [[1.0], [1.0, 2.0]]]
)
def test_a_matrix_that_is_not_finite_and_exactly_symmetric_is_an_error(rows):
    with pytest.raises(ValueError, match=r"symmetric|finite|rectangular"):
        psd(rows)
