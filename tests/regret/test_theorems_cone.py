"""A convex cone that is closed under products, but not under negative scalars, breaks the regret theorem itself."""

import numpy as np
import pytest

from regret import AdaptiveRegularization, play
from regret.adversaries.staircase import Staircase
from structures import Diagonal
from structures.not_structured import MonotoneCone


def staircase(structure, dim: int, **options) -> tuple:
    game = Staircase(dim, rate=0.3, **options)
    learner = AdaptiveRegularization(structure, lr=game.rate, eps=game.eps)
    return game, play(learner, game, game.length, comparator=game.comparator)


@pytest.fixture(scope="module")
def two():
    return staircase(MonotoneCone((2,)), 2)[1]


def test_in_two_dimensions_the_regret_is_1_374_times_the_bound(two):
    verdict = two.verify("structured-regret", ignoring=("well-structured",))
    assert verdict.kind == "VIOLATED"
    assert verdict.ratio == pytest.approx(1.374, abs=5e-4)  # three digits of a number that a choice of levels fixes


def test_through_the_normal_door_the_cone_is_refused(two):
    verdict = two.verify("structured-regret")
    assert verdict.kind == "HYPOTHESIS_FAILED"
    assert verdict.evidence["failed"] == ["well-structured"]


def test_in_one_dimension_the_cone_is_a_structure_and_the_bound_nearly_attained():
    verdict = staircase(MonotoneCone((1,)), 1)[1].verify("structured-regret")
    assert verdict.kind == "VERIFIED"
    assert verdict.ratio == pytest.approx(0.966, abs=5e-4)


def test_the_moving_norms_grow_like_half_the_dimension_while_the_trace_pays_for_one():
    """Closed form of the limit: (d + 1)/2 for the telescoping sum, hence these ratios of the regret; κ, δ cost a few percent."""
    for d in (2, 3):
        limit = ((d + 1) / 1.2 + 0.3) / (1 / 0.6 + 0.3)
        _, trace = staircase(MonotoneCone((d,)), d, growth=0.05, drift=0.03)
        ratio = trace.verify("structured-regret", ignoring=("well-structured",)).ratio
        assert 0.88 * limit < ratio < limit


def test_on_all_diagonals_the_same_gradients_respect_the_bound():
    """The subspace closes the gap: only its own norm, the largest entry, is larger at √2 e₂."""
    verdict = staircase(Diagonal((2,)), 2, growth=0.05, drift=0.03)[1].verify("structured-regret")
    assert verdict.kind == "VERIFIED"


def test_a_pair_returns_and_a_coordinate_is_left_alone_when_its_turn_is_over():
    game, trace = staircase(MonotoneCone((3,)), 3, growth=0.05, drift=0.03)
    gradients = game.sampler(np.random.default_rng(0))(game.length)
    order = np.argmax(gradients != 0, axis=1)
    assert np.all(np.diff(order) >= 0)
    assert np.all(np.count_nonzero(gradients, axis=1) == 1)
    assert trace.distance[-1] == pytest.approx(1.0, abs=0.01)  # it stops one drift step, 0.009, before the sphere
    assert np.max(np.abs(trace.last_iterate)) < 0.01


@pytest.mark.parametrize(
    "wrong", [{"dim": 0}, {"growth": 0.0}, {"drift": 1.0}, {"eps": 0.0}, {"rate": -1.0}, {"dim": 60}]
)
def test_a_staircase_that_cannot_be_climbed_is_an_error(wrong):
    with pytest.raises(ValueError):
        Staircase(**{"dim": 2, "rate": 0.3, **wrong})
