"""What an estimator's parameters may be; every complaint names the parameter, what is allowed, what came and what to do.

Checked at `fit`, as scikit-learn does: a constructor stores what it is given, so that `clone` and `set_params` work.

Source: the developer's guide of scikit-learn.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from convex.engine import Options

__all__ = ["check_parameters", "engine_options"]


def check_parameters(estimator: Any, losses: Sequence[str]) -> None:
    """Raises ValueError for the first parameter of `estimator` that is out of its range."""
    loss = estimator.loss
    _require(estimator, "loss", isinstance(loss, str) and loss in losses, f"one of {', '.join(map(repr, losses))}")
    _require(estimator, "alpha", _in_range(estimator.alpha, 0.0, math.inf), "a finite number of at least 0")
    _require(
        estimator, "l1_ratio", _in_range(estimator.l1_ratio, 0.0, 1.0), "a number between 0 (L2 only) and 1 (L1 only)"
    )
    _require(estimator, "tol", _in_range(estimator.tol, 0.0, math.inf), "a finite number of at least 0, a duality gap")
    passes = isinstance(estimator.max_iter, Integral) and int(estimator.max_iter) >= 1
    _require(estimator, "max_iter", passes, "an integer of at least 1, a number of passes over the data")
    for name in ("fit_intercept", "warm_start"):
        _require(estimator, name, _is_switch(getattr(estimator, name)), "True or False")
    _require(estimator, "callback", estimator.callback is None or callable(estimator.callback), "None or callable")
    engine_options(estimator.options)
    if hasattr(estimator, "epsilon"):
        positive = _in_range(estimator.epsilon, 0.0, math.inf) and estimator.epsilon > 0
        _require(estimator, "epsilon", positive, "a finite number above 0, in units of y")
    if hasattr(estimator, "class_weight"):
        weight = estimator.class_weight
        known = weight is None or weight == "balanced" or isinstance(weight, Mapping)
        _require(estimator, "class_weight", known, "None, 'balanced' or a dict from class to weight")


def engine_options(
    options: Options | Mapping[str, Any] | None,  # a mapping gives the fields that differ from the default
) -> Options:
    """The engine's options.  Raises ValueError for an unknown name and for anything that is not options."""
    if options is None:
        return Options()
    if isinstance(options, Options):
        return options
    names = [field.name for field in dataclasses.fields(Options)]
    if not isinstance(options, Mapping):
        raise ValueError(f"options must be None, a dict or convex.engine.Options, got {options!r}.")
    unknown = sorted(set(options) - set(names))
    if unknown:
        raise ValueError(f"options has no {', '.join(map(repr, unknown))}; there are {', '.join(names)}.")
    return Options(**options)


def _require(estimator: Any, name: str, ok: bool, allowed: str) -> None:
    if not ok:
        kind, value = type(estimator).__name__, getattr(estimator, name)
        raise ValueError(f"The {name!r} parameter of {kind} must be {allowed}. Got {value!r} instead.")


def _is_switch(value: Any) -> bool:
    """A bool of Python or NumPy, or 0 or 1, as a grid of parameters may hold them."""
    return isinstance(value, bool | np.bool_) or (isinstance(value, Integral) and value in (0, 1))


def _in_range(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and math.isfinite(value) and low <= float(value) <= high
