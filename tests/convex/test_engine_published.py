"""The engine with all additions off is the reference solver, snapshot by snapshot, on the same stream of rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from convex.engine import Options, minimise
from convex.solvers import DASVRDA
from problems.composite import Composite
from problems.losses import Logistic
from problems.penalties import ElasticNet

N, D, STAGES = 60, 8, 60
rng = np.random.default_rng(0)
X = rng.standard_normal((N, D)) * np.exp(rng.standard_normal((N, 1)))
Y = np.sign(X @ rng.standard_normal(D) + rng.standard_normal(N))
WEIGHTS = rng.uniform(0.2, 3.0, N)


def after(stages: int, **more) -> np.ndarray:
    """The coefficients of the engine after so many stages."""
    options = Options.published(batch=more.pop("batch"), restart=more.pop("restart"))
    arguments = {"l1": 0.01, "l2": 0.003, "sample_weight": WEIGHTS, "fit_intercept": False, "tol": 0.0, "seed": 5}
    counted = iter(range(stages + 1))
    data = more.pop("data", X)
    return minimise(data, Y, **arguments, options=options, callback=lambda _: next(counted) == stages, **more).coef


@pytest.mark.parametrize("restart", ["function", "gradient", None])
@pytest.mark.parametrize("batch", [1, 4])
def test_every_snapshot_is_that_of_the_reference_solver(batch, restart):
    problem = Composite(Logistic(X, Y), ElasticNet(0.01, 0.003), WEIGHTS)
    reference = DASVRDA(minibatch=batch, restart=restart)
    path = reference.run(problem, np.zeros(D), evaluations=STAGES * reference.stage_cost(problem), seed=5)
    for stages in (0, 1, 2, 15, STAGES):
        for data in (X, sp.csr_array(X)):
            got = after(stages, batch=batch, restart=restart, data=data)
            # Rounding, through the momentum of up to 60 stages.
            np.testing.assert_allclose(got, path.points[stages, 0], rtol=1e-10, atol=1e-11)
    if restart is not None:
        assert path.restarts.any(), "the problem is too easy to see a restart"


def test_another_step_would_be_noticed():
    assert np.abs(after(1, batch=4, restart=None) - after(1, batch=5, restart=None)).max() > 1e-6
