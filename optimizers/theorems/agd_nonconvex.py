r"""AGD with AMSGrad finds a point with a small gradient: non-convex functions, no momentum, α/√t steps.

For an L-smooth f ≥ f_*, conditionally unbiased :math:`g_t` with :math:`|g_t|_\infty \le G` almost surely, and
:math:`V = \max(2G, \delta)`,

.. math::
    \min_{t \le T} E\|\nabla f(x_t)\|^2 \le E \sum_{t \le T} w_t \|\nabla f(x_t)\|^2 \le
    \frac{V}{\alpha \sum_{t \le T} t^{-1/2}} \Bigl[ f(x_1) - f_* + \frac{\alpha n G^2}{\delta}
    + \frac{L n \alpha^2 G^2 (1 + \ln T)}{2\delta^2} \Bigr], \qquad w_t \propto t^{-1/2},

of order :math:`\log T/\sqrt T`. The denominator is that of `agd-regret`, and the rate of step t - 1, which :math:`g_t` does not
know, stands for that of step t; :math:`\alpha_0/\hat D_0 := \alpha/\delta`.

Here :math:`f(x) = \sum_i (1 - \cos x_i)`, with L = 1 and f_* = 0, and signs as noise.

Source: derived here (docs/proofs/agd.md#non-convex), in the form of Yue et al. 2023 (their constants are not those here).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np

from optimizers.reference.agd import Recursion, steps
from optimizers.theorems.resolution import resolved
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["AGDNonconvex", "Cosines"]


@dataclass(frozen=True)
class Cosines:
    """S runs on n cosines from x_1 = start, with g = sin x + bias + noise · (independent signs)."""

    start: float
    alpha: float
    delta: float
    horizon: int
    noise: float = 1.0
    bias: float = 0.0
    n: int = 1
    seeds: int = 60
    beta2: float = 0.999
    amsgrad: bool = True
    corrected: bool = True

    @property
    def largest(self) -> float:
        """G: |sin| ≤ 1."""
        return 1.0 + abs(self.noise) + abs(self.bias)

    def signs(self) -> np.ndarray:  # (T, S, n)
        """The noise of every run, by a generator of its own."""
        rows = [np.random.default_rng([7, s]).choice([-1.0, 1.0], (self.horizon, self.n)) for s in range(self.seeds)]
        return np.stack(rows, axis=1)

    def all_signs(self) -> np.ndarray:  # (T, 2^(T n), n)
        """Every path."""
        paths = np.array(list(product([-1.0, 1.0], repeat=self.horizon * self.n)))
        return np.swapaxes(paths.reshape(-1, self.horizon, self.n), 0, 1)

    def average(self, signs: np.ndarray) -> np.ndarray:  # (T, S, n) -> (S,)
        """Σ w_t ‖∇f(x_t)‖² of each run."""
        rule = Recursion(
            lr=lambda t: self.alpha * t**-0.5, beta1=0.0, beta2=self.beta2, delta=self.delta, amsgrad=self.amsgrad,
            corrected=self.corrected,
        )  # fmt: skip
        start = np.full(signs.shape[1:], self.start)
        records = steps(rule, start, lambda t, x: np.sin(x) + self.bias + self.noise * signs[t - 1], self.horizon)
        squares = np.stack([np.sum(np.sin(record.x) ** 2, axis=-1) for record in records])
        weights = np.arange(1.0, self.horizon + 1.0) ** -0.5
        return weights @ squares / np.sum(weights)


def _posed(run: Cosines) -> Check:
    least = min(run.alpha, run.delta)
    counts = min(run.horizon, run.n, run.seeds) >= 1
    finite = all(map(math.isfinite, (run.alpha, run.delta, run.start, run.noise, run.bias)))
    ok = least > 0.0 and finite and 0.0 <= run.beta2 < 1.0 and counts
    words = f"α = {run.alpha}, δ = {run.delta}, β₂ = {run.beta2}, {run.horizon} steps of {run.n} numbers"
    return Check(ok, least if ok else -1.0, f"{words} from {run.start}, noise {run.noise}, bias {run.bias}")


def _moving(run: Cosines) -> Check:
    """Far from the origin an iterate has no digits left for its steps, and f need not fall."""
    if not _posed(run).ok:
        return Check(None, math.nan, "the parameters are not those of AGD")
    return resolved(_drift(run), _bracket(run))


def _unbiased(run: Cosines) -> Check:
    return Check(run.bias == 0.0, -abs(run.bias), f"E[g_t | x_t] - ∇f(x_t) = {run.bias}")


def _amsgrad(run: Cosines) -> Check:
    return Check(run.amsgrad, 1.0 if run.amsgrad else -1.0, f"AMSGrad: {run.amsgrad}")


def _corrected(run: Cosines) -> Check:
    return Check(run.corrected, 1.0 if run.corrected else -1.0, f"corrected: {run.corrected}")


POSED = Assumption("posed", r"0 < \alpha, \delta < \infty, \; 0 \le \beta_2 < 1, \; |x_1|, G < \infty", _posed)
UNBIASED = Assumption("unbiased", r"E[g_t \mid g_1, \dots, g_{t-1}] = \nabla f(x_t)", _unbiased)
AMSGRAD = Assumption("amsgrad", r"v_t^{\max} \text{ never decreases}", _amsgrad)
CORRECTED = Assumption("corrected", r"\hat D_t = \max\bigl(\sqrt{v_t^{\max}/(1 - \beta_2^t)}, \delta\bigr)", _corrected)
MOVING = Assumption("moving", r"\text{rounding of the iterates leaves six digits of the bound}", _moving)


class AGDNonconvex(Theorem):
    id = "agd-nonconvex"
    title = "AGD with AMSGrad on smooth non-convex functions"
    kind = Kind.EXPECTATION
    source = Citation("derived", "docs/proofs/agd.md#non-convex", "derived")
    statement = (
        r"\min_{t \le T} E\|\nabla f(x_t)\|^2 \le E \sum_t w_t \|\nabla f(x_t)\|^2 \le \frac{V}{\alpha \sum_{t \le T} t^{-1/2}} "
        r"\Bigl[ f(x_1) - f_* + \frac{\alpha n G^2}{\delta} + \frac{L n\alpha^2 G^2 (1 + \ln T)}{2\delta^2} \Bigr], \qquad "
        r"V = \max(2G, \delta), \; w_t \propto t^{-1/2}"
    )
    proof = "docs/proofs/agd.md"
    subject = "the gradients along AGD without momentum, weighted by its steps, run by run"
    assumptions: ClassVar = (POSED, UNBIASED, AMSGRAD, CORRECTED, MOVING)
    axes = ("seed",)

    def measured(self, run: Cosines) -> np.ndarray:  # (S,)
        return run.average(run.signs())

    def bound(self, run: Cosines) -> float:
        return _factor(run) * _bracket(run)

    def budget(self, run: Cosines) -> float:
        """Of the weighted mean and of the bound, and of the iterates."""
        return 1e-12 * run.horizon * run.n + _factor(run) * _drift(run)

    def trivial(self, run: Cosines) -> float:
        """|sin| ≤ 1."""
        return float(run.n)

    def support(self, run: Cosines) -> tuple[float, float]:
        return 0.0, float(run.n)

    def exact(self, run: Cosines) -> float | None:
        """The mean over all paths, where there are at most 4096."""
        return float(np.mean(run.average(run.all_signs()))) if run.horizon * run.n <= 12 else None

    def examples(self) -> Iterator[Example]:
        yield Example("all paths of twelve steps", lambda: Cosines(1.2, 1.0, 5.0, 12, noise=0.02), near_tight=True)
        yield Example("all paths of two coordinates", lambda: Cosines(1.2, 2.0, 5.0, 6, noise=0.02, n=2))
        yield Example("a thousand steps", lambda: Cosines(1.5, 2.0, 4.0, 1000))
        yield Example("four coordinates", lambda: Cosines(2.5, 2.0, 2.0, 2000, noise=0.3, n=4))

    def controls(self) -> Iterator[Example]:
        for name, alpha, delta in (("a negative learning rate", -1.0, 5.0), ("a negative δ", 1.0, -5.0)):
            yield Example(
                name, lambda alpha=alpha, delta=delta: Cosines(1.2, alpha, delta, 10, noise=0.1),
                expect=("HYPOTHESIS_FAILED",), breaks="posed",
            )  # fmt: skip
        stuck = Cosines(0.0, 0.4, 4.0, 800, noise=0.2, bias=-0.8)
        yield Example(
            "a bias that holds it where the gradient is not zero, through the door",
            lambda: stuck,
            expect=("HYPOTHESIS_FAILED",),
            breaks="unbiased",
        )
        yield Example(
            "a bias that holds it where the gradient is not zero, applied anyway", lambda: stuck, expect=("REFUTED",),
            breaks="unbiased", ignoring=("unbiased",),
        )  # fmt: skip
        yield Example(
            "without AMSGrad",
            lambda: Cosines(1.5, 2.0, 4.0, 50, amsgrad=False),
            expect=("HYPOTHESIS_FAILED",),
            breaks="amsgrad",
        )
        long = Cosines(0.5, 1.0, 1.1, 12, noise=0.1, corrected=False)
        yield Example(
            "δ's floor without its correction", lambda: long, expect=("HYPOTHESIS_FAILED",), breaks="corrected"
        )


def _rates(run: Cosines) -> float:
    """Σ t^{-1/2}."""
    return sum(t**-0.5 for t in range(1, run.horizon + 1))


def _factor(run: Cosines) -> float:
    """V/(α Σ t^{-1/2}), of every term of the bound."""
    return max(2.0 * run.largest, run.delta) / run.alpha / _rates(run)


def _bracket(run: Cosines) -> float:
    """f(x_1) - f_* and what the steps may raise f by."""
    moved = run.alpha * run.largest / run.delta
    paid = moved * run.largest + 0.5 * moved * moved * (1.0 + math.log(run.horizon))
    return run.n * (1.0 - math.cos(run.start) + paid)


def _drift(run: Cosines) -> float:
    """What rounding adds to the sum of all f(x_{t+1}) - f(x_t), where |f'| ≤ 1: an ulp of each iterate, and what the steps lose.

    No iterate is farther from the start than α G/δ Σ t^{-1/2}, the longest path; of a step `agd_runs.relative_rounding` is lost.
    """
    path = run.alpha * run.largest / run.delta * _rates(run)
    rates = 8.0 * (run.horizon + 33.0 + 1.0 / (1.0 - run.beta2))
    return run.n * float(np.finfo(float).eps) * (run.horizon * (abs(run.start) + path) + rates * path)
