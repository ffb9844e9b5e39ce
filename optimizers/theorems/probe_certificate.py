r"""What a few random columns certify about a residual: with a chance of 1 - δ, its norm is at most the probe's estimate.

.. math::
    P\Bigl( \|R\|_2 \le \Bigl(\frac{\|R^qV\|_F}{\sqrt{\chi^2_{k,\delta}}}\Bigr)^{1/q} \Bigr) \ge 1 - \delta ,

for a symmetric R and k independent standard Gaussian columns V that R does not depend on; :math:`\chi^2_{k,\delta}` is the
δ-quantile, :math:`-2\log(1 - \delta)` for k = 2. Equality holds when R has rank one and q = 1. The estimate is at most
:math:`(\|V\|_F/\sqrt{\chi^2_{k,\delta}})^{1/q}` times too large. The relative probe :math:`\|RV\|_F/\|V\|_F`, which is at
most :math:`\|R\|_2`, certifies next to nothing in high dimension: :math:`\|R\|_2` may be :math:`\sqrt{(n-1)/\delta}` times
larger at k = 2.

With the certificate of a residual this bounds the error of a root between two refreshes: probe every step with :math:`\delta_t`,
:math:`\sum\delta_t \le \delta`, refresh when the estimate exceeds ρ; then all roots in use are within
:math:`(1-\rho)^{-1/4} - 1` with a chance of 1 - δ, although later roots depend on earlier probes.

Source: derived here (docs/proofs/jorge.md#probes); compare Dixon 1983 (remembered) for the
largest eigenvalue of a positive matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import ClassVar

import numpy as np

from optimizers.roots.certificate import probe_quantile
from optimizers.theorems.fixed_point_cases import basis
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["ProbeCertificate", "ProbeRun", "estimate", "probe_factor", "probes", "relative_probe_factor"]


def probe_factor(columns: int, delta: float) -> float:
    """√χ²_{k,δ}: what |R^q V|_F is divided by. Raises ValueError without a column, or for a δ outside (0, 1)."""
    if columns < 1 or not 0.0 < delta < 1.0:
        raise ValueError(f"needs at least one column and 0 < delta < 1, got {columns} and {delta}.")
    return probe_quantile(columns, delta)


def relative_probe_factor(n: int, columns: int, delta: float) -> float:
    """How many times |RV|_F/|V|_F the norm |R|_2 of an n × n matrix may be, with a chance of 1 - δ. Sharp at rank one."""
    if n < 2:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(0.5 * columns, 0.5 * columns * (n - 1), delta) ** -0.5)


def estimate(
    R: np.ndarray, V: np.ndarray, delta: float, power: int = 1
) -> np.ndarray:  # (..., n, n), (..., n, k) -> (...)
    """The probe's upper estimate of |R|_2."""
    largest = np.max(np.abs(R), axis=(-2, -1), keepdims=True)
    size = np.where(largest > 0.0, largest, 1.0)  # powers and squares of an R of size 1e-163 would vanish
    moved, unit = V, R / size
    for _ in range(power):
        moved = unit @ moved
    return size[..., 0, 0] * (np.linalg.norm(moved, axis=(-2, -1)) / probe_factor(V.shape[-1], delta)) ** (1.0 / power)


@dataclass(frozen=True, eq=False)
class ProbeRun:
    """One residual, probed once for every seed."""

    R: np.ndarray = field(repr=False)  # (n, n)
    V: np.ndarray = field(repr=False)  # (S, n, k)
    seed: int
    delta: float
    power: int = 1


def probes(R: np.ndarray, samples: int, columns: int, delta: float, power: int = 1, seed: int = 0) -> ProbeRun:
    """Independent Gaussian probes, one for every seed, drawn after R."""
    return ProbeRun(R, _gaussian(R, seed, (samples, len(R), columns)), seed, delta, power)


def _gaussian(R: np.ndarray, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Columns from a generator that R's own digits seed: an R that was made for some columns is not met by them."""
    digits = sha256(np.ascontiguousarray(R, dtype=np.float64).tobytes()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digits, dtype=np.uint32).tolist()]).standard_normal(shape)


def _posed(run: ProbeRun) -> Check:
    ok = 0.0 < run.delta < 1.0 and run.power >= 1 and run.V.shape[-1] >= 1
    return Check(ok, 1.0 if ok else -1.0, f"δ = {run.delta}, q = {run.power}, {run.V.shape[-1]} columns")


POSED = Assumption("posed", r"0 < \delta < 1, \; q, k \ge 1", _posed)


def _symmetric(run: ProbeRun) -> Check:
    ok = bool(np.all(run.R == run.R.T))
    return Check(ok, 0.0 if ok else -1.0, f"R is {'' if ok else 'not '}symmetric")


