"""The decision whether a set is what the theorems need agrees with what the sets are, and needs no d×d matrix."""

import numpy as np
import pytest

from structures import Full, LeftKronecker
from structures.jordan import LARGE, jordan_check
from structures.registry import all_structures, controls


@pytest.mark.parametrize("structure", all_structures(), ids=str)
def test_every_structure_is_recognised(structure):
    check = jordan_check(structure)
    assert check.ok, check.reason
    assert check.margin > 0


@pytest.mark.parametrize("structure", [K for K in controls() if K.dim > 1], ids=str)
def test_every_control_is_refused_with_a_reason(structure):
    check = jordan_check(structure)
    assert check.ok is False
    assert check.margin < 0
    assert check.reason


def test_ten_thousand_parameters_are_decided_without_their_square():
    assert jordan_check(LeftKronecker((100, 100))).ok


def test_a_large_full_matrix_is_answered_for_by_a_small_one():
    assert Full((LARGE + 1,)).dim > LARGE
    assert jordan_check(Full((LARGE + 1,))) == jordan_check(Full((8,)))


def test_a_subclass_that_breaks_its_root_is_not_taken_at_its_word():
    class Lying(LeftKronecker):
        def metric(self, c):
            return self.factor(1.1 * c)

    check = jordan_check(Lying((2, 3)))
    assert check.ok is False
    assert "P_H" in check.reason


def test_a_subclass_that_forgets_its_multiplicity_is_found_out():
    class Unnormalised(LeftKronecker):
        def outer(self, G):
            return 3.0 * super().outer(G)

    assert jordan_check(Unnormalised((2, 3))).ok is False
    assert np.isfinite(jordan_check(Unnormalised((2, 3))).margin)
