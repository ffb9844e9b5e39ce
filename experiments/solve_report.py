r"""What the verb `solve` says about a fitted model, on the terminal and in its archive.

.. math:: (W, b, \text{classes}, \text{meta}) \mapsto \text{lines of name and value}, \text{ and an .npz file}

Source: the attributes of the estimators of `convex`.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from experiments.files import npz_bytes

__all__ = ["archive", "block", "reached", "report"]


def reached(options: argparse.Namespace, model: Any) -> bool:
    """Whether every gap is at most --tol."""
    return bool(np.all(np.asarray(model.dual_gap_) <= options.tol))


def report(options: argparse.Namespace, data: Any, model: Any, read_in: float, seconds: float) -> list[tuple[str, str]]:
    n, d = data.X.shape
    filled = data.X.nnz if hasattr(data.X, "nnz") else int(np.count_nonzero(data.X))
    kind = "classes" if hasattr(model, "classes_") else "target"
    what = ", ".join(map(str, model.classes_[:12].tolist())) if kind == "classes" else _spread(data.y)
    more = f", ... ({len(model.classes_)})" if kind == "classes" and len(model.classes_) > 12 else ""
    word = "reached" if reached(options, model) else "NOT reached"
    one = f"loss {options.loss}, alpha {options.alpha:g}, l1_ratio {options.l1_ratio:g}"
    return [
        (
            "data",
            f"{n} rows, {d} features, {100 * filled / max(1, n * d):.3g} % non-zero{', ' * bool(data.note)}{data.note}",
        ),
        (kind, what + more),
        ("problem", one + (", no intercept" if options.no_intercept else ", intercept")),
        ("objective", _numbers(model.objective_, ".15g")),
        ("duality gap", f"{_numbers(model.dual_gap_, '.3g')}  (tol {options.tol:g} {word})"),
        ("non-zeros", f"{np.count_nonzero(model.coef_)} of {model.coef_.size} coefficients"),
        ("passes", _numbers(model.n_iter_, ".1f")),
        ("seconds", f"{seconds:.3f}  (reading {read_in:.3f})"),
    ]


def _spread(y: np.ndarray) -> str:
    return f"{y.min():.6g} to {y.max():.6g}, mean {y.mean():.6g}"


def _numbers(values: Any, form: str) -> str:
    """One number, or one per class."""
    return ", ".join(format(value, form) for value in np.atleast_1d(values).tolist())


def block(lines: list[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    return "\n".join(f"{name:<12}  {value}" for name, value in lines)


def archive(options: argparse.Namespace, data: Any, model: Any, seconds: float) -> bytes:
    """The .npz file: coefficients, and how they came about."""
    meta = {
        "file": options.file.name,
        "shape": list(data.X.shape),
        "features": data.names,
        "loss": options.loss,
        "alpha": options.alpha,
        "l1_ratio": options.l1_ratio,
        "fit_intercept": not options.no_intercept,
        "balanced": options.balanced,
        "tol": options.tol,
        "seed": options.seed,
        "objective": np.asarray(model.objective_).tolist(),
        "dual_gap": np.asarray(model.dual_gap_).tolist(),
        "passes": np.asarray(model.n_iter_).tolist(),
        "seconds": seconds,
        "converged": reached(options, model),
    }
    if options.loss == "huber":
        meta["epsilon"] = options.epsilon
    classes = np.asarray(getattr(model, "classes_", np.empty(0)))
    arrays = {"coef": model.coef_, "intercept": np.asarray(model.intercept_), "classes": classes}
    return npz_bytes({**arrays, "meta": np.array(json.dumps(meta))})
