r"""AGD as it is printed, in NumPy, with a learning rate and a β₁ for each step: the twin of ``optimizers.AGD``.

.. math::
    m_t &= \beta_{1,t} m_{t-1} + (1 - \beta_{1,t}) g_t, \qquad
    s_t = \hat m_t - \hat m_{t-1}, \quad \hat m_t = \frac{m_t}{1 - \prod_{s \le t} \beta_{1,s}}, \quad \hat m_0 = 0, \\
    v_t &= \beta_2 v_{t-1} + (1 - \beta_2) s_t^2, \qquad v_t^{\max} = \max(v_{t-1}^{\max}, v_t), \qquad
    D_t = \max(\sqrt{v_t}, \delta\sqrt{1 - \beta_2^t}), \\
    x_{t+1} &= \Pi\Bigl(x_t - \alpha_t \frac{\sqrt{1 - \beta_2^t}}{1 - \prod_{s \le t} \beta_{1,s}}
        \operatorname{clip}\frac{m_t}{D_t}\Bigr).

Source: Yue et al. 2023 (AGD), Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

__all__ = ["Recursion", "Step", "steps"]


@dataclass(frozen=True)
class Recursion:
    """What the rule is. `lr` and `beta1` are numbers, or functions of t = 1, 2, ...; `project` maps onto the domain.

    `corrected` False leaves out what follows the ratio m/D, the factor √(1 - β₂^t) / (1 - Πβ₁): with it δ's floor vanishes
    in the first steps, which no theorem survives.
    """

    lr: float | Callable[[int], float] = 1e-3
    beta1: float | Callable[[int], float] = 0.9
    beta2: float = 0.999
    delta: float = 1e-5
    weight_decay: float = 0.0
    decay: str = "decoupled"
    amsgrad: bool = False
    clip: float | str | None = None
    debias: bool = True  # of m: the theorems' recursion takes m itself
    corrected: bool = True
    project: Callable[[Array], Array] | None = None

    def rate(self, t: int) -> float:
        """α_t."""
        return self.lr(t) if callable(self.lr) else self.lr

    def momentum(self, t: int) -> float:
        """β_{1,t}."""
        return self.beta1(t) if callable(self.beta1) else self.beta1


@dataclass(frozen=True)
class Step:
    """Everything of step t, each of the parameter's shape, in float64."""

    t: int
    x: Array  # before the step
    g: Array
    m: Array
    s: Array
    v: Array  # as the denominator takes it: the largest so far with AMSGrad
    D: Array
    moved: Array  # what the step subtracts before the projection, weight decay apart
    after: Array


def steps(rule: Recursion, x0: Array, gradient: Callable[[int, Array], Array], horizon: int) -> Iterator[Step]:
    """The steps 1..horizon from x0; ``gradient(t, x)`` is g_t."""
    x = np.array(x0, dtype=np.float64)
    m, before, v, peak = (np.zeros_like(x) for _ in range(4))
    product = 1.0
    for t in range(1, horizon + 1):
        g = np.asarray(gradient(t, x), dtype=np.float64)
        if rule.decay == "coupled":
            g = g + rule.weight_decay * x
        beta1 = rule.momentum(t)
        product *= beta1
        m = beta1 * m + (1.0 - beta1) * g
        mhat = m / (1.0 - product)
        s = mhat - before
        v = rule.beta2 * v + (1.0 - rule.beta2) * s**2
        peak = np.maximum(peak, v)
        chosen = peak if rule.amsgrad else v
        root = np.sqrt(1.0 - rule.beta2**t)
        D = np.maximum(np.sqrt(chosen), rule.delta * root)
        u = _clipped(rule, m / D, root / (1.0 - product), beta1)
        factor = (root if rule.corrected else 1.0) / (1.0 - product if rule.debias else 1.0)
        moved = rule.rate(t) * factor * u
        kept = {"decoupled": 1.0 - rule.rate(t) * rule.weight_decay, "fixed": 1.0 - rule.weight_decay, "coupled": 1.0}
        after = kept[rule.decay] * x - moved
        if rule.project is not None:
            after = rule.project(after)
        yield Step(t, x, g, m, s, chosen, D, moved, after)
        x, before = after, mhat


def _clipped(rule: Recursion, u: Array, factor: float, beta1: float) -> Array:
    """The ratio m/D with the published clip, or with the one of `factor` times it."""
    if rule.clip is None:
        return u
    bound = 1.0 / ((1.0 - beta1) * factor) if rule.clip == "auto" else float(rule.clip)
    return np.clip(u, -bound, bound)
