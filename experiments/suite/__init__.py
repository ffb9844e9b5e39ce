"""The experiments themselves, one file each; a file dropped here is found, no list is kept by hand."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from types import ModuleType

from experiments.spec import Experiment

__all__ = ["by_id", "load_suite"]


def load_suite() -> dict[str, Experiment]:
    """Every experiment of this package by id, sorted; imports the files, runs nothing."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return by_id(e for name in names for e in experiments_in(importlib.import_module(f"{__name__}.{name}")))


def experiments_in(module: ModuleType) -> Iterator[Experiment]:
    """An instance of each concrete Experiment class that is defined (not merely imported) in `module`."""
    for _, cls in inspect.getmembers(module, inspect.isclass):
        if issubclass(cls, Experiment) and not inspect.isabstract(cls) and cls.__module__ == module.__name__:
            yield cls()


def by_id(experiments: Iterable[Experiment]) -> dict[str, Experiment]:
    """The suite as a mapping from id, sorted.  Raises ValueError for a bad or repeated id."""
    suite: dict[str, Experiment] = {}
    for experiment in experiments:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", experiment.id):
            raise ValueError(f"experiment id {experiment.id!r} must be lower case letters, digits and underscores")
        if experiment.id in suite:
            raise ValueError(f"two experiments have the id {experiment.id!r}: rename one")
        suite[experiment.id] = experiment
    return dict(sorted(suite.items()))
