r"""One number per layer: :math:`J = \bigoplus_l \{c_l I_{d_l}\}` on the concatenated parameter vector.

.. math:: E(gg^\top)_l = \|g_l\|_2^2/d_l, \quad \|x\|_{\mathcal H} = \max_l \|x_l\|_2/\sqrt{d_l}, \quad
          |||g|||_{\mathcal H} = \textstyle\sum_l \sqrt{d_l}\, \bigl(\sum_t \|g_{t,l}\|_2^2\bigr)^{1/2}.

Source: Xie et al. 2025, arXiv 2503.10537 (layerwise preconditioners); closed forms derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from structures.arrays import Array, like, namespace, positive_sizes
from structures.base import Structure
from structures.commutative import Commutative

__all__ = ["Layerwise"]


@dataclass(frozen=True, init=False)
class Layerwise(Commutative):
    """One scalar per layer; coordinates have shape (..., number of layers)."""

    layers: tuple[tuple[int, ...], ...]  # the layers' shapes, in the order of concatenation

    def __init__(self, layers: Sequence[Sequence[int]]) -> None:
        shapes = tuple(
            positive_sizes("Layerwise takes a list of layer shapes, such as [(10, 64), (10,)], and a layer", layer)
            for layer in layers
        )
        if not shapes:
            raise ValueError(f"Layerwise needs a list of layer shapes, such as [(10, 64), (10,)], got {layers!r}.")
        object.__setattr__(self, "layers", shapes)
        object.__setattr__(self, "shape", (sum(prod(layer) for layer in shapes),))
        self.__post_init__()

    @classmethod
    def examples(cls) -> list[Structure]:
        return [cls([(2, 2), (3,)]), cls([(1,), (2,), (1, 2)])]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of parameters of each layer."""
        return tuple(prod(layer) for layer in self.layers)

    @property
    def rank(self) -> int:
        return len(self.layers)

    def pool(self, energy: Array) -> Array:
        xp = namespace(energy)
        ends = list(accumulate(self.sizes))
        means = [
            xp.mean(energy[..., end - size : end], axis=-1, keepdims=True)
            for size, end in zip(self.sizes, ends, strict=True)
        ]
        return xp.concat(means, axis=-1)

    def spread(self, values: Array) -> Array:
        xp = namespace(values)
        parts = [
            xp.broadcast_to(values[..., layer : layer + 1], (*values.shape[:-1], size))
            for layer, size in enumerate(self.sizes)
        ]
        return xp.concat(parts, axis=-1)

    def weights(self, values: Array) -> Array:
        return namespace(values).asarray([float(size) for size in self.sizes], **like(values))
