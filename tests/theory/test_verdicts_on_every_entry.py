"""Pathwise bounds, lower bounds and identities: the verdict follows from brackets, bounds and rounding budgets alone."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from theory import Assumption, Check, Citation, Kind, Theorem, Verdict, VerdictKind, verify
from theory.certificate import NotCertified, inequality, psd

INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Run:
    """Numbers that a toy theorem reads back."""

    measured: Any = 1.0
    bound: Any = 2.0
    lower: Any = None
    budget: Any = 0.0
    trivial: Any = None
    checks: dict = field(default_factory=dict)
    certificate: Any = None


def said(name):
    return Assumption(name, r"\text{as declared}", lambda run: run.checks.get(name, Check(True, 1.0, "declared")))


class Claim(Theorem):
    id = "claim"
    title = "A claim"
    kind = Kind.PATHWISE
    source = Citation("derived", "here", "derived")
    statement = "x"
    subject = "numbers"
    assumptions = (said("convex"), said("feasible"))

    def measured(self, run):
        return run.measured

    def measured_lower(self, run):
        return run.measured if run.lower is None else run.lower

    def bound(self, run):
        return run.bound

    def budget(self, run):
        return run.budget

    def trivial(self, run):
        return run.trivial

    def certificate(self, run):
        if isinstance(run.certificate, Exception):
            raise run.certificate
        return run.certificate


class LowerClaim(Claim):
    kind = Kind.LOWER_BOUND


class Identity(Claim):
    kind = Kind.EXACT


PATHWISE = [
    (Run(measured=1.0, bound=2.0, budget=0.5), "VERIFIED", 0.5),
    (Run(measured=1.0, bound=1.0), "VERIFIED", 1.0),  # equality that is exact
    (Run(measured=0.0, bound=0.0), "VERIFIED", 0.0),  # no gradient
    (Run(measured=0.0, bound=0.0, budget=1e-9), "VERIFIED", 0.0),  # ... whatever the budget is
    (Run(measured=-1.0, bound=0.0), "VERIFIED", 0.0),
    (Run(measured=-1.0, bound=-0.5), "VERIFIED", NAN),  # no entry with bound >= 0 to take a ratio of
    (Run(measured=1.0, bound=1.0, budget=1e-9), "INCONCLUSIVE", 1.0),
    (Run(measured=1.0, bound=1.1, budget=0.2), "INCONCLUSIVE", 1 / 1.1),
    (Run(measured=1.1, bound=1.0, budget=0.2), "INCONCLUSIVE", 1.1),  # exceeds by less than the budget
    (Run(measured=1.0, bound=0.0, budget=1.0), "INCONCLUSIVE", INF),
    (Run(measured=3.0, lower=1.0, bound=2.0), "INCONCLUSIVE", 1.5),  # the bracket straddles the bound
    (Run(measured=3.0, lower=2.5, bound=2.0), "VIOLATED", 1.5),
    (Run(measured=1e-300, bound=0.0), "VIOLATED", INF),
    (Run(measured=1.5, bound=1.0, budget=0.25), "VIOLATED", 1.5),
    (Run(measured=np.array([1.0, 3.0, 1.0]), bound=2.0), "VIOLATED", 1.5),  # one horizon is enough
    (Run(measured=np.array([1.0, NAN]), bound=2.0), "INCONCLUSIVE", NAN),
    (Run(measured=np.array([9.0, NAN]), bound=2.0), "INCONCLUSIVE", NAN),  # a broken run refutes nothing
    (Run(measured=INF, bound=2.0), "INCONCLUSIVE", NAN),
    (Run(measured=1.0, bound=INF), "INCONCLUSIVE", NAN),  # an infinite bound is no support
    (Run(measured=1.0, bound=NAN), "INCONCLUSIVE", NAN),
    (Run(measured=-INF, bound=1.0), "INCONCLUSIVE", NAN),
    (Run(measured=1.0, bound=2.0, budget=NAN), "INCONCLUSIVE", NAN),
    (Run(measured=1.0, bound=2.0, budget=INF), "INCONCLUSIVE", NAN),
    (Run(measured=1.0, bound=2.0, trivial=NAN), "INCONCLUSIVE", NAN),
    (Run(measured=1.0, lower=1.5, bound=2.0), "INCONCLUSIVE", NAN),  # a bracket upside down
    (Run(measured=1.0, bound=2.0, trivial=3.0), "VERIFIED", 0.5),
    (Run(measured=1.0, bound=2.0, trivial=INF), "VERIFIED", 0.5),  # nothing is known without the theorem
    (Run(measured=1.0, bound=2.0, trivial=2.0), "VACUOUS", 0.5),
    (Run(measured=2.0, bound=2.0, budget=0.1, trivial=1.5), "VACUOUS", 1.0),
    (Run(measured=0.0, bound=0.0, trivial=0.0), "VERIFIED", 0.0),  # no gradient: nothing to be vacuous about
    (Run(measured=3.0, bound=2.0, trivial=1.0), "VIOLATED", 1.5),  # never hidden behind VACUOUS
]


@pytest.mark.parametrize(("run", "kind", "ratio"), PATHWISE, ids=[str(number) for number in range(len(PATHWISE))])
def test_an_upper_bound_gets_the_verdict_that_its_numbers_deserve(run, kind, ratio):
    verdict = verify(Claim(), run)
    assert (verdict.kind, verdict.ratio) == (kind, pytest.approx(ratio, nan_ok=True))


@pytest.mark.parametrize(
    ("run", "kind", "ratio"),
    [
        (Run(measured=2.0, bound=1.0, budget=0.5), "VERIFIED", 0.5),
        (Run(measured=0.0, bound=0.0, budget=0.5), "VERIFIED", 0.0),
        (Run(measured=1.0, bound=-1.0), "VERIFIED", -1.0),
        (Run(measured=2.0, bound=1.9, budget=0.5), "INCONCLUSIVE", 0.95),
        (Run(measured=3.0, lower=1.0, bound=2.0), "INCONCLUSIVE", 2.0),
        (Run(measured=1.0, bound=2.0), "VIOLATED", 2.0),
        (Run(measured=0.0, bound=2.0), "VIOLATED", INF),
        (Run(measured=2.0, bound=1.0, trivial=1.5), "VACUOUS", 0.5),
        (Run(measured=2.0, bound=1.0, trivial=0.5), "VERIFIED", 0.5),
        (Run(measured=NAN, bound=1.0), "INCONCLUSIVE", NAN),
    ],
)
def test_a_lower_bound_is_the_mirror_image(run, kind, ratio):
    verdict = verify(LowerClaim(), run)
    assert (verdict.kind, verdict.ratio) == (kind, pytest.approx(ratio, nan_ok=True))


@pytest.mark.parametrize(
    ("run", "kind", "ratio"),
    [
        (Run(measured=1.0, bound=1.0), "VERIFIED", 0.0),
        (Run(measured=0.0, bound=0.0), "VERIFIED", 0.0),
        (Run(measured=1.01, bound=1.0, budget=0.1), "VERIFIED", 0.01 / 1.01),
        (Run(measured=-1.2, bound=-1.0, budget=0.1), "VIOLATED", 0.2 / 1.2),
        (Run(measured=1.0, bound=1.2, budget=0.1), "VIOLATED", 0.2 / 1.2),
        (Run(measured=1.0 + 2**-52, bound=1.0), "VIOLATED", 2**-52),
        (Run(measured=1.2, lower=0.8, bound=1.0, budget=0.1), "INCONCLUSIVE", 0.2 / 1.2),
        (Run(measured=1.0, bound=1.0, trivial=0.0), "VERIFIED", 0.0),
        (Run(measured=1e-6, bound=1.0, budget=2.0), "INCONCLUSIVE", 1.0 - 1e-6),  # any formula would do
        (Run(measured=1.0, bound=1.0, budget=2.0), "VERIFIED", 0.0),  # nothing is rounded away in an equality
        (Run(measured=5.0, bound=1.0, budget=2.0), "VIOLATED", 0.8),
        (Run(measured=NAN, bound=1.0), "INCONCLUSIVE", NAN),
    ],
)
def test_an_identity_is_judged_by_its_residual(run, kind, ratio):
    verdict = verify(Identity(), run)
    assert (verdict.kind, verdict.ratio) == (kind, pytest.approx(ratio, nan_ok=True, rel=1e-12, abs=0))  # one division
    if verdict.kind != "INCONCLUSIVE":
        assert "max(|measured|, |bound|)" in verdict.evidence["ratio_of"]


def test_a_difference_far_below_the_sum_is_not_lost_in_rounding():
    # measured + budget would round to bound; bound - measured is exact.
    tiny = 2.0**-60
    assert verify(Claim(), Run(measured=1.0, bound=1.0, budget=tiny)).kind == "INCONCLUSIVE"
    assert verify(Claim(), Run(measured=1.0 + 2**-52, bound=1.0, budget=2.0**-53)).kind == "VIOLATED"


def test_a_violation_carries_its_evidence():
    measured = np.array([[1.0, 1.0], [1.0, 2.5], [4.0, 1.0]])
    verdict = verify(
        Claim(), Run(measured=measured, lower=measured - 0.25, bound=2.0, budget=0.125), ignoring=("convex",)
    )
    assert verdict.kind == VerdictKind.VIOLATED and verdict.ok is False
    evidence = verdict.evidence
    assert (evidence["axes"], evidence["index"], evidence["first_failure"]) == (["horizon", "seed"], [2, 0], [1, 1])
    assert (evidence["measured"], evidence["measured_lower"]) == (4.0, 3.75)
    assert (evidence["bound"], evidence["budget"], evidence["excess"]) == (2.0, 0.125, 1.75)
    assert (evidence["entries"], evidence["fails"], evidence["ratio_index"]) == (6, 2, [2, 0])
    assert evidence["ignored"] == ["convex"] and "convex" not in evidence["assumptions"]


def test_a_nan_names_its_index_and_counts_the_other_failures():
    measured = np.array([[1.0, 9.0], [1.0, NAN]])
    evidence = verify(Claim(), Run(measured=measured, bound=2.0)).evidence
    assert evidence["index"] == [1, 1] and "measured is not finite" in evidence["reason"]
    assert evidence["other_failures"] == 1


def test_vacuity_is_judged_at_the_last_horizon_and_for_all_seeds():
    bound, trivial = np.array([[5.0, 5.0], [2.0, 5.0]]), np.array([[1.0, 1.0], [4.0, 4.0]])
    run = Run(measured=np.ones((2, 2)), bound=bound, trivial=trivial)
    assert verify(Claim(), run).kind == "VERIFIED"  # the first seed beats the trivial bound at the last horizon
    assert verify(Claim(), Run(measured=np.ones((2, 2)), bound=bound[:, 1:], trivial=trivial)).kind == "VACUOUS"
    silent = Run(measured=np.zeros((1, 2)), bound=np.array([[0.0, 5.0]]), trivial=np.array([[0.0, 4.0]]))
    assert verify(Claim(), silent).kind == "VACUOUS"  # a seed without gradients does not rescue the other one


def test_a_failed_assumption_silences_the_theorem_unless_it_is_ignored():
    broken = {"feasible": Check(False, -0.5, "x_3 leaves the ball")}
    run = Run(measured=3.0, checks=broken)
    verdict = verify(Claim(), run)
    assert verdict.kind == "HYPOTHESIS_FAILED" and verdict.ok is False and np.isnan(verdict.ratio)
    assert verdict.evidence["assumption"] == "feasible" and verdict.evidence["margin"] == -0.5
    assert "x_3 leaves the ball" in str(verdict)
    assert verify(Claim(), run, ignoring=("feasible",)).kind == "VIOLATED"
    assert verify(Claim(), run, ignoring=("convex",)).kind == "HYPOTHESIS_FAILED"


def test_a_numpy_bool_is_a_decision_and_a_nan_margin_is_none():
    assert verify(Claim(), Run(checks={"convex": Check(np.bool_(False), -1.0, "r")})).kind == "HYPOTHESIS_FAILED"
    undecided = Check(True, NAN, "0 <= nan was false, its negation too")
    assert undecided.ok is None
    assert verify(Claim(), Run(checks={"convex": undecided})).kind == "INCONCLUSIVE"


@pytest.mark.parametrize("measured", [1.0, 3.0])
def test_an_undecided_assumption_is_inconclusive_whatever_the_numbers_say(measured):
    run = Run(measured=measured, checks={"convex": Check(None, NAN, "no oracle")})
    verdict = verify(Claim(), run)
    assert verdict.kind == "INCONCLUSIVE" and verdict.ok is None
    assert verdict.evidence["undecided"] == ["convex"]
    assert verdict.evidence["otherwise"] == ("VERIFIED" if measured == 1.0 else "VIOLATED")


def test_rigor_needs_a_certificate_that_the_checker_accepts():
    proof = inequality([("measured", 1, 1.0)], 2.0)
    assert verify(Claim(), Run(certificate=proof)).kind == "VERIFIED"
    assert verify(Claim(), Run(certificate=proof), rigorous=True).kind == "VERIFIED_RIGOROUS"
    assert verify(Claim(), Run(), rigorous=True).kind == "VERIFIED"
    assert verify(Claim(), Run(certificate=NotCertified("gave up")), rigorous=True).kind == "VERIFIED"
    tight = Run(measured=2.0, bound=2.0, budget=1e-9, certificate=inequality([("measured", 1, 2.0)], 2.0))
    assert verify(Claim(), tight).kind == "INCONCLUSIVE"
    assert verify(Claim(), tight, rigorous=True).kind == "VERIFIED_RIGOROUS"


def test_a_forged_or_contradicted_certificate_supports_nothing():
    good = psd(np.eye(2))
    forged = type(good)(good.claim, {"A": [[1, 0], [0, -1]]}, good.witness)
    rejected = verify(Claim(), Run(certificate=forged), rigorous=True)
    assert rejected.kind == "INCONCLUSIVE" and "rejected" in rejected.evidence["reason"]
    assert verify(Claim(), Run(measured=3.0, certificate=good), rigorous=True).kind == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (Run(measured=np.zeros((0, 3))), "empty"),
        (Run(measured=np.ones((2, 3)), bound=np.ones(3)), r"bound\(\) has shape \(3,\), expected \(2, 3\)"),
        (Run(measured=np.ones(3), bound=np.ones((3, 1))), "shape"),
        (Run(measured=1.0, bound=np.ones(3)), "shape"),
        (Run(measured=np.ones(3), budget=-1.0), "negative"),
    ],
)
def test_sides_that_cannot_be_compared_are_an_error(run, words):
    with pytest.raises(ValueError, match=words):
        verify(Claim(), run)


@pytest.mark.parametrize("ignoring", [("smooth",), "convex", ("convex", "typo")])
def test_ignoring_an_unknown_assumption_is_an_error(ignoring):
    with pytest.raises(ValueError, match="assumptions"):
        verify(Claim(), Run(), ignoring=ignoring)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, NAN])
def test_alpha_must_be_a_probability(alpha):
    with pytest.raises(ValueError, match="alpha"):
        verify(Claim(), Run(), alpha=alpha)


def test_a_check_that_returns_something_else_is_an_error():
    with pytest.raises(TypeError, match="convex"):
        verify(Claim(), Run(checks={"convex": True}))


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_arrays_of_other_libraries_are_read_without_loss(library):
    xp = pytest.importorskip(library)
    value = 1 / 3
    array = xp.asarray([[value, 0.5], [0.25, 1.0]], dtype=xp.float64)
    verdict = verify(Claim(), Run(measured=array, bound=array))
    assert verdict.kind == "VERIFIED" and verdict.ratio == 1.0
    assert verify(Claim(), Run(measured=array, bound=np.array([[value, 0.5], [0.25, 1.0]]))).kind == "VERIFIED"
    assert verify(Claim(), Run(measured=array, bound=np.nextafter(1 / 3, 0))).kind == "VIOLATED"


def test_an_array_on_another_device_is_read():
    xp = pytest.importorskip("array_api_strict")
    array = xp.asarray([0.25, 1.5], dtype=xp.float64, device=xp.Device("device1"))
    assert verify(Claim(), Run(measured=array, bound=2.0)).evidence["measured"] == 1.5


@pytest.mark.parametrize("run", [n for n, _, _ in PATHWISE])
def test_a_verdict_survives_json(run):
    verdict = verify(Claim(), run, ignoring=("convex",))
    again = Verdict.from_json(verdict.to_json())
    assert again.to_json() == verdict.to_json() and str(again) == str(verdict)
    assert (again.kind, again.ok, again.theorem) == (verdict.kind, verdict.ok, "claim")
    assert again.checks[0].reason == "declared"
    json.loads(verdict.to_json(), parse_constant=pytest.fail)  # NaN and Infinity are not JSON


def test_a_verdict_reads_as_one_line_and_as_escaped_html():
    run = Run(checks={"convex": Check(False, -1.0, "f(x) < 0\nat x = <1>")})
    verdict = verify(Claim(), run)
    assert "\n" not in str(verdict) and str(verdict).startswith("HYPOTHESIS_FAILED claim: convex does not hold")
    page = verdict._repr_html_()
    assert "&lt;1&gt;" in page and "<1>" not in page
