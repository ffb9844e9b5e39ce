r"""Whether draws are what a problem says of them: listed outcomes with their probabilities, noise that nothing before predicts.

.. math::
    \Bigl|\sum_k \zeta_k\Bigr| \le 8 \sqrt V + 32 \max_k |\zeta_k|, \qquad
    V \ge \sum_k \operatorname{Var}(\zeta_k \mid \text{before}),

for martingale differences :math:`\zeta_k`: counts of outcomes less their probabilities, agreements of an outcome with those
before it less their chance, noise times what was known before it. Bounded differences exceed it with a probability below 1e-13
(Freedman's inequality). V comes from all outcomes, or from the declared covariance, never from what was seen: a rare, large
outcome that was not drawn would be missing from it. (The largest that was seen then stands for the bound: without the rare
outcomes the sum is off by what they would have added, and that is below :math:`8 \sqrt V` unless 64 of them are missing.)

Source: derived here; Freedman 1975.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from problems.operators import SymmetricOperator
from problems.smooth.base import Outcomes

__all__ = ["above_rounding", "copies", "departure", "dependence", "excess", "known_variance", "repetition", "which"]

NUMBERS = 50_000_000  # of counts that `repetition` may look at


def excess(terms: np.ndarray, variance: np.ndarray | float) -> float:  # (..., n), (...) -> the worst
    """|Σ ζ| over what honest noise keeps within; 0 where all terms are 0."""
    largest = np.max(np.abs(terms), axis=-1, initial=0.0)
    unit = np.maximum(largest, np.sqrt(variance))
    unit = np.where(unit > 0, unit, 1.0)
    allowed = 8.0 * np.sqrt(variance) / unit + 32.0 * largest / unit
    found = np.abs(np.sum(terms / unit[..., None], axis=-1))
    return float(np.max(np.where(largest > 0, found / np.where(allowed > 0, allowed, 1.0), 0.0), initial=0.0))


def which(draws: np.ndarray, outcomes: Outcomes) -> np.ndarray | None:  # (T, B, ...) -> (T, B)
    """The number of each draw's outcome, equal outcomes counted as one; None when a draw is not listed."""
    lead = draws.shape[:2]
    width = int(np.prod(draws.shape[2:]))
    if width == 0:
        return np.zeros(lead, dtype=np.int64)
    numbers = _numbers(outcomes)
    rows = np.ascontiguousarray(np.asarray(draws, dtype=np.float64).reshape(-1, width)) + 0.0
    found = [numbers.get(row.tobytes(), -1) for row in rows]
    return None if -1 in found else np.array(found, dtype=np.int64).reshape(lead)


def _numbers(outcomes: Outcomes) -> dict[bytes, int]:
    """Each outcome's bytes -> the first row that holds it."""
    listed = np.ascontiguousarray(np.asarray(outcomes.draws, dtype=np.float64).reshape(len(outcomes.draws), -1)) + 0.0
    numbers: dict[bytes, int] = {}
    for k, row in enumerate(listed):
        numbers.setdefault(row.tobytes(), k)
    return numbers


def _shares(outcomes: Outcomes) -> np.ndarray:  # (N,)
    """Probabilities, those of equal outcomes put on the first of them."""
    listed = np.ascontiguousarray(np.asarray(outcomes.draws, dtype=np.float64).reshape(len(outcomes.draws), -1)) + 0.0
    numbers, p = _numbers(outcomes), np.zeros(len(listed))
    for row, share in zip(listed, outcomes.probabilities, strict=True):
        p[numbers.get(row.tobytes(), 0) if listed.shape[1] else 0] += share
    return p


def departure(draws: np.ndarray, outcomes: Outcomes) -> str:  # (T, B, ...)
    """How the draws are not independent ones of the listed outcomes, in words; empty when they look so."""
    seen, p = which(draws, outcomes), _shares(outcomes)
    if seen is None:
        return "a draw is none of the listed outcomes"
    n = seen.size
    counts = np.bincount(seen.reshape(-1), minlength=len(p))
    off = np.abs(counts - n * p) / (8.0 * np.sqrt(n * p * (1.0 - p)) + 32.0)
    worst = int(np.argmax(off))
    if off[worst] > 1.0:
        return f"an outcome of probability {p[worst]:.4g} was drawn {counts[worst]} times of {n}"
    if repetition(seen, p) > 1.0:
        return "draws repeat what came before, or what is beside them"
    return copies(seen[..., None], float(np.sum(p**2)))


