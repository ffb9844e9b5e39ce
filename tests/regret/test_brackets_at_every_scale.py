"""The bracket of the regret contains the exact number, in rational arithmetic, also where squares and products underflow."""

from fractions import Fraction

import numpy as np
import pytest

from problems.domains import Box, Simplex
from regret import play
from regret.adversaries import FixedSequence
from regret.learners import AdaptiveRegularization, TwoSidedShampoo
from structures import Diagonal

HORIZON, D = 8, 3


def exact(numbers):
    return [Fraction(float(number)) for number in np.asarray(numbers).reshape(-1)]


def best(domain, comparator, total):
    """max <-total, u> over the domain, or at the comparator."""
    if isinstance(domain, Box):
        return Fraction(domain.r) * sum(abs(value) for value in total)
    if isinstance(domain, Simplex):
        return Fraction(domain.mass) * max(-value for value in total)
    return -sum(p * q for p, q in zip(total, exact(comparator), strict=True))


SCALES = [(np.float64, 10.0**k) for k in (-310, -200, -165, -155, 0, 150)] + [
    (np.float32, 10.0**k) for k in (-40, -26, -20, 0, 15)
]


@pytest.mark.parametrize("domain", [None, Box(0.7), Simplex(2.0)], ids=str)
@pytest.mark.parametrize(("dtype", "scale"), SCALES, ids=str)
def test_the_exact_regret_lies_in_the_bracket_at_every_horizon(dtype, scale, domain):
    rng = np.random.default_rng(1)
    gradients = (scale * rng.standard_normal((HORIZON, D)) * np.logspace(0, -6, D)).astype(dtype)
    u = rng.standard_normal(D).astype(dtype)
    start = np.zeros((1, D), dtype) if domain is None else domain.start((D,), 1, np.zeros(1, dtype))
    learner = AdaptiveRegularization(Diagonal((D,)), lr=0.3, domain=domain)
    run = play(
        learner, FixedSequence(gradients), HORIZON, x0=start, comparator=u if domain is None else None,
        keep_history=True,
    )  # fmt: skip
    assert run.iterates is not None
    won, total = Fraction(0), [Fraction(0)] * D
    for t in range(HORIZON):
        g, x = exact(gradients[t]), exact(run.iterates[t])
        won += sum(p * q for p, q in zip(g, x, strict=True))
        total = [p + q for p, q in zip(total, g, strict=True)]
        regret = won + best(domain, u, total)
        assert Fraction(run.regret_lower[t, 0]) <= regret <= Fraction(run.regret[t, 0])


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e-170), (np.float32, 1e-26)])
def test_a_gradient_whose_square_vanishes_keeps_its_length_and_counts_as_dropped(dtype, scale):
    gradients = np.full((2, D), scale, dtype=dtype)
    run = play(AdaptiveRegularization(Diagonal((D,)), lr=1.0, domain=Box(1.0)), FixedSequence(gradients), 2)
    for name in ("gradient_norm", "dropped"):
        assert np.allclose(run.scalars[name], scale * D**0.5, rtol=1e-5, atol=0)
    assert run.verify("structured-regret").kind == "INCONCLUSIVE"


def test_two_sided_shampoo_says_what_its_pseudo_inverses_do_not_see():
    seen, tiny = np.diag([1.0, 0.0]), 1e-12 * np.diag([0.0, 1.0])
    learner = TwoSidedShampoo((2, 2), lr=0.1)
    state = learner.step(learner.init(np.zeros((1, 2, 2))), seen[None])
    assert state["dropped"][0] <= 1e-15
    assert learner.step(state, tiny[None])["dropped"][0] == pytest.approx(1e-12, rel=1e-6)
    assert learner.step(state, 1e-3 * np.eye(2)[None])["dropped"][0] == 0.0


def test_no_gradient_no_width():
    run = play(AdaptiveRegularization(Diagonal((D,)), lr=1.0, domain=Box(1.0)), FixedSequence(np.zeros((4, D))), 4)
    assert np.all(run.regret == 0)
    assert np.all(run.regret_lower == 0)
