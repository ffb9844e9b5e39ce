"""What `play` measures is what its definition says, checked by brute force on the recorded game."""

import tracemalloc
from fractions import Fraction

import array_api_strict
import numpy as np
import pytest
import torch
from traces import series

import regret.meters.base as meters
from problems import oracles
from problems.domains import Box, L2Ball, Simplex, SpectralBall
from problems.losses import LeastSquares, Logistic
from regret import (
    AdaptiveRegularization,
    DataStream,
    FixedSequence,
    GramFullMatrix,
    GreedySign,
    LinearRandom,
    OnlineGradientDescent,
    PythonLoss,
    RandomSigns,
    TwoSidedShampoo,
    play,
)
from structures import Diagonal, Full, LeftKronecker, Scalar
from structures.arrays import tolerance
from structures.registry import all_structures

BOXED = AdaptiveRegularization(Diagonal((3,)), lr=0.7, domain=Box(1.0))


def exact_regret(trace, u):
    """Σ <g_s, x_s - u> in rational arithmetic, for every horizon of element 0."""
    total, found = Fraction(0), []
    for x, g in zip(trace.iterates[:-1, 0], trace.gradients[:, 0], strict=True):
        for a, b, c in zip(g, x, u, strict=True):
            total += Fraction(float(a)) * (Fraction(float(b)) - Fraction(float(c)))
        found.append(total)
    return found


