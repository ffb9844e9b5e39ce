r"""What the samples of a batch contribute to the gradient of a layer: products of contributions, and weighted sums of them.

.. math:: K_{ij} = \langle u_i, u_j\rangle, \qquad \sum_i w_i u_i , \qquad u_i = \sum_t g_{it} a_{it}^\top .

Here for linear layers. A module that is used several times in a forward pass adds up, like positions of a sequence.

Source: derived here (docs/proofs/fngd.md#products).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from optimizers.fngd.gram import BUDGET, gram_of_positions, gram_of_rows, gram_of_samples, pairs_are_cheaper

__all__ = ["Contributions", "Gradients", "PositionContributions", "RowContributions", "Use", "linear_contributions"]

Use = tuple[Tensor, Tensor]  # input and output gradient of one call, samples first
Gradients = tuple[Tensor, Tensor | None]  # of weight and bias


class Contributions(ABC):
    """The contributions u_i of one batch to one layer."""

    n: int  # samples
    bias: bool  # whether u_i has the bias' part
    like: Tensor  # any tensor of the dtype and device of u_i

    @abstractmethod
    def gram(self) -> Tensor:
        """K, shape (n, n), upper triangle."""

    @abstractmethod
    def combine(self, w: Tensor) -> Gradients:  # w: (n,)
        """Σ w_i u_i, in the shapes of weight and bias."""

    @abstractmethod
    def to(self, dtype: torch.dtype) -> Contributions:
        """The same in another precision."""


class RowContributions(Contributions):
    """u_i = g_i a_iᵀ: a linear layer that sees one vector per sample."""

    def __init__(
        self,
        a: Tensor,  # (n, p)
        g: Tensor,  # (n, q)
        bias: bool,
    ) -> None:
        self.a, self.g, self.bias, self.n, self.like = a, g, bias, a.shape[0], g

    def gram(self) -> Tensor:
        return gram_of_rows(self.a, self.g, self.bias)

    def combine(self, w: Tensor) -> Gradients:
        a, g = _scaled(self.a, self.g, w.unsqueeze(1))
        return torch.mm(g.t(), a), torch.mv(self.g.t(), w) if self.bias else None

    def to(self, dtype: torch.dtype) -> Contributions:
        return RowContributions(self.a.to(dtype), self.g.to(dtype), self.bias)


class PositionContributions(Contributions):
    """u_i = Σ_t g_it a_itᵀ: a linear layer that sees a sequence."""

    def __init__(
        self,
        a: Tensor,  # (n, T, p)
        g: Tensor,  # (n, T, q)
        bias: bool,
    ) -> None:
        self.a, self.g, self.bias, self.n, self.like = a, g, bias, len(a), g
        self.samples: Tensor | None = None  # (n, q, p), when they were formed and fit

    def gram(self) -> Tensor:
        n, T, p = self.a.shape
        if pairs_are_cheaper(n, T, p, self.g.shape[-1]):
            return gram_of_positions(self.a, self.g, self.bias)
        K = self._gram_in_blocks(max(1, BUDGET // (n * p)))
        return K + gram_of_samples(self.g.sum(1)) if self.bias else K

    def _gram_in_blocks(self, rows: int) -> Tensor:
        """K from per-sample gradients, `rows` outputs at a time; kept for `combine` when one block holds them all."""
        q = self.g.shape[-1]
        K = self.g.new_zeros(self.n, self.n)
        for start in range(0, q, rows):
            block = self.g[..., start : start + rows].mT @ self.a  # (n, rows, p)
            K += gram_of_samples(block.reshape(self.n, -1))
            if rows >= q:
                self.samples = block
        return K

    def combine(self, w: Tensor) -> Gradients:
        bias = w @ self.g.sum(1) if self.bias else None
        if self.samples is not None:
            return torch.tensordot(w, self.samples, 1), bias
        a, g = _scaled(self.a, self.g, w[:, None, None])
        return g.reshape(-1, g.shape[-1]).mT @ a.reshape(-1, a.shape[-1]), bias

    def to(self, dtype: torch.dtype) -> Contributions:
        return PositionContributions(self.a.to(dtype), self.g.to(dtype), self.bias)


def _scaled(a: Tensor, g: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """The smaller of the two times w."""
    return (a * w, g) if a.shape[-1] < g.shape[-1] else (a, g * w)


def linear_contributions(uses: list[Use], bias: bool) -> Contributions:
    """Of ``nn.Linear`` on inputs (n, ..., p), used once or several times."""
    a, g = uses[0]
    if len(uses) == 1 and a.ndim == 2:
        return RowContributions(a, g, bias)
    n = a.shape[0]
    flat = [(a.reshape(n, -1, a.shape[-1]), g.reshape(n, -1, g.shape[-1])) for a, g in uses]
    if len(flat) > 1:
        return PositionContributions(torch.cat([a for a, _ in flat], 1), torch.cat([g for _, g in flat], 1), bias)
    return PositionContributions(*flat[0], bias)
