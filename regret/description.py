r"""Frozen dataclasses as JSON, so that a stored trace knows its learner, structure and domain without pickle.

An object is ``{"class": "structures.diagonal:Diagonal", "fields": {...}}`` with one entry for each dataclass field: a frozen
dataclass *is* its fields. Numbers, strings, None, tuples, arrays and nested objects are allowed as values.

Reading imports nothing but the rooms of this project and modules that are loaded already, and builds nothing but dataclasses of
the kinds that are asked for.

Source: derived here.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from structures.arrays import to_numpy

__all__ = ["construct", "describe"]

ROOMS = ("structures", "problems", "regret", "optimizers")


def describe(value: Any) -> Any:
    """`value` as something that ``json.dumps`` takes. Raises TypeError naming what cannot be described."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else {"float": repr(value)}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        entries = {field.name: describe(getattr(value, field.name)) for field in fields(value)}
        return {"class": f"{cls.__module__}:{cls.__qualname__}", "fields": entries}
    if hasattr(value, "__array__") or hasattr(value, "__array_namespace__"):
        array = to_numpy(value)
        return {"array": array.reshape(-1).tolist(), "shape": list(array.shape), "dtype": str(array.dtype)}
    raise TypeError(
        f"a {type(value).__name__} cannot be described: use numbers, strings, tuples, arrays or dataclasses."
    )


def construct(description: Any, kinds: tuple[type, ...]) -> Any:
    """The value that was described; every dataclass in it must be a subclass of one of `kinds`.

    Raises ValueError for a class that is not there, is of another kind, or has other fields today.
    """
    if isinstance(description, list):
        return tuple(construct(item, kinds) for item in description)
    if not isinstance(description, dict):
        return description
    if "float" in description:
        return float(description["float"])
    if "array" in description:
        array = np.asarray(description["array"], dtype=description["dtype"]).reshape(description["shape"])
        array.setflags(write=False)
        return array
    cls = _class(description["class"], kinds)
    names = {field.name for field in fields(cls)}
    if names != set(description["fields"]):
        raise ValueError(
            f"{description['class']} was stored with the fields {sorted(description['fields'])} and has {sorted(names)} "
            f"now: read the file with the version of the project that wrote it."
        )
    # The constructor may take something else than the fields (LeftKronecker takes a shape and sets its axis).
    made = object.__new__(cls)
    for name, entry in description["fields"].items():
        object.__setattr__(made, name, construct(entry, kinds))
    return made


def _class(path: str, kinds: tuple[type, ...]) -> type:
    """The dataclass behind ``module:qualname``."""
    module_name, _, qualname = path.partition(":")
    if module_name.split(".")[0] in ROOMS:
        found: Any = importlib.import_module(module_name)
    else:
        found = sys.modules.get(module_name)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not (isinstance(found, type) and is_dataclass(found) and issubclass(found, kinds)):
        raise ValueError(
            f"the file names {path}, which is not a loaded dataclass of {', '.join(kind.__name__ for kind in kinds)}: "
            f"import the module that defines it before loading."
        )
    return found
