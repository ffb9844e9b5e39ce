r"""One check for every size that a domain is given.

.. math:: 0 < r < \infty

Source: derived here.
"""

from __future__ import annotations

from math import isfinite

__all__ = ["require_positive"]


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a positive finite number."""
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive finite number, got {value!r}.")
