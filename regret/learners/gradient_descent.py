r"""Online gradient descent, the baseline without a preconditioner.

.. math:: x_{t+1} = \Pi_{\mathcal X}(x_t - \eta_t g_t), \qquad \eta_t = \eta \ \text{ or }\ \eta / \sqrt{t}.

It is the recursion of adaptive regularization with :math:`H_t = (\eta/\eta_t) I`, and keeps the same scalars.

Source: Zinkevich 2003 (online gradient descent); Orabona, A modern introduction to online learning, sec. 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

from regret.learners.base import (
    Learner,
    Metric,
    State,
    check_domain,
    check_rate,
    inner,
    per_element,
    require_gradient,
    require_start,
)
from structures.arrays import Array, like, namespace, positive_sizes

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["OnlineGradientDescent"]


@dataclass(frozen=True, eq=False)
class _Multiple:
    """‖·‖² = scale · ‖·‖₂²."""

    scale: float

    def energy(self, X: Array) -> Array:  # (B, *shape) -> (B,)
        return self.scale * inner(X, X)


@dataclass(frozen=True)
class OnlineGradientDescent(Learner):
    """x ← Π_X(x - lr_t g) with lr_t = lr ("constant") or lr / √t ("inverse_sqrt"); the projection is Euclidean.

    Raises ValueError for lr ≤ 0, an unknown schedule or an empty shape.
    """

    shape: tuple[int, ...]
    lr: float | tuple[float, ...]
    domain: Domain | None = None
    schedule: Literal["constant", "inverse_sqrt"] = "constant"

    def __post_init__(self) -> None:
        shape = positive_sizes("OnlineGradientDescent", self.shape)
        if self.schedule not in ("constant", "inverse_sqrt"):
            raise ValueError(f"schedule must be 'constant' or 'inverse_sqrt', got {self.schedule!r}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "lr", check_rate(self.lr))
        object.__setattr__(self, "domain", check_domain(self.domain, shape))

    def init(self, x0: Array) -> State:  # (B, *shape)
        x = require_start(x0, self.shape)
        xp = namespace(x)
        zeros = {name: xp.zeros(x.shape[0], **like(x)) for name in self.scalars}
        return {"x": x, "t": 0, **zeros}

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        require_gradient(state, G)
        x, t = state["x"], state["t"] + 1
        xp = namespace(x)
        scale = 1.0 if self.schedule == "constant" else float(t) ** 0.5
        Y = x - per_element(self.lr, x) * (G / scale)
        X = Y if self.domain is None else self.domain.project_euclidean(Y)
        gap = xp.zeros(x.shape[0], **like(x)) if self.domain is None else scale * self.gap(X, Y)
        trace = xp.full((x.shape[0],), scale * prod(self.shape), **like(x))
        return {"x": X, "t": t, "trace_root": trace, "q": inner(G, G) / scale, "gap": gap}, _Multiple(scale)

    def gap(self, X: Array, Y: Array) -> Array:  # (B, *shape), (B, *shape) -> (B,)
        """The Frank-Wolfe gap of ½‖x - y‖₂² at X: an upper bound of the projection's error."""
        slope = X - Y
        gap = inner(slope, X - self.domain.lmo(slope))  # pyright: ignore[reportOptionalMemberAccess]
        return namespace(gap).where(gap < 0, namespace(gap).zeros_like(gap), gap)  # a NaN stays one
