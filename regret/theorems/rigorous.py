r"""The regret theorem on a small recorded run, proved in exact arithmetic at every horizon.

Iterates, gradients, η and ε are floating-point numbers, hence dyadic rationals. For them, at every t and against every
comparator u of the run, the certificate proves the inequality of `StructuredRegret` without the help of its projection gaps,

.. math::
    \sum_{s \le t} \langle g_s, x_s - u\rangle \le \Bigl(\frac{D_t^2}{2\eta} + \eta\Bigr)
        \operatorname{Tr} E\bigl(\varepsilon I + \textstyle\sum_{s \le t} g_s g_s^\top\bigr)^{1/2} - \eta\, d\sqrt\varepsilon .

Every irrational number enters on its safe side: the trace from below, by rational X with X² ⪯ E(M_t); √ε from above; a
support function from above; and D from below, by a Rayleigh quotient of E(zzᵀ) with z = x_s - u for a fixed comparator, by
the diameter of the verdict's own bound less a relative 2⁻⁴⁰ for a domain. The right side grows with D, so that the
inequality holds for that bound, and for every D that the theorem allows where the diameter is exact. It also grows with t:
a trace proved at one horizon serves later ones, and few are needed.

``theory/check_regret.py`` adds everything up again. What no certificate says: that the recorded iterates are those of the
learner, which the assumption "faithful" checks in floating point.

Source: derived here, docs/proofs/regret.md#theorem-r; the statement in words is in docs/verdicts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from regret.theorems.constants import rates, structure_of, unit_roundoff
from regret.theorems.exact_geometry import Balls, Block, Comparators, Point, balls_of, blocks_of, dot, root_above
from regret.trace import Trace
from theory.certificate import Certificate, NotCertified, all_of, root_witness, write
from theory.rational import Matrix, exact_matrix

__all__ = ["regret_certificate"]

LARGEST_HISTORY = 4096  # T · B · d: exact sums of more numbers, and a file of them, are a burden
LARGEST_BLOCK = 16  # rows of a matrix whose root is proved: its rational factors take a quarter of a second
LARGEST_WORK = 1 << 18  # cubes of rows of all roots together: some ten seconds
LARGEST_SUMS = 1 << 18  # products in all E(M_t) together: about a second
AGREEMENT = (
    256.0  # of Tr H_t with the recorded one, relative, in units of √u: each vanishing eigenvalue costs about √(k u)
)


def regret_certificate(run: Trace) -> Certificate:
    """A certificate of the claim "regret" for every horizon and every element of the batch.

    Raises NotCertified with the reason where there is none: no history, a run too large, a structure or domain that has no
    exact form here, or an inequality that does not hold exactly.
    """
    try:
        parts = [_proved(game) for game in _games(run)]
    except OverflowError as error:
        raise NotCertified("sums of the history are beyond float64, where witnesses are looked for") from error
    return parts[0] if len(parts) == 1 else all_of(parts)


@dataclass(frozen=True)
class Game:
    """One element of a run, in exact numbers, with flattened parameters."""

    g: Matrix  # (T, d)
    x: Matrix  # (T, d)
    eta: Fraction
    eps: Fraction
    blocks: list[Block]  # of the structure
    comparators: Comparators
    reported: np.ndarray  # (3, T) the trace's own regret_lower, regret and Tr H_t, which must agree
    unit_roundoff: float  # of the trace

    def inputs(self) -> dict[str, Any]:
        """What the certificate states."""
        return {
            "gradients": [[write(value) for value in row] for row in self.g],
            "iterates": [[write(value) for value in row] for row in self.x],
            "eta": write(self.eta),
            "eps": write(self.eps),
            "blocks": [{"table": block.table, "copies": block.copies} for block in self.blocks],
            **self.comparators.inputs(),
        }


# --- from a trace -----------------------------------------------------------------------------------------------------


def _games(run: Trace) -> list[Game]:
    if run.iterates is None or run.gradients is None:
        raise NotCertified("the history was not kept: play with keep_history=True")
    size, K = run.gradients.size, structure_of(run)
    if size > LARGEST_HISTORY:
        raise NotCertified(f"not tried: the run has T·B·d = {size} numbers, more than {LARGEST_HISTORY}")
    blocks = blocks_of(K)
    largest = max(len(block.table) for block in blocks)
    if largest > LARGEST_BLOCK:
        raise NotCertified(f"not tried: it needs the root of a {largest} x {largest} matrix, beyond {LARGEST_BLOCK}")
    if run.horizon * run.batch * sum(block.size for block in blocks) > LARGEST_SUMS:
        raise NotCertified(f"not tried: E(M_t) is a sum of more than {LARGEST_SUMS} products")
    try:
        return [_game(run, element, blocks) for element in range(run.batch)]
    except NotCertified:
        raise
    except ValueError as error:  # a NaN or an infinity
        raise NotCertified(f"the history has no exact form: {error}") from error


def _game(run: Trace, element: int, blocks: list[Block]) -> Game:
    assert run.iterates is not None and run.gradients is not None
    lengths = (run.horizon, prod(run.learner.shape))
    x = run.iterates[:-1, element].reshape(lengths).astype(np.float64)
    eta = rates(run)
    return Game(
        g=exact_matrix(run.gradients[:, element].reshape(lengths)),
        x=exact_matrix(x),
        eta=Fraction(float(eta[element % len(eta)])),
        eps=Fraction(run.eps),
        blocks=blocks,
        comparators=_comparators(run, element, x, blocks),
        reported=np.stack([series[:, element] for series in (run.regret_lower, run.regret, run.trace_root)]),
        unit_roundoff=unit_roundoff(run),
    )


def _comparators(run: Trace, element: int, x: np.ndarray, blocks: list[Block]) -> Comparators:
    if run.comparator is not None:
        return Point(run.comparator[element].reshape(-1).astype(np.float64), x, blocks)
    if run.domain is None:
        raise NotCertified("neither a comparator nor a domain")
    return Balls(balls_of(run.domain), run.domain.diameter(structure_of(run)))


# --- the proof --------------------------------------------------------------------------------------------------------


def _proved(game: Game) -> Certificate:
    """Go through the horizons, and prove another root wherever those before do not suffice."""
    root_eps = root_above(game.eps)
    won, total = Fraction(0), [Fraction(0)] * len(game.g[0])
    right, proofs, polars = None, [], []
    statistic = _Statistic(game)
    for t, (g, x) in enumerate(zip(game.g, game.x, strict=True), start=1):
        won, total = won + dot(g, x), [p + q for p, q in zip(total, g, strict=True)]
        most, polar = game.comparators.support([-value for value in total])
        polars.append(polar)
        left = won + most
        if right is None and not any(g):  # until a gradient comes, 0 ≤ D²/(2η) d √ε
            _require_reported(game, t, left, Fraction(0))
            continue
        if right is None or left > right:
            trace, roots = statistic.root(t)
            square, where = game.comparators.distance_squared(t)
            right = weight(square, game.eta) * trace - game.eta * len(g) * root_eps
            proofs.append({"horizon": t, "roots": roots, **where})
        if left > right:
            raise NotCertified(
                f"horizon {t}: the regret {float(left):.17g} is above the proved bound {float(right):.17g}"
            )
        _require_reported(game, t, left, right)
    witness = {"root_eps": write(root_eps), "proofs": proofs, "polars": polars}
    return Certificate("regret", game.inputs(), witness, "exact sums, shrunk float roots")


def weight(square: Fraction, eta: Fraction) -> Fraction:
    """D²/(2η) + η."""
    return square / (2 * eta) + eta


class _Statistic:
    """E(M_t) block by block, grown to the horizons at which a root is asked for."""

    def __init__(self, game: Game) -> None:
        self._game, self._seen, self._spent = game, 0, 0
        sizes = [len(block.table) for block in game.blocks]
        self._A: list[Matrix] = [[[game.eps * (i == j) for j in range(k)] for i in range(k)] for k in sizes]
        self._cost = sum(max(k**3, 32) for k in sizes)

    def root(self, t: int) -> tuple[Fraction, list[dict[str, Any]]]:
        """A number not above Tr E(M_t)^{1/2}, and the witness of each block. Later horizons only."""
        game = self._game
        self._spent += self._cost
        if self._spent > LARGEST_WORK:
            raise NotCertified(f"given up at horizon {t}: the regret is so close that too many roots are needed")
        new, self._seen = game.g[self._seen : t], t
        self._A = [block.grown(A, new) for block, A in zip(game.blocks, self._A, strict=True)]
        self._require_recorded(t)
        found = [root_witness(A) for A in self._A]
        trace = sum((block.copies * own for block, (own, _) in zip(game.blocks, found, strict=True)), Fraction(0))
        return trace, [witness for _, witness in found]

    def _require_recorded(self, t: int) -> None:
        """The trace's Tr H_t is that of the exact statistic, as far as floating point can tell."""
        game, about = self._game, 0.0
        for block, A in zip(game.blocks, self._A, strict=True):
            values = np.linalg.eigvalsh(np.array(A, dtype=np.float64))
            about += block.copies * float(np.sum(np.sqrt(np.clip(values, 0.0, None))))
        recorded = float(game.reported[2, t - 1])
        if not abs(about - recorded) <= AGREEMENT * game.unit_roundoff**0.5 * abs(recorded):
            raise NotCertified(f"horizon {t}: Tr H is about {about:.6g}, but {recorded:.6g} in the trace")


def _require_reported(game: Game, t: int, left: Fraction, right: Fraction) -> None:
    """The proved regret is that of the trace; with a support function from above it may leave the bracket by rounding."""
    lower, upper = (float(value) for value in game.reported[:2, t - 1])
    if not (lower <= left and left - right / (1 << 40) <= upper):  # exact, and false for a NaN
        raise NotCertified(f"horizon {t}: the regret of the history is {float(left):.17g}, outside the trace's bracket")
