"""The law of all theorems: true on their examples, tight on one of them, and refused or refuted on their controls."""

import pytest

from theory import Example, Theorem, theorems, verify
from theory.finding import SUPPORTING
from theory.theorem import Kind
from theory.verdict import VerdictKind

THEOREMS = {theorem.id: theorem for theorem in theorems()}


@pytest.fixture(params=THEOREMS)
def theorem(request) -> Theorem:
    return THEOREMS[request.param]


NEAR = 0.7  # the ratio that an example must reach to be called near-tight


def outcomes(theorem: Theorem, cases: list[Example]) -> dict[str, tuple[str, str, float]]:
    """Name of the case -> the kind of its verdict, the verdict in words, and its ratio."""
    return {
        case.name: (verdict.kind, str(verdict), verdict.ratio)
        for case in cases
        for verdict in [verify(theorem, case.make(), ignoring=case.ignoring)]
    }


def test_it_holds_on_its_examples_and_one_of_them_is_near_tight(theorem):
    examples = list(theorem.examples())
    assert theorem.kind is Kind.EXACT or any(example.near_tight for example in examples)  # an identity is tight
    allowed = {example.name: example.expect or SUPPORTING for example in examples}
    found = outcomes(theorem, examples)
    assert not [words for name, (kind, words, _) in found.items() if kind not in allowed[name]]
    if theorem.kind not in (Kind.EXACT, Kind.EXPECTATION):  # an expectation has no ratio on one run
        assert max(found[example.name][2] for example in examples if example.near_tight) >= NEAR


def test_it_is_refused_or_refuted_on_its_controls(theorem):
    controls = list(theorem.controls())
    assert controls and all(control.expect for control in controls)
    assert not any(set(control.expect) & SUPPORTING for control in controls)
    assert all(kind in set(VerdictKind) for control in controls for kind in control.expect)
    expected = {control.name: control.expect for control in controls}
    wrong = [words for name, (kind, words, _) in outcomes(theorem, controls).items() if kind not in expected[name]]
    assert not wrong


def test_a_control_names_the_assumption_that_it_breaks(theorem):
    names = {assumption.name for assumption in theorem.assumptions}
    assert {control.breaks for control in theorem.controls()} <= names


def test_its_source_renders_and_its_proof_exists(theorem):
    assert theorem.source.text()
    if theorem.proof:
        from theory.citation import BIBLIOGRAPHY

        assert (BIBLIOGRAPHY.parent / theorem.proof.split("#")[0]).is_file()
