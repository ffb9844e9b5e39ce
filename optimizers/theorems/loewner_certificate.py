r"""A small residual brackets the inverse root in the Loewner order, whether or not anything commutes.

.. math::
    R = P^2LP^2 - I, \quad r_- I \preceq R \preceq r_+ I, \; r_- > -1 \implies
    (1 + r_+)^{-1/4} P \preceq L^{-1/4} \preceq (1 + r_-)^{-1/4} P, \qquad P \succ 0,

and with :math:`\rho = \|R\|_2 < 1` in place of both: :math:`\|L^{-1/4} - P\|_2 \le ((1-\rho)^{-1/4} - 1)\,\|P\|_2`. Two
factors multiply: :math:`\prod (1+\rho_i)^{-1/4}\, P_1 \otimes P_2 \preceq L_1^{-1/4} \otimes L_2^{-1/4} \preceq
\prod (1-\rho_i)^{-1/4}\, P_1 \otimes P_2`. In floating point the error of computing R belongs to r.

Source: derived here (docs/proofs/jorge.md#certificate); x^{-1/4} is operator antitone, Bhatia 1997, section V.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from optimizers.theorems.fixed_point_cases import basis
from optimizers.theorems.resolution import or_nan
from optimizers.theorems.rules import polish, residual
from structures.roots import inverse_root, rank_floor
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = [
    "LoewnerCertificate",
    "RootPairs",
    "bracket",
    "of_full_rank",
    "relative_spectrum",
    "residual_error",
]


@dataclass(frozen=True, eq=False)
class RootPairs:
    """Matrices with approximate roots beside them, in float64."""

    P: np.ndarray = field(repr=False)  # (B, n, n)
    L: np.ndarray = field(repr=False)  # (B, n, n)


def residual_error(P: np.ndarray, L: np.ndarray) -> np.ndarray:  # (..., n, n) -> (...)
    r"""A bound, in the spectral norm, of the rounding error of `residual` in the arrays' precision.

    Four products lose at most :math:`\gamma_{4n+4}` of the product of the absolute values, entry by entry (Higham 2002,
    section 3.5).
    """
    n, unit = P.shape[-1], float(np.finfo(P.dtype).eps) / 2.0
    steps = (4 * n + 4) * unit
    square = np.abs(P) @ np.abs(P)
    size = np.linalg.norm(square @ np.abs(L) @ square, axis=(-2, -1)) + np.sqrt(n)
    return 1.01 * steps / (1.0 - steps) * size


def bracket(P: np.ndarray, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # (..., n, n) -> (...), (...)
    """(r₋, r₊): certified ends of the spectrum of R for a symmetric P, all rounding errors included."""
    R = residual(P, L)
    values = or_nan(lambda: np.linalg.eigvalsh(0.5 * (R + np.swapaxes(R, -1, -2))), R.shape[:-1])
    n = P.shape[-1]
    error = residual_error(P, L) + 16.0 * n * float(np.finfo(P.dtype).eps) * np.max(np.abs(values), axis=-1)
    return values[..., 0] - error, values[..., -1] + error


def relative_spectrum(Q: np.ndarray, P: np.ndarray) -> np.ndarray:  # (B, n, n) -> (B, n)
    """The eigenvalues of P⁻¹Q in ascending order: aP ⪯ Q ⪯ bP for symmetric Q and P ≻ 0 says that they lie in [a, b].

    NaN for a P that is not positive definite, and for numbers that are not finite.
    """

    def found() -> np.ndarray:
        values, V = np.linalg.eigh(P)
        half = V / np.sqrt(values)[..., None, :]
        return np.linalg.eigvalsh(np.swapaxes(half, -1, -2) @ Q @ half)

    return or_nan(found, np.broadcast_shapes(P.shape, Q.shape)[:-1])


def of_full_rank(*statistics: np.ndarray) -> Check:  # (..., n, n) each
    """Whether the reference roots are inverses: below n eps λ_max an eigenvalue has no digit, and the root leaves it out."""
    least = np.inf
    for A in statistics:
        values = or_nan(lambda A=A: np.linalg.eigvalsh(A), A.shape[:-1])
        if not np.all(np.isfinite(values)):
            return Check(None, np.nan, "L is not finite, or has eigenvalues that are not")
        largest = np.maximum(np.max(np.abs(values), axis=-1), float(np.finfo(values.dtype).tiny))
        least = min(least, float(np.min((values[..., 0] - rank_floor(values, A.shape[-1])[..., 0]) / largest)))
    return Check(True if least > 0.0 else None, least, "least relative eigenvalue of L, above the floor of its rank")


FULL_RANK = Assumption("full-rank", r"L \succ n\,\mathrm{eps}\,\|L\| I", lambda run: of_full_rank(run.L))


def _positive(run: RootPairs) -> Check:
    if not np.all(np.isfinite(run.P)):
        return Check(False, np.nan, "P is not finite")
    if np.any(np.swapaxes(run.P, -1, -2) != run.P):
        return Check(False, -1.0, "P is not symmetric")
    values = np.linalg.eigvalsh(run.P)
    margin = values[:, 0] - run.P.shape[-1] * float(np.finfo(float).eps) * np.max(np.abs(values), axis=-1)
    return Check(bool(np.all(margin > 0)), float(np.min(margin)), "least eigenvalue of P, less its rounding error")


POSITIVE = Assumption("positive", r"P = P^\top \succ 0", _positive)


def _small(run: RootPairs) -> Check:
    with np.errstate(over="ignore", invalid="ignore"):
        least = float(np.min(bracket(run.P, run.L)[0]))
    return Check(least > -1.0, 1.0 + least, "1 + r_-" if np.isfinite(least) else "the residual is not finite")


SMALL = Assumption("residual", r"r_- > -1", _small)


class LoewnerCertificate(Theorem):
    id = "root-certificate"
    title = "A small residual brackets the inverse root"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/proofs/jorge.md#certificate", "derived")
    statement = (
        r"(1 + r_+)^{-1/4} P \preceq L^{-1/4} \preceq (1 + r_-)^{-1/4} P, \quad r_- I \preceq P^2LP^2 - I \preceq r_+ I, \; "
        r"\|L^{-1/4} - P\|_2 \le ((1 - \rho)^{-1/4} - 1)\|P\|_2"
    )
    proof = "docs/proofs/jorge.md"
    subject = "logarithms of the eigenvalues of P⁻¹L^{-1/4} from the middle of their bracket, then the relative error"
    assumptions: ClassVar = (POSITIVE, SMALL, FULL_RANK)
    axes = ("pair", "eigenvalue")

    def measured(self, run: RootPairs) -> np.ndarray:  # (B, n + 1)
        root = inverse_root(run.L, 4)
        middle, _ = _logarithms(run)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(relative_spectrum(root, run.P))
        apart = np.linalg.norm(root - run.P, 2, axis=(-2, -1)) / np.linalg.norm(run.P, 2, axis=(-2, -1))
        return np.concatenate([_finite(np.abs(logs - middle[:, None])), apart[:, None]], axis=1)

    def bound(self, run: RootPairs) -> np.ndarray:  # (B, n + 1)
        middle, half = _logarithms(run)
        relative = np.maximum(np.expm1(middle + half), -np.expm1(middle - half))
        return np.concatenate([np.repeat(half[:, None], run.P.shape[-1], axis=1), relative[:, None]], axis=1)

    def budget(self, run: RootPairs) -> np.ndarray:  # (B, 1)
        """The reference root loses cond(L) roundings in its smallest eigenvalues, and the spectrum of P⁻¹Q those of its pencil.

        An eigendecomposition of P moves P by eps|P|, hence every eigenvalue of the pencil by a relative eps cond(P); Q = L^{-1/4}
        in that basis loses eps cond(Q), and the scaled matrix its own condition number, cond(P)cond(Q) at most.
        """
        n = run.P.shape[-1]
        lost = np.linalg.cond(run.L) + np.linalg.cond(run.P) * np.linalg.cond(run.L) ** 0.25
        return 4.0 * n * float(np.finfo(float).eps) * lost[:, None]

    def examples(self) -> Iterator[Example]:
        yield Example("all but commuting", _aligned, near_tight=True)
        yield Example("random perturbations, cond 1e4", lambda: perturbed(0, 1e4, 0.02))
        yield Example("a root far too small on one side: r_+ beyond 1", lambda: perturbed(1, 100.0, 0.02, scale=0.6))
        yield Example("after two polishing steps", _polished)

    def controls(self) -> Iterator[Example]:
        turn = np.array([[[0.0, 1.0], [-1.0, 0.0]]])
        signs = np.diag([1.0, -1.0])[None]
        cases = (
            ("a quarter turn: P²LP² = I", lambda: RootPairs(turn, np.eye(2)[None]), "positive", "VIOLATED"),
            ("a sign: P²LP² = I", lambda: RootPairs(signs, np.eye(2)[None]), "positive", "VIOLATED"),
            ("a direction that L does not have", _singular, "residual", "INCONCLUSIVE"),
        )
        for name, make, breaks, otherwise in cases:
            yield Example(f"{name}, through the door", make, expect=("HYPOTHESIS_FAILED",), breaks=breaks)
            yield Example(f"{name}, applied anyway", make, expect=(otherwise,), breaks=breaks, ignoring=(breaks,))


def _logarithms(run: RootPairs) -> tuple[np.ndarray, np.ndarray]:  # (B,), (B,)
    """Middle and half width of the logarithms of the bracket."""
    low, high = bracket(run.P, run.L)
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = -0.25 * np.log1p(low), -0.25 * np.log1p(high)
    return 0.5 * (top + bottom), 0.5 * (top - bottom)


def _finite(logs: np.ndarray) -> np.ndarray:
    """What is not a positive eigenvalue has no logarithm: its distance from the bracket is as large as a number can be."""
    return np.where(np.isfinite(logs), logs, 1e300)


def perturbed(seed: int, cond: float, size: float, scale: float = 1.0, n: int = 5, B: int = 40) -> RootPairs:
    """Roots with a random symmetric relative error, on whose residual cond(L)^{1/2} acts."""
    rng = np.random.default_rng(seed)
    pairs = [_pair(rng, np.exp(rng.uniform(0.0, np.log(cond), n)), size, scale) for _ in range(B)]
    return RootPairs(np.stack([P for P, _ in pairs]), np.stack([L for _, L in pairs]))


def _pair(rng: np.random.Generator, values: np.ndarray, size: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    n = len(values)
    V = basis(n, int(rng.integers(1 << 30)))
    E = rng.standard_normal((n, n))
    E = 0.5 * size * (E + E.T) / np.sqrt(values.max() / values.min())
    p = values**-0.125
    P = scale * ((V * p) @ (np.eye(n) + E) @ (V * p).T)
    return 0.5 * (P + P.T), _symmetric((V * values) @ V.T)


def _symmetric(A: np.ndarray) -> np.ndarray:
    return 0.5 * (A + np.swapaxes(A, -1, -2))


def _aligned() -> RootPairs:
    """Diagonal but for a thousandth: the bracket's two ends are reached but for a millionth."""
    values = np.array([1.0, 10.0, 100.0])
    P = np.diag(values**-0.25 * [0.95, 1.0, 1.04])
    P[0, 1] = P[1, 0] = P[1, 2] = P[2, 1] = 1e-3
    return RootPairs(P[None], np.diag(values)[None])


def _polished() -> RootPairs:
    run = perturbed(2, 100.0, 0.1)
    P = run.P
    for _ in range(2):
        P = _symmetric(polish(P, run.L, 0.1))
    return RootPairs(P, run.L)


def _singular() -> RootPairs:
    return RootPairs(np.eye(2)[None], np.diag([1.0, 0.0])[None])
