r"""P_H of a linear set from its definition, by damped Newton.

For :math:`L = \operatorname{span}\{B_1, \dots, B_k\} \ni I` and :math:`M \succ 0` the function

.. math:: f(h) = \langle M, H^{-1}\rangle + \operatorname{Tr} H, \qquad H = \textstyle\sum_i h_i B_i \succ 0,

is strictly convex and tends to infinity at the boundary of its domain. At :math:`H = CC^\top` with :math:`C^\top C = \Lambda`
diagonal, in directions :math:`C Q C^\top` and with :math:`W = C^{-1} M C^{-\top}`,

.. math:: \partial_Q f = \langle Q, \Lambda - W\rangle, \qquad \partial_{QQ'} f = 2 \operatorname{Tr}(Q Q' W).

For singular M the infimum need not be attained or unique; :math:`M + \epsilon I` with ε = 1e-13 of the mean eigenvalue is
used instead, which moves the optimal value by at most :math:`2 d\sqrt\epsilon`.

Source: derived here, docs/proofs/characterisation.md.
"""

from __future__ import annotations

import numpy as np

from structures.arrays import Array, eye, namespace
from structures.roots import eigh

__all__ = ["combination", "framed", "local_frame", "newton_preconditioner"]

SINGULAR = 1e-13  # relative to the mean eigenvalue: smaller eigenvalues of M are damped by it
STAGES = (1.0, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 0.0)  # follow the minimiser of M + εI from the easy end
STEPS = 100  # per stage; a handful are used
CONVERGED = 1e-25  # squared Newton decrement beside f of order d; H is then right to about 1e-12
STALLED = 1e-9  # where rounding may keep it when M is singular: f is then right to this, which is below its move by ε


def newton_preconditioner(M: Array, basis: Array) -> Array:  # (..., d, d), (k, d, d) -> (..., k)
    """Coefficients of P_H(M), for M ⪰ 0 of mean eigenvalue one and an orthonormal basis whose span contains I.

    Raises LinAlgError when the iteration does not converge.
    """
    xp = namespace(M)
    identity = eye(M.shape[-1], M)
    lowest = xp.min(eigh(M)[0], axis=-1)
    singular = lowest <= SINGULAR
    least = xp.where(singular, xp.full_like(M[..., 0, 0], SINGULAR), xp.zeros_like(M[..., 0, 0]))
    h = xp.broadcast_to(xp.linalg.trace(basis), (*M.shape[:-2], basis.shape[0]))  # coefficients of I
    decrement = xp.zeros_like(least)
    easiest = 0.01 * float(xp.min(lowest))
    for stage in STAGES:
        if 0.0 < stage < easiest:
            continue  # M itself is already as well conditioned as this stage
        eps = xp.maximum(least, xp.full_like(least, stage))
        h, decrement = _minimise(M + eps[..., None, None] * identity, basis, h)
    if not bool(xp.all(decrement <= STALLED * M.shape[-1])):
        raise np.linalg.LinAlgError(
            f"Newton's method for P_H stopped at a decrement² of {float(xp.max(decrement)):.3g}."
        )
    return h


def combination(h: Array, basis: Array) -> Array:  # (..., k), (k, d, d) -> (..., d, d)
    """Σ h_i B_i."""
    xp = namespace(h)
    return xp.reshape((h[..., None, :] @ _flat(basis))[..., 0, :], (*h.shape[:-1], *basis.shape[1:]))


def _minimise(M: Array, basis: Array, h: Array) -> tuple[Array, Array]:
    """Damped Newton from h; the minimiser and the last squared decrement, both per batch element."""
    xp = namespace(M)
    last = xp.full_like(M[..., 0, 0], float("inf"))
    done = last < 0.0
    for _ in range(STEPS):
        step, decrement = _newton_step(M, basis, h)
        stalled = (decrement <= STALLED * M.shape[-1]) & (decrement >= 0.25 * last)
        done = done | stalled | (decrement <= CONVERGED * M.shape[-1])
        if bool(xp.all(done)):
            return h, decrement
        length = _length(M, basis, h, step, decrement)
        h, last = xp.where(done[..., None], h, h + length[..., None] * step), decrement
    return h, last


