r"""What the stochastic smooth theorem promises in each structure, side by side.

.. math::
    \mathbb E f(\bar x_T) - f^* \le \frac{4 \Lambda_{\mathcal H} D_{\mathcal H}^2}{T}
    + \frac{2\sqrt2\, D_{\mathcal H}\, \sigma_{\mathcal H}}{\sqrt T} \qquad (\varepsilon \to 0,\; \eta = D_{\mathcal H}/\sqrt2) .

D is the diameter of the domain, the theorem's own constant; without a domain it is the distance of the start from the solution,
which the iterates may exceed: a prediction then, and no bound. The table sorts structures by an upper bound, not by how fast
they are. The order was right for the structures that contain the Hessian and wrong elsewhere (docs/findings.md; experiment
structure_choice): read it as a test of where the Hessian lives.

Source: Xie et al. 2025, arXiv 2503.10537 (the theorem; its constants derived here, docs/proofs/stochastic.md).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np

from convex.smoothness.adaptive import adaptive_smoothness
from convex.smoothness.bracket import Bracket
from convex.smoothness.candidates import candidates, state_size, title
from convex.smoothness.noise_constant import adaptive_noise
from problems.domains import Domain
from problems.smooth.base import SmoothProblem
from structures import Structure
from structures.arrays import Array, require_finite

__all__ = ["Comparison", "Row", "compare_structures", "promised"]


COLUMNS = (
    *("structure", "shape", "D", "smoothness_lower", "smoothness_upper", "smoothness_method"),
    *("noise_lower", "noise_upper", "bound", "horizon", "state", "assumes"),
)


@dataclass(frozen=True)
class Row:
    """One structure."""

    structure: Structure
    distance: float  # D_H
    smoothness: Bracket  # Λ_H
    noise: Bracket  # σ_H
    bound: float  # of the theorem, with the upper ends; inf where σ_H has no bound
    state: int  # numbers that the preconditioner keeps


@dataclass(frozen=True)
class Comparison:
    """The rows, smallest bound first, and what to think of them."""

    rows: tuple[Row, ...]
    horizon: int
    notes: tuple[str, ...]

    @property
    def best(self) -> Structure | None:
        """The structure with the smallest bound: what the theorem predicts, not what will win.

        None where it predicts nothing: no bound is finite, or the start is the minimiser and all of them are 0. The notes
        say which.
        """
        return self.rows[0].structure if 0 < self.rows[0].bound < inf else None

    def __repr__(self) -> str:
        head = f"{'structure':<16}{'D_H':>12}{'Λ_H':>12}{'σ_H':>12}{f'bound, T={self.horizon}':>18}{'state':>12}"
        lines = [
            f"{title(r.structure):<16}{r.distance:>12.4g}{r.smoothness.upper:>12.4g}{r.noise.upper:>12.4g}"
            f"{r.bound:>18.4g}{r.state:>12d}"
            for r in self.rows
        ]
        return "\n".join([head, *lines, *(f"* {note}" for note in self.notes)])

    def to_csv(self) -> str:
        """The table as text: one line for each structure, both ends of every bracket, methods and assumptions."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for r in self.rows:
            shape = "x".join(str(n) for n in r.structure.shape)
            s, n = r.smoothness, r.noise
            assumes = "; ".join(dict.fromkeys(text for text in (s.assumes, n.assumes) if text))
            numbers = [r.distance, s.lower, s.upper, s.method, n.lower, n.upper, r.bound, self.horizon, r.state]
            writer.writerow([title(r.structure), shape, *numbers, assumes])
        return out.getvalue()


def compare_structures(
    problem: SmoothProblem,
    x0: Array,  # (*shape) where a run would start
    structures: Sequence[Structure] | None = None,  # None: the `candidates` of the shape
    *,
    domain: Domain | None = None,  # where the iterates are kept, with the solution inside
    horizon: int = 1000,  # T
) -> Comparison:
    """The table.

    Raises ValueError for no structures, a horizon that is no integer >= 1, a start of another shape or outside of the domain,
    a minimiser outside of the domain, and without a domain for a problem that names no minimiser.
    """
    chosen = candidates(problem.shape) if structures is None else list(structures)
    if not chosen:
        raise ValueError("at least one structure is needed, got none.")
    if not isinstance(horizon, int | np.integer) or horizon < 1:
        raise ValueError(f"the horizon must be an integer >= 1, got {horizon!r}.")
    if tuple(getattr(x0, "shape", ())) != problem.shape:
        raise ValueError(f"x0 must be an array of shape {problem.shape}, got {getattr(x0, 'shape', x0)}.")
    require_finite("x0", x0)
    if domain is None and problem.solution is None:
        raise ValueError("the problem names no solution: pass a domain, whose diameter then is the theorem's D.")
    if domain is not None:
        _require_inside(problem, x0, domain)
    rows = [_row(problem, x0, K, domain, int(horizon)) for K in chosen]
    return Comparison(tuple(sorted(rows, key=lambda r: r.bound)), int(horizon), _notes(problem, rows, x0, domain))


