r"""Lists of parameter shapes that steps are timed on: squares, and the tensors of four networks.

Source: He, Zhang, Ren, Sun 2016 for the residual networks (CIFAR's with 20 layers, ImageNet's with 50); derived here.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["LISTS", "Shapes", "gradients", "parameters"]

Shapes = tuple[tuple[int, ...], ...]


def mlp(*widths: int) -> Shapes:
    """Weights and biases of a multilayer perceptron."""
    return tuple(shape for a, b in zip(widths[:-1], widths[1:], strict=True) for shape in ((b, a), (b,)))


def resnet20(classes: int = 10) -> Shapes:
    """59 tensors: 19 convolutions with their batch normalisations, and a linear layer."""
    widths = [3, 16, *[16] * 6, *[32] * 6, *[64] * 6]
    convolutions = [norm_after((b, a, 3, 3)) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    return (*(shape for group in convolutions for shape in group), (classes, 64), (classes,))


def resnet50(classes: int = 1000) -> Shapes:
    """161 tensors, 25.6 million numbers."""
    return tuple(_resnet50(classes))


def _resnet50(classes: int) -> Iterator[tuple[int, ...]]:
    yield from norm_after((64, 3, 7, 7))
    before = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            yield from norm_after((width, before, 1, 1))
            yield from norm_after((width, width, 3, 3))
            yield from norm_after((4 * width, width, 1, 1))
            if block == 0:
                yield from norm_after((4 * width, before, 1, 1))
            before = 4 * width
    yield from ((classes, 2048), (classes,))


def norm_after(kernel: tuple[int, ...]) -> Shapes:
    """A convolution without bias, and the scale and shift of its batch normalisation."""
    return kernel, kernel[:1], kernel[:1]


def transformer(layers: int = 2, width: int = 128, context: int = 64, symbols: int = 256) -> Shapes:
    """A small decoder: two embeddings, per layer two normalisations, attention and a perceptron of four times the width."""
    layer = (
        (width,), (width,), (3 * width, width), (3 * width,), (width, width), (width,),
        (width,), (width,), (4 * width, width), (4 * width,), (width, 4 * width), (width,),
    )  # fmt: skip
    return ((symbols, width), (context, width), *layers * layer, (width,), (width,))


def square(n: int) -> Shapes:
    """One n×n matrix."""
    return ((n, n),)


LISTS: dict[str, Shapes] = {
    "512 x 512": square(512),
    "1024 x 1024": square(1024),
    "MLP 784-256-256-10": mlp(784, 256, 256, 10),
    "ResNet-20": resnet20(),
    "transformer": transformer(),
}


def parameters(shapes: Shapes, dtype: torch.dtype, device: str) -> list[Tensor]:
    """Parameters of these shapes, Gaussian with the usual scale."""
    draw = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=draw) / max(1.0, float(shape[-1])) ** 0.5 for shape in shapes]
    return [p.to(device=device, dtype=dtype).requires_grad_() for p in made]


def gradients(shapes: Shapes, dtype: torch.dtype, device: str, count: int = 4) -> list[list[Tensor]]:
    """`count` sets of gradients that are used in turns."""
    draw = torch.Generator().manual_seed(1)
    return [
        [(1e-2 * torch.randn(shape, generator=draw)).to(device=device, dtype=dtype) for shape in shapes]
        for _ in range(count)
    ]