class TestRegret:
    def test_the_bracket_contains_the_exact_regret_against_a_fixed_comparator(self):
        u = np.array([0.1, -0.3, 0.7])
        trace = play(BOXED, LinearRandom((3,), scale=(1.0, 1e-6, 1e6)), 60, seed=1, comparator=u, keep_history=True)
        for t, exact in enumerate(exact_regret(trace, u)):
            assert Fraction(float(trace.regret_lower[t, 0])) <= exact <= Fraction(float(trace.regret[t, 0]))
        assert np.max(trace.regret - trace.regret_lower) <= 1e-13 * 60 * 1e6  # and is no wider than rounding

    def test_the_bracket_contains_the_exact_regret_against_the_best_of_a_box(self):
        trace = play(BOXED, LinearRandom((3,), scale=(1.0, 1e-6, 1e6)), 60, seed=2, keep_history=True)
        total = np.array([Fraction(0)] * 3)
        for t, exact in enumerate(exact_regret(trace, np.zeros(3))):
            total = total + np.array([Fraction(float(g)) for g in trace.gradients[t, 0]])
            best = exact + sum(abs(s) for s in total)  # the support function of the unit box
            assert Fraction(float(trace.regret_lower[t, 0])) <= best <= Fraction(float(trace.regret[t, 0]))
        assert np.max(trace.regret - trace.regret_lower) <= 1e-12 * 60 * 1e6

    def test_a_naive_sum_can_leave_the_bracket(self):
        G = np.array([[2.0**53], *[[1.0]] * 100])  # 2^53 + 1 rounds to 2^53
        still = OnlineGradientDescent((1,), lr=1e-300)  # stays at 1
        trace = play(still, FixedSequence(G), 101, x0=np.ones(1), comparator=np.zeros(1), keep_history=True)
        exact = exact_regret(trace, np.zeros(1))[-1]
        naive = np.cumsum(trace.scalars["inner"])[-1]
        assert Fraction(float(trace.regret_lower[-1, 0])) <= exact <= Fraction(float(trace.regret[-1, 0]))
        assert not trace.regret_lower[-1, 0] <= naive <= trace.regret[-1, 0]

    @pytest.mark.parametrize(
        ("K", "domain"),
        [
            (Scalar((4,)), L2Ball(2.0)),
            (Diagonal((4,)), Simplex()),
            (LeftKronecker((2, 3)), SpectralBall(0.5)),
        ],
        ids=repr,
    )
    def test_the_best_of_a_domain_is_found_by_its_linear_oracle(self, K, domain):
        trace = play(
            AdaptiveRegularization(K, lr=0.5, domain=domain), RandomSigns(K.shape), 20, batch=2, keep_history=True
        )
        total = np.cumsum(trace.gradients, axis=0)
        best = trace.domain.lmo(total)
        axes = tuple(range(2, total.ndim))
        paid = np.cumsum(np.sum(trace.gradients * trace.iterates[:-1], axis=axes), axis=0)
        expected = paid - np.sum(total * best, axis=axes)
        assert np.all(trace.regret_lower <= expected + 1e-12)
        assert np.all(expected - 1e-12 <= trace.regret)
        assert np.all(trace.regret_lower <= trace.width_sum)  # the trivial bound
        assert np.allclose(trace.width_sum[0], trace.domain.width(trace.gradients[0]))

    @pytest.mark.parametrize("K", all_structures(), ids=repr)
    def test_without_projection_the_regret_is_an_identity(self, K):
        """Σ<g_t, x_t - u> = (1/2η) Σ(‖x_t - u‖²_{H_t} - ‖x_{t+1} - u‖²_{H_t}) + (η/2) Σ q_t."""
        learner = AdaptiveRegularization(K, lr=0.4, eps=0.1)
        trace = play(learner, LinearRandom(K.shape), 15, batch=2, comparator=np.full(K.shape, 0.3))
        moved = np.cumsum(trace.energy_before - trace.energy_after, axis=0)
        right = moved / (2 * 0.4) + 0.4 / 2 * trace.q_sum
        size = np.max(np.cumsum(trace.energy_before, axis=0)) + 1
        assert np.max(np.abs(trace.regret - right)) <= tolerance(right, 15 * K.dim) * size
        wrong = moved / (2 * 0.4) + 0.4 * trace.q_sum  # the factor 1/2 forgotten
        assert np.max(np.abs(trace.regret - wrong)) > 1e-2

    def test_the_identity_holds_for_the_baselines_too(self):
        for learner in (
            TwoSidedShampoo((2, 3), lr=0.4, eps=0.1),
            OnlineGradientDescent((2, 3), lr=0.4, schedule="inverse_sqrt"),
            GramFullMatrix((2, 3), lr=0.4, eps=0.1, horizon=10),
        ):
            trace = play(learner, LinearRandom((2, 3)), 10, batch=2, comparator=np.full((2, 3), 0.3))
            moved = np.cumsum(trace.energy_before - trace.energy_after, axis=0)
            right = moved / 0.8 + 0.2 * trace.q_sum
            assert np.allclose(trace.regret, right, rtol=0, atol=1e-10), learner

    def test_distances_are_running_maxima_in_the_norms_of_the_learner(self):
        u = np.full((2, 3), 0.2)
        trace = play(TwoSidedShampoo((2, 3), lr=0.4, eps=0.1), LinearRandom((2, 3)), 9, comparator=u, keep_history=True)
        away = trace.iterates[:-1, 0] - u
        frobenius = np.maximum.accumulate(np.linalg.norm(away, axis=(1, 2)))
        operator = np.maximum.accumulate(np.linalg.norm(away, ord=2, axis=(1, 2)))
        assert np.allclose(trace.distance[:, 0], frobenius)
        assert np.allclose(trace.distances["operator"][:, 0], operator)
        assert set(trace.distances) == {"euclidean", "operator"}

    @pytest.mark.parametrize(("accumulate", "beta"), [("weighted", 0.8), ("ema", 0.9)])
    @pytest.mark.parametrize("fixed", [True, False])
    def test_a_forgetting_learner_has_a_discounted_regret(self, accumulate, beta, fixed):
        learner = AdaptiveRegularization(Diagonal((2,)), 0.3, 0.01, Box(1.0), accumulate, beta)
        u = np.array([0.5, -0.5])
        trace = play(learner, LinearRandom((2,)), 25, batch=2, comparator=u if fixed else None, keep_history=True)
        for t in (0, 7, 24):
            weights = beta ** (0.5 * np.arange(t, -1, -1.0))[:, None]
            paid = np.sum(weights * np.sum(trace.gradients[: t + 1] * trace.iterates[: t + 1], axis=-1), axis=0)
            S = np.sum(weights[..., None] * trace.gradients[: t + 1], axis=0)
            expected = paid - S @ u if fixed else paid + np.sum(np.abs(S), axis=-1)
            assert np.all(trace.discounted_regret_lower[t] - 1e-13 <= expected)
            assert np.all(expected <= trace.discounted_regret[t] + 1e-13)
            assert np.all(trace.discounted_regret[t] - trace.discounted_regret_lower[t] <= 1e-11)
            gaps = np.sum(weights * trace.scalars["gap"][: t + 1], axis=0)
            assert np.allclose(trace.discounted("gap")[t], gaps)
        assert play(BOXED, RandomSigns((3,)), 5).discounted_regret is None

    @pytest.mark.parametrize("eps", [0.0, 0.3])
    @pytest.mark.parametrize("K", [Scalar((3,)), Full((3,)), LeftKronecker((2, 3))], ids=repr)
    def test_the_adaptive_norm_is_without_damping(self, K, eps):
        learner = AdaptiveRegularization(K, lr=0.3, eps=eps)
        trace = play(learner, LinearRandom(K.shape), 12, batch=2, comparator=np.zeros(K.shape), keep_history=True)
        for t in (1, 12):
            assert np.allclose(trace.adaptive_norm[t - 1], K.adaptive_norm(trace.gradients[:t]), rtol=1e-7)
        assert np.array_equal(trace.adaptive_norm, trace.trace_root) == (eps == 0)

    def test_the_average_and_the_last_iterate_are_kept(self):
        trace = play(BOXED, RandomSigns((3,)), 300, batch=2, keep_history=True)
        assert trace.iterates.shape == (301, 2, 3)
        assert np.allclose(trace.average_iterate, trace.iterates[:-1].mean(axis=0), rtol=1e-12)
        assert np.array_equal(trace.last_iterate, trace.iterates[-1])
        assert np.array_equal(trace.first_iterate, trace.iterates[0])
        assert np.all(trace.infeasibility == 0)

    def test_leaving_the_domain_is_measured(self):
        x0, u = np.array([3.0, 0.0, 0.0]), np.array([0.0, 5.0, 0.0])
        trace = play(BOXED, RandomSigns((3,)), 5, x0=x0, comparator=u)
        assert trace.infeasibility[0] == pytest.approx(2.0)
        assert trace.comparator_infeasibility[0] == pytest.approx(4.0)


