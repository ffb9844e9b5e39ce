"""Every law holds for every structure, on every array library, in both precisions, on hard inputs; every control breaks one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import STRUCTURES, instances, structures

from structures.full import Full
from structures.lemmas.equivariance import reflection
from structures.lemmas.instance import EVERY, make_instance, moved
from structures.registry import controls
from theory.registry import theorems
from theory.theorem import Kind
from theory.verdict import VerdictKind, verify

LAWS = {law.id: law for law in theorems(("structures.lemmas",))}


@pytest.fixture(params=LAWS)
def law(request):
    return LAWS[request.param]


def refusal(law, run) -> str | None:
    """What speaks against the law on this run: a failed hypothesis, a violation, a number that is not finite.

    Equality is common on hard inputs (a rank-deficient matrix touches every bound), so an entry within the budget is no
    refusal; an entry beyond it is.
    """
    verdict = verify(law, run)
    upheld = verdict.kind is VerdictKind.VERIFIED or (
        verdict.kind is VerdictKind.INCONCLUSIVE and verdict.evidence.get("fails") == 0
    )
    return None if upheld else f"{run.structure}: {verdict} {verdict.evidence}"


@pytest.mark.parametrize("K", STRUCTURES, ids=str)
def test_every_law_holds_for_every_structure_on_hard_batches(K, backend):
    run = replace(make_instance(K, EVERY, scales=backend.scales), finer=Full(K.shape), Q=reflection(K))
    run = moved(run, backend.like)
    assert not [words for words in (refusal(law, run) for law in LAWS.values()) if words]


@pytest.mark.parametrize("name", LAWS)
@given(data=st.data())
def test_every_law_holds_on_dyadic_grids_and_awkward_spectra(name, backend, data):
    K = data.draw(structures())
    assert refusal(LAWS[name], data.draw(instances(K, backend))) is None


def test_every_law_holds_on_its_examples_and_nearly_fails_on_the_tight_one(law):
    for example in law.examples():
        verdict = verify(law, example.make())
        assert verdict.kind == VerdictKind.VERIFIED, f"{example.name}: {verdict}"
        if example.near_tight:
            assert 0.9 < verdict.ratio <= 1.0, f"{example.name}: {verdict}"


def test_every_inequality_has_a_near_tight_example(law):
    assert law.kind is Kind.EXACT or any(example.near_tight for example in law.examples())


def test_every_law_is_refused_or_fails_on_its_controls(law):
    cases = list(law.controls())
    assert cases
    for case in cases:
        verdict = verify(law, case.make(), ignoring=case.ignoring)
        assert verdict.kind in case.expect, f"{case.name}: {verdict}"
        if not case.ignoring:
            assert verdict.evidence["assumption"] == case.breaks, f"{case.name}: {verdict}"


def test_every_control_set_fails_some_law():
    broken = {
        type(case.make().structure)
        for law in LAWS.values()
        for case in law.controls()
        if case.ignoring and verify(law, case.make(), ignoring=case.ignoring).kind == VerdictKind.VIOLATED
    }
    assert {type(K) for K in controls()} <= broken


NEEDS_NO_CLOSURE = (
    "homogeneous-root",
    "trace-identity",
    "optimality",
    "subadditive-trace",
    "step-growth",
    "step-stability",
    "adaptive-norm-infimum",
    "adaptive-norm-triangle",
    "norm-duality",
    "hoelder",
    "norm-chain",
)
CONES = [
    K for K in controls() if type(K).__name__ not in {"HiddenJitter", "KroneckerSet", "NoIdentity", "TextbookOneSided"}
]


@pytest.mark.parametrize("name", NEEDS_NO_CLOSURE)
@pytest.mark.parametrize("K", CONES, ids=str)
def test_the_laws_that_need_no_closure_hold_for_every_convex_cone(name, K):
    run = make_instance(K, ("generic", "repeated", "stiff"))
    assert refusal(LAWS[name], run) is None
