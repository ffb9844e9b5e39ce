"""Every adversary plays the game that its definition says, the same for every batch, chunk and namespace."""

import array_api_strict
import numpy as np
import pytest
import torch

import regret.adversaries.base as base
from problems.losses import Logistic
from regret import (
    DataStream,
    Drifting,
    FixedSequence,
    GreedySign,
    Hadamard,
    HardSequence,
    LinearRandom,
    PythonLoss,
    RandomSigns,
    Sparse,
    breast_cancer_stream,
    digits_stream,
)
from regret.adversaries.hard_sequence import hard_scalars
from structures.arrays import to_numpy

RANDOM = [
    LinearRandom((3,)),
    LinearRandom((2, 2), scale=(1.0, 2.0, 0.0, 1e-3), mean=0.5),
    RandomSigns((2, 3)),
    Drifting((3,), period=7.0, noise=0.1),
    Sparse((5,), density=0.3),
    Hadamard(4),
]
EVERY_RANDOM = pytest.mark.parametrize("adversary", RANDOM, ids=repr)


def game(adversary, steps, batch=2, seed=0, first=0, x=None):
    """The gradients of a game against an iterate that stands still, (T, B, *shape)."""
    x = np.zeros((batch, *adversary.shape)) if x is None else x
    stream = adversary.start(x.shape[0], seed, x, first)
    return np.stack([to_numpy(stream.gradient(t, x)) for t in range(steps)])


@EVERY_RANDOM
def test_the_seed_fixes_the_game(adversary):
    assert np.array_equal(game(adversary, 50, seed=3), game(adversary, 50, seed=3))
    assert not np.array_equal(game(adversary, 50, seed=3), game(adversary, 50, seed=4))


@EVERY_RANDOM
def test_a_batch_is_its_elements_and_they_differ(adversary):
    together = game(adversary, 50, batch=3)
    for b in range(3):
        assert np.array_equal(together[:, b], game(adversary, 50, batch=1, first=b)[:, 0])
    assert not np.array_equal(together[:, 0], together[:, 1])


@EVERY_RANDOM
def test_chunks_are_invisible(adversary, monkeypatch):
    whole = game(adversary, 200)
    assert np.array_equal(whole[:30], game(adversary, 30))
    monkeypatch.setattr(base, "CHUNK_BYTES", 1)  # one step at a time
    assert np.array_equal(whole, game(adversary, 200))


@pytest.mark.parametrize("kind", ["torch", "strict"])
@pytest.mark.parametrize("adversary", [RANDOM[0], RANDOM[4]], ids=repr)
def test_every_namespace_and_device_sees_the_same_game(adversary, kind):
    like = np.zeros((2, *adversary.shape))
    device = array_api_strict.Device("device1")
    x = torch.asarray(like) if kind == "torch" else array_api_strict.asarray(like.tolist(), device=device)
    assert np.array_equal(game(adversary, 20, x=x), game(adversary, 20))
    assert type(adversary.start(2, 0, x).gradient(0, x)) is type(x)


def test_a_stream_plays_forward_only():
    x = np.zeros((1, 2))
    stream = RandomSigns((2,)).start(1, 0, x)
    with pytest.raises(ValueError, match="step 1 is not next"):
        stream.gradient(1, x)
    first = stream.gradient(0, x)
    assert np.array_equal(stream.gradient(0, x), first)  # asking again is no new step
    with pytest.raises(ValueError, match="is not next"):
        stream.gradient(10**6, x)


def test_gaussian_gradients_have_their_scale_and_mean():
    G = game(LinearRandom((2,), scale=(3.0, 1e-3), mean=(0.0, 5.0)), 4000, batch=1)[:, 0]
    # Standard errors: 3/√4000 = .05 for a mean, σ/√8000 for a deviation; five of them.
    assert np.all(np.abs(G.mean(axis=0) - [0.0, 5.0]) <= 5 * np.array([3.0, 1e-3]) / 4000**0.5)
    assert np.all(np.abs(G.std(axis=0) / [3.0, 1e-3] - 1) <= 5 / 8000**0.5)


