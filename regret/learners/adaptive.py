r"""Adaptive regularization with a structured preconditioner: AdaGrad-Norm, AdaGrad, full-matrix AdaGrad, one-sided Shampoo.

With a structure :math:`\mathcal H`, :math:`M_0 = \varepsilon I` and the current gradient inside :math:`H_t`,

.. math::
    M_t = M_{t-1} + g_t g_t^\top, \qquad H_t = P_{\mathcal H}(M_t), \qquad
    x_{t+1} = \operatorname*{argmin}_{x \in \mathcal X} \bigl\| x - (x_t - \eta H_t^{-1} g_t) \bigr\|_{H_t}.

``"weighted"`` and ``"ema"`` forget: :math:`\bar M_t = \beta \bar M_{t-1} + w\, g_t g_t^\top` with :math:`w = 1` and
:math:`w = 1 - \beta`, and :math:`H_t = P_{\mathcal H}(\bar M_t + \varepsilon I)`; ε does not fade. The statistic that a state
keeps is :math:`E(\bar M_t) + \varepsilon I` in all three, never a d×d matrix unless the structure is full.

Source: Gupta, Koren, Singer 2017, Algorithm 1 (the recursion); Xie et al. 2025, arXiv 2503.10537 (structures); arXiv
2511.20584, Algorithm 1 (weighted and EMA forms, ε inside the root).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal

from regret.learners.base import (
    Learner,
    Metric,
    State,
    check_damping,
    check_domain,
    check_rate,
    inner,
    norm2,
    per_element,
    require_gradient,
    require_start,
)
from structures.arrays import Array, Coordinates, like, namespace, tree_map
from structures.base import Structure
from structures.factor import Factor

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["AdaptiveRegularization", "FactorMetric", "dropped"]

HALF = Fraction(1, 2)
ACCUMULATIONS = ("cumulative", "weighted", "ema")


@dataclass(frozen=True, eq=False)
class FactorMetric:
    """‖·‖²_{H_t} from the one factor of a step."""

    factor: Factor

    def energy(self, X: Array) -> Array:  # (B, *shape) -> (B,)
        """<X, H_t X>."""
        return self.factor.quad(HALF, X)


@dataclass(frozen=True)
class AdaptiveRegularization(Learner):
    """x ← Π_X^{H}(x - lr · H⁻¹ g) with H = P_H of the accumulated gradients.

    `lr` is η of the bound, in units of ‖x‖_H (one number, or one for each batch element); `eps` ≥ 0 is inside the root
    and costs d √ε in the bound; with ``eps=0`` the inverse is the pseudo-inverse. `domain` None is unconstrained.

    Scalars of a state: ``trace_root`` Tr H_t, ``q`` <g_t, H_t⁻¹ g_t>, ``gap`` the Frank-Wolfe gap of the projection
    (of the objective ½‖x - y‖²_{H_t}), ``dropped`` ‖P g_t‖₂ with P the null space of the pseudo-inverse, zero unless a
    gradient is too small beside the earlier ones to be seen.

    Raises ValueError for lr ≤ 0, eps < 0, beta outside (0, 1], beta without forgetting or forgetting without beta, for a
    domain of another size, and for a structure whose E(M) does not determine P_H(M).
    """

    structure: Structure
    lr: float | tuple[float, ...]
    eps: float = 0.0
    domain: Domain | None = None
    accumulate: Literal["cumulative", "weighted", "ema"] = "cumulative"
    beta: float = 1.0
    shape: tuple[int, ...] = field(init=False, repr=False)

    scalars: ClassVar[tuple[str, ...]] = ("trace_root", "q", "gap", "dropped")

    def __post_init__(self) -> None:
        _check_structure(self.structure)
        _check_accumulation(self.accumulate, self.beta)
        object.__setattr__(self, "shape", self.structure.shape)
        object.__setattr__(self, "lr", check_rate(self.lr))
        object.__setattr__(self, "eps", check_damping(self.eps))
        object.__setattr__(self, "beta", float(self.beta))
        object.__setattr__(self, "domain", check_domain(self.domain, self.structure.shape))

    def norms(self) -> dict[str, Callable[[Array], Array]]:
        return {"structure": self.structure.norm, **super().norms()}

    def init(self, x0: Array) -> State:  # (B, *shape)
        x = require_start(x0, self.shape)
        xp = namespace(x)
        batch = x.shape[0]
        unit = self.structure.identity(x[0, ...])
        statistic = tree_map(lambda c: xp.zeros((batch, *c.shape), **like(c)) + self.eps * c, unit)
        zero = xp.zeros(batch, **like(x))
        trace = self.structure.metric(statistic).trace(HALF)
        return {
            "x": x, "t": 0, "statistic": statistic, "trace_root": trace, "q": zero,
            "gap": xp.zeros_like(zero), "dropped": xp.zeros_like(zero),
        }  # fmt: skip

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        require_gradient(state, G)
        statistic = self._accumulated(state["statistic"], G)
        factor = self.structure.metric(statistic)
        direction = factor.apply(-HALF, G)
        X, gap = self._moved(state["x"], direction, factor)
        new = {
            "x": X, "t": state["t"] + 1, "statistic": statistic, "trace_root": factor.trace(HALF),
            "q": inner(G, direction), "gap": gap, "dropped": dropped(factor, G),
        }  # fmt: skip
        return new, FactorMetric(factor)

    def _accumulated(self, statistic: Coordinates, G: Array) -> Coordinates:
        """E(M_t) + εI from E(M_{t-1}) + εI."""
        outer = self.structure.outer(G)
        if self.accumulate == "cumulative":
            return tree_map(lambda c, g: c + g, statistic, outer)
        weight = 1.0 if self.accumulate == "weighted" else 1.0 - self.beta
        kept = tree_map(lambda c, g: self.beta * c + weight * g, statistic, outer)
        if self.eps == 0:
            return kept
        refill = (1.0 - self.beta) * self.eps  # what β took from εI
        return tree_map(lambda c, i: c + refill * i, kept, self.structure.identity(G[0, ...]))

    def _moved(self, x: Array, direction: Array, factor: Factor) -> tuple[Array, Array]:
        """The next iterate and the Frank-Wolfe gap of its projection."""
        Y = x - per_element(self.lr, x) * direction
        if self.domain is None:
            xp = namespace(x)
            return Y, xp.zeros(x.shape[0], **like(x))
        return self.domain.project(Y, factor, start=x)


def dropped(factor: Factor, G: Array) -> Array:  # (B, *shape) -> (B,)
    """‖P g‖₂ with P the projection onto the null space of the pseudo-inverse power."""
    xp = namespace(factor.values)
    null = factor.values <= factor.floor
    if not bool(xp.any(null)):
        return xp.zeros(G.shape[0], **like(G))
    null_part = factor.structure.apply_spectrum(xp.astype(null, factor.values.dtype), factor.basis, G)
    return norm2(null_part)


def _check_structure(structure: Structure) -> None:
    if not isinstance(structure, Structure):
        raise TypeError(f"structure must be a Structure, such as Diagonal((5,)), got {type(structure).__name__}.")
    if not structure.sufficient:
        raise ValueError(
            f"{structure!r} cannot be learned from E(M): its P_H(M) needs all of M, which a learner does not keep. "
            f"Use it through preconditioner(M), or choose a structure with sufficient=True."
        )


def _check_accumulation(accumulate: str, beta: float) -> None:
    if accumulate not in ACCUMULATIONS:
        raise ValueError(f"accumulate must be one of {', '.join(ACCUMULATIONS)}, got {accumulate!r}.")
    if not 0 < beta <= 1:
        raise ValueError(f"beta must lie in (0, 1], got {beta!r}.")
    if accumulate == "cumulative" and beta != 1:
        raise ValueError(f"beta={beta} has no effect on cumulative sums: use accumulate='weighted' or 'ema'.")
    if accumulate == "ema" and beta == 1:
        raise ValueError("an ema with beta=1 never sees a gradient: choose beta < 1, or accumulate='cumulative'.")
