r"""The norm of a linear set from its definition: a linear function over a spectrahedron, by a barrier method.

For :math:`L = \operatorname{span}\{I, B_2, \dots, B_k\}` with traceless, orthonormal :math:`B_i` and symmetric X,

.. math:: \nu(X) = \max\{\langle X, H\rangle : H \in L,\ H \succeq 0,\ \operatorname{Tr} H = 1\},
          \qquad \|x\|_{\mathcal H}^2 = \nu(xx^\top).

The centre :math:`H(\tau) = \arg\max \langle X, H\rangle + \tau^{-1} \log\det H` is feasible, hence a lower bound; and for
every :math:`Z \succeq 0`, with E the orthogonal projection onto L,

.. math:: \nu(X) \le \nu(X + Z) \le \lambda_{\max}(E(X + Z)), \qquad Z = \tau^{-1} H(\tau)^{-1},

where Z need not be exact for the bound to hold. The two ends are d/τ apart at the exact centre.

Source: derived here; the barrier is the standard one of semidefinite programming.
"""

from __future__ import annotations

from structures.arrays import Array, eye, namespace
from structures.not_structured.newton import combination, framed, local_frame
from structures.roots import eigh

__all__ = ["spectrahedron_bracket"]

SHARPEST = 1e9  # τ beside a unit X: beyond it H is too close to singular for double precision
GROWTH = 8.0
STEPS = 50  # Newton steps for one τ; about five are used
CENTRED = 1e-5  # Newton decrement; the bracket holds whatever it is


def spectrahedron_bracket(X: Array, basis: Array) -> tuple[Array, Array]:  # (..., d, d), (k, d, d) -> (...), (...)
    """Lower and upper bounds of ν(X) for PSD X of trace one; `basis` is orthonormal with I/√d as its first element."""
    xp = namespace(X)
    d = X.shape[-1]
    z = xp.zeros((*X.shape[:-2], basis.shape[0] - 1), dtype=X.dtype, device=X.device)
    tau = float(d) if basis.shape[0] > 1 else SHARPEST  # a set of multiples of I has one element of trace one
    while tau < SHARPEST:
        tau = min(GROWTH * tau, SHARPEST)
        z = _centre(X, basis, z, tau)
    H = _element(z, basis)
    lower = xp.sum(X * H, axis=(-2, -1))
    lifted = X + xp.linalg.inv(H) / tau
    flat = xp.reshape(lifted, (*X.shape[:-2], d * d))
    projected = combination(flat @ xp.matrix_transpose(xp.reshape(basis, (basis.shape[0], d * d))), basis)
    return lower, xp.maximum(lower, eigh(projected)[0][..., -1])


def _element(z: Array, basis: Array) -> Array:  # the element of trace one with these traceless coefficients
    xp = namespace(z)
    first = xp.full_like(z[..., :1], basis.shape[-1] ** -0.5) if z.shape[-1] else None
    if first is None:
        return xp.broadcast_to(basis[0, ...] * basis.shape[-1] ** -0.5, (*z.shape[:-1], *basis.shape[1:]))
    return combination(xp.concat([first, z], axis=-1), basis)


def _centre(X: Array, basis: Array, z: Array, tau: float) -> Array:
    """Newton for max τ<X, H> + log det H; in the frame of H the second derivative is the identity.

    The step length is the one that self-concordance prescribes.
    """
    xp = namespace(X)
    traceless = basis[1:, ...]
    flat = xp.reshape(traceless, (traceless.shape[0], X.shape[-1] ** 2))
    for _ in range(STEPS):
        _, C, _, frame = local_frame(_element(z, basis), traceless)
        pull = tau * (xp.matrix_transpose(C) @ X @ C) + eye(X.shape[-1], X)
        y = xp.sum(frame * pull[..., None, :, :], axis=(-2, -1))
        decrement = xp.linalg.vector_norm(y, axis=-1)
        move = C @ framed(y / (1.0 + decrement)[..., None], frame) @ xp.matrix_transpose(C)
        z = z + xp.reshape(move, (*X.shape[:-2], X.shape[-1] ** 2)) @ xp.matrix_transpose(flat)
        if bool(xp.all(decrement <= CENTRED)):
            break
    return z
