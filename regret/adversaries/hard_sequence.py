r"""The sequence on which the regret bound of adaptive regularization is asymptotically attained.

On the segment :math:`[-R, R]` with :math:`x_0 = -R`, ε = 0 and :math:`x \leftarrow \mathrm{clip}(x - \rho\, g/\sqrt v)`,
:math:`v = \sum g^2` with the current gradient in it, the gradients are

1. :math:`+1`, which is clipped: x stays at -R and v = 1;
2. pairs :math:`(-1, +a)` with :math:`a^2 = v/(v-1)`, v taken after the -1. Then :math:`1/\sqrt v = a/\sqrt{v + a^2}`, so that
   the pair returns exactly to -R, and earns :math:`\rho/\sqrt v`, altogether :math:`\rho\sqrt v` to leading order;
3. about :math:`T^{2/3}` small negative steps of equal length that carry x from -R to R, which earn :math:`2R^2\sqrt v/\rho`
   while v hardly grows: a step of length h needs :math:`g^2 = v h^2/(\rho^2 - h^2)`.

Against the comparator +R the regret is :math:`(2R^2/\rho + \rho)\sqrt v\,(1 - o(1))`, which is the bound with
:math:`D = 2R`. The gradients are known in advance, because ρ and R are. A *pattern* W embeds the sequence in any geometry
in which the learner stays on the line: :math:`g_t = s_t W`, :math:`x_t = z_t W`, and ρ = lr · κ with
:math:`P_{\mathcal H}(WW^\top)^{-1} W = \kappa W`.

Source: derived here (docs/proofs/hard-sequence.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite, sqrt

import numpy as np

from regret.adversaries.base import Oblivious, Sampler

__all__ = ["HardSequence", "hard_scalars"]


@dataclass(frozen=True, eq=False)
class HardSequence(Oblivious):
    """The hard sequence of `horizon` steps along a pattern W.

    `pattern` fits the geometry: e₁ for AdaGrad-Norm and full-matrix AdaGrad on an L2Ball(radius), ones for AdaGrad on a
    Box(radius), U diag(±1) Vᵀ for one-sided Shampoo on a SpectralBall(radius). `rate` is ρ, √2 · radius by default: the value for
    which lr = D/√2. Play it from `x0`, against `comparator`, with ``eps=0``.
    """

    pattern: np.ndarray = field(repr=False)
    horizon: int
    radius: float = 1.0
    rate: float | None = None
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        pattern = np.array(self.pattern, dtype=np.float64)
        if pattern.ndim == 0 or not np.all(np.isfinite(pattern)) or not np.any(pattern):
            raise ValueError("pattern must be a finite, nonzero array of the parameter's shape.")
        if not (isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"radius must be positive and finite, got {self.radius!r}.")
        pattern.setflags(write=False)
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "shape", pattern.shape)
        rate = sqrt(2.0) * self.radius if self.rate is None else float(self.rate)
        object.__setattr__(self, "rate", rate)
        hard_scalars(self.horizon, self.radius, rate)  # raises where the sequence does not exist

    @property
    def length(self) -> int:
        return self.horizon

    @property
    def x0(self) -> np.ndarray:  # (*shape)
        """Where the learner has to start: the far end, -R W."""
        return -self.radius * self.pattern

    @property
    def comparator(self) -> np.ndarray:  # (*shape)
        """The near end, +R W."""
        return self.radius * self.pattern

    def sampler(self, rng: np.random.Generator) -> Sampler:
        scalars, position = hard_scalars(self.horizon, self.radius, self.rate or 0.0), 0

        def draw(steps: int) -> np.ndarray:
            nonlocal position
            chosen = scalars[position : position + steps]
            position += steps
            return chosen.reshape(-1, *[1] * self.pattern.ndim) * self.pattern

        return draw


@lru_cache(maxsize=8)
def hard_scalars(horizon: int, radius: float, rate: float) -> np.ndarray:  # (T,)
    """The one-dimensional sequence. Raises ValueError for a horizon < 6 or a rate that jumps over the segment.

    Each pair must not leave the segment, ρ/√v ≤ 2R with v ≥ 2, and each drift step must be shorter than ρ.
    """
    drift = round(horizon ** (2 / 3))
    pairs = (horizon - 1 - drift) // 2
    drift = horizon - 1 - 2 * pairs  # an odd step left over drifts too
    length = 2.0 * radius / drift if drift else 0.0
    if horizon < 6 or not (length < rate <= 2.0 * sqrt(2.0) * radius):
        raise ValueError(
            f"no hard sequence for horizon={horizon}, radius={radius}, rate={rate}: it needs horizon ≥ 6 and "
            f"2·radius/drift < rate ≤ 2√2·radius with {drift} drift steps."
        )
    scalars, v = [1.0], 1.0
    for _ in range(pairs):
        v += 1.0
        square = v / (v - 1.0)
        scalars += [-1.0, sqrt(square)]
        v += square
    for _ in range(drift):
        square = v * length**2 / (rate**2 - length**2)
        scalars.append(-sqrt(square))
        v += square
    sequence = np.asarray(scalars)
    sequence.setflags(write=False)
    return sequence