def copies(draws: np.ndarray, chance: float | None = None) -> str:  # (T, B, ...)
    """Whether runs share all of their draws, in words; `chance` is that of two draws being equal, None to read it off the steps.

    Pairs of equal runs have the mean C(B, 2) chance^T, and are k times of it with probability at most 1/k (Markov).
    """
    T, B = draws.shape[:2]
    width = int(np.prod(draws.shape[2:]))
    rows = np.ascontiguousarray(np.moveaxis(draws, 0, 1).reshape(B, T * width)) + 0.0
    _, counts = np.unique([row.tobytes() for row in rows], return_counts=True)
    found = float(np.sum(counts * (counts - 1.0) / 2.0))
    if chance is None:
        same = np.all((draws[1:] == draws[:-1]).reshape(T - 1, B, width), axis=-1)
        chance = min(1.0, (2.0 * float(np.sum(same)) + 64.0) / max(same.size, 1))
    expected = B * (B - 1.0) / 2.0 * chance**T
    return f"{found:.0f} pairs of runs share all of their draws" if expected < 1e-13 * found else ""


def _lags(count: int) -> list[int]:
    """1, 2, 4, ... and half of the runs: distances at which runs are compared with each other."""
    return sorted({lag for lag in (*(2**k for k in range(count.bit_length())), count // 2) if 0 < lag < count})


def repetition(seen: np.ndarray, p: np.ndarray) -> float:  # (T, B), (N,)
    """`excess` of a draw's agreement with the last one, with the runs beside it, and with all before it."""
    pairs = [(seen[1:], seen[:-1]), *((seen[:, k:], seen[:, :-k]) for k in _lags(seen.shape[1]))]
    worst = max(excess((a == b).reshape(-1) - p[b].reshape(-1), float(np.sum(p[b] * (1 - p[b])))) for a, b in pairs)
    T, B = seen.shape
    if T * B * len(p) > NUMBERS:
        return worst
    counts, element = np.zeros((B, len(p))), np.arange(B)
    terms, variance = np.zeros((T, B)), 0.0
    for t in range(T):
        share = counts / max(t, 1)
        mean = share @ p
        terms[t] = share[element, seen[t]] - mean
        variance += float(np.sum(share**2 @ p - mean**2))
        counts[element, seen[t]] += 1.0
    return max(worst, excess(terms.reshape(-1), max(variance, 0.0)))


def above_rounding(noise: np.ndarray, gradients: np.ndarray, floor: float = 0.0) -> np.ndarray:  # any shapes
    """The noise, 0 where it is no larger than the rounding of a gradient; of terms that cancel in it: `floor`."""
    size = float(np.max(np.abs(gradients), initial=0.0))
    return np.where(np.abs(noise) > max(1e-12 * size, floor), noise, 0.0)


def known_variance(covariance: SymmetricOperator) -> Callable[[np.ndarray], float]:
    """w -> Σ_k <w_k, Σ w_k>, for w (..., *shape): a bound of the variance of Σ <w_k, ξ_k>."""
    return lambda w: float(np.sum(covariance.quadratic(w.reshape(-1, *covariance.shape))))


def dependence(noise: np.ndarray, variance: Callable[[np.ndarray], float]) -> float:  # (T, B, n)
    """The largest `excess` of noise against the step before, all steps before, and the runs beside it."""
    return max((excess(np.sum(now * w, axis=-1).reshape(-1), variance(w)) for now, w in _known(noise)), default=0.0)


def _known(noise: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The noise, and what was known before it."""
    if len(noise) > 1:
        yield noise[1:], noise[:-1]
        yield noise[1:], np.cumsum(noise, axis=0)[:-1]
    for k in _lags(noise.shape[1]):
        yield noise[:, k:], noise[:, :-k]
