r"""A trace as one ``.npz`` file: plain arrays, and one JSON text for what is not an array. No pickle.

The bytes depend on the trace alone (the zip entries carry no time), and a file appears under its name complete or not at all.

Source: derived here.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from problems.domains import Domain
from regret.description import construct, describe
from regret.learners.base import Learner
from regret.trace import Trace
from structures.base import Structure

__all__ = ["packed", "read", "write"]

FORMAT = 1
GROUPS = ("scalars", "distances")  # dictionaries of arrays
LABELS = ("seed", "first", "meta")  # what goes into the JSON text as it is


def packed(trace: Trace) -> dict[str, np.ndarray]:
    """Every array by name, and the JSON text as bytes under "json". Raises TypeError when something has no JSON form."""
    arrays = {}
    for entry in fields(trace):
        value = getattr(trace, entry.name)
        if entry.name in GROUPS and value is not None:
            arrays |= {f"{entry.name}/{name}": np.asarray(array) for name, array in value.items()}
        elif isinstance(value, np.ndarray):
            arrays[entry.name] = value
    text = {"format": FORMAT, "learner": describe(trace.learner), **{name: getattr(trace, name) for name in LABELS}}
    arrays["json"] = np.frombuffer(json.dumps(text, sort_keys=True, allow_nan=False).encode(), dtype=np.uint8)
    return arrays


def write(trace: Trace, path: str | PathLike[str]) -> None:
    """Write `trace` to `path` under a temporary name, then rename."""
    target = Path(path)
    arrays = packed(trace)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: str | PathLike[str]) -> Trace:
    """The trace in a file. Raises ValueError for another format, or a learner that this version cannot rebuild."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if "json" not in arrays:
        raise ValueError(f"{path} is not a stored trace: it has no entry 'json'.")
    text = json.loads(arrays.pop("json").tobytes().decode())
    if text["format"] != FORMAT:
        raise ValueError(f"{path} has format {text['format']}; this version reads format {FORMAT}.")
    learner = construct(text["learner"], (Learner, Structure, Domain))
    return Trace(learner=learner, **_unpacked(arrays), **{name: text[name] for name in LABELS})


def _unpacked(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Arrays by field, with the groups as dictionaries."""
    entries: dict[str, Any] = {}
    for name, array in arrays.items():
        group, _, member = name.partition("/")
        if member:
            entries.setdefault(group, {})[member] = array
        else:
            entries[name] = array
    return entries
