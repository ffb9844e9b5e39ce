"""Exact certificates of adaptive smoothness are accepted by the independent checker, and every forgery is refused."""

import copy
import json

import numpy as np
import pytest

from convex.smoothness import certify_lower, certify_upper, semidefinite_bracket
from problems.pattern import class_means, class_sizes, label_pattern
from structures import (
    BlockDiagonal,
    Circulant,
    ColumnScalar,
    Conjugated,
    Diagonal,
    DirectSum,
    Exchangeable,
    Full,
    Layerwise,
    LeftKronecker,
    ModeK,
    RightKronecker,
    RowScalar,
    Scalar,
)
from theory.certificate import NotCertified
from theory.check import CertificateError, check

RNG = np.random.default_rng(0)
STRUCTURES = [
    Scalar((4,)),
    Diagonal((2, 2)),
    Full((4,)),
    LeftKronecker((2, 3)),
    RightKronecker((2, 3)),
    RowScalar((2, 3)),
    ColumnScalar((2, 3)),
    ModeK((2, 2, 2), 1),
    Circulant((5,)),
    Exchangeable((4,)),
    Layerwise([(2,), (3,)]),
    BlockDiagonal([(2,), (2,)]),
    DirectSum([LeftKronecker((2, 2)), Diagonal((2,))]),
]


def spectra(d):
    Q = np.linalg.qr(RNG.standard_normal((d, d)))[0]
    thin = RNG.standard_normal((d, 2))
    steep = (Q * np.logspace(0, -12, d)) @ Q.T
    return {"rank two": thin @ thin.T, "condition 1e12": (steep + steep.T) / 2, "zero": np.zeros((d, d))}


@pytest.mark.parametrize("K", STRUCTURES, ids=lambda K: type(K).__name__)
def test_both_ends_are_certified_within_a_millionth(K):
    for name, A in spectra(K.dim).items():
        found = semidefinite_bracket([A], K)
        if name == "zero":
            assert found.lower == found.upper == 0
            continue
        upper, lower = certify_upper([A], K, found.element), certify_lower([A], K, found.multipliers)
        for certificate, sign in ((upper, "<="), (lower, ">=")):
            document = json.loads(certificate.to_json())
            statement = check(document)
            assert f"Lambda {sign}" in statement
            value = float(statement.split()[2])
            assert value == pytest.approx(found.upper, rel=2e-6)  # a shift of 2⁻³⁴ to 2⁻²² relative, times d


def test_indefinite_pairs_are_certified():
    K, B = LeftKronecker((2, 2)), RNG.standard_normal((4, 4))
    A = B + B.T
    found = semidefinite_bracket([A, -A], K)
    for certificate in (certify_upper([A, -A], K, found.element), certify_lower([A, -A], K, found.multipliers)):
        assert "2 matrix(es)" in check(json.loads(certificate.to_json()))


@pytest.fixture(scope="module")
def genuine():
    K, thin = LeftKronecker((2, 2)), RNG.standard_normal((4, 2))
    A = thin @ thin.T
    found = semidefinite_bracket([A], K)
    return K, A, found, certify_upper([A], K, found.element), certify_lower([A], K, found.multipliers)


def test_a_value_that_is_too_good_is_not_certified(genuine):
    K, A, found, _, _ = genuine
    with pytest.raises(NotCertified, match="above the claimed"):
        certify_upper([A], K, found.element, found.lower * 0.999)
    with pytest.raises(NotCertified, match="below the claimed"):
        certify_lower([A], K, found.multipliers, found.upper * 1.001)
    with pytest.raises(NotCertified, match="does not dominate"):
        certify_upper([A], K, 0.9 * found.element)
    with pytest.raises(NotCertified, match="not feasible"):
        certify_lower([A], K, [1.1 * W for W in found.multipliers])


def forged(certificate, change):
    document = copy.deepcopy(json.loads(certificate.to_json()))
    change(document["inputs"], document["witness"])
    return document


def halve_value(inputs, witness):
    inputs["value"] = 1


def double_value(inputs, witness):
    inputs["value"] = 1000


def other_matrix(inputs, witness):
    inputs["matrices"][0]["A"][0][0] = 1000


def smaller_element(inputs, witness):
    witness["H"][0] = 0


def free_labels(inputs, witness):
    inputs["labels"] = [[0, 1, 2, 3], [1, 4, 5, 6], [2, 5, 7, 8], [3, 6, 8, 9]]


def asymmetric_labels(inputs, witness):
    inputs["labels"][0][1] = 0


def negative_pivot(inputs, witness):
    proof = witness["factors"][0] if "factors" in witness else witness
    proof["D"][0] = -1


def larger_multiplier(inputs, witness):
    witness["multipliers"][0]["W"][0][0] = 5


def no_matrices(inputs, witness):
    inputs["matrices"] = []


@pytest.mark.parametrize(
    "change", [halve_value, other_matrix, smaller_element, free_labels, asymmetric_labels, negative_pivot, no_matrices]
)
def test_a_forged_upper_bound_is_refused(genuine, change):
    with pytest.raises(CertificateError):
        check(forged(genuine[3], change))


@pytest.mark.parametrize(
    "change",
    [double_value, other_matrix, larger_multiplier, free_labels, asymmetric_labels, negative_pivot, no_matrices],
)
def test_a_forged_lower_bound_is_refused(genuine, change):
    if change is other_matrix:  # a larger matrix only raises the inner product: the claim stays true and is accepted
        assert "Lambda >=" in check(forged(genuine[4], change))
        return
    with pytest.raises(CertificateError):
        check(forged(genuine[4], change))


def test_a_repeated_or_skipped_label_is_refused(genuine):
    def skipped(inputs, witness):
        inputs["labels"] = [[k + 1 if k > 0 else k for k in row] for row in inputs["labels"]]

    def words(inputs, witness):
        inputs["labels"][0][0] = True

    for change in (skipped, words):
        with pytest.raises(CertificateError):
            check(forged(genuine[3], change))


# --- patterns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", STRUCTURES, ids=lambda K: type(K).__name__)
def test_the_mean_over_each_label_is_the_projection(K):
    labels, M = label_pattern(K), RNG.standard_normal((K.dim, K.dim))
    M = M + M.T
    np.testing.assert_allclose(class_means(labels, M), K.dense(K.project(M)), atol=1e-13)
    assert class_sizes(labels).sum() == np.sum(labels >= 0)


def test_a_rotated_structure_has_no_pattern():
    K = Conjugated(Diagonal((4,)), np.linalg.qr(RNG.standard_normal((4, 4)))[0])
    with pytest.raises(ValueError, match="no label pattern"):
        label_pattern(K)
    with pytest.raises(ValueError, match="no label pattern"):
        certify_upper([np.eye(4)], K, np.eye(4))
