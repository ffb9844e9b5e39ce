r"""Canonical JSON: one text per value, so that a hash of the text identifies the value.

Keys are sorted, no white space, ASCII only, floats by ``repr`` (the shortest text that reads back to the same
double), no NaN and no infinity.  Two forms live here: the strict one that run identities are hashed from, and the
lenient one for results, where NumPy scalars are accepted and a non-finite float :math:`x` is written
``{"float": "nan" | "inf" | "-inf"}``, as verdicts write it, so that the file stays standard JSON and reads back exactly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["canonical", "dump", "parse"]

_ATOMS = (str, bool, int, float, type(None))
_NON_FINITE = ("nan", "inf", "-inf")


def canonical(value: Any, where: str = "value") -> str:
    """The canonical JSON text of `value`; tuples count as lists.

    Raises TypeError for a type JSON does not have and ValueError for NaN or infinity; both name the entry.
    """
    return _text(_strict(value, where))


def dump(value: Any, where: str = "value") -> str:
    """Standard JSON text of a result: as :func:`canonical`, but NumPy scalars and non-finite floats are accepted."""
    return _text(_lenient(value, where))


def parse(text: str) -> Any:
    """The value that :func:`dump` wrote."""
    return json.loads(text, object_hook=_restore)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _strict(value: Any, where: str) -> Any:
    if type(value) in (list, tuple):
        return [_strict(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if type(value) is dict:
        return {_key(k, where): _strict(v, f"{where}[{k!r}]") for k, v in value.items()}
    # Exact types: numpy.float64 is a float to isinstance, yet numpy.float32(0.1) and 0.1 would hash apart.
    if type(value) not in _ATOMS:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise TypeError(
            f"{where} is a {kind}, which JSON does not have: expected str, bool, int, float, None, list or dict "
            "(numpy scalars: .item(); arrays: .tolist(); other objects: a name)"
        )
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"{where} is {value!r}: a run is identified by finite numbers only (use None for 'none')")
    return value


def _lenient(value: Any, where: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [_lenient(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(k, where): _lenient(v, f"{where}[{k!r}]") for k, v in value.items()}
    if hasattr(value, "tolist") and not isinstance(value, _ATOMS):  # NumPy scalars and small arrays
        return _lenient(value.tolist(), where)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, str):
        return str.__str__(value)  # an enum member becomes its value
    return value if isinstance(value, _ATOMS) else _strict(value, where)


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{where} has the key {key!r} of type {type(key).__qualname__}: JSON keys are strings")
    return str(key)


def _restore(entry: dict[str, Any]) -> Any:
    return float(entry["float"]) if entry.keys() == {"float"} and entry["float"] in _NON_FINITE else entry
