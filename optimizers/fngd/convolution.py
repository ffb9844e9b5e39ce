r"""What the samples of a batch contribute to the gradient of a convolution.

.. math:: u_i[o, c, k] = \sum_t g_{i}[o, t]\, a_{i}[c, s t + d k - p]

With one group of channels per sample, the gradient of a convolution's weight is that of every sample by itself: one call of
the library, for any stride, dilation, padding and number of groups, and in any dimension. Where that call is slow a convolution
is a linear layer on the patches of its input, one for each position.

Source: derived here (docs/proofs/fngd.md#products).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from optimizers.fngd.contributions import Contributions, Gradients, Use, linear_contributions
from optimizers.fngd.gram import BUDGET, gram_of_samples, pairs_are_cheaper

__all__ = ["ConvContributions", "padded", "patches", "patches_are_faster"]

FEW = 8  # channels of the input; the library's blocks are as wide
CACHE = 2**19  # entries of patches at a time on a CPU: 2 MiB in float32
ROOM = 2**24  # entries of the patches of one sample: 64 MiB


class ConvContributions(Contributions):
    """Of ``nn.Conv1d``, ``nn.Conv2d`` and ``nn.Conv3d`` on inputs that went through `padded`."""

    def __init__(self, module: nn.Module, uses: list[Use], bias: bool) -> None:
        self.module: Any = module
        self.uses, self.bias, self.n, self.like = uses, bias, len(uses[0][0]), uses[0][1]
        self.samples: Tensor | None = None  # (n, o, i / groups, *kernel), when they were formed and fit
        self.of_patches: Contributions | None = None  # when K comes from pairs of positions

    def gram(self) -> Tensor:
        outputs, inputs, *kernel = self.module.weight.shape
        positions, volume = sum(g[0, 0].numel() for _, g in self.uses), math.prod(kernel)
        if self.module.groups > 1 or not patches_are_faster(outputs, inputs, volume, positions):
            return self._gram_of_samples(self._by_groups)
        width = inputs * volume
        if self.n * positions * width <= BUDGET and pairs_are_cheaper(self.n, positions, width, outputs):
            return self._gram_of_pairs()
        return self._gram_of_samples(self._by_patches)

    def _gram_of_pairs(self) -> Tensor:
        uses = [(patches(self.module, a), g.flatten(2).mT) for a, g in self.uses]
        self.of_patches = linear_contributions(uses, self.bias)
        return self.of_patches.gram()

    def _gram_of_samples(self, per_sample: Callable[[slice], Tensor]) -> Tensor:
        """K from per-sample gradients, some outputs at a time; kept for `combine` when one block holds them all."""
        outputs = self.module.weight.shape[0]
        rows = max(1, BUDGET // (self.n * self.module.weight[0].numel())) if self.module.groups == 1 else outputs
        K = self.like.new_zeros(self.n, self.n)
        for start in range(0, outputs, rows):
            block = per_sample(slice(start, start + rows))
            K += gram_of_samples(block.reshape(self.n, -1))
            if rows >= outputs:
                self.samples = block
        return K + gram_of_samples(self._sums) if self.bias else K

    def _by_groups(self, rows: slice) -> Tensor:  # (n, rows, i / groups, *kernel)
        total: Any = 0.0
        for a, g in self.uses:
            g = g[:, rows]
            merged = self._gradient(a.reshape(1, -1, *a.shape[2:]), g.reshape(1, -1, *g.shape[2:]), self.n)
            total = merged.reshape(self.n, g.shape[1], *merged.shape[1:]) + total
        return total

    def _by_patches(self, rows: slice) -> Tensor:  # (n, rows, i, *kernel)
        weight = self.module.weight[rows]
        total = self.like.new_empty(self.n, len(weight), weight[0].numel())
        entries = CACHE if total.is_cpu else BUDGET
        for number, (a, g) in enumerate(self.uses):
            g = g[:, rows].flatten(2)
            samples = max(1, entries // (g.shape[2] * total.shape[2]))
            for U, some_a, some_g in zip(*(t.split(samples) for t in (total, a, g)), strict=True):
                U.baddbmm_(some_g, patches(self.module, some_a), beta=float(number > 0))
        return total.reshape(self.n, *weight.shape)

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

    @cached_property
    def _sums(self) -> Tensor:  # (n, o), the bias' contributions
        return torch.stack([g.flatten(2).sum(2) for _, g in self.uses]).sum(0)

    def combine(self, w: Tensor) -> Gradients:
        if self.of_patches is not None:
            weight, bias = self.of_patches.combine(w)
            return weight.reshape(self.module.weight.shape), bias
        bias = w @ self._sums if self.bias else None
        if self.samples is not None:
            return torch.tensordot(w, self.samples, 1), bias
        return torch.stack([self._weighted(a, g, w) for a, g in self.uses]).sum(0), bias

    def _weighted(self, a: Tensor, g: Tensor, w: Tensor) -> Tensor:
        w = w.reshape(-1, *(1,) * (a.ndim - 1))
        return self._gradient(a * w, g, 1) if a.numel() < g.numel() else self._gradient(a, g * w, 1)

    def to(self, dtype: torch.dtype) -> Contributions:
        return ConvContributions(self.module, [(a.to(dtype), g.to(dtype)) for a, g in self.uses], self.bias)


def patches_are_faster(outputs: int, inputs: int, volume: int, positions: int) -> bool:
    """Whether one product for each sample's patches takes less time than a convolution with a group for each sample.

    Measured on a CPU: the library waits for memory where many channels meet, and is made for no fewer than `FEW` of them; with
    many positions patches are the larger, and wait themselves.
    """
    entries = positions * inputs * volume
    if 64 * positions <= outputs**2:
        return entries <= ROOM
    few = inputs < FEW or volume == 1
    many = inputs >= 16 * FEW and outputs >= 4 * FEW
    return entries <= 2 * CACHE and (many or (few and outputs >= max(2 * FEW, 2 * inputs)))


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
