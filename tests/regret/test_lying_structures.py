"""A structure whose operations do not belong together has no verdict, whatever its learner does."""

from dataclasses import dataclass

import numpy as np
import pytest

from problems.domains import Box
from regret import play
from regret.adversaries import FixedSequence
from regret.learners import AdaptiveRegularization, GramFullMatrix
from structures import Diagonal
from structures.factor import Factor
from structures.jordan import jordan_check


class Clipping(Diagonal):
    """Looks right for gradients of size one."""

    def outer(self, G):
        return np.minimum(super().outer(G), 25.0)


class ShortNorm(Diagonal):
    def norm(self, X):
        return 0.5 * super().norm(X)


@dataclass(frozen=True, eq=False)
class Boasting(Factor):
    factors = (1.0, 1.0, 1.0)  # of the inverse, the energy and the trace

    def apply(self, p, X):
        return super().apply(p, X) * (self.factors[0] if p < 0 else 1.0)

    def quad(self, p, X):
        return super().quad(p, X) * self.factors[1]

    def trace(self, p):
        return super().trace(p) * (self.factors[2] if p == 0.5 else 1.0)


def boasting(name, *factors):
    own = dataclass(frozen=True, eq=False)(type("Own", (Boasting,), {"factors": factors}))

    class Lie(Diagonal):
        def metric(self, c):
            factor = self.factor(c)
            return own(factor.structure, factor.values, factor.floor, factor.basis)

    Lie.__name__ = name
    return Lie


LIES = [
    Clipping, ShortNorm, boasting("LongStep", 2.0, 1.0, 1.0), boasting("Energy", 1.0, 2.0, 1.0),
    boasting("Trace", 1.0, 1.0, 2.0),
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_each_lie_is_found_on_random_elements(lie):
    check = jordan_check(lie((3,)))
    assert check.ok is False
    assert check.margin < 0


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_run_with_it_supports_nothing(lie):
    gradients = 20.0 * np.random.default_rng(0).choice([-1.0, 1.0], (30, 3))
    learner = AdaptiveRegularization(lie((3,)), lr=1.0, domain=Box(1.0))
    run = play(learner, FixedSequence(gradients), 30, comparator=np.ones(3), keep_history=True)
    assert run.verify("structured-regret").kind == "HYPOTHESIS_FAILED"


def test_the_honest_ones_pass():
    assert jordan_check(Diagonal((3,))).ok
    assert jordan_check(boasting("Honest", 1.0, 1.0, 1.0)((3,))).ok


@pytest.mark.parametrize("d", [1, 2])
def test_more_gradients_than_dimensions_leave_the_gram_form_its_trace(d):
    """Each of the surplus eigenvalues would add the root of its rounding, 1e-8, to Tr H and to |||g|||."""
    gradients = np.random.default_rng(0).standard_normal((60, d))
    learner = GramFullMatrix((d,), lr=1.0, eps=1e-9, horizon=60)
    run = play(learner, FixedSequence(gradients), 60, comparator=np.zeros(d))
    assert run.adaptive_norm is not None
    values = np.linalg.svd(gradients, compute_uv=False)
    assert run.adaptive_norm[-1, 0] == pytest.approx(np.sum(values), rel=1e-13)
    assert run.verify("structured-regret").kind == "VERIFIED"


def test_the_gram_form_sees_what_it_drops():
    gradients = np.diag([1.0, 1e-9])
    learner = GramFullMatrix((2,), lr=1.0, horizon=2)
    run = play(learner, FixedSequence(gradients), 2, comparator=np.zeros(2))
    assert run.scalars["dropped"][1, 0] == pytest.approx(1e-9, rel=1e-6)