class TestConvexLosses:
    loss = Logistic(np.random.default_rng(0).standard_normal((20, 3)), np.where(np.arange(20) % 3 > 0, 1.0, -1.0))

    def test_they_are_bracketed_on_the_grid_and_below_the_linear_regret(self):
        learner = AdaptiveRegularization(Diagonal((3,)), lr=0.7, domain=Box(1.0))
        trace = play(learner, DataStream(self.loss), 50, batch=3, loss_grid=(1, 10, 50))
        assert trace.loss_grid.tolist() == [1, 10, 50]
        assert np.all(trace.loss_regret_lower <= trace.loss_regret)
        assert np.all(trace.loss_regret - trace.loss_regret_lower <= 1e-3)  # 1e-5 of losses that add up to about 30
        assert np.all(trace.loss_regret_lower <= trace.regret[trace.loss_grid - 1])
        assert trace.losses.shape == (50, 3)

    def test_the_bracket_is_around_the_true_minimum(self):
        learner = AdaptiveRegularization(Diagonal((3,)), lr=0.7, domain=Box(0.5))
        trace = play(learner, DataStream(self.loss), 20, loss_grid=(20,))  # one pass: the sum over the data
        best, _ = oracles.minimum(self.loss.total(np.ones(20)), Box(0.5))
        regret = np.sum(trace.losses) - best
        assert trace.loss_regret_lower[0, 0] - 1e-6 <= regret <= trace.loss_regret[0, 0] + 1e-6  # of the conic solver

    def test_a_fixed_comparator_needs_no_search(self):
        u = np.array([0.3, 0.1, -0.4])
        learner = AdaptiveRegularization(Diagonal((3,)), lr=0.7, eps=0.1)
        trace = play(learner, DataStream(self.loss), 20, comparator=u)
        owed = np.sum(self.loss.weighted_value(u, np.ones(20)))
        assert trace.loss_grid[-1] == 20
        assert trace.loss_regret_lower[-1, 0] <= np.sum(trace.losses) - owed <= trace.loss_regret[-1, 0]
        assert trace.loss_regret[-1, 0] - trace.loss_regret_lower[-1, 0] < 1e-10

    def test_losses_of_a_callable_have_no_best_point_but_a_fixed_comparator(self):
        adversary = PythonLoss((3,), lambda t, x: ((x - 0.1 * t) ** 2).sum(-1), lambda t, x: 2 * (x - 0.1 * t))
        trace = play(BOXED, adversary, 6)
        assert trace.losses is not None
        assert trace.loss_regret is None
        u = np.zeros(3)
        against = play(BOXED, adversary, 6, comparator=u)
        owed = sum(3 * (0.1 * t) ** 2 for t in range(6))
        assert against.loss_regret[-1, 0] == pytest.approx(np.sum(against.losses) - owed)

    def test_linear_losses_have_none(self):
        trace = play(BOXED, RandomSigns((3,)), 6)
        assert trace.losses is None
        assert trace.loss_grid is None
        with pytest.raises(ValueError, match="this adversary's are linear"):
            play(BOXED, RandomSigns((3,)), 6, loss_grid=(3,))

    def test_quadratic_losses_have_their_own_totals(self):
        rng = np.random.default_rng(2)
        loss = LeastSquares(rng.standard_normal((6, 3)), rng.standard_normal(6))
        trace = play(BOXED, DataStream(loss), 12)
        assert np.all(trace.loss_regret_lower[-1] <= trace.regret[-1])


