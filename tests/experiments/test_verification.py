"""A verdict is bad when it is not what it must be, and a bad verdict reaches the exit status."""

import math

import pytest
from toy_experiment import AtMost, Broken, Raising, Toy

from experiments import canonical
from experiments.plan import plan
from experiments.runner import run
from experiments.store import Store
from experiments.verification import bad_cases, catalogue, is_bad, rows
from theory.verdict import VerdictKind

BAD = {VerdictKind.VIOLATED, VerdictKind.REFUTED, VerdictKind.HYPOTHESIS_FAILED}


@pytest.mark.parametrize("kind", list(VerdictKind))
def test_only_failures_are_bad_unless_a_misuse_was_declared(kind):
    assert is_bad({"kind": str(kind)}) == (kind in BAD)
    assert not is_bad({"kind": str(kind), "expected": [str(kind), "VIOLATED"]})


@pytest.mark.parametrize("kind", list(VerdictKind))
def test_a_declared_misuse_that_is_not_caught_is_bad(kind):
    assert is_bad({"kind": str(kind), "expected": []})
    assert is_bad({"kind": str(kind), "expected": ["VIOLATED"]}) == (kind != VerdictKind.VIOLATED)


def test_rows_count_kinds_and_keep_the_worst_ratio_and_separate_misuse(tmp_path):
    store = Store(tmp_path)

    class Misuse(Toy):
        id = "misuse"

    suite = [Toy(violated=(1,)), Misuse(violated=(0, 1, 2), misused=True)]
    planned = plan(suite, store, "ci")
    assert rows(planned, store) == []
    run(planned, store, jobs=1)
    misuse, honest = rows(planned, store)
    assert (misuse.experiment, misuse.control, honest.experiment, honest.control) == ("misuse", True, "toy", False)
    assert honest.kinds == {"VERIFIED": 3, "VIOLATED": 1} and honest.worst == 1.25
    assert honest.bad == [Toy().runs("ci")[1].key]
    assert len(misuse.bad) == 1  # seed 3 was VERIFIED where the misuse had to be caught


def test_the_catalogue_judges_examples_and_controls():
    judged = catalogue([AtMost()])
    (entry,) = judged["theorems"]
    assert bad_cases(judged) == [] and entry["id"] == "at-most" and entry["assumptions"][0]["name"] == "honest"
    example, control = entry["cases"]
    assert example["verdict"]["kind"] == "VERIFIED" and example["verdict"]["ratio"] == 0.8 and example["near_tight"]
    assert control["verdict"]["kind"] == "HYPOTHESIS_FAILED" and control["breaks"] == "honest"
    assert math.isnan(control["verdict"]["ratio"])


def test_a_violated_example_a_control_that_holds_and_a_crash_are_all_bad():
    found = [(theorem, case["name"]) for theorem, case in bad_cases(catalogue([AtMost(), Broken(), Raising()]))]
    assert found == [("broken", "too large"), ("broken", "holds"), ("raising", "impossible")]


def test_a_catalogue_judged_in_parallel_is_the_same():
    def stripped(judged):
        return repr([{**e, "cases": [{**c, "seconds": 0} for c in e["cases"]]} for e in judged["theorems"]])

    assert stripped(catalogue([AtMost(), Broken()], jobs=2)) == stripped(catalogue([AtMost(), Broken()], jobs=1))


def test_the_catalogue_is_stored_and_read_back(tmp_path):
    store = Store(tmp_path)
    assert store.catalogue() is None
    judged = catalogue([AtMost(), Raising()])
    store.write_catalogue(judged)
    assert canonical.dump(store.catalogue()) == canonical.dump(judged)
    assert "no such instance" in store.catalogue()["theorems"][1]["cases"][0]["error"]
