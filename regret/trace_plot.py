r"""A quick look at a trace; figures for a paper are drawn elsewhere, from stored results.

Source: derived here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from regret.trace import Trace
    from theory import Theorem

__all__ = ["plot"]


def plot(trace: Trace, ax: Any = None, theorem: str | Theorem | None = None) -> Any:
    """Draw regret (median line, range band) and a theorem's bound on `ax`, or on new axes; returns the axes."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    horizons = np.arange(1, trace.horizon + 1)
    _draw(ax, horizons, trace.regret, "regret", "C0")
    if theorem is not None:
        bound = _bound(trace, theorem)
        _draw(ax, horizons, np.broadcast_to(bound, trace.regret.shape), "bound", "C1")
    ax.set_xlabel("horizon $t$")
    ax.set_ylabel("linearised regret")
    ax.legend(frameon=False)
    return ax


def _draw(ax: Any, horizons: np.ndarray, values: np.ndarray, label: str, color: str) -> None:
    ax.plot(horizons, np.median(values, axis=1), color=color, label=label)
    if values.shape[1] > 1:
        ax.fill_between(horizons, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2, linewidth=0)


def _bound(trace: Trace, theorem: str | Theorem) -> np.ndarray:
    """The bound's values on a trace; raises ValueError when they are not one for each horizon and element."""
    import theory

    chosen = theory.get(theorem) if isinstance(theorem, str) else theorem
    bound = np.asarray(chosen.bound(trace), dtype=np.float64)
    if bound.shape not in ((), trace.regret.shape):
        raise ValueError(f"{chosen.id} bounds something of shape {bound.shape}, not the regret {trace.regret.shape}.")
    return bound
