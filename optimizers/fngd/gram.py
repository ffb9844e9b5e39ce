r"""Inner products of per-sample gradients, without forming the gradients where that is cheaper.

.. math:: u_i = \sum_t g_{it} a_{it}^\top, \qquad
          K_{ij} = \langle u_i, u_j\rangle = \sum_{t,t'} \langle a_{it}, a_{jt'}\rangle \langle g_{it}, g_{jt'}\rangle .

A bias is one more input that is always 1, hence the "+ 1" below. K is symmetric: only blocks on and above the diagonal are
computed, and what is below it means nothing until `full`.

Source: derived here (docs/proofs/fngd.md#products).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["BUDGET", "full", "gram_of_positions", "gram_of_rows", "gram_of_samples", "pairs_are_cheaper"]

BUDGET = 2**26  # entries of a temporary: 256 MiB in float32
ROWS = 128  # of a block; smaller ones waste the matrix product, larger ones the symmetry


def _upper(n: int, block: Callable[[slice, slice], Tensor], like: Tensor, rows: int) -> Tensor:  # (n, n)
    """The upper triangle of the symmetric matrix whose blocks `block` computes."""
    if n <= rows:
        return block(slice(0, n), slice(0, n))
    K = like.new_zeros(n, n)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        K[:stop, start:stop] = block(slice(0, stop), slice(start, stop))  # tall products are faster than wide ones
    return K


def full(K: Tensor) -> Tensor:  # (n, n) -> (n, n)
    """The symmetric matrix from its upper triangle."""
    return K.triu() + K.triu(1).mT


def gram_of_rows(
    a: Tensor,  # (n, p) inputs
    g: Tensor,  # (n, q) output gradients
    bias: bool,
) -> Tensor:  # (n, n)
    """K for one position per sample: (A Aᵀ [+ 1]) ∘ (G Gᵀ)."""

    def block(i: slice, j: slice) -> Tensor:  # both products while they are in the cache
        inner = torch.mm(a[i], a[j].t())
        if bias:
            inner.add_(1.0)
        return inner.mul_(torch.mm(g[i], g[j].t()))

    return _upper(len(a), block, g, ROWS)


def gram_of_positions(
    a: Tensor,  # (n, T, p)
    g: Tensor,  # (n, T, q)
    bias: bool,
) -> Tensor:  # (n, n)
    """K from all pairs of positions, in at most n²T²(p + q) operations and blocks of at most `BUDGET` pairs."""
    T = a.shape[1]
    a, g = a.contiguous(), g.contiguous()  # patches are not, and would be copied for each block

    def block(i: slice, j: slice) -> Tensor:
        inner = a[i].reshape(-1, a.shape[2]) @ a[j].reshape(-1, a.shape[2]).mT
        if bias:
            inner += 1.0
        inner.mul_(g[i].reshape(-1, g.shape[2]) @ g[j].reshape(-1, g.shape[2]).mT)
        return inner.reshape(i.stop - i.start, T, j.stop - j.start, T).sum((1, 3))

    return _upper(len(a), block, g, max(1, min(ROWS // T, BUDGET // (len(a) * T * T))))


def gram_of_samples(U: Tensor) -> Tensor:  # (n, d) -> (n, n)
    """U Uᵀ: K from the per-sample gradients themselves."""
    return _upper(len(U), lambda i, j: torch.mm(U[i], U[j].t()), U, ROWS)


def pairs_are_cheaper(n: int, T: int, p: int, q: int) -> bool:
    """Whether K from pairs of positions, and then the weighted gradient, cost less than K from per-sample gradients.

    Multiplications: n²T²(p + q) + nTpq against nTpq + n²pq + npq; each of the n²T² pairs is also written, multiplied and
    summed, which costs about as much as 16 multiplications inside a matrix product.
    """
    return n * T * T * (p + q + (16 if T > 1 else 0)) <= (n + 1) * p * q
