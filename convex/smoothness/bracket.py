r"""A constant that is known from both sides, with what was used to know it.

.. math:: \underline\Lambda \le \Lambda_{\mathcal H} \le \overline\Lambda .

The upper end comes from an element H, the lower end from multipliers Z; `assumes` says in words what else the ends rest on, and
is empty where they hold up to the rounding that is already in them.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

__all__ = ["Bracket", "exact"]


@dataclass(frozen=True, eq=False)
class Bracket:
    """lower ≤ constant ≤ upper. Raises ValueError when the ends are out of order or not numbers."""

    lower: float
    upper: float
    method: str
    assumes: str = ""
    element: np.ndarray | None = field(default=None, repr=False)  # (d, d) H behind the upper end
    multipliers: Sequence[np.ndarray] = field(
        default=(), repr=False
    )  # each (d, r), Z_k = W_k W_kᵀ behind the lower end

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise ValueError(f"a bracket needs lower <= upper, got {self.lower} and {self.upper} ({self.method}).")

    @property
    def width(self) -> float:
        """(upper − lower)/upper, 0 for a constant that is 0."""
        if self.upper == 0:
            return 0.0
        return inf if self.upper == inf else (self.upper - self.lower) / self.upper

    @property
    def midpoint(self) -> float:
        """The centre; the upper end where that is infinite."""
        return self.upper if self.upper == inf else 0.5 * (self.lower + self.upper)

    def scaled(self, factor: float) -> Bracket:
        """The bracket of a nonnegative multiple, without its witnesses."""
        return Bracket(factor * self.lower, factor * self.upper, self.method, self.assumes)

    def plus(self, term: float) -> Bracket:
        """The bracket of the constant plus a number, without its witnesses."""
        return Bracket(self.lower + term, self.upper + term, self.method, self.assumes)

    def times(self, other: Bracket, method: str) -> Bracket:
        """The bracket of the product of two nonnegative constants."""
        said = "; ".join(dict.fromkeys(text for text in (self.assumes, other.assumes) if text))
        return Bracket(self.lower * other.lower, self.upper * other.upper, method, said)


def exact(value: float, size: int, method: str) -> Bracket:
    """A closed form: the value, with the rounding of a sum of `size` terms on both sides."""
    slack = 64.0 * float(np.finfo(np.float64).eps) * (size + 1)
    return Bracket(value * (1.0 - slack), value * (1.0 + slack), method)