def test_signs_are_fair_and_greedy_signs_follow_the_iterate():
    G = game(RandomSigns((3,)), 3000, batch=1)
    assert set(np.unique(G)) == {-1.0, 1.0}
    assert np.all(np.abs(G.mean(axis=0)) <= 5 / 3000**0.5)
    x = np.array([[0.0, -2.0, 1e-9]])
    assert np.array_equal(GreedySign((3,)).start(1, 0, x).gradient(0, x), [[1.0, -1.0, 1.0]])
    assert not GreedySign.oblivious
    assert RandomSigns.oblivious


def test_sparse_gradients_are_sparse():
    G = game(Sparse((100,), density=0.1), 200, batch=1)
    share = np.mean(G != 0)
    assert abs(share - 0.1) <= 5 * (0.1 * 0.9 / G.size) ** 0.5
    assert np.std(G[G != 0]) == pytest.approx(1, abs=5 / (2 * 0.1 * G.size) ** 0.5)


def test_hadamard_rows_are_orthogonal_signs():
    G = game(Hadamard(8), 8, batch=1)[:, 0]
    assert np.array_equal(np.abs(G), np.ones((8, 8)))
    assert np.array_equal(G @ G.T, 8 * np.eye(8))


def test_a_drifting_mean_turns_with_its_period():
    G = game(Drifting((3,), period=8.0), 17, batch=1)[:, 0]
    angle = 2 * np.pi * np.arange(17) / 8
    assert np.allclose(G, np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1), atol=1e-15)
    assert np.allclose(game(Drifting((1,), period=8.0), 9, batch=1)[:, 0, 0], np.cos(angle[:9]), atol=1e-15)


class TestFixedSequence:
    def test_one_sequence_serves_every_element(self):
        G = np.arange(6.0).reshape(3, 2)
        played = game_of(FixedSequence(G), np.zeros((4, 2)), 3)
        assert np.array_equal(played, np.broadcast_to(G[:, None], (3, 4, 2)))

    def test_a_sequence_with_a_batch_axis_is_taken_element_by_element(self):
        G = np.arange(12.0).reshape(3, 2, 2)
        assert np.array_equal(game_of(FixedSequence(G), np.zeros((2, 2)), 3), G)
        assert np.array_equal(game_of(FixedSequence(G), np.zeros((1, 2)), 3, first=1), G[:, 1:])
        assert FixedSequence(G).elements((2,)) == 2
        assert FixedSequence(G).elements((2, 2)) is None

    def test_it_keeps_a_copy(self):
        G = np.ones((2, 1))
        adversary = FixedSequence(G)
        G[...] = 9
        assert np.array_equal(game_of(adversary, np.zeros((1, 1)), 2), np.ones((2, 1, 1)))

    def test_integers_and_lists_become_floats(self):
        assert FixedSequence([[1], [-1]]).gradients.dtype == np.float64
        assert FixedSequence(np.array([[1], [-1]])).gradients.dtype == np.float64
        assert FixedSequence(torch.ones((2, 1), dtype=torch.float32)).prototype.dtype == torch.float32

    @pytest.mark.parametrize("G", [np.zeros(3), np.zeros((0, 2)), np.array([[np.nan]])], ids=["flat", "empty", "nan"])
    def test_what_is_no_sequence_is_refused(self, G):
        with pytest.raises(ValueError, match="gradients"):
            FixedSequence(G)

    @pytest.mark.parametrize("G", [np.ones((2, 1), dtype=complex), torch.ones(2, 1, dtype=torch.complex64)])
    def test_complex_numbers_are_refused(self, G):
        with pytest.raises(TypeError, match="gradients must be real, got complex"):
            FixedSequence(G)

    def test_shapes_that_do_not_fit_and_steps_beyond_the_end_are_refused(self):
        x = np.zeros((3, 2))
        with pytest.raises(ValueError, match="for a batch of 3 parameters of shape"):
            FixedSequence(np.zeros((5, 2, 2))).start(3, 0, x)
        with pytest.raises(ValueError, match="the sequence has 5 steps"):
            FixedSequence(np.zeros((5, 2))).start(3, 0, x).gradient(5, x)


