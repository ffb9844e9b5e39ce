"""A trace with its history cannot be edited: every number that a verdict reads is compared with the steps, taken once more."""

from dataclasses import replace

import numpy as np
import pytest

from problems.domains import Box
from regret import play
from regret.adversaries import RandomSigns
from regret.learners import AdaptiveRegularization
from structures import Diagonal

HORIZON, WHOLE = 40, {"iterates": None, "gradients": None}


def game(domain=Box(1.0), lr=2**0.5, **options):  # noqa: B008  (a frozen value)
    learner = AdaptiveRegularization(Diagonal((2,)), lr=lr, domain=domain)
    return play(learner, RandomSigns((2,)), HORIZON, batch=2, keep_history=True, **options)


def series(run, **factors):
    """The trace with series of `scalars` changed by functions."""
    return {**run.scalars, **{name: change(run.scalars[name]) for name, change in factors.items()}}


def scaled_root(run, factor):
    assert run.adaptive_norm is not None
    return replace(
        run, trace_root=factor * run.trace_root, adaptive_norm=factor * run.adaptive_norm,
        scalars=series(run, trace_root=lambda a: factor * a),
    )  # fmt: skip


def larger_gaps(run):
    return replace(
        run, gap_sum=run.gap_sum + 1e3 * np.arange(1, HORIZON + 1)[:, None], width_sum=1e9 * run.width_sum,
        scalars=series(run, gap=lambda a: a + 1e3),
    )  # fmt: skip


def larger_q(run):
    return replace(run, q_sum=10 * run.q_sum, scalars=series(run, q=lambda a: 10 * a))


def not_finite(run, name):
    broken = getattr(run, name).copy()
    broken[HORIZON // 2, 0, 0] = np.nan
    return replace(run, **{name: broken})


def failed(run, theorem="structured-regret"):
    """The assumptions that do not hold."""
    return run.verify(theorem).evidence.get("failed", [])


FORGED = {
    "Tr H, ten times": lambda: scaled_root(game(), 10.0),
    "Tr H, a hundredth": lambda: scaled_root(game(), 0.01),
    "the gaps": lambda: larger_gaps(game()),
    "q": lambda: larger_q(game()),
    "the trivial bound": lambda: replace(game(), width_sum=1.001 * game().width_sum),
    "a NaN among the iterates": lambda: not_finite(game(), "iterates"),
    "a NaN among the gradients": lambda: not_finite(game(), "gradients"),
    "a start outside, said to be inside": lambda: replace(
        game(x0=np.array([[1.5, 0.0], [0.0, 0.0]])), infeasibility=np.zeros(2)
    ),
    "a comparator outside, said to be inside": lambda: replace(
        game(comparator=np.array([10.0, 10.0])), comparator_infeasibility=np.zeros(2)
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_an_edited_number_is_found(name):
    assert "faithful" in failed(FORGED[name]())


def test_the_same_games_unedited_are_verified():
    assert game().verify("structured-regret").kind == "VERIFIED"
    assert game(comparator=np.ones(2)).verify("structured-regret").kind == "VERIFIED"
    assert game(domain=None, comparator=np.ones(2)).verify("regret-identity").kind == "VERIFIED"


def test_edited_energies_are_found():
    run = game(domain=None, lr=1.0, comparator=np.ones(2))
    forged = replace(run, energy_before=np.ones((HORIZON, 2)), energy_after=np.zeros((HORIZON, 2)))
    assert "faithful" in failed(forged, "regret-identity")


def test_each_element_is_compared_at_its_own_scale():
    """A batch of a rate of 1e-8 and a rate of one: nonsense of size 1e-8 in the first is nonsense."""
    run = game(domain=None, lr=(1e-8, 1.0), comparator=np.zeros((2, 2)))
    assert run.verify("structured-regret").kind == "VERIFIED"
    assert run.iterates is not None
    iterates = run.iterates.copy()
    iterates[1:, 0] *= -3.0
    inner = np.sum(run.gradients * iterates[:-1], axis=-1)
    regret = np.cumsum(inner, axis=0)
    far = {
        "structure": np.maximum.accumulate(np.max(np.abs(iterates[:-1]), axis=-1), axis=0),
        "euclidean": np.maximum.accumulate(np.linalg.norm(iterates[:-1], axis=-1), axis=0),
    }
    forged = replace(
        run, iterates=iterates, regret=regret, regret_lower=regret, scalars=series(run, inner=lambda _: inner),
        distance=far["structure"], distances=far,
    )  # fmt: skip
    assert "faithful" in failed(forged)


@pytest.mark.parametrize(
    "name", ["regret", "regret_lower", "trace_root", "gap_sum", "q_sum", "adaptive_norm", "infeasibility"]
)
@pytest.mark.parametrize("history", [True, False], ids=["history", "sums"])
def test_a_nan_in_a_series_gives_a_verdict_that_supports_nothing(name, history):
    run = game()
    broken = getattr(run, name).copy()
    broken.flat[-1] = np.nan
    forged = replace(run, **{name: broken}, **({} if history else WHOLE))
    assert forged.verify("structured-regret").kind in ("HYPOTHESIS_FAILED", "INCONCLUSIVE", "NUMERICAL_ERROR")