def _require_inside(problem: SmoothProblem, x0: Array, domain: Domain) -> None:
    """The theorem speaks of iterates in the domain, and of a minimiser of the whole space in it."""
    here = domain.on(problem.shape)
    allowed = 1e-9 * (1.0 + here.euclidean_radius(problem.shape))
    for name, point in (("x0", x0), ("the minimiser", problem.solution)):
        if point is not None and not float(here.infeasibility(point)) <= allowed:
            raise ValueError(
                f"{name} is outside of the domain {domain}: the theorem does not apply. Take a larger domain."
            )


def promised(smoothness: float, noise: float, distance: float, horizon: int) -> float:
    """4 Λ D²/T + 2√2 D σ/√T; a distance of 0 promises 0."""
    if distance == 0:
        return 0.0
    return 4.0 * smoothness * distance**2 / horizon + 2.0 * sqrt(2.0) * distance * noise / sqrt(horizon)


def _row(problem: SmoothProblem, x0: Array, K: Structure, domain: Domain | None, horizon: int) -> Row:
    smoothness, noise = adaptive_smoothness(problem, K), adaptive_noise(problem, K, domain)
    distance = float(K.norm(x0 - problem.solution)) if domain is None else domain.diameter(K)
    bound = promised(smoothness.upper, noise.upper, distance, horizon) if problem.convex else inf
    return Row(K, distance, smoothness, noise, bound, state_size(K))


def _notes(problem: SmoothProblem, rows: Sequence[Row], x0: Array, domain: Domain | None) -> tuple[str, ...]:
    notes = [
        "bound: of E f(mean of the iterates) - min after T steps of stochastic AdaGrad at the rate D_H/√2; "
        "state: numbers that the preconditioner keeps.",
        "an upper bound orders promises, not methods: trust it where the Hessian lies in the structure that it puts first "
        "and the others are far behind; on rotated and block problems the order was wrong (see docs/findings.md).",
    ]
    if not problem.convex:
        notes.append("f is not convex: the theorem says nothing about it, and no structure is put first.")
    elif all(r.bound == inf for r in rows):
        notes.append("no structure has a finite bound: nothing is predicted, and their order means nothing.")
    elif all(r.bound == 0 for r in rows):
        notes.append("the start is the minimiser: every bound is 0, and their order means nothing.")
    said = _held_already(problem, rows, x0)
    if said:
        notes.append(said)
    if domain is None:
        notes.append(
            "D_H is the distance of the start; the theorem needs the largest along the run: a prediction, no bound."
        )
    elif problem.solution is None and problem.convex:
        notes.append("no minimiser is known: the bound holds if ∇f vanishes somewhere in the domain.")
    if problem.curvature_point is None:
        notes.append(
            "Λ_H is that of an envelope that the Hessian may reach nowhere: it may be too large, by structure."
        )
    if any(r.noise.upper == inf for r in rows):
        notes.append("σ_H has no bound on the whole space for this loss: pass a domain, which keeps the iterates.")
    if any(r.smoothness.assumes or r.noise.assumes for r in rows):
        notes.append("some ends rest on assumptions: the last column of the table as CSV states them.")
    return tuple(notes)


def _held_already(problem: SmoothProblem, rows: Sequence[Row], x0: Array) -> str:
    """That the start is as good as every bound, if it is; nothing where the minimum is not known."""
    gap, least = float(problem.value(x0)) - problem.minimum.lower, min(r.bound for r in rows)
    if not (problem.convex and isfinite(gap) and 0 < gap <= least < inf):
        return ""
    return f"f(x0) - min is {gap:.4g}: every bound is larger, and promises less than the start has; more steps make it smaller."
