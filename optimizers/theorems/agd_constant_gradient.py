r"""Where the gradient is constant, AGD's steps grow without end; only δ or a clip stops them.

.. math:: g_t = g \ne 0 \implies \frac{|x_{t+1} - x_t|}{\eta_t}
    = \sqrt{1 - \beta_2^t}\; \frac{|g|}{\max\bigl(|g| \sqrt{(1 - \beta_2)\beta_2^{t-1}},\, \delta\sqrt{1 - \beta_2^t}\bigr)},

which is 1 at the first step, 41.5 at the 1000th and 4703 at the 10000th for β₂ = 0.999 and δ → 0: the mean does not change
after the first step, so that :math:`v_t` forgets it.

Source: derived here (docs/proofs/agd.md#constant-gradients).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from optimizers.reference.agd import Recursion
from optimizers.theorems.agd_runs import FAITHFUL, POSED, AGDRun, run_rule, subnormal_rounding
from optimizers.theorems.agd_step_bound import CORRECTED
from optimizers.theorems.resolution import resolved
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["AGDConstantGradient"]


def _constant(run: AGDRun) -> Check:
    off = float(np.max(np.abs(run.g - run.g[0])))
    return Check(
        off == 0.0 and bool(np.all(run.g[0] != 0.0)), -off, f"gradients differ from the first by at most {off:.3g}"
    )


def _published(run: AGDRun) -> Check:
    ok = run.rule.clip is None and not run.rule.amsgrad and run.rule.debias and bool(np.all(run.rates > 0.0))
    words = f"clip {run.rule.clip}, AMSGrad {run.rule.amsgrad}, least learning rate {np.min(run.rates):.3g}"
    return Check(ok, 1.0 if ok else -1.0, words)


def _resolved(run: AGDRun) -> Check:
    """In the end v holds the mean's own changes, of size u·g, and no longer the first step's."""
    if not POSED.check(run).ok:
        return Check(None, np.nan, "the parameters are not AGD's")
    return resolved(_rounding(run), _steps(run))


CONSTANT_GRADIENT = Assumption("constant-gradient", r"g_t = g \ne 0", _constant)
PUBLISHED = Assumption("published", r"\text{no clip, no AMSGrad}, \; \eta_t > 0", _published)
RESOLVED = Assumption("resolved", r"\text{rounding leaves six digits of a step}", _resolved)


class AGDConstantGradient(Theorem):
    id = "agd-constant-gradient"
    title = "On a constant gradient AGD's steps grow without end"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/agd.md#constant-gradients", "derived")
    statement = (
        r"g_t = g \ne 0 \implies \frac{|x_{t+1} - x_t|}{\eta_t} = \frac{|g|\sqrt{1 - \beta_2^t}}"
        r"{\max\bigl(|g| \sqrt{(1 - \beta_2)\beta_2^{t-1}}, \delta\sqrt{1 - \beta_2^t}\bigr)}"
    )
    proof = "docs/proofs/agd.md"
    subject = "the steps of AGD on a linear function, in units of the learning rate"
    assumptions: ClassVar = (FAITHFUL, POSED, CORRECTED, PUBLISHED, CONSTANT_GRADIENT, RESOLVED)
    axes = ("step", "coordinate")

    def measured(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return np.abs(run.moved) / run.rates

    def bound(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return _steps(run)

    def budget(self, run: AGDRun) -> np.ndarray:  # (T, n)
        return _rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("ten thousand steps", lambda: _run(1e-30, 10_000))
        yield Example("δ stops it", lambda: _run(1e-2, 5_000))
        yield Example("fast forgetting, without momentum", lambda: _run(1e-30, 100, beta1=0.0, beta2=0.9))

    def controls(self) -> Iterator[Example]:
        clipped: dict[str, Any] = {"clip": "auto"}
        yield Example(
            "the clip, through the door", lambda: _run(1e-30, 2000, **clipped), expect=("HYPOTHESIS_FAILED",),
            breaks="published",
        )  # fmt: skip
        yield Example(
            "the clip stops it", lambda: _run(1e-30, 2000, **clipped), expect=("VIOLATED",), breaks="published",
            ignoring=("published",),
        )  # fmt: skip
        yield Example(
            "AMSGrad stops it", lambda: _run(1e-30, 2000, amsgrad=True), expect=("VIOLATED",), breaks="published",
            ignoring=("published",),
        )  # fmt: skip
        yield Example(
            "a little noise, through the door", lambda: _run(1e-30, 2000, noise=0.01), expect=("HYPOTHESIS_FAILED",),
            breaks="constant-gradient",
        )  # fmt: skip
        yield Example(
            "a little noise stops it", lambda: _run(1e-30, 2000, noise=0.01), expect=("VIOLATED",),
            breaks="constant-gradient", ignoring=("constant-gradient",),
        )  # fmt: skip


def _corrections(run: AGDRun) -> np.ndarray:  # (T, 1)
    """√(1 - β₂^t)."""
    beta2 = run.rule.beta2
    return np.sqrt(-np.expm1(run.t * np.log(beta2))) if beta2 > 0.0 else np.ones_like(run.t)


def _steps(run: AGDRun) -> np.ndarray:  # (T, n)
    """The right side."""
    g, root = np.abs(run.g[:1]), _corrections(run)
    remembered = np.sqrt((1.0 - run.rule.beta2) * run.rule.beta2 ** (run.t - 1.0))
    return g * root / np.maximum(g * remembered, run.rule.delta * root)


def _rounding(run: AGDRun) -> np.ndarray:  # (T, n)
    """What a step loses of itself, and where it or δ is subnormal; 1/(1 - β₁) magnifies what the ratio m/D has lost."""
    unit = 8.0 * float(np.finfo(float).smallest_subnormal)
    with np.errstate(over="ignore", divide="ignore"):
        coarse = unit / (run.rule.delta * _corrections(run))
        return (_lost(run) + coarse) * _steps(run) + unit / (1.0 - run.largest_beta1) + unit / run.rates


def _lost(run: AGDRun) -> np.ndarray:  # (T, n)
    """t roundings of v and of the mean, relative; the mean's own changes, of size u·g, are what v keeps in the end.

    They count as far as they lift v, in units of g², from what it remembers of the first step and above δ's floor. From one step
    to the next m and 1 - Πβ₁ each change their relative error by a few units, of the latter at most u/(1 - β₁): a product that is
    all but 1 is rounded at every step. Squares that vanish cost v two subnormals a step.
    """
    limits, beta2, g = np.finfo(float), run.rule.beta2, np.abs(run.g[:1])
    u, magnified = float(limits.eps), 1.0 / (1.0 - run.largest_beta1)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        few = subnormal_rounding(run) / g
        vanished = 2.0 * run.t * float(limits.smallest_subnormal) / g / g
        floor = np.square(run.rule.delta * _corrections(run) / g)
        lost = u * (run.t + 16.0 + magnified + 1.0 / (1.0 - beta2)) + few
        remembered, seen = (1.0 - beta2) * beta2 ** (run.t - 1.0), np.square(8.0 * u * magnified + few) + vanished
        lifted = np.minimum(seen, np.maximum(remembered + seen - floor, 0.0))
        return 8.0 * (lost + lifted / np.maximum(np.maximum(remembered, floor), float(limits.smallest_normal)))


def _run(delta: float, horizon: int, noise: float = 0.0, **options) -> AGDRun:
    rng = np.random.default_rng(0)
    rule = Recursion(delta=delta, **options)
    slope = np.array([1.0, -3.0])
    return run_rule(rule, np.zeros(2), lambda t, x: slope + noise * rng.standard_normal(2), horizon)
