r"""The dynamic :math:`\beta_2` sets the window by the width of the layer, and one-sided by the condition number as well.

At the exact root, :math:`P = L^{-1/4}`, for G = :math:`L^{1/2}Z/\sqrt m` (n × m) with independent entries of Z, mean 0,
variance 1 and fourth moment k,

.. math::
    E\,\beta_2 \le \frac y{1+y}, \qquad
    y^2 = n + \frac1m \begin{cases}
        n(n + k - 2) & \text{sandwich, } X = P^2GG^\top P^2, \\
        n + \operatorname{tr}L\,\operatorname{tr}L^{-1} + (k-3)\sum_i L_{ii}(L^{-1})_{ii} & \text{one-sided, } X = P^4GG^\top,
    \end{cases}

where :math:`y^2 = E\|X\|_F^2`, :math:`\beta_2 = \|X\|_F/(1 + \|X\|_F)`, and L is diagonal unless k = 3. So the window
:math:`1/(1-\beta_2) = 1 + \|X\|_F` is about :math:`\sqrt{n + n^2/m}` steps for Gaussian gradients only if the rule is symmetric
or L is a multiple of I: the one-sided rule forgets ever more slowly as :math:`\operatorname{cond}(L)` grows, even from an exact
root.

Source: derived here (docs/proofs/jorge.md#window); the dynamic rule is remembered from Jorge (Singh, Sating and Bhatele 2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import ClassVar

import numpy as np

from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["JorgeWindow", "WindowRun", "expected_square"]

FOURTH = {"gaussian": 3.0, "signs": 1.0}
OFF = 1e-12  # of P⁴L, relative: what an exact root may lose


@dataclass(frozen=True, eq=False)
class WindowRun:
    """Gradients of one step, a draw for every seed, at a root P of a diagonal L."""

    rule: str  # "sandwich" | "one-sided"
    entries: str  # "gaussian" | "signs"
    spectrum: np.ndarray  # (n,) of L
    root: np.ndarray  # (n,) of P
    Z: np.ndarray = field(repr=False)  # (S, n, m)
    seed: int

    def rates(self, Z: np.ndarray) -> np.ndarray:  # (S, n, m) -> (S,)
        """β₂ of every draw."""
        G = np.sqrt(self.spectrum)[:, None] * Z / np.sqrt(Z.shape[-1])
        C = G @ np.swapaxes(G, -1, -2)
        left, right = (2, 2) if self.rule == "sandwich" else (4, 0)
        size = np.linalg.norm(self.root[:, None] ** left * C * self.root**right, axis=(-2, -1))
        return size / (1.0 + size)


def expected_square(rule: str, spectrum: np.ndarray, m: int, fourth: float = 3.0) -> float:
    """E|X|_F² at the exact root of a diagonal L. Raises ValueError for an unknown rule."""
    if rule not in ("sandwich", "one-sided"):
        raise ValueError(f"rule is 'sandwich' or 'one-sided', got {rule!r}.")
    n = len(spectrum)
    spread = float(np.sum(spectrum) * np.sum(1.0 / spectrum)) if rule == "one-sided" else float(n * n)
    return n + (spread + (fourth - 2.0) * n) / m


def _drawn(seed: int, entries: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng([seed, 41])
    return rng.standard_normal(shape) if entries == "gaussian" else rng.choice([-1.0, 1.0], shape)


def _independent(run: WindowRun) -> Check:
    ok = run.entries in FOURTH and bool(np.all(_drawn(run.seed, run.entries, run.Z.shape) == run.Z))
    return Check(ok, 0.0 if ok else -1.0, f"{run.entries} entries of generator {run.seed}: {ok}")


INDEPENDENT = Assumption("independent", r"Z \text{ has independent entries of variance } 1", _independent)


def _exact(run: WindowRun) -> Check:
    apart = float(np.max(np.abs(run.root**4 * run.spectrum - 1.0)))
    return Check(apart <= OFF, OFF - apart, f"|P⁴L - I| = {apart:.2g}")


EXACT = Assumption("exact-root", r"P = L^{-1/4}", _exact)


class JorgeWindow(Theorem):
    id = "jorge-window"
    title = "The dynamic decay is set by the width and, one-sided, by the condition number"
    kind = Kind.EXPECTATION
    source = Citation("derived", "docs/proofs/jorge.md#window", "derived")
    statement = (
        r"E\,\beta_2 \le \frac y{1+y}, \quad y^2 = n + \tfrac1m n(n + k - 2) \text{ (sandwich)}, \; "
        r"n + \tfrac1m\bigl(\operatorname{tr}L\operatorname{tr}L^{-1} + (k-2)n\bigr) \text{ (one-sided, } L \text{ diagonal)}"
    )
    proof = "docs/proofs/jorge.md"
    subject = "the decay that the dynamic rule takes at an exact root"
    assumptions: ClassVar = (INDEPENDENT, EXACT)
    axes = ("seed",)

    def measured(self, run: WindowRun) -> np.ndarray:  # (S,)
        return run.rates(run.Z)

    def bound(self, run: WindowRun) -> float:
        y = np.sqrt(expected_square(run.rule, run.spectrum, run.Z.shape[-1], FOURTH[run.entries]))
        return float(y / (1.0 + y))

    def budget(self, run: WindowRun) -> float:
        """Rounding, and what the root may be off by: X by a factor of 1 + OFF at most, of which β₂ sees a quarter at most."""
        return 64.0 * len(run.spectrum) * float(np.finfo(float).eps) + 0.25 * OFF

    def trivial(self, run: WindowRun) -> float:
        return 1.0

    def support(self, run: WindowRun) -> tuple[float, float]:
        return 0.0, 1.0

    def exact(self, run: WindowRun) -> float | None:
        """All 2^(nm) sign matrices, where there are at most 4096."""
        n, m = run.Z.shape[1:]
        if run.entries != "signs" or n * m > 12:
            return None
        return float(np.mean(run.rates(np.array(list(product((-1.0, 1.0), repeat=n * m))).reshape(-1, n, m))))

    def examples(self) -> Iterator[Example]:
        yield Example(
            "all sign matrices 3 × 4, sandwich", lambda: draws("sandwich", "signs", 3, 4, 1e4), near_tight=True
        )
        yield Example("all sign matrices 3 × 4, one-sided", lambda: draws("one-sided", "signs", 3, 4, 100.0))
        yield Example("Gaussian, sandwich, n = 16, m = 64", lambda: draws("sandwich", "gaussian", 16, 64, 1e4))
        yield Example("Gaussian, one-sided, n = 16, m = 64", lambda: draws("one-sided", "gaussian", 16, 64, 1e4))
        yield Example("a gradient of rank one", lambda: draws("sandwich", "gaussian", 8, 1, 10.0))

    def controls(self) -> Iterator[Example]:
        def large() -> WindowRun:
            return draws("sandwich", "gaussian", 8, 32, 100.0, scale=2.0)

        yield Example(
            "a root twice too large, through the door", large, expect=("HYPOTHESIS_FAILED",), breaks="exact-root"
        )
        yield Example(
            "a root twice too large, applied anyway",
            large,
            expect=("REFUTED",),
            breaks="exact-root",
            ignoring=("exact-root",),
        )

        def heavy() -> WindowRun:
            run = draws("sandwich", "gaussian", 8, 32, 100.0)
            return WindowRun(run.rule, run.entries, run.spectrum, run.root, 1.5 * run.Z, run.seed)

        yield Example(
            "entries of variance 9/4, through the door", heavy, expect=("HYPOTHESIS_FAILED",), breaks="independent"
        )
        yield Example(
            "entries of variance 9/4, applied anyway",
            heavy,
            expect=("REFUTED",),
            breaks="independent",
            ignoring=("independent",),
        )


def draws(rule: str, entries: str, n: int, m: int, cond: float, scale: float = 1.0, samples: int = 600) -> WindowRun:
    """Draws at `scale` times the root of a geometric spectrum."""
    spectrum = np.logspace(0.0, -np.log10(cond), n)
    return WindowRun(rule, entries, spectrum, scale * spectrum**-0.25, _drawn(0, entries, (samples, n, m)), 0)
