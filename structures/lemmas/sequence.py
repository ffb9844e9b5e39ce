r"""The quantities of a run of adaptive regularization that the per-step laws speak of.

.. math:: M_0 = \epsilon I, \quad M_t = \beta M_{t-1} + g_t g_t^\top, \quad H_t = P_{\mathcal H}(M_t), \quad
          q_t = g_t^\top H_t^{-1} g_t,

computed from the dense statistics, so that sets whose P_H needs more than E(M) are treated alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from structures.arrays import Array, eye, namespace, tolerance
from structures.base import Structure
from structures.lemmas.instance import Instance
from structures.lemmas.law import precondition
from structures.lemmas.rounding import (
    positive_or_one,
    projected_spectrum,
    projection_error,
    root_error,
    trace_root_error,
)
from structures.roots import eigh

__all__ = ["Steps", "adaptive_error", "growth_and_energy", "second_moment", "steps"]


@dataclass(frozen=True, eq=False)
class Steps:
    """What happened at each step, time first."""

    H: Array  # (T + 1, B, d, d)
    trace: Array  # (T + 1, B) Tr H_t
    trace_error: Array  # (T + 1, B) rounding of Tr H_t
    root_error: Array  # (T + 1, B) rounding of H_t in the operator norm
    q: Array  # (T, B)
    q_error: Array  # (T, B)


@lru_cache(maxsize=2)
def steps(run: Instance) -> Steps:
    """Play the gradients of a run."""
    K, xp = run.structure, namespace(run.gradients)
    g = K.flatten(run.gradients)
    M = run.eps[..., None, None] * eye(K.dim, g)
    statistics = [M]
    for t in range(g.shape[0]):
        M = run.decay * M + g[t, ..., :, None] * g[t, ..., None, :]
        statistics.append(M)
    all_M = xp.stack(statistics, axis=0)
    H = precondition(K, all_M)
    # A set that is not closed may have an indefinite E(M); its P_H is as well conditioned as M itself.
    values = projected_spectrum(K, all_M) if K.sufficient else eigh(all_M)[0]
    delta = projection_error(all_M)
    q = xp.sum(g * xp.linalg.solve(H[1:, ...], g[..., None])[..., 0], axis=-1)
    # A statistic that is off by δ is off by the factor 1 ± δ/λ_min, and so is the inverse of its root.
    least = values[..., 0]
    condition = xp.where(least > 0, delta / positive_or_one(least), xp.full_like(least, float("inf")))
    return Steps(
        H=H,
        trace=xp.linalg.trace(H),
        trace_error=trace_root_error(values, delta),
        root_error=root_error(values, delta),
        q=q,
        q_error=q * (2.0 * condition[1:, ...] + tolerance(q, K.dim)),
    )


def growth_and_energy(played: Steps) -> tuple[Array, Array, Array]:  # three (T, B, 2)
    """Tr H_t - Tr H_{t-1} and q_t, their sums up to t, and the rounding of growth and energy together."""
    xp = namespace(played.q)
    step = played.trace[1:, ...] - played.trace[:-1, ...]
    total = played.trace[1:, ...] - played.trace[:1, ...]
    step_error = played.trace_error[1:, ...] + played.trace_error[:-1, ...] + played.q_error
    total_error = played.trace_error[1:, ...] + played.trace_error[:1, ...] + xp.cumulative_sum(played.q_error, axis=0)
    return (
        xp.stack([step, total], axis=-1),
        xp.stack([played.q, xp.cumulative_sum(played.q, axis=0)], axis=-1),
        xp.stack([step_error, total_error], axis=-1),
    )


def second_moment(K: Structure, Gs: Array) -> Array:  # (T, B, *shape) -> (B, d, d)
    """Σ_t g_t g_tᵀ."""
    g = K.flatten(Gs)
    return namespace(g).sum(g[..., :, None] * g[..., None, :], axis=0)


def adaptive_error(K: Structure, Gs: Array) -> Array:  # (T, B, *shape) -> (B,)
    """Rounding of |||g_{1:T}|||_H: that of the trace of a root."""
    M = second_moment(K, Gs)
    return 2.0 * trace_root_error(projected_spectrum(K, M), 2.0 * projection_error(M))
