"""Theorems in expectation and with high probability: only valid statistics may confirm or refute."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from theory import Citation, Kind, Theorem, verify

INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Sample:
    """Samples that a toy theorem reads back."""

    values: Any
    bound: Any = 1.0
    lower: Any = None
    budget: float = 0.0
    support: tuple[float, float] | None = None
    exact: float | None = None
    trivial: float | None = None
    delta: float = 0.1


class InExpectation(Theorem):
    id = "in-expectation"
    title = "A claim"
    kind = Kind.EXPECTATION
    source = Citation("derived", "here", "derived")
    statement = "x"
    subject = "numbers"

    def measured(self, run):
        return run.values

    def measured_lower(self, run):
        return run.values if run.lower is None else run.lower

    def bound(self, run):
        return run.bound

    def budget(self, run):
        return run.budget

    def support(self, run):
        return run.support

    def exact(self, run):
        return run.exact

    def trivial(self, run):
        return run.trivial


class WithHighProbability(InExpectation):
    id = "with-high-probability"
    kind = Kind.HIGH_PROBABILITY

    def delta(self, run):
        return run.delta


LOW, HIGH = np.full(200, 0.5), np.full(200, 1.5)


@pytest.mark.parametrize(
    ("exact", "budget", "kind"),
    [
        (0.5, 0.0, "CONFIRMED"),
        (1.0, 0.0, "CONFIRMED"),
        (1.5, 0.0, "REFUTED"),
        (1.05, 0.1, "INCONCLUSIVE"),
        (0.95, 0.1, "INCONCLUSIVE"),
    ],
)
def test_an_enumerated_expectation_is_a_deterministic_check(exact, budget, kind):
    # The samples say the opposite: the enumeration decides.
    samples = HIGH if exact < 1 else LOW
    verdict = verify(InExpectation(), Sample(samples, exact=exact, budget=budget, support=(0.0, 2.0)))
    assert verdict.kind == kind and verdict.evidence["alpha"] == 0.0 and verdict.ratio == exact


def test_zero_expectation_meets_a_zero_bound():
    assert verify(InExpectation(), Sample(np.zeros(3), bound=0.0, exact=0.0, budget=1e-9)).kind == "CONFIRMED"


@pytest.mark.parametrize(
    ("values", "support", "kind"),
    [
        (LOW, (0.0, 2.0), "CONFIRMED"),
        (LOW, (0.0, INF), "NOT_REFUTED"),  # no upper end: a rare bad seed may be hiding
        (LOW, None, "NOT_REFUTED"),
        (LOW[:2], (0.0, 2.0), "NOT_REFUTED"),  # too few seeds
        (HIGH, (0.0, INF), "REFUTED"),
        (HIGH, (0.0, 2.0), "REFUTED"),
        (HIGH, (-INF, 2.0), "NOT_REFUTED"),  # no lower end: nothing can be refuted
        (HIGH, None, "NOT_REFUTED"),
        (HIGH, (1.25, INF), "REFUTED"),  # the declared lower end alone contradicts the claim
        (HIGH[:1], (1.0, INF), "REFUTED"),  # mean <= its own lower end, yet a sample lies above it
        (np.ones(5), (1.0, INF), "NOT_REFUTED"),
        (HIGH, (0.0, 1.2), "HYPOTHESIS_FAILED"),  # the declared range is false
        (np.array([0.5, -0.5]), (0.0, 2.0), "HYPOTHESIS_FAILED"),
        (np.array([0.5, NAN]), (0.0, 2.0), "INCONCLUSIVE"),
    ],
)
def test_an_expectation_is_confirmed_or_refuted_only_by_what_is_declared(values, support, kind):
    assert verify(InExpectation(), Sample(values, support=support)).kind == kind


def test_one_bad_seed_in_two_hundred_does_not_refute_a_heavy_tailed_truth():
    values = np.where(np.arange(200) == 57, 100.0, 0.4)  # mean 0.898 <= 1
    assert verify(InExpectation(), Sample(values, support=(0.0, INF))).kind == "NOT_REFUTED"


def test_the_evidence_has_the_e_value_and_the_betting_limit():
    evidence = verify(InExpectation(), Sample(HIGH, support=(0.0, 2.0))).evidence
    assert evidence["e"] >= 20 and evidence["upper_limit"] > 1.5 and evidence["seeds"] == 200
    confirmed = verify(InExpectation(), Sample(LOW, support=(0.0, 2.0)), alpha=0.01)
    assert 0.5 < confirmed.evidence["upper_limit"] <= 1.0 and confirmed.evidence["alpha"] == 0.01


def test_the_bracket_counts_against_whatever_is_claimed():
    wide = Sample(np.full(200, 1.5), lower=np.full(200, 0.5), support=(0.0, 2.0))
    assert verify(InExpectation(), wide).kind == "NOT_REFUTED"


def test_a_bound_above_the_trivial_one_is_vacuous_and_a_refuted_one_is_not():
    assert verify(InExpectation(), Sample(LOW, support=(0.0, 2.0), trivial=0.9)).kind == "VACUOUS"
    assert verify(InExpectation(), Sample(LOW, support=(0.0, 2.0), trivial=1.1)).kind == "CONFIRMED"
    assert verify(InExpectation(), Sample(HIGH, support=(0.0, 2.0), trivial=0.9)).kind == "REFUTED"


@pytest.mark.parametrize(
    ("failures", "seeds", "kind"),
    [
        (0, 29, "CONFIRMED"),
        (0, 28, "NOT_REFUTED"),
        (4, 200, "CONFIRMED"),
        (20, 200, "NOT_REFUTED"),
        (60, 200, "REFUTED"),
    ],
)
def test_failures_are_counted_against_delta(failures, seeds, kind):
    # 0.9**29 < 0.05 < 0.9**28: the fewest clean seeds that confirm delta = 0.1 are 29.
    values = np.where(np.arange(seeds) < failures, 1.5, 0.5)
    verdict = verify(WithHighProbability(), Sample(values))
    assert verdict.kind == kind and verdict.ratio == pytest.approx(failures / seeds / 0.1)


def test_samples_within_rounding_of_the_bound_neither_confirm_nor_refute():
    verdict = verify(WithHighProbability(), Sample(np.full(200, 1.0), budget=0.1))
    assert verdict.kind == "NOT_REFUTED"
    assert (verdict.evidence["failures"], verdict.evidence["possible_failures"]) == (0, 200)


def test_a_bound_may_differ_between_seeds_with_high_probability_but_not_in_expectation():
    run = Sample(np.full(50, 0.5), bound=np.linspace(0.6, 1.0, 50), support=(0.0, 1.0))
    assert verify(WithHighProbability(), run).kind == "CONFIRMED"
    with pytest.raises(ValueError, match="varies"):
        verify(InExpectation(), run)


@pytest.mark.parametrize("delta", [0.0, 1.0, NAN])
def test_delta_must_be_a_probability(delta):
    with pytest.raises(ValueError, match="delta"):
        verify(WithHighProbability(), Sample(LOW, delta=delta))


@pytest.mark.parametrize("theorem", [InExpectation(), WithHighProbability()])
def test_samples_are_one_number_per_seed(theorem):
    with pytest.raises(ValueError, match="n_seeds"):
        verify(theorem, Sample(np.ones((3, 2))))
