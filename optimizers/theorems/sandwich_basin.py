r"""How close is close enough: a region from which symmetric polishing converges, and follows a statistic that moves.

For :math:`P^+ = P - \tfrac g2(RP + PR)`, :math:`R = P^2LP^2 - I`, with :math:`\epsilon \ge \|R\|_F`, :math:`\varrho \ge
\operatorname{cond}(P)`, :math:`g \le 1/\sigma(\varrho)` and :math:`\epsilon\, b < 4`,

.. math::
    \|R^+\|_F &\le \bigl(1 - g(4 - \epsilon\, b)\bigr)\|R\|_F, \qquad P^+ \succ 0, \\
    b &= 2a + g\,(1+\epsilon)(a^2 + 2e) + 2g^2ae\,\epsilon(1+\epsilon) + g^3e^2\epsilon^2(1+\epsilon), \qquad
    a = \tfrac12(1+\varrho)^2, \; e = \tfrac12\varrho\, a .

Nothing commutes, and no term is left out. The certificate turns it into a statement on L alone, :math:`\varrho^4 \le
\frac{1+\epsilon}{1-\epsilon}\operatorname{cond}(L)`, and a statistic that moves by :math:`\eta_t =
\|L_{t-1}^{-1/2}(L_t - L_{t-1})L_{t-1}^{-1/2}\|_F` in between adds :math:`(1 + \|R\|)\eta_t`. For large condition numbers the
region is :math:`\|R\|_F \lesssim 2.7/\sqrt{\operatorname{cond} L}`. The update of order 1 under a constant C is this iteration,
with :math:`g = s/(4 - s)`.

Source: derived here (docs/proofs/jorge.md#basin).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis, spectrum
from optimizers.theorems.fixed_points import sandwich_sum
from optimizers.theorems.resolution import apart, or_nan
from optimizers.theorems.rules import one_sided, polish, residual
from optimizers.theorems.streams import step_rounding
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["Polishing", "SandwichBasin", "contraction_loss", "polishing", "safe_step", "spread_of_root"]


def spread_of_root(cond: float, eps: float) -> float:
    """An upper bound of cond(P), given cond(L) and |R|_F ≤ eps < 1."""
    return ((1.0 + eps) / (1.0 - eps) * cond) ** 0.25


def safe_step(cond: float, eps: float) -> float:
    """The longest step g that the theorem allows: 1/σ at the largest ratio of eigenvalues of P."""
    return float(1.0 / sandwich_sum(np.asarray(spread_of_root(cond, eps))))


def contraction_loss(g: float, rho: float, eps: float) -> float:
    """b: what a residual of size eps takes away from the contraction 4g."""
    a = 0.5 * (1.0 + rho) ** 2
    e = 0.5 * rho * a
    more, last = 1.0 + eps, g * e * eps  # products: a power of a float raises where it overflows
    return 2.0 * a + g * more * (a * a + 2.0 * e + 2.0 * a * last + last * last)


@dataclass(frozen=True, eq=False)
class Polishing:
    """T polishing steps, L_t moving after each of them; entry 0 of `P` and `L` is the start."""

    step: float  # g
    P: np.ndarray = field(repr=False)  # (T + 1, n, n)
    L: np.ndarray = field(repr=False)  # (T + 1, n, n)

    @cached_property
    def conds(self) -> np.ndarray:  # (T + 1,)
        """cond(L_t)."""
        return or_nan(lambda: np.linalg.cond(self.L), (len(self.L),))

    @cached_property
    def moves(self) -> np.ndarray:  # (T,)
        """η_t."""
        return or_nan(lambda: _moves(self.L), (len(self.L) - 1,))

    @cached_property
    def recursion(self) -> np.ndarray:  # (T + 1,)
        """The bound: ε_t = (1 + η_t) ε_{t-1} (1 - g(4 - ε_{t-1} b)) + η_t, inf once the basin is left."""
        found = [float(np.linalg.norm(residual(self.P[0], self.L[0])))]
        for cond, move in zip(self.conds[:-1], self.moves, strict=True):
            eps = found[-1]
            inside = eps < 1.0 and eps * contraction_loss(self.step, spread_of_root(cond, eps), eps) < 4.0
            b = contraction_loss(self.step, spread_of_root(cond, eps), eps) if inside else np.inf
            found.append((1.0 + move) * eps * (1.0 - self.step * (4.0 - eps * b)) + move if inside else np.inf)
        return np.array(found)


def _moves(L: np.ndarray) -> np.ndarray:  # (T + 1, n, n) -> (T,)
    values, V = np.linalg.eigh(L[:-1])
    half = V * values[:, None, :] ** -0.5
    return np.linalg.norm(np.swapaxes(half, -1, -2) @ (L[1:] - L[:-1]) @ half, axis=(-2, -1))


def _definite(run: Polishing) -> Check:
    symmetric = all(bool(np.all(np.swapaxes(A, -1, -2) == A)) for A in (run.P[0], run.L))
    least = float(np.min(or_nan(lambda: np.linalg.eigvalsh(np.concatenate([run.P[:1], run.L])), ())))
    return Check(symmetric and least > 0, least, "least eigenvalue of P_0 and of the L_t")


DEFINITE = Assumption("definite", r"P_0, L_t \succ 0", _definite)


def _in_basin(run: Polishing) -> Check:
    """Every ε_t up to the last step taken from it must satisfy ε b < 4."""
    ok = bool(np.all(np.isfinite(run.recursion)))
    return Check(
        ok, float(run.recursion[-1]), "the last value of the recursion; it is finite if no step leaves the basin"
    )


IN_BASIN = Assumption("basin", r"\epsilon_t < 1, \; \epsilon_t\, b(g, \varrho_t, \epsilon_t) < 4", _in_basin)


def _short(run: Polishing) -> Check:
    eps = np.where(np.isfinite(run.recursion), np.minimum(run.recursion, 0.999), 0.0)[:-1]
    limit = min(safe_step(cond, e) for cond, e in zip(run.conds[:-1], eps, strict=True))
    return Check(0.0 < run.step <= limit, limit - run.step, f"step {run.step:.4g}, the longest allowed is {limit:.4g}")


SHORT = Assumption("short-step", r"0 < g \le 1/\sigma(\varrho_t)", _short)


def _faithful(run: Polishing) -> Check:
    expected = polish(run.P[:-1], run.L[:-1], run.step)
    P, L = np.abs(run.P[:-1]), np.abs(run.L[:-1])
    # At -|L| the residual of |P| is -(|P|²|L||P|² + I), and the step subtracts it: no term cancels.
    majorant = polish(P, -L, abs(run.step))
    worst = apart(run.P[1:], expected, step_rounding(1, run.P.shape[-1], run.P.dtype) * majorant)
    return Check(worst <= 1.0, 1.0 - worst, f"{worst:.2g} times what rounding may differ by from the polishing step")


FAITHFUL = Assumption("faithful", r"P_{t+1} = P_t - \tfrac g2(R_tP_t + P_tR_t)", _faithful)


class SandwichBasin(Theorem):
    id = "sandwich-basin"
    title = "Symmetric polishing converges from close by, and follows a moving statistic"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/jorge.md#basin", "derived")
    statement = (
        r"\|R_t\|_F \le \epsilon_t, \quad \epsilon_0 = \|R_0\|_F, \; "
        r"\epsilon_t = (1 + \eta_t)\bigl(1 - g(4 - \epsilon_{t-1}b)\bigr)\epsilon_{t-1} + \eta_t, \; g \le 1/\sigma(\varrho)"
    )
    proof = "docs/proofs/jorge.md"
    subject = "the residual of a root that is polished by the symmetric step"
    assumptions: ClassVar = (DEFINITE, IN_BASIN, SHORT, FAITHFUL)
    axes = ("horizon",)

    def measured(self, run: Polishing) -> np.ndarray:  # (T,)
        return np.linalg.norm(residual(run.P[1:], run.L[1:]), axis=(-2, -1))

    def bound(self, run: Polishing) -> np.ndarray:  # (T,)
        return run.recursion[1:]

    def budget(self, run: Polishing) -> np.ndarray:  # (T,)
        """R is computed to cond(L)^{1/2}·|P|⁴|L| roundings, and so is every move; a faithful P loses those of a step."""
        steps, n = np.arange(1.0, len(run.P)), run.P.shape[-1]
        unit = 16.0 * n**1.5 * np.finfo(float).eps + 4.0 * n * step_rounding(1, n)
        return unit * run.conds[1:] * steps

    def examples(self) -> Iterator[Example]:
        yield Example("a scale that is a little off", _scaled, near_tight=True)
        yield Example("random, cond 10", lambda: polishing(0, 10.0, 0.15, 10))
        yield Example("random, cond 1e4", lambda: polishing(1, 1e4, 0.012, 150))
        yield Example("a statistic that rotates", lambda: polishing(2, 10.0, 0.1, 200, turn=0.004))

    def controls(self) -> Iterator[Example]:
        cases = (
            ("three times the step", lambda: polishing(3, 100.0, 0.03, 12, factor=3.0), "short-step"),
            ("a start far outside", lambda: polishing(4, 100.0, 0.8, 5), "basin"),
            ("the one-sided step", lambda: polishing(5, 1e4, 0.0045, 3, rule=_one_sided_polish), "faithful"),
            ("a root that is not positive", _signed, "definite"),
        )
        for name, make, breaks in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            outside = breaks == "basin"  # no step is short enough there, and the recursion says nothing
            also = ("short-step",) if outside else ()
            otherwise = "INCONCLUSIVE" if outside else "VIOLATED"
            yield Example(f"{name}, applied anyway", make, expect=(otherwise,), breaks=breaks, ignoring=(breaks, *also))


def polishing(
    seed: int, cond: float, start: float, T: int, factor: float = 1.0, turn: float = 0.0, rule=polish, n: int = 5
) -> Polishing:
    """From a random residual of Frobenius norm `start`, at `factor` times the safe step; the basis turns by `turn` a step."""
    rng = np.random.default_rng([seed, 3])
    V = basis(n, seed)
    values = spectrum(n, cond)
    turned = _turned(rng, n, turn)
    E = rng.standard_normal((n, n))
    target = np.eye(n) + start * (E + E.T) / np.linalg.norm(E + E.T)
    P = [_symmetric(_solution(target, (V * values) @ V.T))]
    L = [_symmetric((V * values) @ V.T)]
    g = factor * safe_step(cond, min(1.5 * start, 0.9))
    for _ in range(T):
        P.append(_symmetric(rule(P[-1], L[-1], g)))
        V = V @ turned
        L.append(_symmetric((V * values) @ V.T))
    return Polishing(g, np.stack(P), np.stack(L))


def _solution(target: np.ndarray, L: np.ndarray) -> np.ndarray:
    """The symmetric P with P²LP² = target, to first order in target - I."""
    values, V = np.linalg.eigh(L)
    root = values**-0.25
    E = V.T @ (target - np.eye(len(L))) @ V
    ratio = sandwich_sum(root[:, None] / root[None, :])
    first = E / (2.0 * ratio) * (root[:, None] + root[None, :])  # δP with δR = E: R's derivative is 2σ/(p_i + p_j)
    return V @ (np.diag(root) + first) @ V.T


def _turned(rng: np.random.Generator, n: int, angle: float) -> np.ndarray:
    """A rotation by about `angle`."""
    A = rng.standard_normal((n, n))
    A = 0.5 * angle * (A - A.T) / np.linalg.norm(A - A.T, 2)
    return np.linalg.solve(np.eye(n) - A, np.eye(n) + A)


def _one_sided_polish(P: np.ndarray, L: np.ndarray, step: float) -> np.ndarray:
    """Jorge's step of order 1 at the same gain: P - g P(P⁴L - I)."""
    s = 4.0 * step / (1.0 + step)
    c = (1.0 - 0.25 * s) ** -4 - 1.0
    scale = (s / c) ** 0.25
    return one_sided(scale * P, L, 1.0 / (1.0 + c), 1) / scale


def _symmetric(A: np.ndarray) -> np.ndarray:
    return 0.5 * (A + np.swapaxes(A, -1, -2))


def _scaled() -> Polishing:
    L = np.diag([1.0, 5.0, 30.0])
    P = [np.diag(np.diagonal(L) ** -0.25) * (1.0 + 2e-3)]
    g = safe_step(30.0, 0.02)
    for _ in range(12):
        P.append(polish(P[-1], L, g))
    return Polishing(g, np.stack(P), np.stack([L] * 13))


def _signed() -> Polishing:
    """An eigenvalue of the wrong sign, which P² does not show: the step then contracts by σ(-1/2) = 5/8, not by 4."""
    L = np.diag([1.0, 16.0])
    roots = [np.array([[1.0, 0.01], [0.01, -0.5]])]
    for _ in range(12):
        roots.append(_symmetric(polish(roots[-1], L, 0.15)))
    return Polishing(0.15, np.stack(roots), np.stack([L] * 13))
