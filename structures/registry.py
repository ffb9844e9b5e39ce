"""Every structure of this folder, found by looking: a new file is a new structure, with its tests and its name.

`all_structures()` are the examples that well-structured classes declare; `controls()` those of the sets that are not.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

import structures
from structures.base import Structure

__all__ = ["all_structures", "by_name", "classes", "controls"]


@cache
def classes() -> tuple[type[Structure], ...]:
    """Every concrete, public subclass of `Structure` defined in this folder or below it, by name."""
    found = {}
    for info in pkgutil.walk_packages(structures.__path__, "structures."):
        module = importlib.import_module(info.name)
        for name, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and issubclass(cls, Structure)
            if own and not inspect.isabstract(cls) and not name.startswith("_"):
                found[name] = cls
    return tuple(found[name] for name in sorted(found))


def all_structures() -> list[Structure]:
    """The examples of every well-structured class."""
    return [example for cls in classes() if cls.well_structured for example in cls.examples()]


def controls() -> list[Structure]:
    """The examples of every set that claims not to be well-structured; each must fail a law."""
    return [example for cls in classes() if not cls.well_structured for example in cls.examples()]


def by_name(name: str) -> type[Structure]:
    """The class called `name`; raises KeyError listing the names that exist."""
    for cls in classes():
        if cls.__name__ == name:
            return cls
    raise KeyError(f"no structure is called {name!r}; there are {', '.join(cls.__name__ for cls in classes())}.")
