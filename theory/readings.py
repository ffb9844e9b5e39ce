r"""The numbers that a theorem reads off a run, as float64 NumPy arrays of one shape.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theory.theorem import Kind, Theorem

Array = Any

_FINITE = ("measured", "lower", "bound", "budget")


@dataclass(frozen=True)
class Readings:
    """Both ends of the measured bracket, the bound, the rounding budget (>= 0) and the trivial bound, all of one shape."""

    measured: Array  # upper end
    lower: Array  # lower end
    bound: Array
    budget: Array
    trivial: Array | None

    def broken(self) -> tuple[str, list[int]] | None:
        """Why no comparison means anything, with the index: a NaN, an infinity, or a bracket upside down. Else None."""
        import numpy as np

        with np.errstate(invalid="ignore", over="ignore"):
            faults = {f"{name} is not finite": ~np.isfinite(getattr(self, name)) for name in _FINITE}
            if self.trivial is not None:  # inf is a fair "nothing is known without the theorem"
                faults["trivial is NaN"] = np.isnan(self.trivial)
            faults["measured_lower exceeds measured"] = self.lower - self.measured > self.budget
        for reason, where in faults.items():
            if where.any():
                return reason, [int(i) for i in np.argwhere(where)[0]]
        return None

    def vacuous(self, kind: Kind) -> bool:
        """Whether the bound beats the trivial one nowhere: at the last entry along axis 0, or over all samples.

        Entries where both are zero (no gradient yet) say nothing; if all are of that sort the bound is not vacuous.
        """
        if self.trivial is None or kind is Kind.EXACT:
            return False
        whole = kind in (Kind.EXPECTATION, Kind.HIGH_PROBABILITY) or self.bound.ndim == 0
        bound, trivial = (self.bound, self.trivial) if whole else (self.bound[-1], self.trivial[-1])
        idle = bound <= trivial if kind is Kind.LOWER_BOUND else bound >= trivial
        silent = (bound == 0) & (trivial == 0)
        return bool((idle | silent).all() and (idle & ~silent).any())


def read(theorem: Theorem, run: Any) -> Readings:
    """Evaluate a theorem's two sides on a run.

    Raises ValueError when nothing was measured, when a shape fits neither `measured` nor a scalar, or when the budget
    is negative.
    """
    measured = host(theorem.measured(run))
    if measured.size == 0:
        raise ValueError(
            f"{theorem.id}: measured() is empty, shape {measured.shape}; a verdict needs at least one entry"
        )
    trivial = theorem.trivial(run)
    readings = Readings(
        measured=measured,
        lower=_fitted(theorem, "measured_lower", theorem.measured_lower(run), measured.shape),
        bound=_fitted(theorem, "bound", theorem.bound(run), measured.shape),
        budget=_fitted(theorem, "budget", theorem.budget(run), measured.shape),
        trivial=None if trivial is None else _fitted(theorem, "trivial", trivial, measured.shape),
    )
    if (readings.budget < 0).any():
        raise ValueError(f"{theorem.id}: budget() is negative, {readings.budget.min()}; it bounds an absolute error")
    return readings


def host(values: Any) -> Array:
    """An array of any library, or a number, as a float64 NumPy array on the host. float64 is kept exactly."""
    import numpy as np

    if hasattr(values, "detach"):  # torch: bfloat16 and the GPU have no direct way to NumPy
        values = values.detach().cpu().double().numpy()
    elif hasattr(values, "__array_namespace__") and not isinstance(values, (np.ndarray, np.generic)):
        values = _from_standard(values)
    return np.asarray(values, dtype=np.float64)


def _from_standard(values: Any) -> Any:
    """An array of the Array API standard on its library's host device."""
    import numpy as np

    default = values.__array_namespace__().asarray(0.0).device
    moved = values if values.device == default else values.to_device(default)
    return np.from_dlpack(moved)


def _fitted(theorem: Theorem, name: str, values: Any, shape: tuple[int, ...]) -> Array:
    """`values` broadcast to the shape of `measured`; a scalar or equal rank only, so that (B,) never meets (T, B)."""
    import numpy as np

    array = host(values)
    fits = array.ndim in (0, len(shape)) and all(a in (1, s) for a, s in zip(array.shape, shape, strict=False))
    if not fits:
        raise ValueError(
            f"{theorem.id}: {name}() has shape {array.shape}, expected {shape} like measured(), or a scalar"
        )
    return np.broadcast_to(array, shape)
