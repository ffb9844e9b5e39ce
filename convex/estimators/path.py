r"""Solutions along a grid of penalties, warm-started within chunks that run in parallel.

.. math:: \alpha_1 > \alpha_2 > \dots : \qquad w(\alpha_{j+1}) \text{ is computed from } w(\alpha_j) .

Neighbouring solutions are close, so a warm start saves passes; a chunk begins cold, so chunks are independent. The chunks do
not depend on the number of workers: a path is the same on one core and on a cluster. The parallel backend is the caller's
(`joblib.parallel_config(backend="dask")` sends the chunks to a Dask cluster).

Source: derived here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

__all__ = ["RegularizationPath", "regularization_path"]


@dataclass(frozen=True, eq=False)
class RegularizationPath:
    """One solution per alpha, in the order in which the alphas were given."""

    alphas: np.ndarray  # (m,)
    coef: np.ndarray  # (m, *coef_.shape)
    intercept: np.ndarray  # (m, *intercept_.shape)
    objective: np.ndarray  # (m,) or (m, K) for one-vs-rest
    dual_gap: np.ndarray  # the same shape, certified
    passes: np.ndarray  # the same shape


def regularization_path(
    estimator: Any,  # DASVRDAClassifier or DASVRDARegressor, fitted or not; it is not changed
    X: Any,  # (n, d)
    y: Any,  # (n,)
    alphas: Sequence[float] | np.ndarray,  # (m,) any order
    *,
    sample_weight: Any = None,  # (n,)
    n_jobs: int | None = None,  # as in joblib
    chunk: int = 8,  # alphas per chunk, the longest warm-started run
) -> RegularizationPath:
    """Fit the estimator at each alpha.  Raises ValueError for bad alphas, warns where the gap is above `estimator.tol`."""
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim != 1 or not len(alphas) or not np.isfinite(alphas).all() or alphas.min() < 0 or chunk < 1:
        raise ValueError("alphas must be one or more finite numbers of at least 0, and chunk at least 1.")
    order = np.argsort(-alphas, kind="stable")
    chunks = [order[i : i + chunk] for i in range(0, len(order), chunk)]
    calls = (delayed(_fit_chunk)(estimator, X, y, sample_weight, alphas[part]) for part in chunks)
    parts: Any = Parallel(n_jobs=n_jobs)(calls)
    fitted = [one for part in parts for one in part]
    back = np.argsort(order, kind="stable")
    columns = [np.stack([fitted[i][k] for i in back]) for k in range(5)]
    path = RegularizationPath(alphas, *columns)
    _warn(path, estimator.tol)
    return path


def _fit_chunk(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    alphas: np.ndarray,  # (k,) descending
) -> list[tuple[np.ndarray, ...]]:
    model: Any = clone(estimator)
    model.set_params(warm_start=True)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said once for the whole path, in the caller's process
        for alpha in alphas:
            model.set_params(alpha=float(alpha)).fit(X, y, sample_weight=sample_weight)
            values = (model.coef_, model.intercept_, model.objective_, model.dual_gap_, model.n_iter_)
            found.append(tuple(np.array(value, dtype=np.float64) for value in values))
    return found


def _warn(path: RegularizationPath, tol: float) -> None:
    gaps = path.dual_gap.reshape(len(path.alphas), -1).max(axis=1)
    above = ~(gaps <= tol)
    if above.any():
        worst = np.flatnonzero(above)[np.argmax(gaps[above])]
        warnings.warn(
            f"{above.sum()} of {len(gaps)} alphas have a duality gap above tol={tol:g}; the largest is {gaps[worst]:.3g} at "
            f"alpha={path.alphas[worst]:.3g}. Raise max_iter or tol, or scale the features to variance 1.",
            ConvergenceWarning,
            stacklevel=3,
        )
