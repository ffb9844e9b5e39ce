r"""What AGD's statistic is on pure noise, at every step: the variance of the mean before it is added to that of the gradient.

For independent :math:`g_t` of mean 0 and variance :math:`\sigma^2`,

.. math::
    E\,\hat v_t = \sigma^2 \frac{1 - \beta_2}{1 - \beta_2^t} \sum_{r \le t} \beta_2^{t-r}
    \Bigl(\frac{1 - \beta_1}{1 - \beta_1^r}\Bigr)^2
    \Bigl(1 + \frac{1 - \beta_1}{1 + \beta_1} \cdot \frac{1 + \beta_1^{r-1}}{1 - \beta_1^{r-1}}\Bigr)
    \;\longrightarrow\; \frac{2 (1 - \beta_1)^2}{1 + \beta_1}\,\sigma^2

(without the fraction for r = 1). So :math:`\sqrt{\hat v} \to 0.1026\,\sigma` for β₁ = 0.9, where Adam's is σ: in noise AGD with a
tenth of AdamW's learning rate takes AdamW's steps.

Here the expectation is taken over all paths of a noise with a few values.

Source: derived here (docs/proofs/agd.md#noise).
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

__all__ = ["AGDNoiseLaw", "Noise", "expected_square"]


@dataclass(frozen=True)
class Noise:
    """A gradient with these values and probabilities at each step; `copy` is the chance that it repeats the last one."""

    values: tuple[float, ...]
    chances: tuple[float, ...]
    beta1: float
    beta2: float
    horizon: int
    copy: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError unless there is one chance for each value, and a step."""
        if len(self.values) != len(self.chances) or not self.values or self.horizon < 1:
            raise ValueError(
                f"needs one chance for each value and horizon ≥ 1, got {len(self.chances)} for {len(self.values)} and "
                f"{self.horizon}."
            )

    @property
    def variance(self) -> float:
        """σ², of mean 0."""
        return float(np.dot(self.chances, np.square(self.values)))

    def expectation(self) -> np.ndarray:  # (T,)
        """E v̂_t, from all paths at once."""
        paths = np.array(list(product(range(len(self.values)), repeat=self.horizon)))  # (P, T)
        chances, values = np.array(self.chances), np.array(self.values)
        repeated = paths[:, 1:] == paths[:, :-1]
        moves = self.copy * repeated + (1.0 - self.copy) * chances[paths[:, 1:]]
        weights = chances[paths[:, 0]] * np.prod(moves, axis=1)
        rule = Recursion(beta1=self.beta1, beta2=self.beta2)
        records = steps(rule, np.zeros(len(paths)), lambda t, _: values[paths[:, t - 1]], self.horizon)
        return np.array([weights @ record.v / (1.0 - self.beta2**record.t) for record in records])


def expected_square(beta1: float, beta2: float, horizon: int) -> np.ndarray:  # (T,)
    """E v̂_t for σ = 1, by the law."""
    r = np.arange(1.0, horizon + 1.0)
    before = np.where(r > 1, beta1 ** (r - 1.0), 0.0)
    mean = np.where(r > 1, (1.0 - beta1) / (1.0 + beta1) * (1.0 + before) / (1.0 - before), 0.0)
    squares = ((1.0 - beta1) / (1.0 - beta1**r)) ** 2 * (1.0 + mean)
    return np.array(
        [(1.0 - beta2) / (1.0 - beta2**t) * np.sum(beta2 ** (t - r[:t]) * squares[:t]) for t in range(1, horizon + 1)]
    )


def _centred(run: Noise) -> Check:
    """To the rounding of the chances, which have no units: 1/3 is not a number of float64."""
    off = abs(float(np.dot(run.chances, run.values)))
    allowed = _unit(run) * float(np.dot(np.abs(run.chances), np.abs(run.values)))
    return Check(off <= allowed, allowed - off, f"the mean is {off:.3g}")


def _distribution(run: Noise) -> Check:
    least, off = min((*run.chances, run.copy, 1.0 - run.copy)), abs(1.0 - math.fsum(run.chances))
    words = f"the smallest chance is {least:.3g}, and their sum is {off:.3g} from 1"
    return Check(least >= 0.0 and off <= _unit(run), min(least, _unit(run) - off), words)


def _unit(run: Noise) -> float:
    """What a sum of chances may miss."""
    return 4.0 * len(run.chances) * float(np.finfo(float).eps)


def _posed(run: Noise) -> Check:
    ok = min(run.beta1, run.beta2) >= 0.0 and max(run.beta1, run.beta2) < 1.0
    return Check(ok, 1.0 if ok else -1.0, f"β₁ = {run.beta1}, β₂ = {run.beta2}")


