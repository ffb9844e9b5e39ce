"""Every domain and every loss of this room, found by looking: a new file is a new one, with the laws that all must obey.

`domains(shape)` are the examples that domain classes declare for a parameter shape, `losses()` those of the loss classes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import TypeVar

import problems.domains
import problems.losses
from problems.domains import Domain
from problems.losses import Loss

__all__ = ["domain_classes", "domains", "loss_classes", "losses"]

T = TypeVar("T")


def domains(shape: Sequence[int]) -> list[Domain]:
    """An example or more of every domain that holds parameters of this shape."""
    return [example.on(shape) for cls in domain_classes() for example in cls.examples(tuple(shape))]


def losses() -> list[Loss]:
    """An example or more of every loss."""
    return [example for cls in loss_classes() for example in cls.examples()]


@cache
def domain_classes() -> tuple[type[Domain], ...]:
    """Every concrete, public subclass of `Domain` in problems/domains, by name."""
    return _concrete(problems.domains, Domain)


@cache
def loss_classes() -> tuple[type[Loss], ...]:
    """Every concrete, public subclass of `Loss` in problems/losses, by name."""
    return _concrete(problems.losses, Loss)


def _concrete(package: ModuleType, base: type[T]) -> tuple[type[T], ...]:
    """The subclasses that the package's own modules define."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, cls in inspect.getmembers(module, inspect.isclass):
            own = cls.__module__ == module.__name__ and issubclass(cls, base)
            if own and not inspect.isabstract(cls) and not name.startswith("_"):
                found[name] = cls
    return tuple(found[name] for name in sorted(found))
