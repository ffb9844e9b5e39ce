r"""How much rounding the regret theorems may show: what separates a floating-point run from the exact recursion.

With unit roundoff u, the smallest subnormal ω, d parameters, spectral blocks of size k, w the smallest multiplicity,
:math:`\Delta` the largest Euclidean distance and r the largest Euclidean size of the points,

.. math::
    \beta_t &= \sum_{s \le t} \Bigl[ \underbrace{8 d u \bigl(\kappa_s \|g_s\| + \tfrac{\operatorname{Tr} H_s}{w}
        \tfrac{r}{\eta}\bigr) \Delta}_{\text{the step and its gap}}
      + \underbrace{\|P_0 g_s\| \Delta}_{\text{pseudo-inverse}}
      + \underbrace{d\, e_s \bigl(\tfrac{D^2}{2\eta} + \eta\bigr)}_{H_s \not\succeq H_{s-1}} \Bigr]
      + 8 (d + 4) u \cdot \text{bound}, \\
    e_s &= \min\bigl(\sqrt{\delta_s}, \delta_s/\sqrt\varepsilon\bigr), \qquad
    \delta_s = 4 (k + d/k)\, u\, (\operatorname{Tr} H_s/w)^2, \qquad
    \kappa_s = \min\bigl((2ku)^{-1/2}, \tfrac{\operatorname{Tr} H_s}{w \sqrt\varepsilon}\bigr).

Where coordinates are eigenvalues (`Commutative`), sums of squares grow in floating point too, so that the last bracket is
:math:`8u \operatorname{Tr} H_s (D^2/2\eta + \eta)`. Against a fixed comparator the moving norms are measured, and the last
bracket is not larger than what they exceed their bound by.

Source: derived here, docs/proofs/regret.md#rounding.
"""

from __future__ import annotations

import numpy as np

from problems.domains.facts import smallest_multiplicity
from regret.rounding import discounted_cumsum
from regret.theorems.constants import damping_trace, distance, feasibility_tolerance, rates, structure_of, unit_roundoff
from regret.trace import Trace
from structures.base import Structure
from structures.combine import Conjugated
from structures.commutative import Commutative

__all__ = ["euclidean_distance", "euclidean_size", "norm_rounding", "rounding_budget", "step_rounding"]


def rounding_budget(run: Trace, bound: np.ndarray) -> np.ndarray:  # (T, B)
    """The budget of a bound by D² Tr H/(2η) + η Tr H, discounted like the run's own regret when its learner forgets."""
    per_step = step_rounding(run)
    discount = run.beta**0.5
    order = discounted_cumsum(_order(run), discount)
    measured = _excess(run)
    if measured is not None:
        order = np.minimum(order, measured)
    floor = 8.0 * (structure_of(run).dim + 4) * unit_roundoff(run) * np.abs(bound)
    return discounted_cumsum(per_step, discount) + order + floor


def step_rounding(run: Trace) -> np.ndarray:  # (T, B)
    """By how much one step, as computed, may miss the inequality of an exact step with the gap that it reports."""
    K, u, eta = structure_of(run), unit_roundoff(run), rates(run)
    size = _largest_root(run)
    if isinstance(K, Commutative) and not K.mixing:
        condition = np.ones_like(size)
    else:
        condition = np.full_like(size, (2.0 * K.spectrum_size * u) ** -0.5)
        if run.eps > 0:
            condition = np.minimum(condition, size / run.eps**0.5)
    gradients, reach = run.scalars["gradient_norm"], euclidean_distance(run)
    rounding = 8.0 * K.dim * u * (condition * gradients + size * np.maximum(euclidean_size(run), reach) / eta) * reach
    rounding = rounding + run.scalars.get("dropped", 0.0) * reach
    if run.comparator_infeasibility is not None:
        outside = np.minimum(run.comparator_infeasibility, feasibility_tolerance(run))
        # H(x - y)/η is of the size of the gradient, plus H times the length of the step
        rounding = rounding + outside * (gradients + size * reach / eta)
    return rounding


