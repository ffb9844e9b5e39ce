"""Both sides of the regret theorems agree with d×d matrices, and the special cases with the general statement."""

from dataclasses import replace

import numpy as np
import pytest
from dense_learner import dense_run

from problems.domains import Box
from regret import AdaptiveRegularization, FixedSequence, RandomSigns, play
from regret.theorems import runs
from structures import BlockDiagonal, Circulant, Diagonal, Exchangeable, Full, LeftKronecker, Scalar
from theory import get

EPS, LR, STEPS = 0.05, 0.4, 12


def unconstrained(K, **options):
    """A run in the whole space with its history, from a start that is not 0."""
    rng = np.random.default_rng(K.dim)
    gradients, x0 = rng.standard_normal((STEPS, *K.shape)), rng.standard_normal(K.shape)
    learner = AdaptiveRegularization(K, lr=LR, eps=EPS, **options)
    run = play(learner, FixedSequence(gradients), STEPS, x0=x0, comparator=-0.5 * np.ones(K.shape), keep_history=True)
    return run, gradients, x0


@pytest.mark.parametrize(
    "K",
    [
        Scalar((3,)),
        Diagonal((3,)),
        Full((3,)),
        LeftKronecker((2, 3)),
        Circulant((4,)),
        Exchangeable((4,)),
        BlockDiagonal([(2,), (1,)]),
    ],
    ids=str,
)
@pytest.mark.parametrize("accumulate", ["cumulative", "weighted", "ema"])
def test_measured_bound_and_identity_are_those_of_dense_matrices(K, accumulate):
    beta = 1.0 if accumulate == "cumulative" else 0.8
    run, gradients, x0 = unconstrained(K, **({} if beta == 1 else {"accumulate": accumulate, "beta": beta}))
    weight = 1.0 - beta if accumulate == "ema" else 1.0
    x, u, d = x0, run.comparator[0], K.dim
    regret = moved = quadratic = largest = 0.0
    dense = dense_run(K, gradients, x0, LR, EPS, accumulate, beta)
    for t, (following, H) in enumerate(dense):
        g, away, after = gradients[t].reshape(-1), (x - u).reshape(-1), (following - u).reshape(-1)
        largest = max(largest, _norm(K, away))
        discount = beta**0.5
        regret = discount * regret + g @ away
        moved += away @ H @ away - after @ H @ after
        quadratic += g @ np.linalg.solve(H, g)
        start = d * EPS**0.5 * beta ** (0.5 * (t + 1))
        bound = largest**2 / (2 * LR) * np.trace(H) + LR / weight * (np.trace(H) - start)
        name = "structured-regret" if accumulate == "cumulative" else "weighted-regret"
        theorem = get(name)
        # Eigenvalues are at least EPS: the dense reference and the run agree to about 1e-16 · d · cond.
        assert theorem.measured(run)[t, 0] == pytest.approx(regret, rel=1e-10, abs=1e-10)
        assert theorem.bound(run)[t, 0] == pytest.approx(bound, rel=1e-10)
        if accumulate == "cumulative":
            identity = moved / (2 * LR) + LR / 2 * quadratic
            assert identity == pytest.approx(regret, rel=1e-9, abs=1e-9)
        assert get("regret-identity").bound(run)[t, 0] == pytest.approx(moved / (2 * LR) + LR / 2 * quadratic, rel=1e-9)
        x = following


def _norm(K, x: np.ndarray) -> float:
    """‖x‖_H from its definition, through the d×d projection."""
    return float(np.linalg.eigvalsh(K.dense(K.project(np.outer(x, x))))[-1]) ** 0.5


@pytest.mark.parametrize(
    "name",
    ["adagrad-norm-regret", "adagrad-regret", "full-matrix-regret", "one-sided-shampoo-regret", "direct-sum-regret"],
)
@pytest.mark.parametrize("eps", [0.0, 0.04])
def test_a_special_case_is_the_general_bound_at_the_best_rate(name, eps):
    """The gradients' own formula gives what the learner's norm gives: 1e-6 is the root of rounding at zero eigenvalues."""
    theorem = get(name)
    run = runs.damped(theorem.instance) if eps else runs.signs(theorem.instance, 60, keep_history=True)
    general = get("structured-regret-norm").bound(run)
    np.testing.assert_allclose(theorem.bound(run), general, rtol=1e-6)


