r"""Is a trace the record of a game? Its sums are added up again; with ``keep_history`` every step is taken once more.

.. math:: \text{step}(x_t, M_{t-1}, g_t) \stackrel{?}{=} x_{t+1}, \qquad
          \sum_{s \le t} \langle g_s, x_s - u\rangle \stackrel{?}{\in} [\text{regret\_lower}_t, \text{regret}_t] .

A step is repeated from the recorded iterate, so that rounding does not pile up; another machine may round it differently, by
at most the square root of the unit roundoff relative to its size, where an eigenvalue vanishes.

Source: derived here, docs/proofs/regret.md#what-is-checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from math import prod

import numpy as np

from regret.rounding import discounted_cumsum
from regret.theorems.budget import euclidean_distance
from regret.theorems.constants import feasibility_tolerance, unit_roundoff
from regret.trace import Trace
from structures.arrays import to_numpy
from theory.theorem import Check

__all__ = ["faithful_check"]

SLACK = 1e-9  # relative room for a sum that was added up in another order


def faithful_check(run: Trace) -> Check:
    """Whether the numbers of a trace agree with each other, and with its iterates and gradients when it has them."""
    if run.regret.ndim != 2 or run.regret.size == 0:
        return Check(False, -1.0, f"the regret has shape {run.regret.shape}, not (T, B)")
    broken = next((reason for reason in _contradictions(run)), None)
    if broken is not None:
        return Check(False, -1.0, broken)
    if run.iterates is None or run.gradients is None:
        return Check(True, math.inf, "its sums agree (no history was kept, so steps were not repeated)")
    return _replayed(run)


def _contradictions(run: Trace) -> Iterator[str]:
    """What the numbers say against each other."""
    if np.any(run.regret_lower > run.regret):
        yield "regret_lower is above regret"
    for name, series in (("q", run.q_sum), ("gap", run.gap_sum)):
        if not _close(np.cumsum(run.scalars[name], axis=0), series, np.cumsum(np.abs(run.scalars[name]), axis=0)):
            yield f"{name}_sum is not the sum of {name}"
    if not _close(run.scalars["trace_root"], run.trace_root, run.trace_root):
        yield "trace_root is not the learner's"
    if run.comparator is not None:
        inner = run.scalars["inner"]
        if not _bracketed(run, np.cumsum(inner, axis=0), np.cumsum(np.abs(inner), axis=0)):
            yield "the regret is not the sum of the inner products <g, x - u>"
        if run.discounted_regret is not None and not _discounted(
            run, run.discounted("inner"), np.cumsum(np.abs(inner), axis=0)
        ):
            yield "the discounted regret is not the sum of the discounted inner products"
    if run.distance is not None and np.any(np.diff(run.distance, axis=0) < 0):
        yield "the running maximum of the distances decreases"


def _replayed(run: Trace) -> Check:
    """Repeat every step, compare what it reports, and add the regret up from iterates and gradients."""
    iterates, gradients = run.iterates, run.gradients
    assert iterates is not None and gradients is not None
    if not (np.all(np.isfinite(iterates)) and np.all(np.isfinite(gradients))):
        return Check(False, -1.0, "an iterate or a gradient of the history is not finite")
    allowed, worst = 8.0 * unit_roundoff(run) ** 0.5, 0.0
    for name, off in _steps_again(run, iterates, gradients):
        if not off <= allowed:
            return Check(False, allowed - off, f"{name} is {off:.3g} (relative) away from the recorded one")
        worst = max(worst, off)
    x, g = iterates[:-1].astype(np.float64), gradients.astype(np.float64)
    regret, size = _regret_of_history(run, x, g)
    if not _bracketed(run, regret, size):
        return Check(False, -1.0, "the regret is not that of the recorded iterates and gradients")
    if run.discounted_regret is not None and not _discounted(run, _discounted_of_history(run, x, g), size):
        return Check(False, -1.0, "the discounted regret is not that of the recorded iterates and gradients")
    if run.width_sum is not None and not _as_wide(run, gradients):
        return Check(False, -1.0, "the trivial bound is not the domain's width along the recorded gradients")
    if run.distances is not None and not _far_apart(run, x):
        return Check(False, -1.0, "the distances are not those of the recorded iterates")
    if run.domain is not None and not _as_far_outside(run, iterates):
        return Check(False, -1.0, "an iterate, or the comparator, is farther outside of the domain than recorded")
    return Check(True, allowed - worst, f"every step was repeated, to a relative {worst:.2g}; the sums agree")


def _steps_again(run: Trace, iterates: np.ndarray, gradients: np.ndarray) -> Iterator[tuple[str, float]]:
    """What each step leads to and reports, beside the record: the largest relative difference over the batch."""
    learner, d = run.learner, prod(run.learner.shape)
    state = learner.init(iterates[0])
    reach = euclidean_distance(run)
    for t in range(run.horizon):
        state, metric = learner.advance({**state, "x": iterates[t]}, gradients[t])
        yield "a step of the learner", _apart(to_numpy(state["x"]), iterates[t + 1], _sizes(iterates[t]))
        size, far = d * run.trace_root[t], reach[min(t, len(reach) - 1)]
        rates_ = np.asarray(run.lr) if np.all(np.isfinite(run.lr)) else 1.0
        for name, scale in (
            ("trace_root", size),
            ("q", size),
            ("gap", size * far * (far + _sizes(state["x"]) + rates_)),
        ):
            if name in run.scalars:
                yield f"{name} of a step", _apart(to_numpy(state[name]), run.scalars[name][t], scale)
        if run.energy_before is not None and run.energy_after is not None:
            for series, x in ((run.energy_before, iterates[t]), (run.energy_after, iterates[t + 1])):
                found = to_numpy(metric.energy(x - np.asarray(run.comparator)))
                yield "the energy of a step", _apart(found, series[t], size * far**2)


def _sizes(x: np.ndarray) -> np.ndarray:  # (B, *shape) -> (B,)
    return np.max(np.abs(to_numpy(x)).reshape(len(x), -1), axis=1)


def _apart(found: np.ndarray, recorded: np.ndarray, scale: np.ndarray) -> float:  # (B, ...) twice, (B,)
    """The largest difference over the batch, each relative to the size of its own element."""
    size = np.maximum(scale, np.maximum(_sizes(found), _sizes(recorded))) + np.finfo(np.float64).tiny
    return float(np.max(_sizes(found - recorded) / size))


def _as_far_outside(run: Trace, iterates: np.ndarray) -> bool:
    """Whether no point is farther from the domain than the record says, up to rounding."""
    assert run.domain is not None
    room = feasibility_tolerance(run)
    found = np.max(to_numpy(run.domain.infeasibility(iterates)), axis=0)
    if not np.all(found <= run.infeasibility + room):
        return False
    if run.comparator is None:
        return True
    return bool(
        np.all(to_numpy(run.domain.infeasibility(run.comparator)) <= np.asarray(run.comparator_infeasibility) + room)
    )


def _regret_of_history(run: Trace, x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # (T, B) twice
    """The linear regret of the history, and the size of the terms in it."""
    axes = tuple(range(2, x.ndim))
    won = np.cumsum(np.sum(g * x, axis=axes), axis=0)
    total = np.cumsum(g, axis=0)
    if run.comparator is not None:
        best = -np.sum(total * run.comparator, axis=axes)
    elif run.domain is not None:
        best = to_numpy(run.domain.support(-total))
    else:
        best = np.zeros_like(won)
    lengths = np.sqrt(np.sum(g * g, axis=axes))
    reach = np.max(np.sqrt(np.sum(x * x, axis=axes)), axis=0)
    if run.comparator is not None:
        reach = reach + np.sqrt(np.sum(np.square(run.comparator), axis=tuple(range(1, x.ndim - 1))))
    elif run.domain is not None:
        reach = reach + run.domain.euclidean_radius(run.learner.shape)
    return won + best, np.cumsum(lengths, axis=0) * reach


def _discounted_of_history(run: Trace, x: np.ndarray, g: np.ndarray) -> np.ndarray:  # (T, B)
    """The discounted linear regret of the history."""
    axes, fade = tuple(range(2, x.ndim)), run.beta**0.5
    won, total = discounted_cumsum(np.sum(g * x, axis=axes), fade), discounted_cumsum(g, fade)
    if run.comparator is not None:
        return won - np.sum(total * run.comparator, axis=axes)
    return won if run.domain is None else won + to_numpy(run.domain.support(-total))


def _discounted(run: Trace, regret: np.ndarray, size: np.ndarray) -> bool:
    """Whether a discounted regret lies in the recorded bracket, up to the order of summation of terms of this size."""
    lower, upper = run.discounted_regret_lower, run.discounted_regret
    if lower is None or upper is None:
        return False
    room = _room(run) * size
    return bool(np.all((regret >= lower - room) & (regret <= upper + room)))


def _far_apart(run: Trace, x: np.ndarray) -> bool:
    """Whether every recorded running maximum is at least the distance of the recorded iterates, in each norm."""
    away = x - np.asarray(run.comparator)
    for name, norm in run.learner.norms().items():
        found = np.maximum.accumulate(to_numpy(norm(away)), axis=0)
        if not _close(found, (run.distances or {})[name], found * (_room(run) / SLACK)):
            return False
    main = next(iter(run.learner.norms()))
    return _close((run.distances or {})[main], np.asarray(run.distance), np.asarray(run.distance))


def _as_wide(run: Trace, gradients: np.ndarray) -> bool:
    """Whether the trivial bound, beside which a bound is called vacuous, is that of the gradients over the domain."""
    if run.domain is None:
        return False
    found = np.cumsum(to_numpy(run.domain.width(gradients)).astype(np.float64), axis=0)
    return _close(found, np.asarray(run.width_sum), found * (_room(run) / SLACK))


def _room(run: Trace) -> float:
    """Relative room for sums in another order, in the precision of the game."""
    return SLACK if unit_roundoff(run) < 1e-12 else 1e-4


def _bracketed(run: Trace, regret: np.ndarray, size: np.ndarray) -> bool:
    room = _room(run) * size
    return bool(np.all((regret >= run.regret_lower - room) & (regret <= run.regret + room)))


def _close(a: np.ndarray, b: np.ndarray, size: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= SLACK * size))