class TestReproducibility:
    def test_one_seed_gives_one_trace_bit_for_bit(self):
        one, other = (play(BOXED, RandomSigns((3,)), 300, batch=2, seed=5) for _ in range(2))
        assert one.identical(other)
        assert not one.identical(play(BOXED, RandomSigns((3,)), 300, batch=2, seed=6))

    @pytest.mark.parametrize(
        ("learner", "adversary"),
        [
            (BOXED, LinearRandom((3,))),
            (AdaptiveRegularization(Scalar((3,)), 0.3, 0.1, L2Ball(1.0), "ema", 0.9), GreedySign((3,))),
            (AdaptiveRegularization(LeftKronecker((2, 3)), 0.3, 0.1, SpectralBall(1.0)), LinearRandom((2, 3))),
            (AdaptiveRegularization(Diagonal((3,)), 0.3, domain=Box(1.0)), DataStream(TestConvexLosses.loss)),
        ],
        ids=["diagonal", "scalar", "left", "data"],
    )
    def test_a_batch_is_separate_runs_bit_for_bit(self, learner, adversary):
        together = play(learner, adversary, 40, batch=3, seed=1)
        for b in range(3):
            alone = play(learner, adversary, 40, batch=1, seed=1, first=b)
            for name, values in series(alone).items():
                if name.startswith("loss"):  # a comparator's search stops when the batch does: the brackets may differ
                    continue
                assert np.array_equal(values[:, 0], series(together)[name][:, b]), name

    def test_blocks_are_invisible(self, monkeypatch):
        whole = play(BOXED, LinearRandom((3,)), 40, batch=2, keep_history=True)
        monkeypatch.setattr(meters.Recorder, "LARGEST", 7)
        assert whole.identical(play(BOXED, LinearRandom((3,)), 40, batch=2, keep_history=True))
        monkeypatch.setattr(meters.Recorder, "ENTRIES", 1)
        assert whole.identical(play(BOXED, LinearRandom((3,)), 40, batch=2, keep_history=True))

    def test_a_short_game_is_the_beginning_of_a_long_one(self):
        long, short = (play(BOXED, LinearRandom((3,)), T, batch=2) for T in (50, 20))
        assert np.array_equal(long.regret[:20] + long.regret_lower[:20], short.regret + short.regret_lower)
        assert np.array_equal(long.trace_root[:20], short.trace_root)

    @pytest.mark.parametrize("kind", ["torch", "strict", "float32"])
    def test_every_namespace_gives_the_same_numbers(self, kind):
        x0 = {
            "torch": torch.zeros((2, 3), dtype=torch.float64),
            "strict": array_api_strict.zeros((2, 3), device=array_api_strict.Device("device1")),
            "float32": np.zeros((2, 3), dtype=np.float32),
        }[kind]
        reference, trace = play(BOXED, LinearRandom((3,)), 12, batch=2), play(BOXED, LinearRandom((3,)), 12, x0=x0)
        tol = 1e-3 if kind == "float32" else 1e-12
        for name, values in series(trace).items():
            assert np.allclose(values, series(reference)[name], rtol=tol, atol=tol), name
        assert trace.meta["namespace"] == {"torch": "torch", "strict": "array_api_strict"}.get(kind, "numpy")
        # The bracket of single precision is honestly wider.
        assert np.all(trace.regret >= reference.regret_lower)
        assert np.all(trace.regret_lower <= reference.regret)

    def test_a_fixed_sequence_brings_its_namespace_and_batch(self):
        G = torch.ones((4, 2, 3), dtype=torch.float64)
        trace = play(BOXED, FixedSequence(G), 4)
        assert trace.meta["namespace"] == "torch"
        assert trace.batch == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"horizon": 0}, "horizon must be an integer ≥ 1"),
            ({"batch": 0}, "batch must be an integer ≥ 1"),
            ({"seed": -1}, "seed must be an integer ≥ 0"),
            ({"first": -1}, "first must be an integer ≥ 0"),
            ({"loss_grid": (0,)}, "loss_grid must be an integer ≥ 1"),
            ({"loss_grid": (9,)}, "loss_grid must be horizons from 1 to 5"),
            ({"x0": np.zeros((2, 3)), "batch": 3}, r"x0 has shape \(2, 3\)"),
            ({"comparator": np.zeros(2)}, "comparator has shape"),
            ({"comparator": np.array([0.0, np.nan, 0.0])}, "comparator is not finite"),
            ({"adversary": RandomSigns((2,))}, "the learner's parameter has shape"),
            ({"adversary": FixedSequence(np.zeros((2, 3)))}, "this adversary has 2 steps"),
            ({"learner": AdaptiveRegularization(Diagonal((3,)), 0.1)}, "needs a comparator"),
        ],
        ids=lambda v: str(v)[:40],
    )
    def test_what_makes_no_game_is_refused(self, options, words):
        arguments = {"learner": BOXED, "adversary": RandomSigns((3,)), "horizon": 5, **options}
        with pytest.raises(ValueError, match=words):
            play(**arguments)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"horizon": 2.5}, "horizon must be an integer ≥ 1, got 2.5"),
            ({"seed": None}, "seed must be an integer ≥ 0, got None"),
            ({"learner": Diagonal((3,))}, "the learner must be one"),
            ({"adversary": np.ones((5, 3))}, "FixedSequence"),
            ({"adversary": RandomSigns}, "the adversary must be one"),
            ({"x0": np.zeros(3, dtype=np.float16)}, "x0 is float16: games are played in float64 or float32"),
            ({"adversary": FixedSequence(torch.ones(5, 3, dtype=torch.bfloat16))}, "array is bfloat16"),
        ],
        ids=lambda v: str(v)[:40],
    )
    def test_what_is_of_the_wrong_kind_is_refused(self, options, words):
        arguments = {"learner": BOXED, "adversary": RandomSigns((3,)), "horizon": 5, **options}
        with pytest.raises(TypeError, match=words):
            play(**arguments)

    def test_a_gradient_that_is_not_finite_names_itself(self):
        adversary = PythonLoss((3,), lambda t, x: x.sum(-1), lambda t, x: x * 0 + (np.nan if t == 4 else 1.0))
        with pytest.raises(ValueError, match=r"gradient of step 5 is not finite: batch element 0, entry \(0,\) is nan"):
            play(BOXED, adversary, 9)


def test_memory_does_not_grow_with_the_number_of_iterates():
    learner = AdaptiveRegularization(Diagonal((2000,)), lr=0.7, domain=Box(1.0))

    def peak(horizon):
        tracemalloc.start()
        play(learner, GreedySign((2000,)), horizon)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # what is imported and cached on the first call
    short, long = peak(300), peak(900)
    assert long - short <= 600 * 200 * 8  # the scalars of a trace and of its making, not 600 · 2000 numbers


def test_progress_is_silent_unless_asked_for(capsys):
    play(BOXED, RandomSigns((3,)), 10)
    assert capsys.readouterr() == ("", "")
    play(BOXED, RandomSigns((3,)), 10, progress=True)
    assert "10/10" in capsys.readouterr().err
