r"""What FNGD's options may be.

.. math:: \eta, \rho \ge 0, \quad 0 \le \mu < 1, \quad \lambda > 0

Source: derived here.
"""

from __future__ import annotations

from typing import Any

from optimizers.base import fraction, nonnegative
from optimizers.fngd.drift import MEASURES
from optimizers.fngd.sharing import SHARES

__all__ = ["check_options", "require_choice", "require_count"]


def check_options(options: dict[str, Any]) -> None:
    """Raise ValueError, naming the option, unless all options of a group are allowed."""
    nonnegative(options, "lr", "weight_decay", "damping")
    fraction(options, "momentum")
    if float(options["damping"]) == 0.0:
        raise ValueError("damping must be positive, got 0: without it nothing bounds the step.")
    require_choice("share", options["share"], SHARES)
    require_choice("measure", options["measure"], MEASURES)
    for name in ("window", "refresh", "probe"):
        if options[name] is not None or name == "probe":
            require_count(name, options[name])
    if options["drift"] is not None:
        nonnegative(options, "drift")


def require_choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless value is one of the allowed ones."""
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(map(repr, allowed))}, got {value!r}.")


def require_count(name: str, value: Any) -> None:
    """Raise ValueError unless value is an integer ≥ 1."""
    if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
        raise ValueError(f"{name} must be an integer ≥ 1, got {value!r}.")
