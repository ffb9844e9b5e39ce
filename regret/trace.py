r"""What a game leaves behind: the numbers that theorems speak about, for every horizon and every element of the batch.

The arrays are float64 NumPy arrays of shape (T, B); row t - 1 belongs to horizon t. With :math:`\hat R` the computed regret
and δ its rounding budget, ``regret`` is :math:`\hat R + \delta` and ``regret_lower`` is :math:`\hat R - \delta`: the exact regret
of the iterates and gradients, as the floating-point numbers that they are, lies between the two.

A trace is stored as one ``.npz`` file without pickle; the learner inside it is rebuilt from the fields of its dataclass.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from regret.learners.base import Learner
from regret.rounding import discounted_cumsum

if TYPE_CHECKING:
    from os import PathLike

    from problems.domains import Domain
    from structures.base import Structure
    from theory import Theorem, Verdict

__all__ = ["Trace"]


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A finished game of T steps on a batch of B.

    What needs a fixed comparator (`distance`, `distances`, `energy_before`, `energy_after`), a domain (`width_sum`), a forgetting
    learner (`discounted_regret`), losses (`losses`, `loss_regret`) or ``keep_history`` is None without it.
    """

    learner: Learner

    regret: np.ndarray  # (T, B) of the linearised losses, upper end of the bracket
    regret_lower: np.ndarray  # (T, B)
    trace_root: np.ndarray  # (T, B) Tr H_t
    q_sum: np.ndarray  # (T, B) Σ <g_s, H_s⁻¹ g_s>
    gap_sum: np.ndarray  # (T, B) Σ of the Frank-Wolfe gaps of the projections, in units of H x²
    infeasibility: np.ndarray  # (B,) largest Euclidean distance of x_1, ..., x_{T+1} from the domain
    scalars: dict[str, np.ndarray]  # (T, B) each: the learner's own, "inner" <g_t, x_t - u>, "gradient_norm" ‖g_t‖₂

    first_iterate: np.ndarray  # (B, *shape) x_1
    last_iterate: np.ndarray  # (B, *shape) x_{T+1}
    average_iterate: np.ndarray  # (B, *shape) (x_1 + ... + x_T) / T

    adaptive_norm: np.ndarray | None = None  # (T, B) |||g_{1:t}|||_H without ε; None for a learner without a structure
    width_sum: np.ndarray | None = None  # (T, B) Σ max <g_s, x - y> over the domain: the trivial bound
    discounted_regret: np.ndarray | None = None  # (T, B) Σ β^{(t-s)/2} <g_s, x_s - u>, upper end
    discounted_regret_lower: np.ndarray | None = None  # (T, B)

    comparator: np.ndarray | None = None  # (B, *shape) when fixed in advance; None: the best of the domain in hindsight
    comparator_infeasibility: np.ndarray | None = None  # (B,) its Euclidean distance from the domain
    distance: np.ndarray | None = None  # (T, B) max over s ≤ t of ‖x_s - comparator‖, in the learner's main norm
    distances: dict[str, np.ndarray] | None = None  # (T, B) the same in every norm of the learner
    energy_before: np.ndarray | None = None  # (T, B) ‖x_t - comparator‖²_{H_t}
    energy_after: np.ndarray | None = None  # (T, B) ‖x_{t+1} - comparator‖²_{H_t}

    losses: np.ndarray | None = None  # (T, B) f_t(x_t)
    loss_grid: np.ndarray | None = None  # (L,) horizons of the next two
    loss_regret: np.ndarray | None = None  # (L, B) of the convex losses, upper end
    loss_regret_lower: np.ndarray | None = None  # (L, B)

    iterates: np.ndarray | None = None  # (T + 1, B, *shape) x_1, ..., x_{T+1}
    gradients: np.ndarray | None = None  # (T, B, *shape)

    seed: int = 0
    first: int = 0  # index of the first batch element, which its random generator is seeded with
    meta: dict[str, Any] = field(default_factory=dict)  # JSON-able: adversary, dtype, namespace, device, ...

    # --- what it was ---------------------------------------------------------------------------------------------------

    @property
    def horizon(self) -> int:
        """T."""
        return self.regret.shape[0]

    @property
    def batch(self) -> int:
        """B."""
        return self.regret.shape[1]

    @property
    def structure(self) -> Structure | None:
        """The learner's structure; None for a baseline without one."""
        return getattr(self.learner, "structure", None)

    @property
    def domain(self) -> Domain | None:
        """The learner's domain, on the parameter's shape; None when unconstrained."""
        return getattr(self.learner, "domain", None)

    @property
    def lr(self) -> float | np.ndarray:
        """η, or (B,) of them."""
        lr = getattr(self.learner, "lr", float("nan"))
        return lr if isinstance(lr, float) else np.asarray(lr)

    @property
    def eps(self) -> float:
        """ε inside the root; 0 for a learner without."""
        return getattr(self.learner, "eps", 0.0)

    @property
    def accumulate(self) -> str:
        """How the learner adds its statistics up."""
        return getattr(self.learner, "accumulate", "cumulative")

    @property
    def beta(self) -> float:
        """The forgetting factor; 1 for cumulative sums."""
        return getattr(self.learner, "beta", 1.0)

    def discounted(self, name: str) -> np.ndarray:  # (T, B)
        """Σ_{s ≤ t} β^{(t-s)/2} of a series in `scalars`: the gaps of a forgetting learner, for instance."""
        return discounted_cumsum(self.scalars[name], self.beta**0.5)

    # --- what it says ----------------------------------------------------------------------------------------------------

    def verify(self, theorem: str | Theorem, **options: Any) -> Verdict:
        """The verdict of a theorem (or of its id) on this run; options are those of ``theory.verify``.

        Raises KeyError for an unknown id, naming close ones, and TypeError for a theorem that does not speak about games.
        """
        import theory

        chosen = theory.get(theorem) if isinstance(theorem, str) else theorem
        if not isinstance(chosen, theory.Theorem):
            raise TypeError(
                f"verify takes the id of a theorem, or a Theorem (an object, not its class); got {theorem!r}."
            )
        try:
            return theory.verify(chosen, self, **options)
        except AttributeError as error:
            if error.obj is not self:
                raise
            raise TypeError(f"{chosen.id} does not speak about a game, but about {chosen.subject}.") from error

    def columns(self, horizons: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """One row for each horizon and element: "horizon", "element" and every (T, B) series. Default: all horizons."""
        chosen = np.arange(1, self.horizon + 1) if horizons is None else np.asarray(horizons, dtype=np.int64)
        if chosen.size == 0 or chosen.min() < 1 or chosen.max() > self.horizon:
            raise ValueError(f"horizons must be numbers from 1 to {self.horizon}, got {horizons!r}.")
        columns = {
            "horizon": np.repeat(chosen, self.batch),
            "element": np.tile(np.arange(self.first, self.first + self.batch), len(chosen)),
        }
        return columns | {name: values[chosen - 1].reshape(-1) for name, values in self._series().items()}

    def to_table(self, horizons: Sequence[int] | None = None) -> Any:
        """`columns` as a pandas DataFrame when pandas is installed, as a dict of arrays otherwise."""
        columns = self.columns(horizons)
        try:
            import pandas as pd
        except ModuleNotFoundError:
            return columns
        return pd.DataFrame(columns)

    def plot(self, ax: Any = None, theorem: str | Theorem | None = None) -> Any:
        """Regret against the horizon (median and range of the batch), and a theorem's bound when one is named."""
        from regret.trace_plot import plot

        return plot(self, ax, theorem)

    # --- where it is kept --------------------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write one ``.npz`` file, in one move: a reader never sees half of it."""
        from regret.trace_file import write

        write(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Trace:
        """The trace that `save` wrote, bit for bit."""
        from regret.trace_file import read

        return read(path)

    def identical(self, other: Trace) -> bool:
        """Whether every number, the learner and the labels are the same, bit for bit."""
        from regret.trace_file import packed

        mine, theirs = packed(self), packed(other)
        return mine.keys() == theirs.keys() and all(
            mine[name].dtype == theirs[name].dtype
            and mine[name].shape == theirs[name].shape
            and mine[name].tobytes() == theirs[name].tobytes()
            for name in mine
        )

    # --- how it looks --------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return (
            f"<Trace of {self.learner!r} against {self.meta.get('adversary', 'an adversary')}: T={self.horizon}, "
            f"B={self.batch}, regret {_range(self.regret[-1])}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        rows = {
            "learner": repr(self.learner), "adversary": self.meta.get("adversary", ""),
            "comparator": "best of the domain in hindsight" if self.comparator is None else "fixed",
            "T × B": f"{self.horizon} × {self.batch}", "regret at T": _range(self.regret[-1]),
            "Tr H_T": _range(self.trace_root[-1]), "bracket": f"± {np.max(self.regret - self.regret_lower) / 2:.2g}",
        }  # fmt: skip
        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(text))}</td></tr>" for name, text in rows.items())
        return f"<table><caption>Trace</caption>{cells}</table>"

    def _series(self) -> dict[str, np.ndarray]:
        """Every (T, B) array by name; those inside `scalars` and `distances` under "group/name"."""
        found = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            parts = (
                {f"{entry.name}/{k}": v for k, v in value.items()} if isinstance(value, dict) else {entry.name: value}
            )
            found |= {k: v for k, v in parts.items() if isinstance(v, np.ndarray) and v.shape == self.regret.shape}
        return found


def _range(values: np.ndarray) -> str:
    """Median [smallest, largest], or the number when there is one."""
    if values.size == 1:
        return f"{values.item():.6g}"
    return f"{np.median(values):.4g} [{values.min():.4g}, {values.max():.4g}]"
