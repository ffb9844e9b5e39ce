"""Every solver reaches the minimum that a conic solver finds, for every loss and penalty, with and without sample weights."""

from __future__ import annotations

import numpy as np
import pytest
from finite_sums import PENALTIES, minimum, problem

from convex.solvers import DASVRDA, SAGA, SVRG, AcceleratedGradient, AccProxSVRG, Katyusha

ACCURACY = 1e-8
PASSES = {  # passes over the data that each needs on these problems, with room
    DASVRDA(minibatch=4): 500,
    DASVRDA(minibatch=4, restart=6, sharp=True): 300,
    DASVRDA(minibatch=4, restart="gradient"): 250,
    DASVRDA(minibatch=4, restart="function", sampling="uniform", sharp=True): 300,
    SVRG(minibatch=4): 550,
    SAGA(minibatch=4): 300,
    Katyusha(minibatch=4): 150,
    AcceleratedGradient(restart="gradient"): 60,
    AcceleratedGradient(): 200,
}
CASES = [(loss, name, False) for loss in ("logistic", "squares") for name in PENALTIES]
CASES += [(loss, "elastic net", True) for loss in ("logistic", "squares")]


@pytest.mark.parametrize(("loss", "name", "weighted"), CASES)
def test_solvers_reach_the_conic_minimum(loss, name, weighted):
    P, best = problem(loss, name, weighted), minimum(loss, name, weighted)
    for solver, passes in PASSES.items():
        path = solver.run(P, np.zeros(4), evaluations=passes * P.samples)
        assert abs(path.values[-1, 0] - best) <= ACCURACY, solver
        assert path.values[0, 0] - best > 1e-2
    other = problem(loss, name, not weighted)
    assert abs(other.value(path.x[0]) - best) > 10 * ACCURACY  # a wrong weighting would not pass


@pytest.mark.parametrize("loss", ["logistic", "squares"])
@pytest.mark.parametrize("name", ["elastic net", "box"])
def test_accelerated_proximal_svrg_reaches_the_conic_minimum(loss, name):
    P, best = problem(loss, name), minimum(loss, name)
    solver = AccProxSVRG(minibatch=8, length=8, step=0.3 / float(np.max(P.constants)), strong_convexity=0.05)
    path = solver.run(P, np.zeros(4), evaluations=800 * P.samples)
    assert abs(path.values[-1, 0] - best) <= ACCURACY


def test_solutions_of_l1_are_sparse_without_rounding():
    P = problem("squares", "l1")
    path = DASVRDA(minibatch=4, restart="gradient").run(
        P.__class__(P.loss, type(P.penalty)(2.0)), np.ones(4), evaluations=4000
    )
    assert np.any(path.x[0] == 0.0) and np.any(path.x[0] != 0.0)  # the last iterate, not an average


def test_a_parameter_may_be_a_matrix():
    from problems.composite import Composite
    from problems.losses import LeastSquares, Softmax
    from problems.penalties import L1

    for loss in (LeastSquares.examples()[1], *Softmax.examples()):
        P = Composite(loss, L1(0.02))
        runs = [
            solver.run(P, np.zeros(P.shape), evaluations=passes * P.samples).values[-1, 0]
            for solver, passes in ((DASVRDA(minibatch=3, restart="gradient"), 400), (SAGA(minibatch=3), 400))
        ]
        best = (
            AcceleratedGradient(restart="gradient").run(P, np.zeros(P.shape), evaluations=300 * P.samples).values[-1, 0]
        )
        assert np.allclose(runs, best, rtol=0, atol=ACCURACY)
