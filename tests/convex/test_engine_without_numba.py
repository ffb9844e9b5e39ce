"""Without numba the same driver runs on NumPy and SciPy, and finds the same numbers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from engine_problems import LOSSES, data

from convex.engine import Options, numpy_rows
from convex.engine.accelerate import accelerate
from convex.engine.minimise import make_task
from convex.engine.progress import Progress
from convex.engine.sampling import arranged
from convex.engine.snapshot import snapshot


def run(loss: str, form, options: Options, compiled: bool):
    """The first 8 stages, compiled or not."""
    X, y, weights = data(loss)
    task = make_task(form(X), y, loss, 0.02, 0.05, weights, True, 1.35, compiled)
    assert task.compiled is compiled
    rng, progress = np.random.default_rng(0), Progress(0.0, 8.5, None)
    task, plan, _ = arranged(task, options, rng)
    first = snapshot(task, np.zeros(X.shape[1] + 1), options.exact_intercept)
    return accelerate(task, plan, first, options, rng, progress)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [Options(), Options.published(), Options(importance="uniform")])
def test_the_driver_takes_the_same_path(loss, form, options):
    compiled, plain = (run(loss, form, options, compiled) for compiled in (True, False))
    np.testing.assert_allclose(plain.w, compiled.w, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(plain.gradient, compiled.gradient, rtol=1e-9, atol=1e-9)
    assert plain.objective == pytest.approx(compiled.objective, rel=1e-11)


def test_float32_data_are_accumulated_in_float64():
    X, _, _ = data("log_loss")
    rows = make_task(X.astype(np.float32), np.ones(60), "log_loss", 0.0, 0.1, None, False, 1.0, compiled=False).rows
    assert rows.kernels is numpy_rows
    w = np.full(X.shape[1] + 1, 1e-3)
    np.testing.assert_allclose(rows.scores(w, 0.0), X.astype(np.float32).astype(np.float64) @ w[:-1], rtol=1e-13)


def test_the_package_works_where_numba_is_missing():
    script = """
        import sys
        sys.modules["numba"] = None
        import numpy as np, scipy.sparse as sp
        from convex.engine import minimise
        from convex.engine.compiled import HAS_NUMBA
        assert not HAS_NUMBA
        rng = np.random.default_rng(0)
        X = rng.standard_normal((50, 5))
        y = np.sign(X[:, 0] + rng.standard_normal(50))
        for data in (X, sp.csr_matrix(X)):
            for l1, l2 in ((0.0, 0.1), (0.02, 0.1), (0.02, 0.0)):
                solution = minimise(data, y, l1=l1, l2=l2, tol=1e-8)
                assert solution.converged and solution.gap <= 1e-8
        print("solved")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "solved", done.stderr


def test_options_can_be_changed_one_by_one():
    assert replace(Options(), finish=False).finish is False
