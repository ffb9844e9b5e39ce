r"""What the samples of a batch contribute to the gradient of a convolution.

.. math:: u_i[o, c, k] = \sum_t g_{i}[o, t]\, a_{i}[c, s t + d k - p]

With one group of channels per sample, the gradient of a convolution's weight is that of every sample by itself: one call of
the library, for any stride, dilation, padding and number of groups, and in any dimension. Where that call is slow a convolution
is a linear layer on the patches of its input, one for each position.

Source: derived here (docs/proofs/fngd.md#products).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from optimizers.fngd.contributions import Contributions, Gradients, PositionContributions, Use, linear_contributions
from optimizers.fngd.gram import BUDGET, gram_of_samples

__all__ = ["ConvContributions", "padded", "patches"]

FEW = 8  # channels of the input; the library's blocks are as wide
ROOM = 2**24  # entries of patches that are larger than the samples' gradients: 64 MiB in float32


class ConvContributions(Contributions):
    """Of ``nn.Conv1d``, ``nn.Conv2d`` and ``nn.Conv3d`` on inputs that went through `padded`."""

    def __init__(self, module: nn.Module, uses: list[Use], bias: bool) -> None:
        self.module: Any = module
        self.uses, self.bias, self.n, self.like = uses, bias, len(uses[0][0]), uses[0][1]
        self.samples: Tensor | None = None  # (n, o, i / groups, *kernel), when they were formed and fit

    def gram(self) -> Tensor:
        return self._gram_of_patches() if self._is_faster_on_patches() else self._gram_of_groups()

    def _is_faster_on_patches(self) -> bool:
        """Measured on a CPU: with samples' gradients that are larger than the patches, the library waits for memory."""
        outputs, inputs, *kernel = self.module.weight.shape
        positions, volume = sum(g[0, 0].numel() for _, g in self.uses), math.prod(kernel)
        entries = self.n * positions * inputs * volume
        if self.module.groups > 1 or entries > BUDGET:
            return False
        if positions <= outputs:
            return True
        return entries <= ROOM and outputs >= max(2 * FEW, 2 * inputs) and (volume == 1 or inputs < FEW)

    def _gram_of_patches(self) -> Tensor:
        found = linear_contributions([(patches(self.module, a), g.flatten(2).mT) for a, g in self.uses], self.bias)
        K = found.gram()
        if isinstance(found, PositionContributions) and found.samples is not None:
            self.samples = found.samples.reshape(self.n, *self.module.weight.shape)
        return K

    def _gram_of_groups(self) -> Tensor:
        outputs = self.module.weight.shape[0]
        rows = max(1, BUDGET // (self.n * self.module.weight[0].numel())) if self.module.groups == 1 else outputs
        K = self.uses[0][1].new_zeros(self.n, self.n)
        for start in range(0, outputs, rows):
            block = self._per_sample(slice(start, start + rows))
            K += gram_of_samples(block.reshape(self.n, -1))
            if rows >= outputs:
                self.samples = block
        return K + gram_of_samples(self._sums()) if self.bias else K

    def _per_sample(self, rows: slice) -> Tensor:  # (n, rows, i / groups, *kernel)
        total: Any = 0.0
        for a, g in self.uses:
            g = g[:, rows]
            merged = self._gradient(a.reshape(1, -1, *a.shape[2:]), g.reshape(1, -1, *g.shape[2:]), self.n)
            total = merged.reshape(self.n, g.shape[1], *merged.shape[1:]) + total
        return total

    def _gradient(self, a: Tensor, g: Tensor, copies: int) -> Tensor:  # (o, i / groups, *kernel)
        """The gradient of the weight, in a convolution of `copies` times as many groups."""
        module = self.module
        shape = (g.shape[1], *module.weight.shape[1:])
        axes = len(shape) - 2
        none = (0,) * axes
        stride, dilation = _each(module.stride, axes), _each(module.dilation, axes)
        padding = _each(module.padding, axes) if _pads_itself(module) else none
        return torch.ops.aten.convolution_backward(
            g, a, a.new_empty(1).expand(shape), None, stride, padding, dilation, False, none,
            copies * module.groups, [False, True, False],
        )[1]  # fmt: skip

    def _sums(self) -> Tensor:  # (n, o), the bias' contributions
        return torch.stack([g.flatten(2).sum(2) for _, g in self.uses]).sum(0)

    def combine(self, w: Tensor) -> Gradients:
        bias = w @ self._sums() if self.bias else None
        if self.samples is not None:
            return torch.tensordot(w, self.samples, 1), bias
        return torch.stack([self._weighted(a, g, w) for a, g in self.uses]).sum(0), bias

    def _weighted(self, a: Tensor, g: Tensor, w: Tensor) -> Tensor:
        w = w.reshape(-1, *(1,) * (a.ndim - 1))
        return self._gradient(a * w, g, 1) if a.numel() < g.numel() else self._gradient(a, g * w, 1)

    def to(self, dtype: torch.dtype) -> Contributions:
        return ConvContributions(self.module, [(a.to(dtype), g.to(dtype)) for a, g in self.uses], self.bias)


def patches(
    module: Any,
    a: Tensor,  # (n, channels, *size), through `padded`
) -> Tensor:  # (n, positions, channels * kernel volume)
    """What each position of the output sees of the input.

    The module's options and the shape of its weight are read anew, as its forward pass does: both may have been changed.
    """
    kernel = module.weight.shape[2:]
    step, spread = (_each(option, len(kernel)) for option in (module.stride, module.dilation))
    if _pads_itself(module):
        ahead = _each(module.padding, len(kernel))
        a = F.pad(a, [side for amount in reversed(ahead) for side in (amount, amount)])
    (n, channels, *size), (sample, channel, *axes) = a.shape, a.stride()
    places = [(s - d * (k - 1) - 1) // t + 1 for s, k, t, d in zip(size, kernel, step, spread, strict=True)]
    within = [s * d for s, d in zip(axes, spread, strict=True)]
    between = [s * t for s, t in zip(axes, step, strict=True)]
    windows = a.as_strided((n, channels, *kernel, *places), (sample, channel, *within, *between))
    return windows.reshape(n, channels * math.prod(kernel), -1).mT


def _each(option: Any, axes: int) -> tuple[int, ...]:
    """An option of a convolution for each axis: one number stands for all."""
    return (option,) * axes if isinstance(option, int) else tuple(option)


def _pads_itself(module: Any) -> bool:
    """Whether the convolution pads, with zeros and as much on both sides."""
    return module.padding_mode == "zeros" and not isinstance(module.padding, str)


def padded(module: Any, a: Tensor) -> Tensor:
    """The input as the convolution sees it, when it is padded beforehand."""
    if _pads_itself(module):
        return a
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return F.pad(a, module._reversed_padding_repeated_twice, mode=mode)
