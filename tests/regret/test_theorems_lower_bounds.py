"""What no algorithm can beat: values from closed forms and enumeration, and adversaries that do what the proofs say."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems.domains import Box, L2Ball, SpectralBall
from regret import AdaptiveRegularization, OnlineGradientDescent, play
from regret.adversaries.late_spike import LateSpike
from regret.adversaries.orthogonal_play import OrthogonalPlay
from regret.adversaries.scaled_signs import EverySign, ScaledSigns
from regret.theorems.game import Game, play_game
from regret.theorems.gradient_statistics import nuclear
from regret.theorems.runs import MATCHED, tuned
from structures import Diagonal, LeftKronecker, Scalar
from structures.arrays import asarray_like, to_numpy
from theory import get, verify


@given(st.floats(-6, 3), st.integers(2, 40), st.sampled_from(["constant", "inverse_sqrt"]), st.floats(-0.9, 0.9))
def test_the_late_spike_beats_every_gradient_descent(exponent, horizon, schedule, start):
    learner = OnlineGradientDescent((3,), lr=10.0**exponent, domain=Box(2.0), schedule=schedule)
    spike = LateSpike(np.ones(3), horizon, magnitude=1e6 * horizon, reach=6.0)
    trace = play(learner, spike, horizon, x0=np.full((1, 3), 2.0 * start), keep_history=True)
    verdict = verify(get("scale-free-minimax"), Game(spike, trace))
    assert verdict.kind == "VERIFIED", verdict


def test_the_constant_of_the_late_spike_tends_to_two():
    theorem = get("scale-free-minimax")
    bounds = [
        theorem.bound(Game(LateSpike(np.ones(1), T, magnitude=1e6 * T), None)) for T in (1, 100, 10_000, 1_000_000)
    ]
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx(1.0, abs=1e-5)
    assert 2 - 2.1e-3 < bounds[-1] < 2


def test_a_batch_of_late_spikes_is_played_one_by_one():
    domain = Box(1.0)
    starts = np.array([[-1.0], [0.0], [0.99]])
    spike = LateSpike(np.ones(1), 30, magnitude=1e5)
    learner = OnlineGradientDescent((1,), lr=0.1, domain=domain)
    together = play(learner, spike, 30, x0=starts, keep_history=True).gradients
    for b, start in enumerate(starts):
        alone = play(learner, spike, 30, x0=start[None], keep_history=True).gradients
        np.testing.assert_array_equal(together[:, b], alone[:, 0])
    assert np.argmax(together[:, 0] > 0) > np.argmax(together[:, 1] > 0) > np.argmax(together[:, 2] > 0) == 0


@pytest.mark.parametrize("shape", [(3,), (7,), (1, 3), (2, 6), (2, 9), (3, 9)])
def test_orthogonal_play_is_orthogonal_and_its_lengths_are_prescribed(backend, shape):
    rng = np.random.default_rng(0)
    m = 1 if len(shape) == 1 else shape[0]
    rows = tuple(float(r) for r in rng.uniform(0.5, 2.0, m))
    game = OrthogonalPlay(shape, rows, magnitudes=(1.0, 0.3, 5.0))
    like = asarray_like(np.zeros((2, *shape)), backend.like)
    stream = game.start(2, 0, like)
    total = np.zeros((2, m, shape[-1]))
    for t in range(9):
        x = rng.standard_normal((2, *shape))
        G = to_numpy(stream.gradient(t, asarray_like(x, like))).reshape(2, m, -1)
        room = 1e-12 if backend.dtype == "float64" else 1e-4  # a QR of a well-conditioned 2m × n matrix
        assert np.max(np.abs(G @ np.swapaxes(x.reshape(2, m, -1), -1, -2))) < room
        assert np.max(np.abs(G @ np.swapaxes(total, -1, -2))) < 30 * room
        lengths = np.linalg.norm(G, axis=-1)
        np.testing.assert_allclose(
            lengths, np.broadcast_to(game.magnitudes[t % 3] * np.array(rows), (2, m)), rtol=30 * room
        )
        total += G


def test_the_value_of_orthogonal_play_has_a_closed_form():
    rows, magnitudes = (1.0, 0.2), (1.0, 3.0, 0.1)
    learner = AdaptiveRegularization(LeftKronecker((2, 6)), lr=0.1, domain=SpectralBall(1.5))
    run = play(learner, OrthogonalPlay((2, 6), rows, magnitudes), 60)
    expected = 1.5 * sum(rows) * math.sqrt(20 * sum(a * a for a in magnitudes))
    assert run.regret[-1, 0] == pytest.approx(expected, rel=1e-12)


def test_every_algorithm_has_the_same_regret_against_orthogonal_play():
    ball = L2Ball(2.0)
    learners = [
        OnlineGradientDescent((4,), lr=lr, domain=ball, schedule=schedule)
        for lr in (1e-3, 1.0, 100.0)
        for schedule in ("constant", "inverse_sqrt")
    ]
    learners.append(tuned(Scalar((4,)), ball))
    values = [play(learner, OrthogonalPlay((4,)), 50).regret[-1, 0] for learner in learners]
    np.testing.assert_allclose(values, 2.0 * math.sqrt(50), rtol=1e-12)


@pytest.mark.parametrize("wrong", [(2,), (2, 5), (1, 2, 3)])
def test_orthogonal_play_needs_room(wrong):
    with pytest.raises(ValueError, match="orthogonal play"):
        OrthogonalPlay(wrong)


def test_the_enumerated_expectation_is_the_closed_form_of_a_random_walk():
    """E|S_T| = T binom(T-1, ⌊(T-1)/2⌋) / 2^(T-1), whatever the learner does."""
    theorem = get("random-signs-value")
    for T in (1, 2, 5, 8):
        game = EverySign(np.ones((T, 1)))
        expected = T * math.comb(T - 1, (T - 1) // 2) / 2 ** (T - 1)
        for learner in (tuned(Diagonal((1,)), Box(1.0)), OnlineGradientDescent((1,), lr=3.0, domain=Box(1.0))):
            run = play_game(learner, game, T, batch=game.paths)
            assert theorem.exact(run) == pytest.approx(-expected, rel=1e-12)


@given(st.lists(st.integers(0, 16), min_size=1, max_size=9).filter(any))
def test_khinchines_constant_holds_for_every_choice_of_sizes(sizes):
    a = np.array(sizes, dtype=float)
    mean = np.mean([abs(np.dot(a, signs)) for signs in product((-1.0, 1.0), repeat=len(a))])
    assert mean >= np.linalg.norm(a) / math.sqrt(2) * (1 - 1e-14)


def test_khinchines_constant_is_attained_by_two_equal_signs():
    mean = np.mean([abs(a + b) for a, b in product((-1.0, 1.0), repeat=2)])
    assert mean == pytest.approx(math.sqrt(2) / math.sqrt(2), rel=1e-15)


def test_every_sign_is_played_exactly_once():
    game = EverySign(np.array([[1.0, 2.0], [3.0, 4.0]]))
    run = play_game(tuned(Diagonal((2,)), Box(1.0)), game, 2, batch=game.paths)
    paths = {tuple(path.reshape(-1)) for path in np.moveaxis(run.trace.gradients, 1, 0)}
    assert len(paths) == game.paths == 16
    np.testing.assert_array_equal(np.abs(run.trace.gradients[:, 0]), game.magnitudes)


def test_more_than_twenty_signs_are_not_enumerated_and_a_shorter_batch_has_no_exact_value():
    with pytest.raises(ValueError, match="2\\^21"):
        EverySign(np.ones((21, 1)))
    game = EverySign(np.ones((4, 1)))
    part = play_game(tuned(Diagonal((1,)), Box(1.0)), game, 4, batch=8)
    assert get("random-signs-value").exact(part) is None


def test_scaled_signs_do_not_depend_on_the_batch_they_are_drawn_in():
    game = ScaledSigns(np.arange(1.0, 101.0).reshape(50, 2))
    x = np.zeros((3, 2))
    together, alone = game.start(3, 7, x), game.start(1, 7, x[:1], first=2)
    for t in range(50):
        assert np.array_equal(together.gradient(t, x)[2], alone.gradient(t, x[:1])[0])


@pytest.mark.parametrize("name", [n for n in MATCHED if n != "two layers"])
def test_the_pattern_of_a_matched_geometry_makes_the_width_the_adaptive_norm(name):
    """σ(W) (Σ s²)^{1/2} = ‖X‖_H |||g|||: what turns the constant 2 into a statement about the regret bound."""
    structure, domain, pattern = MATCHED[name]
    domain = domain.on(structure.shape)
    scalars = np.array([1.0, -2.0, 0.5])
    norm = structure.adaptive_norm(scalars.reshape(-1, *[1] * pattern.ndim) * pattern)
    assert domain.radius(structure) * norm == pytest.approx(domain.support(pattern) * np.linalg.norm(scalars), rel=1e-7)


def test_the_nuclear_norm_of_all_gradients_is_the_trace_of_the_root():
    rng = np.random.default_rng(5)
    G = rng.standard_normal((6, 2, 2, 3))
    squares = np.cumsum(G @ np.swapaxes(G, -1, -2), axis=0)
    expected = np.sum(np.sqrt(np.linalg.eigvalsh(squares)), axis=-1)
    np.testing.assert_allclose(nuclear(np.swapaxes(G, -1, -2)), expected, rtol=1e-10)