@pytest.mark.parametrize("layer", ["four kinds", "two balls"])
def test_the_layers_statistic_is_the_structures_adaptive_norm(layer):
    run = runs.mixed_layers(40) if layer == "four kinds" else runs.signs("two layers", 40, keep_history=True)
    theorem = get("direct-sum-regret")
    for t in (0, 7, 39):
        expected = run.structure.adaptive_norm(run.gradients[: t + 1])
        np.testing.assert_allclose(theorem.statistic(run, run.gradients)[t], expected, rtol=1e-6)


def test_the_bound_at_twice_the_rate_is_a_quarter_larger_and_nothing_beats_the_best_rate():
    theorem = get("structured-regret")
    games = {factor: runs.hard("AdaGrad", 60, factor=factor) for factor in (0.5, 1.0, 2.0)}
    bounds = {factor: theorem.bound(run)[-1, 0] / run.trace_root[-1, 0] for factor, run in games.items()}
    assert bounds[2.0] == pytest.approx(1.25 * bounds[1.0])
    assert bounds[0.5] == pytest.approx(1.25 * bounds[1.0])


def test_a_gap_is_a_line_of_the_bound():
    run = runs.hard("AdaGrad-Norm", 30)
    worse = replace(run, gap_sum=run.gap_sum + 0.5)
    added = get("structured-regret").bound(worse) - get("structured-regret").bound(run)
    np.testing.assert_allclose(added, 0.5 / run.lr, rtol=1e-12)


def test_a_bound_that_exceeds_the_width_of_the_domain_is_vacuous():
    learner = AdaptiveRegularization(Diagonal((2,)), lr=1e-3, domain=Box(1.0))
    assert play(learner, RandomSigns((2,)), 5).verify("structured-regret").kind == "VACUOUS"


@pytest.mark.parametrize(
    "field", ["regret", "trace_root", "q_sum", "gap_sum", "iterates", "gradients", "adaptive_norm", "infeasibility"]
)
def test_a_number_that_was_changed_afterwards_is_noticed(field):
    run = runs.damped("one-sided Shampoo")
    assert run.verify("structured-regret").kind == "VERIFIED"
    factor = 0.7 if field == "regret" else 1.3  # a larger upper end only weakens the verdict
    changed = replace(run, **{field: getattr(run, field) * factor + 1e-3})
    verdict = changed.verify("structured-regret")
    assert verdict.kind == "HYPOTHESIS_FAILED", (field, str(verdict))


@pytest.mark.parametrize("field", ["discounted_regret", "distance", "distances"])
def test_what_only_some_runs_have_is_looked_at_too(field):
    run = runs.unconstrained("LeftKronecker", accumulate="weighted", beta=0.9, keep_history=True)
    assert run.verify("weighted-regret").kind == "VERIFIED"
    value = getattr(run, field)
    smaller = {name: 0.5 * series for name, series in value.items()} if field == "distances" else 0.5 * value - 1.0
    verdict = replace(run, **{field: smaller}).verify("weighted-regret")
    assert verdict.kind == "HYPOTHESIS_FAILED", str(verdict)


def test_without_a_history_the_verdict_says_that_steps_were_not_repeated():
    verdict = runs.signs("AdaGrad", 40).verify("structured-regret")
    assert "not repeated" in verdict.evidence["assumptions"]["faithful"]
    kept = runs.signs("AdaGrad", 40, keep_history=True).verify("structured-regret")
    assert "every step was repeated" in kept.evidence["assumptions"]["faithful"]


def test_a_run_on_torch_is_judged_like_one_on_numpy():
    import torch

    rng = np.random.default_rng(3)
    gradients = rng.standard_normal((50, 2, 3))
    learner = AdaptiveRegularization(LeftKronecker((2, 3)), lr=1.0, eps=0.01)
    ours = play(learner, FixedSequence(gradients), 50, comparator=np.ones((2, 3)), keep_history=True)
    theirs = play(learner, FixedSequence(torch.asarray(gradients)), 50, comparator=np.ones((2, 3)), keep_history=True)
    verdicts = [run.verify("structured-regret") for run in (ours, theirs)]
    assert [v.kind for v in verdicts] == ["VERIFIED", "VERIFIED"]
    assert verdicts[0].ratio == pytest.approx(verdicts[1].ratio, rel=1e-10)
