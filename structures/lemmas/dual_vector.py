r"""The parameter at which the dual norm is attained, :math:`x^* = P_{\mathcal H}(yy^\top)^{+} y`.

For a closed set :math:`\langle x^*, y\rangle = \operatorname{Tr} P_{\mathcal H}(yy^\top)` and
:math:`\|x^*\|_{\mathcal H} = 1`: the sign of y for diagonals, the polar factor for one-sided matrices.
"""

from __future__ import annotations

from structures.arrays import Array, namespace, tolerance
from structures.base import Structure
from structures.lemmas.law import precondition
from structures.lemmas.rounding import positive_or_one, projected_spectrum, projection_error, trace_root_error
from structures.roots import eigh

__all__ = ["dual_error", "dual_vector", "unit"]


def unit(K: Structure, Y: Array) -> tuple[Array, Array]:  # (..., *shape) -> (..., d), (...)
    """y divided by its Euclidean length, and the length (1 for y = 0)."""
    xp = namespace(Y)
    y = K.flatten(Y)
    largest = positive_or_one(xp.max(xp.abs(y), axis=-1))
    length = largest * positive_or_one(xp.linalg.vector_norm(y / largest[..., None], axis=-1))
    return y / length[..., None], length


def dual_vector(K: Structure, Y: Array) -> Array:  # (..., *shape) -> (..., d)
    """P_H(yyᵀ)⁺ y; roots that are rounding count as zero."""
    xp = namespace(Y)
    u, _ = unit(K, Y)
    square = u[..., :, None] * u[..., None, :]
    values, vectors = eigh(precondition(K, square))
    # A set that is solved for has a damped, hence definite, P_H: only closed forms have roots that are rounding.
    cut = xp.sqrt(projection_error(square))[..., None] if K.precision == 0.0 else 0.0
    kept = values > cut
    along = (xp.matrix_transpose(vectors) @ u[..., None])[..., 0]
    scaled = xp.where(kept, along / xp.where(kept, values, xp.ones_like(values)), xp.zeros_like(values))
    return (vectors @ scaled[..., None])[..., 0]


def dual_error(K: Structure, Y: Array) -> Array:  # (..., *shape) -> (...)
    """Rounding of ‖Y‖_{H,*}: that of the trace of a root."""
    u, length = unit(K, Y)
    square = u[..., :, None] * u[..., None, :]
    error = trace_root_error(projected_spectrum(K, square), projection_error(square) + tolerance(u, K.dim))
    return 2.0 * length * error
