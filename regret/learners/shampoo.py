r"""Two-sided Shampoo, which is not an instance of adaptive regularization: its set of preconditioners is not linear.

.. math::
    L_t = L_{t-1} + G_t G_t^\top, \quad R_t = R_{t-1} + G_t^\top G_t, \quad L_0 = \varepsilon I,\ R_0 = \varepsilon I, \qquad
    X_{t+1} = X_t - \eta\, L_t^{-1/4} G_t R_t^{-1/4}.

The step is a gradient step in the metric :math:`H_t = A_t \otimes B_t` with :math:`A = L^{1/4}`, :math:`B = R^{1/4}`.

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from regret.learners.base import (
    Learner,
    Metric,
    State,
    check_damping,
    check_rate,
    inner,
    norm2,
    per_element,
    require_gradient,
    require_start,
)
from structures.arrays import Array, eye, like, namespace, positive_sizes
from structures.roots import clip_to_psd, eigh, rank_floor, values_power

__all__ = ["TwoSidedShampoo"]

QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)


@dataclass(frozen=True, eq=False)
class _Side:
    """The spectral decomposition of L or R."""

    values: Array  # (B, k)
    floor: Array  # (B, 1)
    vectors: Array  # (B, k, k)

    def power(self, p: Fraction) -> Array:  # (B, k, k)
        xp = namespace(self.values)
        powered = values_power(self.values, p, self.floor)
        return (self.vectors * powered[..., None, :]) @ xp.matrix_transpose(self.vectors)

    @property
    def null(self) -> Array:  # (B, k)
        """Where the pseudo-inverse power is zero."""
        return self.values <= self.floor

    def seen(self) -> Array:  # (B, k, k)
        """The projection on the range of the pseudo-inverse power."""
        xp = namespace(self.values)
        kept = xp.astype(~self.null, self.values.dtype)
        return (self.vectors * kept[..., None, :]) @ xp.matrix_transpose(self.vectors)

    def trace(self, p: Fraction) -> Array:  # (B,)
        return namespace(self.values).sum(values_power(self.values, p), axis=-1)

    def top(self, p: Fraction) -> Array:  # (B,)
        return namespace(self.values).max(values_power(self.values, p), axis=-1)


@dataclass(frozen=True, eq=False)
class _Pair:
    """‖X‖² = <X, A X B>."""

    left: Array
    right: Array

    def energy(self, X: Array) -> Array:  # (B, m, n) -> (B,)
        return inner(X, self.left @ X @ self.right)


@dataclass(frozen=True)
class TwoSidedShampoo(Learner):
    """X ← X - lr · L^{-1/4} G R^{-1/4} for a matrix parameter, unconstrained.

    `eps` ≥ 0 starts both statistics; with ``eps=0`` the inverses are pseudo-inverses. Scalars of a state: ``trace_root``
    Tr A · Tr B, ``q`` <G, A⁻¹ G B⁻¹>, ``gap`` 0, and the traces and largest eigenvalues that its bounds are made of,
    ``trace_left`` Tr L^{1/4}, ``trace_right`` Tr R^{1/4}, ``trace_left_root`` Tr L^{1/2}, ``trace_right_root`` Tr R^{1/2},
    ``top_left`` ‖L^{1/4}‖_op, ``top_right`` ‖R^{1/4}‖_op, and ``dropped`` ‖G - P G Q‖_F with P and Q the projections on what the
    pseudo-inverses see: zero unless a gradient is too small beside the earlier ones.

    Raises ValueError for a shape that is not a matrix, lr ≤ 0 or eps < 0.
    """

    shape: tuple[int, ...]  # (m, n)
    lr: float | tuple[float, ...]
    eps: float = 0.0

    domain = None  # a projection in the metric A ⊗ B has no closed form here
    scalars: ClassVar[tuple[str, ...]] = (
        "trace_root", "q", "gap", "dropped", "trace_left", "trace_right", "trace_left_root", "trace_right_root",
        "top_left", "top_right",
    )  # fmt: skip

    def __post_init__(self) -> None:
        shape = positive_sizes("TwoSidedShampoo", self.shape)
        if len(shape) != 2:
            raise ValueError(f"TwoSidedShampoo needs a matrix parameter (m, n), got {self.shape!r}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "lr", check_rate(self.lr))
        object.__setattr__(self, "eps", check_damping(self.eps))

    def norms(self) -> dict[str, Callable[[Array], Array]]:
        return {**super().norms(), "operator": _operator_norm}

    def init(self, x0: Array) -> State:  # (B, m, n)
        x = require_start(x0, self.shape)
        xp = namespace(x)
        batch, (m, n) = x.shape[0], self.shape
        left, right = (xp.zeros((batch, k, k), **like(x)) + self.eps * eye(k, x) for k in (m, n))
        zero = xp.zeros(batch, **like(x))
        return {"x": x, "t": 0, "left": left, "right": right, **self._scalars(_side(left), _side(right), zero, zero)}

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, m, n)
        require_gradient(state, G)
        x = state["x"]
        transposed = namespace(G).matrix_transpose(G)
        L, R = state["left"] + G @ transposed, state["right"] + transposed @ G
        left, right = _side(L), _side(R)
        direction = left.power(-QUARTER) @ G @ right.power(-QUARTER)
        X = x - per_element(self.lr, x) * direction
        scalars = self._scalars(left, right, inner(G, direction), _dropped(left, right, G))
        return {"x": X, "t": state["t"] + 1, "left": L, "right": R, **scalars}, _Pair(
            left.power(QUARTER), right.power(QUARTER)
        )

    def _scalars(self, left: _Side, right: _Side, q: Array, unseen: Array) -> dict[str, Array]:
        a, b = left.trace(QUARTER), right.trace(QUARTER)
        return {
            "trace_root": a * b, "q": q, "gap": namespace(q).zeros_like(q), "dropped": unseen, "trace_left": a, "trace_right": b,
            "trace_left_root": left.trace(HALF), "trace_right_root": right.trace(HALF),
            "top_left": left.top(QUARTER), "top_right": right.top(QUARTER),
        }  # fmt: skip


def _dropped(left: _Side, right: _Side, G: Array) -> Array:  # (B, m, n) -> (B,)
    """‖G - P G Q‖_F, exactly zero where nothing is dropped."""
    xp = namespace(G)
    some = xp.any(left.null, axis=-1) | xp.any(right.null, axis=-1)
    zero = xp.zeros(G.shape[0], **like(G))
    if not bool(xp.any(some)):
        return zero
    return xp.where(some, norm2(G - left.seen() @ G @ right.seen()), zero)


def _side(statistic: Array) -> _Side:  # (B, k, k)
    values, vectors = eigh(statistic)
    k = statistic.shape[-1]
    return _Side(clip_to_psd(values, k), rank_floor(values, k), vectors)


def _operator_norm(X: Array) -> Array:  # (..., m, n) -> (...)
    return namespace(X).linalg.svdvals(X)[..., 0]