def _newton_step(M: Array, basis: Array, h: Array) -> tuple[Array, Array]:  # -> (..., k), (...)
    """The Newton direction and its squared decrement, computed in the frame of the current H."""
    xp = namespace(M)
    values, C, inverse, frame = local_frame(combination(h, basis), basis)
    W = inverse @ M @ xp.matrix_transpose(inverse)
    diagonal = values[..., None, :] * eye(M.shape[-1], M)
    gradient = (_flat(frame) @ _flat(diagonal - W)[..., None])[..., 0]
    left = _flat(frame @ W[..., None, :, :])
    hessian = left @ xp.matrix_transpose(_flat(frame))
    step = -xp.linalg.solve(hessian + xp.matrix_transpose(hessian), gradient[..., None])[..., 0]
    move = C @ framed(step, frame) @ xp.matrix_transpose(C)
    decrement = xp.maximum(-xp.sum(gradient * step, axis=-1), xp.zeros_like(step[..., 0]))
    return _flat(move) @ xp.matrix_transpose(_flat(basis)), decrement


def local_frame(H: Array, basis: Array) -> tuple[Array, Array, Array, Array]:
    """Eigenvalues of H = CCᵀ, C, C⁻¹, and an orthonormal basis (..., k, d, d) of C⁻¹ span(basis) C⁻ᵀ.

    In this frame curvatures are of order one however close H is to singular, so that small eigenvalues keep their digits.
    """
    xp = namespace(H)
    values, vectors = eigh(H)
    root = xp.sqrt(values)
    inverse = xp.matrix_transpose(vectors / root[..., None, :])
    turned = inverse[..., None, :, :] @ basis @ xp.matrix_transpose(inverse)[..., None, :, :]
    orthonormal, _ = xp.linalg.qr(xp.matrix_transpose(_flat(turned)))
    return values, vectors * root[..., None, :], inverse, xp.reshape(xp.matrix_transpose(orthonormal), turned.shape)


def framed(y: Array, frame: Array) -> Array:  # (..., k), (..., k, d, d) -> (..., d, d)
    """Σ y_j Q_j, symmetric."""
    xp = namespace(y)
    matrix = xp.reshape((y[..., None, :] @ _flat(frame))[..., 0, :], (*y.shape[:-1], *frame.shape[-2:]))
    return 0.5 * (matrix + xp.matrix_transpose(matrix))


def _length(M: Array, basis: Array, h: Array, step: Array, decrement: Array) -> Array:  # -> (...)
    """The largest of 1, 1/2, 1/4, ... that stays positive definite and decreases f enough (up to its rounding)."""
    xp = namespace(M)
    start = _value(M, basis, h)
    length = xp.ones_like(start)
    for _ in range(60):
        value = _value(M, basis, h + length[..., None] * step)
        enough = value <= start - 0.25 * length * decrement + 1e-13 * start
        if bool(xp.all(enough)):
            break
        length = xp.where(enough, length, 0.5 * length)
    return length


def _value(M: Array, basis: Array, h: Array) -> Array:  # -> (...), infinite outside the domain
    xp = namespace(M)
    values, vectors = eigh(combination(h, basis))
    inside = values[..., 0] > 0
    energies = xp.sum(vectors * (M @ vectors), axis=-2)
    value = xp.sum(energies / xp.where(inside[..., None], values, xp.ones_like(values)) + values, axis=-1)
    return xp.where(inside, value, xp.full_like(value, float("inf")))


def _flat(A: Array) -> Array:  # (..., d, d) -> (..., d²)
    return namespace(A).reshape(A, (*A.shape[:-2], A.shape[-2] * A.shape[-1]))