SYMMETRIC = Assumption("symmetric", r"R = R^\top", _symmetric)


def _independent(run: ProbeRun) -> Check:
    ok = bool(np.all(_gaussian(run.R, run.seed, run.V.shape) == run.V))
    return Check(ok, 0.0 if ok else -1.0, f"the columns are {'' if ok else 'not '}those of R's generator {run.seed}")


INDEPENDENT = Assumption("independent", r"V \sim N(0, I), \text{ drawn after } R", _independent)


class ProbeCertificate(Theorem):
    id = "root-probe"
    title = "What a few random columns certify about a residual"
    kind = Kind.HIGH_PROBABILITY
    source = Citation("derived", "docs/proofs/jorge.md#probes", "derived")
    statement = r"P\Bigl( \|R\|_2 \le \bigl(\|R^qV\|_F/\sqrt{\chi^2_{k,\delta}}\bigr)^{1/q} \Bigr) \ge 1 - \delta"
    proof = "docs/proofs/jorge.md"
    subject = "the norm of one residual against the estimates of many probes"
    assumptions: ClassVar = (POSED, SYMMETRIC, INDEPENDENT)
    axes = ("probe",)

    def measured(self, run: ProbeRun) -> np.ndarray:  # (S,)
        return np.full(len(run.V), np.linalg.norm(run.R, 2))

    def bound(self, run: ProbeRun) -> np.ndarray:  # (S,)
        return estimate(run.R, run.V, run.delta, run.power)

    def budget(self, run: ProbeRun) -> np.ndarray:  # (S,)
        """Of both sides; a number below the smallest normal one loses as much as that."""
        size = self.bound(run) + np.linalg.norm(run.R, 2) + np.finfo(float).tiny
        return 32.0 * len(run.R) * np.finfo(float).eps * size

    def delta(self, run: ProbeRun) -> float:
        return run.delta

    def examples(self) -> Iterator[Example]:
        yield Example("rank one, two columns", lambda: probes(_rank_one(12), 2000, 2, 0.2), near_tight=True)
        # Equality: at an error probability of 0.05 one seed in twenty refutes what is true, and 0 is one of them.
        yield Example("rank one, one column, one per cent", lambda: probes(_rank_one(6), 4000, 1, 0.01, seed=1))
        yield Example("a flat spectrum of both signs", lambda: probes(_flat(20), 500, 2, 0.05))
        yield Example("four powers of a decaying spectrum", lambda: probes(_decaying(16), 2000, 2, 0.05, power=4))

    def controls(self) -> Iterator[Example]:
        cases = (
            ("columns that an update has seen", _seen, "independent"),
            ("columns of length one", _normalised, "independent"),
            ("a residual that was made for the columns", _evading, "independent"),
            ("a nilpotent matrix, four times", lambda: probes(_nilpotent(4), 500, 2, 0.05, power=4), "symmetric"),
        )
        for name, make, breaks in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=("REFUTED",), breaks=breaks, ignoring=(breaks,))


def _rank_one(n: int) -> np.ndarray:
    v = basis(n, 1)[:, 0]
    return -0.3 * (v[:, None] * v[None, :])


def _flat(n: int) -> np.ndarray:
    V = basis(n, 2)
    A = (V * np.where(np.arange(n) % 2, 0.1, -0.1)) @ V.T
    return 0.5 * (A + A.T)


def _decaying(n: int) -> np.ndarray:
    V = basis(n, 3)
    A = (V * 0.5 ** np.arange(n)) @ V.T
    return 0.5 * (A + A.T)


def _nilpotent(n: int) -> np.ndarray:
    return np.eye(n, k=1)


def _seen() -> ProbeRun:
    """The step has taken out what these columns show, and left the rest."""
    run = probes(_rank_one(12), 500, 2, 0.2)
    v = basis(12, 1)[:, :1]
    return replace(run, V=run.V - 0.9 * v @ (v.T @ run.V))


def _evading() -> ProbeRun:
    """Drawn first, in the open, and R then put where no column looks."""
    run = probes(_rank_one(40), 16, 2, 0.2)
    seen = np.concatenate(list(run.V), axis=1)  # (40, 32)
    v = np.linalg.qr(np.concatenate([seen, np.eye(40)], axis=1))[0][:, 39]
    return replace(run, R=0.3 * (v[:, None] * v[None, :]))


def _normalised() -> ProbeRun:
    """The relative probe: divided by |V|, the estimate has lost its scale of √(nk)."""
    run = probes(_rank_one(12), 500, 2, 0.2)
    return replace(run, V=run.V / np.linalg.norm(run.V, axis=(-2, -1), keepdims=True))
