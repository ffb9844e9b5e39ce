r"""What a root is still worth after the statistic has decayed and grown.

.. math::
    P = L_0^{-1/4}, \quad L_k = b_k L_0 + S_k, \; S_k \succeq 0, \; s_k = \|P^2S_kP^2\|_2/b_k \implies
    (1 + s_k)^{-1/4}\, b_k^{-1/4} P \preceq L_k^{-1/4} \preceq b_k^{-1/4} P ,

with :math:`b_k = \prod_{j\le k}\beta_{2,j}` and :math:`S_k` what came in since. It tells in advance how long a root lasts: if
every :math:`\|P^2C_jP^2\|_2 \le h`, then :math:`s_k \le h(\beta_2^{-k} - 1)`. :math:`S_k \succeq 0` is needed, and a statistic
that is divided by :math:`1 - \beta_2^t` or by its trace does not have it with :math:`b_k`.

Source: derived here (docs/proofs/jorge.md#staleness).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import floor, inf, log, log1p
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis
from optimizers.theorems.loewner_certificate import of_full_rank, relative_spectrum
from structures.roots import inverse_root
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["StaleRoot", "Staleness", "refresh_interval"]


@dataclass(frozen=True, eq=False)
class StaleRoot:
    """A statistic and what became of it; `kept` is b_k, the share of the first that is left."""

    L0: np.ndarray = field(repr=False)  # (n, n)
    L: np.ndarray = field(repr=False)  # (K, n, n)
    kept: np.ndarray  # (K,) in (0, 1]

    @property
    def P(self) -> np.ndarray:  # (n, n)
        """L_0^{-1/4}."""
        return inverse_root(self.L0, 4)

    @property
    def arrived(self) -> np.ndarray:  # (K, n)
        """The eigenvalues of P²S_kP²/b_k, ascending."""
        square = self.P @ self.P
        S = self.L / self.kept[:, None, None] - self.L0
        return np.linalg.eigvalsh(_symmetric(square @ S @ square))

    @property
    def rounding(self) -> np.ndarray:  # (K,)
        """What `arrived` and the reference roots may be wrong by: cond(L_0) and cond(L_k) roundings."""
        n, cond = len(self.L0), np.maximum(np.linalg.cond(self.L0), np.linalg.cond(self.L))
        return 8.0 * n * float(np.finfo(float).eps) * cond * (1.0 + np.max(np.abs(self.arrived), axis=-1))


def refresh_interval(beta2: float, inflow: float, tolerance: float) -> float:
    """The number of steps for which a root stays within a factor 1 + tolerance of the true one, once b^{-k/4} is divided out.

    `inflow` bounds |P²CP²|_2 of every step. Raises ValueError for a β₂ outside (0, 1), a negative inflow or tolerance.
    """
    if not (0.0 < beta2 < 1.0 and inflow >= 0.0 and tolerance >= 0.0):
        raise ValueError(
            f"needs 0 < beta2 < 1 and an inflow and a tolerance of at least 0, got {beta2}, {inflow}, {tolerance}."
        )
    if inflow == 0.0:
        return inf
    allowed = ((1.0 + tolerance) ** 4 - 1.0) / inflow
    return float(floor(log1p(allowed) / -log(beta2)))


def _definite(run: StaleRoot) -> Check:
    if not (np.all(np.isfinite(run.L0)) and np.all(np.isfinite(run.L))):
        return Check(False, np.nan, "the statistics are not finite")
    symmetric = bool(np.all(run.L0 == run.L0.T)) and bool(np.all(np.swapaxes(run.L, -1, -2) == run.L))
    least = min(float(np.linalg.eigvalsh(run.L0)[0]), float(np.min(np.linalg.eigvalsh(run.L))))
    return Check(symmetric and least > 0, least, "least eigenvalue of the statistics")


DEFINITE = Assumption("definite", r"L_0, L_k \succ 0", _definite)


def _grown(run: StaleRoot) -> Check:
    """Within rounding ρ the budget covers what S may lack: it takes the upper end up by -log(1 - 2ρ)/4 ≤ ρ, for ρ ≤ 1/4.

    Beyond that nothing is decided: no eigenvalue of P²SP²/b can be below -1, and any fall would pass.
    """
    if not np.all((run.kept > 0) & (run.kept <= 1)):
        return Check(False, -1.0, "b is not in (0, 1] throughout")
    if not _definite(run).ok:
        return Check(None, np.nan, "the statistics are not positive definite")
    least, rounding = run.arrived[:, 0], run.rounding
    fallen, decided = np.any(least < -rounding), np.all((rounding <= 0.25) | (least >= rounding))
    words = f"least eigenvalue of P²SP²/b, whose rounding error is at most {float(np.max(rounding)):.2g}"
    return Check(False if fallen else True if decided else None, float(np.min(least + rounding)), words)


GROWN = Assumption("grown", r"S_k = L_k - b_kL_0 \succeq 0, \; 0 < b_k \le 1", _grown)


def _full_rank(run: StaleRoot) -> Check:
    return of_full_rank(run.L0, run.L) if _definite(run).ok else Check(None, np.nan, "the statistics are not definite")


FULL_RANK = Assumption("full-rank", r"L_0, L_k \succ n\,\mathrm{eps}\,\|L\| I", _full_rank)


class Staleness(Theorem):
    id = "root-staleness"
    title = "What a stale root is still worth"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/jorge.md#staleness", "derived")
    statement = (
        r"(1 + s_k)^{-1/4}\, b_k^{-1/4} P \preceq L_k^{-1/4} \preceq b_k^{-1/4} P, \quad "
        r"P = L_0^{-1/4}, \; S_k = L_k - b_kL_0 \succeq 0, \; s_k = \|P^2S_kP^2\|_2/b_k"
    )
    proof = "docs/proofs/jorge.md"
    subject = "logarithms of the eigenvalues of b^{1/4}P⁻¹L_k^{-1/4}, from the middle of their bracket"
    assumptions: ClassVar = (DEFINITE, GROWN, FULL_RANK)
    axes = ("age", "eigenvalue")

    def measured(self, run: StaleRoot) -> np.ndarray:  # (K, n)
        P = np.broadcast_to(run.P, run.L.shape)
        with np.errstate(divide="ignore", invalid="ignore"):  # no logarithm, no decision
            logs = np.log(relative_spectrum(inverse_root(run.L, 4), P)) + 0.25 * np.log(run.kept)[:, None]
        return np.abs(logs + _half(run)[:, None])

    def bound(self, run: StaleRoot) -> np.ndarray:  # (K, n)
        return np.repeat(_half(run)[:, None], len(run.L0), axis=1)

    def budget(self, run: StaleRoot) -> np.ndarray:  # (K, 1)
        return run.rounding[:, None]

    def examples(self) -> Iterator[Example]:
        yield Example("an average of full gradients, cond 1e3", lambda: aged(0, 1e3, 30, 0.9), near_tight=True)
        yield Example("a sum", lambda: aged(1, 1e3, 30, 1.0))
        yield Example("a new basis that is a hundred times larger", lambda: aged(2, 1e4, 20, 0.8, scale=100.0))
        yield Example("with a ridge in proportion to the trace", lambda: ridged(aged(3, 1e3, 20, 0.9)))

    def controls(self) -> Iterator[Example]:
        for name, make in (
            ("divided by 1 - b^t", lambda: debiased(0.9, 3)),
            ("divided by its trace", lambda: normalised(aged(4, 1e3, 20, 0.9))),
            ("a ridge that is turned down", lambda: ridged(aged(5, 1e3, 20, 0.9), later=0.0)),
        ):
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks="grown")
            yield Example(f"{name}, applied anyway", make, expect=("VIOLATED",), breaks="grown", ignoring=("grown",))


def _half(run: StaleRoot) -> np.ndarray:  # (K,)
    """Half the width of the bracket, which is [-log(1 + s)/4, 0]."""
    return 0.125 * np.log1p(np.maximum(run.arrived[:, -1], 0.0))


def aged(seed: int, cond: float, K: int, beta2: float, scale: float = 1.0, n: int = 5) -> StaleRoot:
    """An exponential average (β₂ < 1) or a sum (β₂ = 1) that gradients of full rank, in another basis, went into."""
    rng = np.random.default_rng(seed)
    values = np.logspace(0.0, -np.log10(cond), n)
    V, U = basis(n, seed), basis(n, seed + 100)
    L0 = _symmetric((V * values) @ V.T)
    L, kept = [], []
    for k in range(1, K + 1):
        G = np.sqrt(scale) * (U * np.sqrt(values)) @ rng.standard_normal((n, 2 * n)) / np.sqrt(2 * n)
        L.append(_symmetric(beta2 * (L[-1] if L else L0) + (1.0 - beta2 if beta2 < 1.0 else 1.0) * G @ G.T))
        kept.append(beta2**k)
    return StaleRoot(L0, np.stack(L), np.array(kept))


def ridged(run: StaleRoot, ridge: float = 0.01, later: float = 0.01) -> StaleRoot:
    """Each statistic with its own ridge: a share of its mean eigenvalue."""
    n = len(run.L0)
    mean = np.trace(run.L, axis1=-2, axis2=-1)[:, None, None] / n
    return StaleRoot(run.L0 + ridge * np.trace(run.L0) / n * np.eye(n), run.L + later * mean * np.eye(n), run.kept)


def normalised(run: StaleRoot) -> StaleRoot:
    """Every statistic divided by its trace, with the unchanged shares."""
    return StaleRoot(run.L0 / np.trace(run.L0), run.L / np.trace(run.L, axis1=-2, axis2=-1)[:, None, None], run.kept)


def debiased(beta2: float, start: int) -> StaleRoot:
    """Bias correction of an average that is `start` steps old: the true share is b^k (1 - b^start)/(1 - b^(start + k))."""
    run = aged(6, 1e3, 20, beta2, scale=0.05)
    steps = start + np.arange(1.0, 21.0)
    return StaleRoot(run.L0 / (1.0 - beta2**start), run.L / (1.0 - beta2**steps)[:, None, None], run.kept)


def _symmetric(A: np.ndarray) -> np.ndarray:
    return 0.5 * (A + np.swapaxes(A, -1, -2))