def game_of(adversary, x, steps, first=0):
    stream = adversary.start(x.shape[0], 0, x, first)
    return np.stack([to_numpy(stream.gradient(t, x)) for t in range(steps)])


class TestPythonLoss:
    @staticmethod
    def value(t, x):
        return ((x - t) ** 2).sum(-1)

    def test_gradients_come_from_the_callable_or_from_autograd(self):
        x = np.array([[1.0, 2.0], [3.0, 0.0]])
        by_hand = PythonLoss((2,), self.value, lambda t, x: 2 * (x - t)).start(2, 0, x)
        by_torch = PythonLoss((2,), self.value).start(2, 0, torch.asarray(x))
        for t in range(3):
            expected = 2 * (x - t)
            assert np.array_equal(by_hand.gradient(t, x), expected)
            found = by_torch.gradient(t, torch.asarray(x))
            assert np.array_equal(found.numpy(), expected)
            assert not found.requires_grad
            assert np.array_equal(by_hand.loss(t, x), by_torch.loss(t, torch.asarray(x)).numpy())

    def test_autograd_works_where_it_is_switched_off(self):
        x = torch.ones(1, 2, dtype=torch.float64)
        stream = PythonLoss((2,), self.value).start(1, 0, x)
        with torch.no_grad():
            assert stream.gradient(0, x).tolist() == [[2.0, 2.0]]
        with torch.inference_mode():
            assert stream.gradient(0, x).tolist() == [[2.0, 2.0]]

    def test_a_value_is_one_number_for_each_element(self):
        stream = PythonLoss((2,), lambda t, x: (x**2).sum(), lambda t, x: 2 * x).start(3, 0, np.zeros((3, 2)))
        with pytest.raises(ValueError, match=r"has shape \(\) for x of shape \(3, 2\), expected \(3,\)"):
            stream.loss(0, np.zeros((3, 2)))

    def test_autograd_needs_torch(self):
        with pytest.raises(TypeError, match="uses torch's autograd"):
            PythonLoss((2,), self.value).start(1, 0, np.zeros((1, 2)))


class TestDataStream:
    loss = Logistic(np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]), np.array([1.0, -1.0, 1.0]))

    def test_every_pass_meets_every_sample_once_in_an_order_of_its_own(self):
        stream = DataStream(self.loss).start(2, 0, np.zeros((2, 2)))
        G = np.stack([stream.gradient(t, np.zeros((2, 2))) for t in range(30)])
        single = np.stack([self.loss.gradient(np.zeros((1, 2)), np.array([i]))[0] for i in range(3)])
        met = np.argmin(np.abs(G[:, :, None] - single).sum(-1), axis=-1)  # (30, 2)
        assert all(sorted(met[e : e + 3, b]) == [0, 1, 2] for e in range(0, 30, 3) for b in range(2))
        assert len({tuple(met[e : e + 3, b]) for e in range(0, 30, 3) for b in range(2)}) > 1

    def test_the_total_is_the_sum_of_the_losses_that_were_played(self):
        x, u = np.array([[0.3, -0.2], [1.0, 1.0]]), np.array([[0.1, 0.7], [-1.0, 0.0]])
        stream = DataStream(self.loss).start(2, 1, x)
        paid, owed = np.zeros(2), np.zeros(2)
        for t in range(7):
            stream.gradient(t, x)
            paid, owed = paid + stream.loss(t, x), owed + stream.loss(t, u)
        assert np.allclose(stream.total(7).value(x), paid, rtol=1e-14)
        assert np.allclose(stream.total(7).value(u), owed, rtol=1e-14)
        assert not np.allclose(stream.total(6).value(u), owed, rtol=1e-3)

    def test_the_order_depends_on_the_element_not_on_the_batch(self):
        x = np.zeros((3, 2))
        together = game_of(DataStream(self.loss), x, 12)
        for b in range(3):
            assert np.array_equal(together[:, b], game_of(DataStream(self.loss), x[:1], 12, first=b)[:, 0])

    def test_streams_play_forward_only(self):
        with pytest.raises(ValueError, match="step 5 is not next"):
            DataStream(self.loss).start(1, 0, np.zeros((1, 2))).gradient(5, np.zeros((1, 2)))

    def test_the_two_data_sets_have_their_shapes(self):
        assert breast_cancer_stream().shape == (31,)
        assert digits_stream().shape == (10, 64)
        x = np.zeros((2, 10, 64))
        assert digits_stream().start(2, 0, x).gradient(0, x).shape == (2, 10, 64)


