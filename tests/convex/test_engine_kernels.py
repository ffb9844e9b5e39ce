"""The compiled kernels are the NumPy ones, which are the formulas."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import scipy.sparse as sp

from convex.engine import kernels_gap, kernels_loss, kernels_vector, numpy_losses, numpy_rows
from convex.engine import losses as scalar_losses
from convex.engine.losses import CODES
from convex.engine.rows import Rows

N, D, SCALE = 37, 11, 0.7
# Sums of at most 40 products of numbers of size 1 in another order.
SAME = {"rtol": 1e-13, "atol": 1e-13}


def matrix(seed: int = 0) -> np.ndarray:
    """Half of the entries are 0; so are a row and a column."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, D)) * (rng.random((N, D)) < 0.5)
    X[3], X[:, 4] = 0.0, 0.0
    return X


def forms(X: np.ndarray) -> dict[str, tuple[Rows, Rows]]:
    """Compiled rows, and the NumPy rows of the same numbers."""
    small = X.astype(np.float32)
    wide = sp.csr_matrix(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    data = {"dense": X, "dense32": small, "csr": sp.csr_matrix(X), "csr32": sp.csr_matrix(small), "csr_int64": wide}
    return {
        name: (Rows.of(x, compiled=True), Rows.of(np.asarray(X, x.dtype), compiled=False)) for name, x in data.items()
    }


FORMS = forms(matrix())


@pytest.fixture(params=FORMS)
def pair(request: pytest.FixtureRequest) -> tuple[Rows, Rows]:
    return FORMS[request.param]


def test_products_norms_and_copies_are_those_of_numpy(pair):
    compiled, plain = pair
    rng = np.random.default_rng(1)
    w, c = rng.standard_normal(D + 1), rng.standard_normal(N)
    np.testing.assert_allclose(compiled.scores(w, SCALE), plain.scores(w, SCALE), **SAME)
    np.testing.assert_allclose(compiled.scatter(c, SCALE), plain.scatter(c, SCALE), **SAME)
    np.testing.assert_allclose(compiled.squared_norms(), plain.squared_norms(), **SAME)
    order = rng.permutation(N)
    np.testing.assert_allclose(compiled.take(order).scores(w, SCALE), compiled.scores(w, SCALE)[order], rtol=0, atol=0)


def test_blocks_of_rows_are_the_rows(pair):
    compiled, plain = pair
    w, z = np.arange(D + 1.0), np.empty(N)
    for start in range(0, N, 10):
        stop = min(start + 10, N)
        compiled.kernels.scores(*compiled.part(start, stop), w, SCALE, z[start:stop])
    np.testing.assert_allclose(z, plain.scores(w, SCALE), **SAME)


def drawn(kind: str) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Starts, weights, length and wrapping of ranges, as each plan draws them."""
    rng = np.random.default_rng(2)
    if kind == "contiguous":
        return np.array([[30], [35], [3]], np.uint64), np.full((3, 1), N / 5), 5, True
    if kind == "chunks":  # the last range is cut at the last row
        return np.array([[32, 0], [8, 8], [24, 32]], np.uint64), rng.random((3, 2)) + 0.5, 8, False
    return rng.integers(N, size=(4, 6)).astype(np.uint64), rng.random((4, 6)) + 0.5, 1, False


@pytest.mark.parametrize("kind", ["contiguous", "chunks", "iid"])
@pytest.mark.parametrize("loss", CODES)
def test_a_stage_is_the_numpy_stage(pair, loss, kind):
    compiled, plain = pair
    rng = np.random.default_rng(3)
    y, p, s = np.sign(rng.standard_normal(N)), rng.random(N), rng.standard_normal(N) / N
    x0, before, z0, gradient = rng.standard_normal((4, D + 1))
    answers = []
    for rows in (compiled, plain):
        x, z = np.empty(D + 1), np.empty(D + 1)
        arguments = (y, p, s, (CODES[loss], 0.4, SCALE), *drawn(kind), (0.1, 0.2, 0.3), x0, before, z0)
        numbers = rows.kernels.stage(*rows.arrays, *arguments, (0.3, 0.7, 0.4, 0.8), gradient, x, z)
        answers.append(np.concatenate([x, z, numbers]))
    # Rounding of sums of 48 terms, amplified by a step that is far too long on purpose.
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-12, atol=1e-12)


def test_a_stage_is_the_recursion_of_the_paper():
    """With θ, the averaged gradient and the prox written out as they are published."""
    X, rng = matrix(), np.random.default_rng(4)
    y, p, s = np.sign(rng.standard_normal(N)), np.full(N, 1 / N), rng.standard_normal(N) / N
    x0, before, z0, full = rng.standard_normal((4, D + 1))
    starts, weights, length, wrap = drawn("iid")
    eta, l1, l2 = 0.05, 0.2, 0.3
    start = x0 + 0.3 * (x0 - before) + 0.7 * (z0 - x0)
    x = z = start
    average, last_theta = np.zeros(D + 1), 0.5
    for k, (rows, weight) in enumerate(zip(starts.astype(int), weights, strict=True), 1):
        theta = (k + 1) / 2
        v = (1 - 1 / theta) * x + z / theta
        t = X[rows] @ v[:-1] + SCALE * v[-1]
        c = weight * (p[rows] * numpy_losses.slopes(CODES["log_loss"], t, y[rows], 1.0) - s[rows])
        g = full + np.append(X[rows].T @ c, SCALE * c.sum())
        average = (1 - 1 / theta) * average + g / theta
        step = eta * theta * last_theta
        z = start - step * average
        z[:-1] = np.sign(z[:-1]) * np.maximum(np.abs(z[:-1]) - step * l1, 0) / (1 + step * l2)
        x = (1 - 1 / theta) * x + z / theta
        last_theta = theta
    rows = FORMS["dense"][0]
    x_out, z_out = np.empty(D + 1), np.empty(D + 1)
    arguments = (y, p, s, (CODES["log_loss"], 1.0, SCALE), starts, weights, length, wrap, (eta, l1, l2))
    near, far, back = rows.kernels.stage(
        *rows.arrays, *arguments, x0, before, z0, (0.3, 0.7, 0.4, 0.8), full, x_out, z_out
    )
    np.testing.assert_allclose(x_out, x, **SAME)
    np.testing.assert_allclose(z_out, z, **SAME)
    ahead = x + 0.4 * (x - x0) + 0.8 * (z - x)
    np.testing.assert_allclose([near, far], [np.sum((start - x0) ** 2), np.sum((z - x0) ** 2)], **SAME)
    np.testing.assert_allclose(back, (start - x) @ (ahead - x), **SAME)


def scores_of_all_sizes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores from 0 to 1e6 (the kernels' exponential ends at -708), targets, weights; more than one block of them."""
    rng = np.random.default_rng(5)
    sizes = [0.0, 1e-300, 1.0, 2.0, 700.0, 709.0, 1e6]
    z = np.concatenate([rng.standard_normal(600) * 4, sizes, -np.asarray(sizes)])
    return z, np.where(rng.random(z.size) < 0.5, 1.0, -1.0), rng.random(z.size)


@pytest.mark.parametrize("loss", CODES)
def test_sums_over_losses_are_those_of_the_scalar_functions(loss):
    code, (z, y, p), delta, shift = CODES[loss], scores_of_all_sizes(), 1.35, 0.25
    t = [float(v) for v in z + shift]

    def each(function) -> np.ndarray:
        return np.array([function(code, v, target, delta) for v, target in zip(t, y, strict=True)])

    value, slope, curvature = (p * each(f) for f in (scalar_losses.value, scalar_losses.slope, scalar_losses.curvature))
    expected = [value.sum(), slope.sum(), curvature.sum(), np.abs(slope).sum()]
    for module in (kernels_loss, numpy_losses):
        s = np.empty(z.size)
        np.testing.assert_allclose(module.loss_rows(code, z, y, p, shift, delta, s), expected, **SAME)
        np.testing.assert_allclose(s, slope, **SAME)


def test_the_exponential_is_right_to_the_last_digits():
    x = -np.concatenate([np.linspace(0, 40, 4001), np.linspace(40, 708, 1001)])
    ours, power = x.copy(), np.empty(x.size)
    kernels_loss.exponentials(ours, power, power.view(np.int64), x.size)
    np.testing.assert_allclose(ours, np.exp(x), rtol=4 * np.finfo(float).eps, atol=0)


@pytest.mark.parametrize("loss", CODES)
@pytest.mark.parametrize("tau", [1.0, 0.6, 0.0])
def test_fenchel_young_terms_are_value_plus_conjugate_plus_product(loss, tau):
    code, (z, y, p), delta = CODES[loss], scores_of_all_sizes(), 1.35
    s = np.empty(z.size)
    numpy_losses.loss_rows(code, z, y, p, 0.0, delta, s)
    theta = np.clip(-tau * s / p, -delta, delta) if loss == "huber" else -tau * s / p
    terms, sizes = [], []
    for t, target, a in zip(z.tolist(), y.tolist(), theta.tolist(), strict=True):
        parts = (scalar_losses.value(code, t, target, delta), scalar_losses.conjugate(code, a, target, delta), a * t)
        terms.append(sum(parts))
        sizes.append(sum(map(abs, parts)))
        young = scalar_losses.young(code, t, a, target, delta)
        assert young == pytest.approx(terms[-1], abs=1e-14 * sizes[-1])
        assert young >= -1e-15 * sizes[-1]
    for module in (kernels_gap, numpy_losses):
        got = module.young_rows(code, z, y, p, s, tau, delta)
        assert got == pytest.approx(p @ terms, rel=1e-13, abs=1e-14 * float(p @ sizes))


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "modified_huber", "huber"])
def test_fenchel_young_terms_are_infinite_outside_of_the_domain(loss):
    """Also in a sum with others: a dual point that is infeasible in one row proves nothing."""
    code, z, p = CODES[loss], np.array([0.3, 0.3, 0.3]), np.full(3, 1 / 3)
    edges = {"log_loss": (0.0, 1.0), "squared_hinge": (0.0, 1e9), "modified_huber": (0.0, 4.0), "huber": (-0.4, 0.4)}
    low, high = edges[loss]
    for module in (kernels_gap, numpy_losses):
        for a in (low, high):
            theta = np.array([0.2, a, 0.2])
            assert np.isfinite(module.young_rows(code, z, np.ones(3), p, -theta * p, 1.0, 0.4))
        for a in (low - 1e-9, high + 1e-9)[: 1 if loss == "squared_hinge" else 2]:
            theta = np.array([0.2, a, 0.2])
            assert module.young_rows(code, z, np.ones(3), p, -theta * p, 1.0, 0.4) == np.inf
            assert scalar_losses.young(code, 0.3, a, 1.0, 0.4) == np.inf


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.3), (0.2, 0.3), (0.2, 0.0), (0.0, 0.0)])
def test_the_penalty_terms_are_their_formulas(l1, l2):
    w, g = np.random.default_rng(6).standard_normal((2, 20))
    w[::3] = 0.0
    v = -g[:-1]
    value = l1 * np.abs(w[:-1]).sum() + 0.5 * l2 * w[:-1] @ w[:-1]
    conjugate = (np.maximum(np.abs(v) - l1, 0) ** 2).sum() / (2 * l2) if l2 else 0.0
    expected = [value, value + conjugate - w[:-1] @ v, np.abs(v).max(), w[:-1] @ v, np.count_nonzero(w[:-1])]
    modules: list[ModuleType] = [kernels_vector, numpy_rows]
    for module in modules:
        np.testing.assert_allclose(module.penalty_terms(w, g, l1, l2), expected, **SAME)
