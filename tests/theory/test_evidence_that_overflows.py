"""Numbers beyond float64 decide nothing by accident: neither an enumerated expectation nor a huge sample."""

import numpy as np
import pytest

from theory import Citation, Kind, Theorem, verify
from theory.statistics import e_process


class Claim(Theorem):
    id = "claim"
    title = "A claim"
    kind = Kind.EXPECTATION
    source = Citation("derived", "here", "derived")
    statement = "x"
    subject = "an expectation and two samples"

    def __init__(self, exact=None, samples=(0.5, 0.5)):
        self._exact, self._samples = exact, np.asarray(samples)

    def measured(self, run):
        return self._samples

    def bound(self, run):
        return 1e-10

    def exact(self, run):
        return self._exact

    def support(self, run):
        return 0.0, float("inf")


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_an_enumeration_that_is_not_finite_is_inconclusive(value):
    assert verify(Claim(exact=value), None).kind == "INCONCLUSIVE"


@pytest.mark.parametrize(("value", "kind"), [(1.0, "REFUTED"), (0.0, "CONFIRMED")])
def test_a_finite_one_decides(value, kind):
    assert verify(Claim(exact=value), None).kind == kind


def test_a_sample_whose_ratio_to_the_bound_overflows_is_overwhelming_evidence():
    assert e_process(np.array([1e300, 1.0]), 1e-10)[-1] > 1e100
    assert verify(Claim(samples=(1e300, 1.0)), None).kind == "REFUTED"
