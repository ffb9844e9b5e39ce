"""The audit notices a user's own problem that breaks a promise, and says nothing of an honest one."""

import numpy as np
import pytest

from problems.operators import DenseOperator, DiagonalOperator
from problems.smooth import EntryNoise, Minimum, Outcomes, SmoothQuadratic, from_arrays
from problems.smooth.audit import audit

A = np.array([[2.0, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 3]])
S = SmoothQuadratic

LIES = {
    "a gradient a thousandth too long": {"gradient": lambda s, x: 1.001 * S.gradient(s, x)},
    "a Hessian product of 0": {"hessian_product": lambda s, x, v: 0.0 * v},
    "a curvature one percent too low": {"curvature": property(lambda s: DenseOperator(0.99 * A, (3,)))},
    "a smoothness three percent too low": {"smoothness": property(lambda s: 0.97 * np.linalg.norm(A, 2))},
    "a minimum above the solution's value": {"minimum": property(lambda s: Minimum(1.0, 1.0))},
    "another solution": {"solution": property(lambda s: np.zeros(3))},
    "a solution of another shape": {"solution": property(lambda s: np.zeros(2))},
    "too small a covariance": {"noise_covariance": lambda s, d=None: DiagonalOperator(0.08 * np.ones(3))},
    "half of the outcomes": {"outcomes": lambda s: Outcomes(S.outcomes(s).draws[:4], np.full(4, 0.25))},
    "noise that ignores its seed": {"noise": lambda s, batch=1, seed=0, first=0: S.noise(s, batch, 0, first)},
    "one gradient for a batch": {"gradient": lambda s, x: S.gradient(s, x.reshape(-1, 3)[0]) + 0.0 * x},
    "one value for a batch": {"value": lambda s, x: np.sum(S.value(s, x)) + 0.0 * S.value(s, x)},
    "a gradient of another shape": {"gradient": lambda s, x: S.gradient(s, x)[..., None]},
    "a value of NaN": {"value": lambda s, x: np.nan * S.value(s, x)},
    "a gradient of NaN": {"gradient": lambda s, x: np.nan * S.gradient(s, x)},
}


@pytest.mark.parametrize("name", ["nothing", *LIES])
def test_a_lie_is_noticed_and_the_truth_is_not(name):
    kind = type("Mine", (SmoothQuadratic,), LIES.get(name, {}))
    found = audit(kind(DenseOperator(A, (3,)), np.array([1.0, -1, 2]), EntryNoise(0.3, "signs")))
    assert (found == []) == (name == "nothing")


def test_a_long_row_bends_the_function_within_the_step_of_a_difference_and_is_no_lie():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((100, 2))
    rows[0] = 3e3
    assert audit(from_arrays(rows, np.where(rng.random(100) < 0.5, -1, 1), alpha=1e-3)) == []
