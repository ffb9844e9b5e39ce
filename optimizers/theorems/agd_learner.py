r"""AGD on a box as a learner of ``regret.play``: the recursion that the regret theorems speak about.

.. math:: x_{t+1} = \Pi_{[-r, r]^n}\Bigl(x_t - \frac{\alpha}{\sqrt t}\,\frac{m_t}{\hat D_t}\Bigr), \qquad
          \hat D_t = \max\Bigl(\sqrt{v_t^{\max}/(1 - \beta_2^t)},\, \delta\Bigr), \qquad
          m_t = \beta_{1,t} m_{t-1} + (1 - \beta_{1,t}) g_t .

``debias`` takes m̂ for m, as the published rule does; ``corrected=False`` divides by :math:`D_t = \max(\sqrt{v_t^{\max}},
\delta\sqrt{1 - \beta_2^t})` without the factor that the published rule has, ``amsgrad=False`` takes v for its maximum:
neither has a regret bound.

Source: Yue et al. 2023 (AGD), Algorithm 1; the corrected denominator is derived here (docs/proofs/agd.md#regret).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

__all__ = ["AGDLearner"]


@dataclass(frozen=True)
class AGDLearner(Learner):
    """x ← Π(x - lr/√t · m/D̂); `fading` is β_{1,t} = beta1/t instead of beta1. Any namespace of the Array API.

    Raises ValueError for lr ≤ 0, delta ≤ 0 or a beta outside [0, 1).
    """

    shape: tuple[int, ...]
    lr: float | tuple[float, ...]
    domain: Domain | None = None
    beta1: float = 0.9
    beta2: float = 0.999
    delta: float = 1.0
    fading: bool = False
    amsgrad: bool = True
    debias: bool = False
    corrected: bool = True

    def __post_init__(self) -> None:
        shape = positive_sizes("AGDLearner", self.shape)
        if not (0.0 <= self.beta1 < 1.0 and 0.0 <= self.beta2 < 1.0 and self.delta > 0.0):
            raise ValueError(f"betas must be in [0, 1) and delta > 0, got {self.beta1}, {self.beta2} and {self.delta}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "lr", check_rate(self.lr))
        object.__setattr__(self, "domain", check_domain(self.domain, shape))

    def momentum(self, t: int) -> float:
        """β_{1,t}."""
        return self.beta1 / t if self.fading else self.beta1

    def init(self, x0: Array) -> State:  # (B, *shape)
        x = require_start(x0, self.shape)
        xp = namespace(x)
        scalars = {name: xp.zeros(x.shape[0], **like(x)) for name in self.scalars}
        return {
            "x": x,
            "t": 0,
            "product": 1.0,
            **{name: xp.zeros_like(x) for name in ("m", "mean", "v", "peak")},
            **scalars,
        }

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        require_gradient(state, G)
        x, t = state["x"], state["t"] + 1
        xp = namespace(x)
        beta1 = self.momentum(t)
        product = state["product"] * beta1
        m = beta1 * state["m"] + (1.0 - beta1) * G
        mean = m / (1.0 - product)
        v = self.beta2 * state["v"] + (1.0 - self.beta2) * (mean - state["mean"]) ** 2
        peak = xp.maximum(state["peak"], v) if self.amsgrad else v
        rest = math.sqrt(1.0 - self.beta2**t)
        root, floor = xp.sqrt(peak), self.delta * rest
        D = xp.where(root > floor, root, xp.full_like(root, floor))
        if self.corrected:
            D = D / rest
        direction = (mean if self.debias else m) / D
        scale = math.sqrt(t)
        Y = x - per_element(self.lr, x) * (direction / scale)
        X = Y if self.domain is None else self.domain.project_euclidean(Y)
        new = {
            "x": X, "t": t, "product": product, "m": m, "mean": mean, "v": v, "peak": peak,
            "trace_root": xp.sum(xp.reshape(D, (D.shape[0], -1)), axis=-1) * scale, "q": inner(G, direction) / scale,
            "gap": xp.zeros(x.shape[0], **like(x)),
        }  # fmt: skip
        return new, _Diagonal(scale * D)


@dataclass(frozen=True, eq=False)
class _Diagonal:
    """‖X‖² = <X, D X>."""

    D: Array  # (B, *shape)

    def energy(self, X: Array) -> Array:  # (B, *shape) -> (B,)
        return inner(X, self.D * X)
