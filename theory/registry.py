r"""Every theorem of the toolkit, found by importing the packages that may hold one.

Adding a theorem is one new file with one concrete subclass of ``Theorem``; there is no list to keep.

Source: derived here.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from theory.theorem import Kind, Theorem

PACKAGES = ("structures.lemmas", "regret.theorems", "convex.theorems", "optimizers.theorems")

_REQUIRED = ("id", "title", "kind", "source", "statement", "subject")


@cache
def theorems(packages: tuple[str, ...] = PACKAGES) -> tuple[Theorem, ...]:
    """One instance of every theorem, ordered by id.

    A package that does not exist is skipped; an error inside a theorem's file is raised, because a theorem that is
    silently missing would never be verified. Raises ValueError for two theorems with one id, TypeError for a theorem
    without one of its class variables.
    """
    found: dict[str, Theorem] = {}
    for module in _modules(packages):
        for cls in _concrete(module):
            theorem = _validated(cls())
            if theorem.id in found:
                raise ValueError(f"two theorems are called {theorem.id!r}: {type(found[theorem.id])} and {cls}")
            found[theorem.id] = theorem
    return tuple(found[key] for key in sorted(found))


def get(id: str, packages: tuple[str, ...] = PACKAGES) -> Theorem:
    """The theorem called `id`. Raises KeyError that names the closest ids."""
    known = {theorem.id: theorem for theorem in theorems(packages)}
    if id not in known:
        near = difflib.get_close_matches(id, known, n=3, cutoff=0.4) or sorted(known)
        raise KeyError(f"no theorem is called {id!r}; close ones: {', '.join(near) or 'none is registered'}")
    return known[id]


def _modules(packages: tuple[str, ...]) -> Iterator[ModuleType]:
    """Each package that exists, then the modules in it."""
    for name in packages:
        package = _existing(name)
        if package is None:
            continue
        yield package
        for entry in pkgutil.walk_packages(getattr(package, "__path__", ()), prefix=f"{name}."):
            yield importlib.import_module(entry.name)


def _existing(name: str) -> ModuleType | None:
    """The package, or None when it or one of its parents is not there. Errors inside it are raised."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        raise


def _concrete(module: ModuleType) -> Iterator[type[Theorem]]:
    """The theorem classes that are written in this module (not imported into it) and can be instantiated."""
    for cls in vars(module).values():
        if not (inspect.isclass(cls) and issubclass(cls, Theorem)):
            continue
        if cls.__module__ == module.__name__ and not inspect.isabstract(cls):
            yield cls


def _validated(theorem: Theorem) -> Theorem:
    """The theorem, after its class variables were looked at. Raises TypeError naming what is missing."""
    missing = [name for name in _REQUIRED if not getattr(theorem, name, None)]
    if missing:
        raise TypeError(f"{type(theorem).__qualname__} does not set {', '.join(missing)}")
    if not isinstance(theorem.kind, Kind):
        raise TypeError(f"{type(theorem).__qualname__}.kind is {theorem.kind!r}, not a theory.theorem.Kind")
    names = [assumption.name for assumption in theorem.assumptions]
    if len(set(names)) != len(names):
        raise TypeError(f"{type(theorem).__qualname__} has two assumptions with one name: {names}")
    return theorem