def _resolved(run: Noise) -> Check:
    if not _posed(run).ok:
        return Check(None, math.nan, "the parameters are not AGD's")
    return resolved(_rounding(run), run.variance * expected_square(run.beta1, run.beta2, run.horizon))


def _independent(run: Noise) -> Check:
    return Check(run.copy == 0.0, -run.copy, f"a gradient repeats the last one with chance {run.copy}")


CENTRED = Assumption("centred", r"E g_t = 0, \; E g_t^2 = \sigma^2", _centred)
POSED = Assumption("posed", r"0 \le \beta_1, \beta_2 < 1", _posed)
RESOLVED = Assumption("resolved", r"\text{rounding leaves six digits of the expectation}", _resolved)
DISTRIBUTION = Assumption("distribution", r"p \ge 0, \; \sum p = 1", _distribution)
INDEPENDENT = Assumption("independent", r"g_1, g_2, \dots \text{ independent}", _independent)


class AGDNoiseLaw(Theorem):
    id = "agd-noise-law"
    title = "AGD's statistic on pure noise"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/agd.md#noise", "derived")
    statement = (
        r"E\,\hat v_t = \sigma^2\,\frac{1 - \beta_2}{1 - \beta_2^t} \sum_{r \le t} \beta_2^{t-r} "
        r"\Bigl(\frac{1 - \beta_1}{1 - \beta_1^r}\Bigr)^2 \Bigl(1 + \frac{1 - \beta_1}{1 + \beta_1} \cdot "
        r"\frac{1 + \beta_1^{r-1}}{1 - \beta_1^{r-1}}\,[r > 1]\Bigr) \to \frac{2(1 - \beta_1)^2}{1 + \beta_1}\,\sigma^2"
    )
    proof = "docs/proofs/agd.md"
    subject = "the expected mean square of AGD's differences, by enumeration of all paths"
    assumptions: ClassVar = (POSED, DISTRIBUTION, CENTRED, INDEPENDENT, RESOLVED)
    axes = ("step",)

    def measured(self, run: Noise) -> np.ndarray:  # (T,)
        return run.expectation()

    def bound(self, run: Noise) -> np.ndarray:  # (T,)
        return run.variance * expected_square(run.beta1, run.beta2, run.horizon)

    def budget(self, run: Noise) -> float:
        return _rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("coin flips, 4096 paths", lambda: Noise((-1.0, 1.0), (0.5, 0.5), 0.9, 0.999, 12))
        yield Example("coin flips without momentum", lambda: Noise((-1.0, 1.0), (0.5, 0.5), 0.0, 0.9, 12))
        yield Example("a rare large gradient", lambda: Noise((3.0, -1.0), (0.25, 0.75), 0.9, 0.99, 11))
        yield Example("three values, 6561 paths", lambda: Noise((-2.0, 0.0, 1.0), (0.25, 0.25, 0.5), 0.5, 0.9, 8))

    def controls(self) -> Iterator[Example]:
        biased = Noise((-0.5, 1.5), (0.5, 0.5), 0.9, 0.999, 10)
        copied = Noise((-1.0, 1.0), (0.5, 0.5), 0.9, 0.999, 10, copy=0.5)
        # The law is linear in the chances and holds for signed ones as well, of which no gradient is drawn.
        signed = Noise((-1.0, 1.0, 2.0), (0.375, 0.875, -0.25), 0.9, 0.999, 6)
        yield Example(
            "a negative chance, through the door", lambda: signed, expect=("HYPOTHESIS_FAILED",), breaks="distribution"
        )
        for name, run, breaks in (("a mean", biased, "centred"), ("gradients that repeat", copied, "independent")):
            yield Example(
                f"{name}, through the door", lambda run=run: run, expect=("HYPOTHESIS_FAILED",), breaks=breaks
            )
            yield Example(
                f"{name}, applied anyway", lambda run=run: run, expect=("VIOLATED",), breaks=breaks, ignoring=(breaks,)
            )


def _rounding(run: Noise) -> float:
    """A mean over paths is a few roundings more than its terms, which are squares of at most 2 max|g|.

    Chances that miss 1 by n units miss it by T n along a path. Squares that are subnormal lose a unit each, which 1/(1 - β₂^t)
    magnifies, on every path.
    """
    lost = 64.0 + len(run.values) * run.horizon + 1.0 / (1.0 - run.beta1) + 1.0 / (1.0 - run.beta2)
    largest = max(map(abs, run.values))
    unit = float(np.finfo(float).smallest_subnormal) if largest > 0.0 else 0.0
    below = 8.0 * unit * (run.horizon / (1.0 - run.beta2) + len(run.values) ** run.horizon)
    return 8.0 * float(np.finfo(float).eps) * lost * 4.0 * largest * largest + below
