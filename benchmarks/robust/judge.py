r"""How a probe is judged: it works, it refuses with an error that says why and nothing changed, or it fails.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from benchmarks.robust.models import Make, apart, snapshot, unchanged

__all__ = [
    "CLEAR",
    "PROBES",
    "Broken",
    "Refused",
    "finite",
    "first_line",
    "made",
    "outcome",
    "probe",
    "refusing",
    "require",
]

Probe = Callable[[Make], None]
CLEAR = (ValueError, TypeError, RuntimeError)
WORDS = 5  # that an error must have to say anything

PROBES: dict[str, Probe] = {}


class Refused(Exception):
    """A clear error, nothing changed."""


class Broken(Exception):
    """It did not work; the text says what was seen."""


def probe(name: str) -> Callable[[Probe], Probe]:
    def register(function: Probe) -> Probe:
        PROBES[name] = function
        return function

    return register


def outcome(name: str, make: Make) -> tuple[str, str]:
    """Whether it "works", "refuses" or "fails", and why. A clear error at construction refuses: nothing has happened yet."""
    try:
        with apart():
            PROBES[name](lambda *model, **options: made(make, *model, **options))
    except Refused as reason:
        return "refuses", str(reason)
    except Broken as reason:
        return "fails", str(reason)
    except Exception as error:  # any other way to go down
        return "fails", f"{type(error).__name__}: {first_line(error)}"
    return "works", ""


def made(make: Make, *model: nn.Module, **options: object) -> torch.optim.Optimizer:
    """The optimizer. Raises Refused for a clear error."""
    try:
        return make(*model, **options)
    except CLEAR as error:
        if len(str(error).split()) < WORDS:
            raise
        raise Refused(first_line(error)) from error


def first_line(error: BaseException) -> str:
    """The beginning of an error's text."""
    return (str(error).splitlines() or [""])[0].split("\x1b")[0][:120].strip()


def require(fine: bool, otherwise: str) -> None:
    """Raise Broken unless all is well."""
    if not fine:
        raise Broken(otherwise)


def finite(model: nn.Module) -> bool:
    """Whether every parameter is."""
    return all(bool(torch.isfinite(p).all()) for p in model.parameters())


def refusing(model: nn.Module, optimizer: torch.optim.Optimizer, act: Callable[[], object]) -> bool:
    """Do it; False when it went through. Raises Refused for a clear error that left everything as it was, else Broken."""
    before = snapshot(model, optimizer)
    try:
        act()
    except CLEAR as error:
        require(unchanged(before, model, optimizer), f"{type(error).__name__} after the state had changed")
        require(len(str(error).split()) >= WORDS, f"an error that explains nothing: {error}")
        raise Refused(first_line(error)) from error
    return False
