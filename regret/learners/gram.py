r"""Full-matrix AdaGrad, exactly, in T·d numbers: never a d×d matrix.

With the gradients so far as rows, :math:`R = (g_1, \dots, g_t)^\top \in \mathbb R^{t \times d}`, and the eigendecomposition
:math:`R R^\top = V \operatorname{diag}(\lambda) V^\top` of the small Gram matrix, every function of
:math:`\varepsilon I + R^\top R` is

.. math::
    f(\varepsilon I + R^\top R) = f(\varepsilon)\, I
        + R^\top V \operatorname{diag}\Bigl(\frac{f(\varepsilon + \lambda_i) - f(\varepsilon)}{\lambda_i}\Bigr) V^\top R,
    \qquad
    H_t^{-1} g_t = R^\top (\varepsilon I + R R^\top)^{-1/2} e_t .

A step costs 4td + 9t³ operations: one new row of the Gram matrix, one t×t eigendecomposition, one combination of rows.

Source: derived here (docs/proofs/gram.md); the recursion is Duchi, Hazan, Singer 2011 (full-matrix AdaGrad).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt, prod
from typing import TYPE_CHECKING, Any, ClassVar

from problems.domains.vectors import norm
from regret.learners.adaptive import FactorMetric
from regret.learners.base import (
    Learner,
    Metric,
    State,
    check_damping,
    check_domain,
    check_rate,
    per_element,
    require_gradient,
    require_start,
)
from structures.arrays import Array, like, namespace
from structures.factor import Factor
from structures.full import Full
from structures.roots import clip_to_psd, eigh, rank_floor, values_power

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["GramFullMatrix"]

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class GramFullMatrix(Learner):
    """Full-matrix AdaGrad for parameters of a million entries and runs of at most `horizon` steps.

    The same iterates as ``AdaptiveRegularization(Full(shape), ...)`` up to rounding, for ``eps`` well above the rounding of
    the squared gradients; with a nearly singular Gram matrix full-matrix AdaGrad is chaotic in any implementation.

    The state is **not pure**: the gradients live in one preallocated (B, horizon, d) array, which a step extends in place.
    A state can therefore be stepped once; stepping it again, or beyond the horizon, raises ValueError. `domain` is None
    or an L2Ball, whose projection stays in the span of the gradients and the iterate.

    Scalars of a state: as AdaptiveRegularization, and ``adaptive_norm`` Tr (Σ g gᵀ)^{1/2}, without ε.
    """

    shape: tuple[int, ...]
    lr: float | tuple[float, ...]
    eps: float = 0.0
    domain: Domain | None = None
    horizon: int = field(kw_only=True)

    scalars: ClassVar[tuple[str, ...]] = ("trace_root", "q", "gap", "dropped", "adaptive_norm")

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", Full(self.shape).shape)
        object.__setattr__(self, "lr", check_rate(self.lr))
        object.__setattr__(self, "eps", check_damping(self.eps))
        if self.horizon != int(self.horizon) or self.horizon < 1:
            raise ValueError(f"horizon must be an integer ≥ 1, got {self.horizon!r}: the gradients are preallocated.")
        object.__setattr__(self, "domain", check_domain(_ball(self.domain), self.shape))

    @property
    def structure(self) -> Full:
        """All symmetric matrices: the structure whose geometry the bounds of this learner speak of."""
        return Full(self.shape)

    def norms(self) -> dict[str, Callable[[Array], Array]]:
        return {"structure": self.structure.norm, **super().norms()}

    def init(self, x0: Array) -> State:  # (B, *shape)
        x = require_start(x0, self.shape)
        xp = namespace(x)
        batch, d = x.shape[0], prod(self.shape)
        names = ("q", "gap", "dropped", "adaptive_norm")
        return {
            "x": x,
            "t": 0,
            "rows": _Rows(xp.zeros((batch, self.horizon, d), **like(x))),
            "gram": xp.zeros((batch, 0, 0), **like(x)),
            "trace_root": xp.full((batch,), d * self.eps**0.5, **like(x)),
            **{name: xp.zeros(batch, **like(x)) for name in names},
        }

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        require_gradient(state, G)
        xp = namespace(G)
        g = xp.reshape(G, (G.shape[0], -1))
        rows = state["rows"].append(state["t"], g)
        gram = _bordered(state["gram"], (rows @ g[..., None])[..., 0])
        factor, eigen = self._factor(rows, gram)
        last = eigen.vectors[:, -1, :]  # e_tᵀ V
        weights = (eigen.vectors @ (eigen.spectrum(self.eps, -HALF) * last)[..., None])[..., 0]
        direction = xp.reshape((weights[:, None, :] @ rows)[:, 0, :], G.shape)
        X, gap = self._moved(state["x"], direction, factor)
        new = {
            "x": X, "t": state["t"] + 1, "rows": state["rows"], "gram": gram, "trace_root": factor.trace(HALF),
            "q": xp.sum(weights * gram[:, -1, :], axis=-1), "gap": gap, "dropped": eigen.lost(rows, self.eps),
            "adaptive_norm": xp.sum(xp.sqrt(eigen.values), axis=-1),
        }  # fmt: skip
        return new, FactorMetric(factor)

    def _moved(self, x: Array, direction: Array, factor: Factor) -> tuple[Array, Array]:
        """The next iterate and the Frank-Wolfe gap of its projection."""
        Y = x - per_element(self.lr, x) * direction
        if self.domain is None:
            return Y, namespace(x).zeros(x.shape[0], **like(x))
        return self.domain.project(Y, factor, start=x)

    def _factor(self, rows: Array, gram: Array) -> tuple[Factor, _Eigen]:
        """εI + RᵀR as a Factor: the t eigenvalues in the span of the rows, then ε for all the rest."""
        xp = namespace(gram)
        t = gram.shape[-1]
        values, vectors = eigh(gram)
        # An entry of the Gram matrix is a sum of d products, whose rounding grows like √d.
        floor = rank_floor(values, max(t, isqrt(prod(self.shape))))
        floor = xp.clip(floor, t * float(xp.finfo(floor.dtype).smallest_normal), None)  # 1/λ must not overflow
        values = _ranked(clip_to_psd(values, max(t, isqrt(prod(self.shape)))), prod(self.shape))
        eigen = _Eigen(values, floor, vectors)
        all_values = xp.concat([values, xp.zeros_like(values[..., :1])], axis=-1) + self.eps
        return Factor(_Span(self.shape), all_values, floor, (rows, eigen)), eigen


def _ranked(values: Array, d: int) -> Array:  # (B, t) ascending
    """Eigenvalues of t vectors of d entries: t - d of them are zero, and their rounding would add up in Tr H."""
    xp, surplus = namespace(values), max(0, values.shape[-1] - d)
    return xp.concat([xp.zeros_like(values[..., :surplus]), values[..., surplus:]], axis=-1) if surplus else values


def _bordered(gram: Array, row: Array) -> Array:  # (B, t, t), (B, t + 1) -> (B, t + 1, t + 1)
    """The Gram matrix with one more row and column."""
    xp = namespace(gram)
    top = xp.concat([gram, row[:, :-1, None]], axis=2)
    return xp.concat([top, row[:, None, :]], axis=1)


class _Rows:
    """The gradients so far, in one preallocated array."""

    def __init__(self, buffer: Array) -> None:  # (B, horizon, d)
        self.buffer, self.count = buffer, 0

    def append(self, t: int, g: Array) -> Array:  # (B, d) -> (B, t + 1, d)
        """All rows up to the new one; raises ValueError when the state was stepped before or the array is full."""
        if t != self.count:
            raise ValueError(
                f"this state of GramFullMatrix has seen {t} gradients, its shared array {self.count}: a state can be "
                f"stepped once, because the next gradient is stored in place. Start again from init(x0)."
            )
        if t == self.buffer.shape[1]:
            raise ValueError(
                f"GramFullMatrix was built for horizon={t} and has seen {t} gradients: build it with the number of "
                f"steps that you want."
            )
        self.buffer[:, t, :] = g
        self.count += 1
        return self.buffer[:, : t + 1, :]


@dataclass(frozen=True, eq=False)
class _Eigen:
    """The spectral decomposition of the Gram matrix."""

    values: Array  # (B, t) λ ≥ 0, ascending
    floor: Array  # (B, 1)
    vectors: Array  # (B, t, t)

    def spectrum(self, eps: float, p: Fraction) -> Array:  # (B, t)
        """(ε + λ)^p, the pseudo-inverse power for p < 0."""
        return values_power(self.values + eps, p, self.floor)

    def lost(self, rows: Array, eps: float) -> Array:  # (B, t, d) -> (B,)
        """‖P g_t‖₂ with P the null space of the pseudo-inverse: the combination Rᵀ V₀ V₀ᵀ e_t of the gradients.

        The eigenvalues do not tell it: those that count as zero have no correct digit.
        """
        xp = namespace(rows)
        null = self.values + eps <= self.floor
        if not bool(xp.any(null)):
            return xp.zeros(rows.shape[0], **like(rows))
        weights = self.vectors @ (xp.astype(null, rows.dtype) * self.vectors[:, -1, :])[..., None]
        return norm((xp.matrix_transpose(weights) @ rows)[..., 0, :])


@dataclass(frozen=True)
class _Span(Full):
    """All symmetric matrices, with factors that are known through the Gram matrix of t vectors."""

    def weights(self, values: Array) -> Array:  # (..., t + 1) -> (t + 1,)
        xp = namespace(values)
        t = values.shape[-1] - 1
        rest = xp.full((1,), float(self.dim - t), **like(values))  # negative for t > d: the surplus λ are zeros
        return xp.concat([xp.ones(t, **like(values)), rest], axis=0)

    def apply_spectrum(self, values: Array, basis: Any, X: Array) -> Array:  # (B, *shape)
        rows, eigen = basis
        xp = namespace(X)
        inside, rest = values[..., :-1], values[..., -1:]
        null = eigen.values <= eigen.floor  # known to lie in the span by rounding only
        safe = xp.where(null, xp.ones_like(inside), eigen.values)
        slopes = xp.where(null, xp.zeros_like(inside), (inside - rest) / safe)
        x = self.flatten(X)
        along = xp.matrix_transpose(eigen.vectors) @ (rows @ x[..., None])
        combined = xp.matrix_transpose(eigen.vectors @ (slopes[..., None] * along)) @ rows
        return self.unflatten(rest * x + combined[..., 0, :])

    def compose(self, values: Array, basis: Any) -> Array:  # -> (B, d, d)
        unit = self.identity(values)
        columns = [self.flatten(self.apply_spectrum(values, basis, self._copies(row, values))) for row in unit]
        return namespace(values).stack(columns, axis=-1)

    def _copies(self, row: Array, values: Array) -> Array:
        """One vector for every batch element."""
        return namespace(row).broadcast_to(self.unflatten(row), (*values.shape[:-1], *self.shape))


def _ball(domain: Any) -> Domain | None:
    """`domain` if it is None or an L2Ball; otherwise ValueError with the reason."""
    from problems.domains import L2Ball

    if not (domain is None or isinstance(domain, L2Ball)):
        raise ValueError(
            f"GramFullMatrix can only project on an L2Ball, got {domain!r}: other projections leave the span of the "
            f"gradients. Use AdaptiveRegularization(Full(shape), ...) for a small d."
        )
    return domain