class TestHardSequence:
    @pytest.mark.parametrize("rate", [0.7, 2**0.5, 2.5])
    @pytest.mark.parametrize("horizon", [50, 501])
    def test_pairs_return_to_the_face_and_the_drift_ends_at_the_other(self, rate, horizon):
        s = hard_scalars(horizon, 1.0, rate)
        assert len(s) == horizon
        assert s[0] == 1.0
        x, v, path = -1.0, 0.0, []
        for g in s:
            v += g * g
            x = min(1.0, max(-1.0, x - rate * g / v**0.5))
            path.append(x)
        pairs = [t for t in range(2, horizon) if s[t] > 0]  # the +a of each pair
        assert np.allclose([path[t] for t in pairs], -1.0, atol=1e-13)
        assert path[-1] == pytest.approx(1.0, abs=1e-12)
        tail = np.diff([path[pairs[-1]], *path[pairs[-1] + 1 :]])
        assert np.allclose(tail, tail[0], rtol=1e-9)
        assert abs(len(tail) - horizon ** (2 / 3)) <= 2

    def test_it_embeds_along_its_pattern(self):
        W = np.array([[1.0, 0.0], [0.0, -1.0]])
        adversary = HardSequence(W, 20, radius=3.0)
        G = game(adversary, 20, batch=2)
        s = hard_scalars(20, 3.0, 2**0.5 * 3.0)
        assert np.array_equal(G, s[:, None, None, None] * np.broadcast_to(W, (20, 2, 2, 2)))
        assert np.array_equal(adversary.x0, -3.0 * W)
        assert np.array_equal(adversary.comparator, 3.0 * W)
        with pytest.raises(ValueError, match="is not next"):
            adversary.start(1, 0, np.zeros((1, 2, 2))).gradient(20, np.zeros((1, 2, 2)))

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"horizon": 5}, "no hard sequence"),
            ({"rate": 3.0}, "no hard sequence"),
            ({"rate": 1e-3}, "no hard sequence"),
            ({"radius": -1.0}, "radius must be positive"),
            ({"pattern": np.zeros(2)}, "nonzero array"),
        ],
    )
    def test_a_sequence_that_does_not_exist_is_refused(self, options, words):
        with pytest.raises(ValueError, match=words):
            HardSequence(**{"pattern": np.ones(2), "horizon": 100, **options})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LinearRandom((0,)), "shape of positive sizes"),
        (lambda: LinearRandom((2,), scale=(1.0, 2.0, 3.0)), "scale must be a finite number or 2"),
        (lambda: LinearRandom((2,), mean=float("nan")), "mean must be a finite number"),
        (lambda: Drifting((2,), period=0.0), "period must be > 0"),
        (lambda: Sparse((2,), density=0.0), "density must lie"),
        (lambda: Hadamard(6), "power of two"),
    ],
)
def test_wrong_descriptions_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
