"""Laws of every penalty: its proximal point, its conjugate, its strong convexity, in every array library."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import Box, oracles
from problems.penalties import L1, BoxIndicator, ElasticNet, GroupL1, Penalty, SquaredL2, ZeroPenalty
from structures.arrays import dtype_name, to_numpy, tolerance

EPS = float(np.finfo(np.float64).eps)
SHAPES = [(5,), (2, 3), (1,)]
OURS = [
    cls for cls in Penalty.__subclasses__() if cls.__module__.startswith("problems.")
]  # other tests write their own
CLASSES = sorted(OURS, key=lambda cls: cls.__name__)
PENALTIES = [example for shape in SHAPES for cls in CLASSES for example in cls.examples(shape)]
STEPS = [0.3, 1.0, 7.0]


def _points(penalty, count, seed=0, spread=1.5):
    return spread * np.random.default_rng(seed).standard_normal((count, *penalty.shape))


def _inner(penalty, x, y):
    return np.sum(x * y, axis=tuple(range(-len(penalty.shape), 0)))


def _columns(penalty, a):
    return np.reshape(a, (*np.shape(a), *[1] * len(penalty.shape)))


def test_every_penalty_has_examples_and_is_exported():
    assert {type(penalty) for penalty in PENALTIES} == set(CLASSES)
    assert set(CLASSES) == {L1, BoxIndicator, ElasticNet, GroupL1, SquaredL2, ZeroPenalty}


@pytest.mark.parametrize("penalty", [p for p in PENALTIES if p.shape == (2, 3)], ids=str)
def test_a_proximal_point_is_the_minimiser_of_its_definition(penalty):
    for v, step in zip(_points(penalty, 2), (0.3, 2.0), strict=True):
        expected = oracles.prox(penalty, v, step)
        found = penalty.prox(v, step)
        assert np.allclose(found, expected, rtol=0, atol=1e-6)  # the conic solver's gap of 1e-11, under a square root
        control = penalty.prox(v, 3.0 * step)
        moves = not isinstance(penalty, ZeroPenalty | BoxIndicator) and penalty not in (
            _l1(0.0),
            SquaredL2(0.0, shape=(2, 3)),
        )
        assert np.allclose(control, expected, rtol=0, atol=1e-3) != moves


def _l1(lam):
    return L1(lam, shape=(2, 3))


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_the_residual_of_a_proximal_point_is_a_subgradient(penalty):
    # R(w) ≥ R(u) + <(v - u)/step, w - u> for all w says that u is the proximal point: no solver is asked.
    for step in STEPS:
        v = _points(penalty, 40)
        u = penalty.prox(v, step)
        s = (v - u) / step
        for w in [penalty.prox(_points(penalty, 40, seed), 1.0) for seed in (1, 2)] + [0.0 * v, 2.0 * u]:
            there, slope = penalty.value(w), _inner(penalty, s, w - u)
            size = np.abs(penalty.value(u)) + np.where(np.isfinite(there), np.abs(there), 0.0) + np.abs(slope)
            assert np.all(there >= penalty.value(u) + slope - 64 * EPS * size)


@pytest.mark.parametrize("penalty", [p for p in PENALTIES if p.shape == (5,)], ids=str)
def test_a_shorter_residual_is_not_a_subgradient(penalty):
    if penalty.strong_convexity == 0 and not isinstance(penalty, BoxIndicator):
        return  # a polyhedral set of subgradients can hold a shorter one too
    step, v = 1.0, _points(penalty, 400)
    u = penalty.prox(v, step)
    s, w = 0.5 * (v - u), penalty.prox(_points(penalty, 400, 1), 1e-3)
    violated = penalty.value(w) < penalty.value(u) + _inner(penalty, s, w - u) - 1e-9
    assert np.any(violated) == (
        penalty.strong_convexity > 0
    )  # a box's subgradients are a cone, that of R = μ|x|²/2 a point


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_value_and_conjugate_meet_at_a_proximal_point(penalty):
    # Moreau: u = prox(v), s = (v - u)/step is the proximal point of the conjugate, and R(u) + R*(s) = <u, s>.
    for step in STEPS:
        v = _points(penalty, 60)
        u = penalty.prox(v, step)
        s = (v - u) / step * (1.0 - 64 * EPS)  # back into a domain that s touches up to rounding
        total = penalty.value(u) + penalty.conjugate(s)
        assert np.allclose(total, _inner(penalty, u, s), rtol=0, atol=4096 * EPS * np.max(np.abs(v)) ** 2 * v[0].size)


@given(st.integers(0, len(PENALTIES) - 1), st.integers(0, 2**20), st.sampled_from([0.01, 1.0, 30.0]))
def test_value_and_conjugate_obey_the_inequality_of_fenchel_and_young(index, seed, spread):
    penalty = PENALTIES[index]
    x, s = _points(penalty, 2, seed, spread)
    product = np.sum(x * s)
    assert penalty.value(x) + penalty.conjugate(s) >= product - 64 * EPS * np.sum(np.abs(x * s))


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_proximal_points_contract_by_the_strong_convexity(penalty):
    mu = penalty.strong_convexity
    for step in STEPS:
        v, w = _points(penalty, 50), _points(penalty, 50, 1)
        distance = np.linalg.norm((penalty.prox(v, step) - penalty.prox(w, step)).reshape(50, -1), axis=1)
        before = np.linalg.norm((v - w).reshape(50, -1), axis=1)
        assert np.all(distance <= before / (1.0 + step * mu) * (1 + 64 * EPS))
        if isinstance(penalty, SquaredL2):  # met, so that no larger constant could be declared
            assert np.allclose(distance, before / (1.0 + step * mu), rtol=64 * EPS)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_a_batch_of_steps_is_one_step_for_each_element(penalty):
    v, steps = _points(penalty, 3), np.array([0.1, 1.0, 4.0])
    alone = np.stack([penalty.prox(v[j], float(steps[j])) for j in range(3)])
    assert np.allclose(penalty.prox(v, steps), alone, rtol=4 * EPS, atol=0)
    grid = penalty.prox(np.stack([v, v]), np.stack([steps, steps]))
    assert np.allclose(grid[1], alone, rtol=4 * EPS, atol=0)
    assert penalty.value(v).shape == (3,) and penalty.conjugate(grid).shape == (2, 3)


@pytest.mark.parametrize("penalty", [p for p in PENALTIES if p.shape != (1,)], ids=str)
def test_every_array_library_gives_the_same_penalty(penalty, backend):
    v = _points(penalty, 3)
    there = backend.array(v)
    room = tolerance(there, v.size)
    for step in (0.7, backend.array([0.3, 1.0, 2.0])):
        found = penalty.prox(there, step)
        assert dtype_name(found) == backend.dtype and found.device == there.device
        expected = penalty.prox(v, step if isinstance(step, float) else to_numpy(step).astype(float))
        assert np.allclose(to_numpy(found), expected, rtol=0, atol=room * np.max(np.abs(v)))
        assert np.allclose(to_numpy(penalty.value(found)), penalty.value(expected), rtol=room, atol=room)
    s = 0.02 * v
    with np.errstate(invalid="raise"):
        assert np.allclose(to_numpy(penalty.conjugate(backend.array(s))), penalty.conjugate(s), rtol=room, atol=room)


def test_before_a_shape_is_known_the_last_axis_is_the_parameter():
    x = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(L1(2.0).value(x), [6.0, 24.0])
    assert L1(2.0).on((2, 3)).value(x) == 30.0
    assert ElasticNet(1.0, 0.0).on((3,)) == ElasticNet(1.0, 0.0, shape=(3,))
    with pytest.raises(ValueError, match="at least one axis"):
        L1(1.0).value(np.array(1.0))
    with pytest.raises(ValueError, match="last axes"):
        L1(1.0, shape=(4,)).prox(x, 1.0)


def test_soft_thresholding_gives_exact_zeros():
    u = L1(0.5).prox(np.array([0.5, -0.5, 0.49, 2.0, -2.0]), 1.0)
    assert np.array_equal(u, [0.0, 0.0, 0.0, 1.5, -1.5])
    assert np.array_equal(GroupL1(1.0, (0, 0, 1)).prox(np.array([0.3, 0.4, 3.0]), 1.0), [0.0, 0.0, 2.0])


def test_a_group_keeps_its_direction_and_groups_do_not_mix():
    v = np.array([3.0, 3.0, 4.0, 4.0, 12.0])
    penalty = GroupL1(1.0, (0, 1, 0, 1, 1), (1.0, 2.0))
    u = penalty.prox(v, 0.5)
    assert np.allclose(u, v * np.where(np.array([0, 1, 0, 1, 1]) == 0, 1 - 0.5 / 5.0, 1 - 1.0 / 13.0), rtol=4 * EPS)
    assert penalty.value(v) == pytest.approx(5.0 + 2.0 * 13.0, rel=4 * EPS)
    assert not np.allclose(u, GroupL1(1.0, (0, 1, 0, 0, 1), (1.0, 2.0)).prox(v, 0.5))


@pytest.mark.parametrize("scale", [1e-150, 1e150, 1e200])
def test_groups_keep_their_digits_at_every_scale(scale):
    v = np.array([3.0, 4.0, 12.0]) * scale
    penalty = GroupL1(scale, (0, 0, 1))
    assert GroupL1(2.0, (0, 0, 1)).value(v) == pytest.approx(34.0 * scale, rel=8 * EPS)
    assert np.allclose(penalty.prox(v, 1.0), v * np.array([0.8, 0.8, 11 / 12]), rtol=8 * EPS, atol=0)


def test_a_box_forgives_the_rounding_of_convex_combinations_and_no_more():
    box, weight = BoxIndicator(-0.1, 0.3), np.random.default_rng(0).random(10000)
    for high in (0.3, 0.9):
        inside = (1.0 - weight) * high + weight * high
        assert BoxIndicator(-0.1, high).value(inside) == 0.0
    assert np.any(inside > 0.9)  # it does happen
    assert box.value(np.array([0.3 * (1 + 1e-13)])) == inf and box.value(np.array([-0.1 - 1e-13])) == inf
    assert BoxIndicator(0.0, inf).value(np.array([-1e-300])) == inf


def test_a_box_is_that_of_the_domain():
    domain, s = Box(0.7).on((4,)), np.array([1.0, -2.0, 0.0, 0.5])
    penalty = BoxIndicator.of(domain)
    assert np.array_equal(penalty.prox(3 * s, 5.0), domain.project_euclidean(3 * s))
    assert penalty.conjugate(s) == pytest.approx(domain.support(s), rel=4 * EPS)
    assert BoxIndicator(-inf, inf).conjugate(np.zeros(3)) == 0.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: L1(-1.0), "lam of L1"),
        (lambda: L1(nan), "lam of L1"),
        (lambda: SquaredL2(inf), "lam of SquaredL2"),
        (lambda: ElasticNet(0.1, -0.1), "l2 of ElasticNet"),
        (lambda: ElasticNet("a", 0.1), "l1 of ElasticNet"),
        (lambda: BoxIndicator(1.0, 1.0), "low < high"),
        (lambda: BoxIndicator(nan, 1.0), "low < high"),
        (lambda: BoxIndicator(inf, inf), "low < high"),
        (lambda: GroupL1(1.0, ()), "without gaps"),
        (lambda: GroupL1(1.0, (0, 2)), "without gaps"),
        (lambda: GroupL1(1.0, (0, 1), (1.0,)), "2 groups, but 1 weights"),
        (lambda: GroupL1(1.0, (0, 1), (1.0, -1.0)), "a weight of GroupL1"),
        (lambda: GroupL1(1.0, (0, 1), shape=(3,)), "names 2 coordinates"),
        (lambda: GroupL1(1.0, (0, 1)).value(np.zeros(3)), "the parameter has 3"),
        (lambda: L1(1.0).prox(np.zeros(2), 0.0), "positive and finite"),
        (lambda: L1(1.0).prox(np.zeros(2), nan), "positive and finite"),
        (lambda: L1(1.0).prox(np.zeros((2, 2)), np.array([1.0, -1.0])), "every step"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_an_unknown_penalty_has_no_conic_description():
    @dataclass(frozen=True)
    class Odd(ZeroPenalty):
        pass

    assert oracles.prox(Odd(), np.ones(2), 1.0) == pytest.approx(1.0, abs=1e-6)  # a subclass is its parent
    with pytest.raises(TypeError, match="no conic description"):
        oracles._penalty(object(), None)
