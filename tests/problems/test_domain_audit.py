"""A domain whose parts do not belong to one convex set is found out; every domain of the project passes."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from problems.domains import Box, L2Ball, Product, Simplex, SpectralBall
from problems.domains.accelerated_gradient import frank_wolfe_gap
from problems.domains.audit import domain_check
from structures import Diagonal, LeftKronecker
from structures.registry import all_structures

KINDS = (Box, L2Ball, SpectralBall, Simplex, Product)


@pytest.mark.parametrize("structure", all_structures(), ids=str)
def test_the_domains_of_the_project_pass_in_the_norm_of_every_structure(structure):
    for domain in (domain for kind in KINDS for domain in kind.examples(structure.shape)):
        check = domain_check(domain, structure.shape, structure)
        assert check.ok, (domain, check.reason)
        assert check.margin > 0


@pytest.mark.parametrize("size", [1e-100, 1e100])
def test_the_size_of_a_domain_does_not_matter(size):
    assert domain_check(SpectralBall(size), (2, 3), LeftKronecker((2, 3))).ok


class SmallSupport(Box):
    def flat_support(self, s):
        return 0.9 * super().flat_support(s)


class LazyOracle(Box):
    def flat_lmo(self, s):
        return 0.9 * super().flat_lmo(s)


class NoProjection(Box):
    def flat_nearest(self, y):
        return y


class FarProjection(L2Ball):
    def flat_nearest(self, y):
        return 0.9 * super().flat_nearest(y)


class SmallDiameter(Box):
    def diameter(self, structure):
        return 0.9 * super().diameter(structure)


class SmallEuclideanDiameter(Box):
    def euclidean_diameter(self, shape):
        return 0.9 * super().euclidean_diameter(shape)


@pytest.mark.parametrize(
    "lie", [SmallSupport, LazyOracle, NoProjection, FarProjection, SmallDiameter, SmallEuclideanDiameter]
)
def test_a_domain_that_contradicts_itself_is_refused(lie):
    check = domain_check(lie(1.0), (3,), Diagonal((3,)))
    assert check.ok is False
    assert check.margin < 0


def test_a_constant_that_is_too_large_is_allowed_because_bounds_with_it_are_true():
    class Generous(Box):
        def diameter(self, structure):
            return 5.0 * super().diameter(structure)

    assert domain_check(Generous(1.0), (3,), Diagonal((3,))).ok


def test_a_domain_that_holds_an_array_is_checked_without_a_hash():
    @dataclass(frozen=True)
    class Labelled(Box):
        label: np.ndarray = field(default_factory=lambda: np.zeros(2))

    assert domain_check(Labelled(1.0), (3,), Diagonal((3,))).ok


def test_a_gap_that_cannot_be_computed_is_not_zero():
    ball = L2Ball(1.0).on((4,))
    with np.errstate(over="ignore", invalid="ignore"):
        gap, _ = frank_wolfe_gap(ball, np.full((1, 4), -1.7e308), np.full((1, 4), 0.9))
    assert np.isnan(gap[0])
    assert frank_wolfe_gap(ball, np.full((1, 4), -1.0), np.full((1, 4), 0.5))[0][0] == 0.0
