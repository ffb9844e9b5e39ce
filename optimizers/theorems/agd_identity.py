r"""AGD's difference of momenta is the new gradient against the old mean, shortened by the momentum.

.. math:: s_t = \hat m_t - \hat m_{t-1} = \frac{1 - \beta_1}{1 - \beta_1^t} (g_t - \hat m_{t-1}), \qquad \hat m_0 = 0 .

So :math:`v_t` is AdaBelief's statistic with the belief of the step before, times :math:`(1 - \beta_1)^2` in the long run, and no
copy of the momentum is needed. It is false when β₁ changes from step to step.

Source: derived here (docs/proofs/agd.md#the-identity); the recursion is Yue et al. 2023, Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_runs import FAITHFUL, POSED, AGDRun, bounded_by, run_rule, subnormal_rounding
from optimizers.theorems.resolution import resolved
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["AGDIdentity"]


def _constant(run: AGDRun) -> Check:
    values = {run.rule.momentum(t) for t in range(1, run.horizon + 1)}
    return Check(len(values) == 1, 1.0 - len(values), f"β₁ takes {len(values)} values")


CONSTANT = Assumption("constant-beta1", r"\beta_{1,t} = \beta_1", _constant)


def _resolved(run: AGDRun) -> Check:
    """Against the size of a difference, (1 - β₁)/(1 - β₁^t) of the largest gradient."""
    beta = run.rule.momentum(1)
    if not 0.0 <= beta < 1.0:
        return Check(None, np.nan, f"β₁ = {beta}")
    return resolved(_rounding(run), (1.0 - beta) / (1.0 - beta**run.t) * bounded_by(run))


RESOLVED = Assumption("resolved", r"\text{rounding leaves six digits of the differences}", _resolved)


class AGDIdentity(Theorem):
    id = "agd-identity"
    title = "AGD measures a gradient against the mean before it"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/agd.md#the-identity", "derived")
    statement = (
        r"\hat m_t - \hat m_{t-1} = \frac{1 - \beta_1}{1 - \beta_1^t}\,(g_t - \hat m_{t-1}), \qquad \hat m_0 = 0"
    )
    proof = "docs/proofs/agd.md"
    subject = "the differences that AGD squares, at every step and coordinate"
    assumptions: ClassVar = (FAITHFUL, POSED, CONSTANT, RESOLVED)
    axes = ("step", "coordinate")

    def measured(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return run.s

    def bound(self, run: AGDRun) -> np.ndarray:  # (T, n)
        """From the plain sum of the gradients with their weights, not from the recursion."""
        beta = run.rule.momentum(1)
        rows = []
        for t in range(1, run.horizon + 1):
            ages = np.arange(t - 2, -1, -1.0)
            weights = beta**ages / np.sum(beta**ages) if t > 1 else np.zeros(0)
            rows.append((run.g[t - 1] - weights @ run.g[: t - 1]) / np.sum(beta ** np.arange(float(t))))
        return np.stack(rows)

    def budget(self, run: AGDRun) -> np.ndarray:  # (T, 1)
        return _rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("noise", lambda: _noise(0.9))
        yield Example("noise, without momentum", lambda: _noise(0.0))
        yield Example("noise, long momentum", lambda: _noise(0.999))
        yield Example("a constant gradient", lambda: _run(0.9, lambda t, x: np.full_like(x, 0.3)))

    def controls(self) -> Iterator[Example]:
        def fading(t: int) -> float:
            return 0.9 / t

        yield Example(
            "momentum that fades, through the door", lambda: _noise(fading), expect=("HYPOTHESIS_FAILED",),
            breaks="constant-beta1",
        )  # fmt: skip
        yield Example(
            "momentum that fades, applied anyway", lambda: _noise(fading), expect=("VIOLATED",), breaks="constant-beta1",
            ignoring=("constant-beta1",),
        )  # fmt: skip
        yield Example(
            "the differences of the raw momenta, through the door",
            _raw,
            expect=("HYPOTHESIS_FAILED",),
            breaks="faithful",
        )
        yield Example(
            "the differences of the raw momenta, applied anyway", _raw, expect=("VIOLATED",), breaks="faithful",
            ignoring=("faithful",),
        )  # fmt: skip


def _rounding(run: AGDRun) -> np.ndarray:  # (T, 1)
    """Means of t gradients are t roundings of their size; 1 - β₁^t loses tβ₁^t/(1 - β₁^t) ≤ 1/(1 - β₁) units."""
    lost = run.t + 4.0 + 1.0 / (1.0 - run.rule.momentum(1))
    return 8.0 * float(np.finfo(float).eps) * lost * bounded_by(run) + subnormal_rounding(run)


def _run(beta1, gradient, n: int = 3, horizon: int = 120) -> AGDRun:
    return run_rule(Recursion(lr=0.01, beta1=beta1), np.zeros(n), gradient, horizon)


def _noise(beta1, scale: np.ndarray | float = 1.0) -> AGDRun:
    rng = np.random.default_rng(0)
    return _run(beta1, lambda t, x: scale * (0.5 + rng.standard_normal(x.shape)))


def _raw() -> AGDRun:
    """s_t = m_t - m_{t-1}, without the corrections for the start."""
    from dataclasses import replace

    run = _noise(0.9)
    return replace(run, s=np.diff(run.m, axis=0, prepend=0.0))
