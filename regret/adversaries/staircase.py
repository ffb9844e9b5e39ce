r"""The staircase: a sequence on which decreasing diagonals break the regret bound, one coordinate after the other.

For :math:`\mathcal H = \{\operatorname{diag}(h) : h_1 \ge \dots \ge h_d \ge 0\}`, the set `MonotoneCone`, the point
:math:`\sqrt i\, e_i` has norm one although only coordinate i of H sees it. Against the comparator 0, for i = 1, ..., d:

1. walk out from 0 to :math:`\sqrt i\, e_i` with gradients :math:`-\delta h_i`, while :math:`h_i \approx \sqrt\varepsilon` is
   still tiny, so that the walk costs nothing;
2. stand there and let :math:`h_i` grow with pairs :math:`\pm\sqrt\kappa\, h_i` until
   :math:`(M_t)_{ii} \ge 1 - 2\kappa(i - 1)`; a gradient is :math:`\sqrt\kappa` times the current :math:`h_i`, so each moves x by
   the same :math:`\eta\sqrt{\kappa/(1+\kappa)}` and a pair returns exactly;
3. walk back to 0 with gradients :math:`\delta h_i`, which earns :math:`\|\sqrt i\, e_i\|_{H}^2/(2\eta) = i\,h_i/(2\eta)`.

Every coordinate adds about 1 to Tr H, but i to :math:`\sum_t \|x_t\|^2_{H_t - H_{t-1}}`, so the ratio of that sum to
:math:`D^2 \operatorname{Tr} H` tends to (d + 1)/2 while the regret bound allows 1. For d = 1 the cone is a structure, and the
same sequence comes as close to the bound as κ and δ are small.

The levels decrease a little so that the diagonal of M_t stays ordered and the isotonic regression has next to nothing to pool.

Source: derived here (docs/proofs/regret.md#closure-under-negative-scalars).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite, sqrt

import numpy as np

from regret.adversaries.base import Oblivious, Sampler

__all__ = ["Staircase"]

ARRIVED = 1e-12  # distances are of order one; closer than this is rounding


@dataclass(frozen=True)
class Staircase(Oblivious):
    """The staircase for `AdaptiveRegularization(MonotoneCone((dim,)), lr=rate, eps=eps)`, from 0 against the comparator 0.

    `growth` is κ and `drift` is δ: the relative growth of M in one step of a pair, and the gradient of a walk in units of
    h. Raises ValueError unless they are in (0, 1), ``rate > 0``, ``0 < eps < 1``, and the last level is positive.
    """

    dim: int
    rate: float
    growth: float = 0.01
    drift: float = 0.01
    eps: float = 1e-10
    shape: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.dim < 1 or not all(0 < x < 1 for x in (self.growth, self.drift, self.eps)):
            raise ValueError(f"dim must be at least 1, and growth, drift and eps in (0, 1), got {self!r}.")
        if not (isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be positive and finite, got {self.rate!r}.")
        if 2.0 * self.growth * (self.dim - 1) >= 1.0:
            raise ValueError(
                f"growth={self.growth} leaves no level for coordinate {self.dim}: it must be below 1/(2 (dim - 1))."
            )
        object.__setattr__(self, "shape", (self.dim,))

    @property
    def length(self) -> int:
        return len(_steps(self)[0])

    @property
    def comparator(self) -> np.ndarray:  # (dim,)
        """The point that the learner is walked back to."""
        return np.zeros(self.dim)

    def sampler(self, rng: np.random.Generator) -> Sampler:
        coordinates, gradients = _steps(self)
        position = 0

        def draw(steps: int) -> np.ndarray:
            nonlocal position
            rows = slice(position, position + steps)
            position += steps
            return np.eye(self.dim)[coordinates[rows]] * gradients[rows, None]

        return draw


@lru_cache(maxsize=8)
def _steps(game: Staircase) -> tuple[np.ndarray, np.ndarray]:  # (T,) coordinate, (T,) gradient
    """The game, found by playing the learner in one coordinate at a time."""
    coordinates: list[int] = []
    gradients: list[float] = []
    finished: list[tuple[float, int]] = []  # blocks (mean, size) of the diagonal of M that is pooled already
    for i in range(game.dim):
        walker = _Walker(game, finished)
        walker.walk_out(sqrt(i + 1.0))
        walker.grow(1.0 - 2.0 * game.growth * i)
        walker.walk_back()
        coordinates += [i] * len(walker.gradients)
        gradients += walker.gradients
        finished = _pooled([*finished, (walker.m, 1)])
    return np.asarray(coordinates), np.asarray(gradients)


class _Walker:
    """One coordinate of the learner: its entry of M, its iterate, and the gradients that it was given."""

    def __init__(self, game: Staircase, finished: list[tuple[float, int]]) -> None:
        self._game, self._finished = game, finished
        self.m, self.x = game.eps, 0.0
        self.gradients: list[float] = []

    @property
    def h(self) -> float:
        """The learner's h_i: later entries of M are smaller, so only earlier ones can be pooled with this one."""
        return sqrt(_pooled([*self._finished, (self.m, 1)])[-1][0])

    def _play(self, gradient: float) -> None:
        self.gradients.append(gradient)
        self.m += gradient * gradient
        self.x -= self._game.rate * gradient / self.h

    def walk_out(self, radius: float) -> None:
        while radius - self.x >= self._game.rate * self._game.drift:
            self._play(-self._game.drift * self.h)

    def grow(self, level: float) -> None:
        while self.m < level:
            self._play(sqrt(self._game.growth) * self.h)
            self._play(-sqrt(self._game.growth) * self.h)

    def walk_back(self) -> None:
        while self.x > ARRIVED:
            self._play(self._game.drift * self.h)


def _pooled(blocks: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Decreasing blocks from blocks of which only the last may be out of order (pool adjacent violators)."""
    *rest, (mean, size) = blocks
    while rest and rest[-1][0] < mean:
        other, count = rest.pop()
        mean, size = (mean * size + other * count) / (size + count), size + count
    return [*rest, (mean, size)]