def _largest_root(run: Trace) -> np.ndarray:  # (T, B)
    """An upper bound of ‖H_t‖: the trace over the smallest multiplicity."""
    return run.trace_root / smallest_multiplicity(structure_of(run))


def _order(run: Trace) -> np.ndarray:  # (T, B)
    """What one step costs because H_t ⪰ H_{t-1} and the growth of Tr H hold up to rounding only."""
    K, u, eta = structure_of(run), unit_roundoff(run), rates(run)
    weight = np.square(distance(run)) / (2.0 * eta) + eta / (1.0 - run.beta if run.accumulate == "ema" else 1.0)
    lost = _underflow(run)
    if isinstance(K, Commutative):
        return (8.0 * u * run.trace_root + K.dim * np.sqrt(lost)) * weight
    delta = 4.0 * _sum_lengths(K) * u * _largest_root(run) ** 2 + lost
    error = np.sqrt(delta)
    if run.eps > 0:
        error = np.minimum(error, delta / run.eps**0.5)
    return K.dim * error * weight


def _sum_lengths(K: Structure) -> float:
    """k + d/k: the backward error of a factorisation and of inner products, in units of u; a rotation adds sums of d terms."""
    rotation = K.dim if isinstance(K, Conjugated) else 0
    return K.spectrum_size + K.dim / K.spectrum_size + rotation


def _underflow(run: Trace) -> np.ndarray:  # (T, 1)
    """What squares of tiny numbers may have lost of an eigenvalue of E(M_t): half a subnormal for each product."""
    smallest = np.finfo(np.float64 if unit_roundoff(run) < 1e-12 else np.float32).smallest_subnormal
    return np.arange(1.0, run.horizon + 1.0)[:, None] * structure_of(run).dim * float(smallest)


def _excess(run: Trace) -> np.ndarray | None:  # (T, B)
    """How far the measured moving norms and q-sum are above their bound; None where they are not measured."""
    if run.energy_before is None or run.energy_after is None or run.accumulate != "cumulative":
        return None
    eta = rates(run)
    moving = np.cumsum(run.energy_before - run.energy_after, axis=0) / (2.0 * eta) + 0.5 * eta * run.q_sum
    bound = np.square(distance(run)) / (2.0 * eta) * run.trace_root + eta * (run.trace_root - damping_trace(run))
    return np.maximum(moving - bound, 0.0)


def euclidean_distance(run: Trace) -> np.ndarray:  # (T, B) or (1, 1)
    """The largest ‖x_s - u‖₂ over s ≤ t + 1."""
    if run.distances is None:
        domain, shape = run.domain, run.learner.shape
        return np.full((1, 1), domain.euclidean_diameter(shape) if domain is not None else np.inf)
    own = run.distances["euclidean"]
    axes = tuple(range(1, run.last_iterate.ndim))
    last = np.sqrt(np.sum(np.square(run.last_iterate - np.asarray(run.comparator)), axis=axes))
    return np.maximum.accumulate(np.concatenate([own[1:], last[None]]), axis=0)


def euclidean_size(run: Trace) -> np.ndarray:  # (T, B) or (1, 1)
    """The largest ‖x_s‖₂ over s ≤ t + 1."""
    if run.domain is not None:
        return np.full((1, 1), run.domain.euclidean_radius(run.learner.shape))
    axes = tuple(range(1, run.last_iterate.ndim))
    return euclidean_distance(run) + np.sqrt(np.sum(np.square(np.asarray(run.comparator)), axis=axes))


def norm_rounding(run: Trace) -> np.ndarray | float:  # (T, B) or a number
    """By how much |||g_{1:t}|||_H, summed beside the learner's own statistic, may be too small."""
    K, u = structure_of(run), unit_roundoff(run)
    if isinstance(K, Commutative) or run.adaptive_norm is None:
        return 0.0  # relative rounding, which the budget of a bound covers
    return K.dim * (4.0 * _sum_lengths(K) * u) ** 0.5 * run.adaptive_norm / smallest_multiplicity(K)
