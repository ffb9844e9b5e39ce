"""A search that tries to break the regret theorems finds nothing, and would find a smaller constant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game

from regret.theorems.runs import MATCHED, hard
from regret.theorems.structured_regret import StructuredRegret
from structures.registry import all_structures
from theory import get, verify

STRUCTURES = st.sampled_from(all_structures())
SEEDS = st.integers(0, 2**32 - 1)
HOLDS = ("VERIFIED", "VACUOUS")


@given(STRUCTURES, SEEDS)
def test_the_cumulative_theorems_hold_on_random_games(K, seed):
    run = random_game(K, seed)
    for name in ("structured-regret", "structured-regret-norm"):
        verdict = run.verify(name)
        assert verdict.kind in HOLDS, verdict


@given(STRUCTURES, SEEDS, st.sampled_from(["weighted", "ema"]), st.sampled_from([0.1, 0.5, 0.9, 0.999]))
def test_the_discounted_theorem_holds_on_random_games(K, seed, accumulate, beta):
    verdict = random_game(K, seed, accumulate=accumulate, beta=beta).verify("weighted-regret")
    assert verdict.kind in HOLDS, verdict


@given(STRUCTURES, SEEDS)
def test_the_identity_holds_whenever_there_is_no_projection(K, seed):
    verdict = random_game(K, seed).verify("regret-identity")
    assert verdict.kind in ("VERIFIED", "HYPOTHESIS_FAILED"), verdict
    assert verdict.kind == "VERIFIED" or set(verdict.evidence["failed"]) <= {"unconstrained", "fixed-comparator"}


class SmallerConstant(StructuredRegret):
    """The same statement with nine tenths of the right side: false, and attained far enough on the hard sequence."""

    id = "nine-tenths"

    def bound(self, run):
        return 0.9 * super().bound(run)


@pytest.mark.parametrize("name", MATCHED)
def test_a_constant_smaller_by_a_tenth_is_violated_by_the_hard_sequence(name):
    run = hard(name, 1000)
    assert verify(SmallerConstant(), run).kind == "VIOLATED"
    assert verify(get("structured-regret"), run).kind == "VERIFIED"
    assert verify(get("structured-regret"), run).ratio == pytest.approx(0.915344, abs=5e-4)


def test_the_budget_is_small_beside_the_bound_and_grows_with_the_horizon():
    theorem = get("structured-regret")
    for name in MATCHED:
        run = hard(name, 300)
        budget, bound = theorem.budget(run), theorem.bound(run)
        assert np.all(np.diff(budget, axis=0) >= 0)
        # A zero eigenvalue costs 1e-8 per step and parameter, see docs/proofs/regret.md.
        assert np.max(budget / bound) < 1e-3


def test_single_precision_is_judged_with_its_own_roundoff():
    structure, domain, pattern = MATCHED["AdaGrad-Norm"]
    from regret import HardSequence, play
    from regret.theorems.runs import tuned

    game = HardSequence(pattern, 300)
    run = play(tuned(structure, domain), game, 300, x0=np.asarray(game.x0, dtype=np.float32))
    assert run.meta["dtype"] == "float32"
    theorem = get("structured-regret")
    assert verify(theorem, run).kind == "VERIFIED"
    assert np.min(theorem.budget(run)) > 1e5 * np.min(theorem.budget(hard("AdaGrad-Norm", 300)))
