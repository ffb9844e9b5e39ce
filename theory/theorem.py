r"""A theorem as an object: what it assumes, what it measures on a run, and the bound that it promises.

\[ \text{assumptions}(\text{run}) \implies \text{measured}(\text{run}) \le \text{bound}(\text{run}) \]

(with \(\ge\) for a lower bound and \(=\) for an identity). A theorem is one class in one file; ``theory.verdict.verify``
judges it on a run, ``theory.registry`` finds it.

Source: derived here; the vocabulary is explained in docs/verdicts.md.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from theory.citation import Citation

if TYPE_CHECKING:
    from theory.certificate import Certificate

Array = Any  # an array of any library of the Array API standard


class Kind(StrEnum):
    """How a theorem speaks about a run, and hence what it takes to judge it."""

    PATHWISE = "pathwise"  # measured <= bound at every entry
    EXPECTATION = "expectation"  # E measured <= bound; measured holds one sample per seed
    HIGH_PROBABILITY = "high-probability"  # P(measured > bound) <= delta; one sample per seed
    LOWER_BOUND = "lower-bound"  # measured >= bound at every entry
    EXACT = "exact"  # measured = bound at every entry


@dataclass(frozen=True)
class Check:
    """The outcome of checking one assumption.

    `ok` is None when it could not be decided. `margin` is signed, positive inside the assumption, in the units that
    `reason` states. A NaN margin decides nothing, so that a comparison with NaN can never pass for a checked assumption.
    """

    ok: bool | None
    margin: float
    reason: str

    def __post_init__(self) -> None:
        # numpy.bool is not bool: `ok is False` would miss it.
        decided = None if self.ok is None else bool(self.ok)
        margin = float(self.margin)
        object.__setattr__(self, "ok", None if decided and math.isnan(margin) else decided)
        object.__setattr__(self, "margin", margin)


@dataclass(frozen=True)
class Assumption:
    r"""A hypothesis that can be checked on a run: a short `name`, a `statement` in LaTeX with prose in ``\text{}``."""

    name: str
    statement: str
    check: Callable[[Any], Check]


@dataclass(frozen=True)
class Example:
    """A run that a theorem is tried on.

    Among ``examples()`` the theorem must hold. Among ``controls()`` the assumption named `breaks` is broken and the
    verdict must be one of `expect` (values of ``VerdictKind``). `near_tight` promises a ratio close to one. `ignoring`
    is handed to ``verify``: the theorem is then applied wrongly, on purpose, to show that it fails without `breaks`.
    """

    name: str
    make: Callable[[], Any]
    near_tight: bool = False
    expect: tuple[str, ...] = ()
    breaks: str = ""
    ignoring: tuple[str, ...] = ()


class Theorem(ABC):
    """A statement with checkable assumptions. Subclasses set the class variables and write `measured` and `bound`.

    All arrays that one run yields have one shape, usually ``(T, B)``: horizon, then seed. A scalar stands for an array.
    """

    id: ClassVar[str]  # "structured-regret"
    title: ClassVar[str]
    kind: ClassVar[Kind]
    source: ClassVar[Citation]
    statement: ClassVar[str]  # LaTeX display math without delimiters, prose in \text{}
    proof: ClassVar[str] = ""  # a path in docs/proofs/ when the theorem is derived here
    subject: ClassVar[str]  # what it speaks of, in one phrase
    assumptions: ClassVar[tuple[Assumption, ...]] = ()
    axes: ClassVar[tuple[str, ...]] = ("horizon", "seed")  # names of the axes of `measured`, for the evidence

    @abstractmethod
    def measured(self, run: Any) -> Array:
        """The left side, upper end of its certified bracket. For EXPECTATION and HIGH_PROBABILITY: samples (n_seeds,)."""

    def measured_lower(self, run: Any) -> Array:
        """The left side, lower end of its certified bracket; the same as `measured` when it is computed exactly."""
        return self.measured(run)

    @abstractmethod
    def bound(self, run: Any) -> Array:
        """The right side, same shape as `measured` (or a scalar)."""

    def budget(self, run: Any) -> Array | float:
        """An absolute bound (>= 0) on the rounding error of ``measured - bound``, same shape or a scalar."""
        return 0.0

    def trivial(self, run: Any) -> Array | None:
        """What holds without the theorem; a bound that does not beat it at the last horizon is VACUOUS."""
        return None

    def certificate(self, run: Any) -> Certificate | None:
        """A proof of the whole inequality on this run (every entry) that ``theory.check`` accepts, or None.

        It may raise ``NotCertified``. The checker knows what the certificate says, not that it speaks of this run: that
        its inputs are the run's own numbers is the theorem's responsibility.
        """
        return None

    def support(self, run: Any) -> tuple[float, float] | None:
        """EXPECTATION only: deterministic (lower, upper) range of every sample; either end may be infinite.

        Without it no valid test exists and the verdict can only be NOT_REFUTED with e = 1. A finite lower end allows
        REFUTED, two finite ends also allow CONFIRMED. Never read the range off the samples themselves.
        """
        return None

    def exact(self, run: Any) -> float | None:
        """EXPECTATION only: the expectation by enumeration of all paths, when that is feasible."""
        return None

    def delta(self, run: Any) -> float:
        """HIGH_PROBABILITY only: the promised failure probability, in (0, 1)."""
        raise NotImplementedError(f"{type(self).__name__} is a high-probability theorem: define delta(run)")

    def examples(self) -> Iterable[Example]:
        """Runs on which the theorem must hold, one of them near-tight."""
        return ()

    def controls(self) -> Iterable[Example]:
        """Runs on which one assumption is broken."""
        return ()
