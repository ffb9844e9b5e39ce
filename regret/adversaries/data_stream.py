r"""A data set as an adversary: one sample per step, every pass in a new random order.

.. math:: f_t(x) = \ell_{\pi_e(k)}(x), \qquad t = e\,n + k,\ 0 \le k < n,

with :math:`\pi_e` a fresh permutation for each pass e and each batch element. The sum of the first T losses is a weighted
sum over the data, with the number of visits as weights.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from problems.losses import Loss, Objective, prefix_counts
from regret.adversaries.base import Adversary, Stream, generators
from structures.arrays import Array, asarray_like, namespace

__all__ = ["DataStream", "breast_cancer_stream", "digits_stream"]


@dataclass(frozen=True, eq=False)
class DataStream(Adversary):
    """Plays the samples of `loss`; the order does not depend on the iterates, the gradients do."""

    loss: Loss = field(repr=False)
    name: str = "data"
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", self.loss.shape)

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        return _SampleStream(self.loss.beside(x), generators(batch, seed, first), x)


class _SampleStream(Stream):
    def __init__(self, loss: Loss, rngs: list[np.random.Generator], x: Array) -> None:
        self._loss, self._rngs, self._like = loss, rngs, x[:1, ...]
        self._passes: list[np.ndarray] = []  # (n, B) sample indices of each pass
        self._current: Array | None = None  # the last pass, on the device

    def gradient(self, t: int, x: Array) -> Array:
        return self._loss.gradient(x, self._index(t))

    def loss(self, t: int, x: Array) -> Array:
        return self._loss.value(x, self._index(t))

    def total(self, horizon: int) -> Objective:
        order = np.concatenate(self._passes)
        counts = prefix_counts(order, [horizon], self._loss.samples)[0]
        return self._loss.total(asarray_like(counts.astype(np.float64), self._like))

    def _index(self, t: int) -> Array:  # (B,) int64
        epoch, k = divmod(t, self._loss.samples)
        if epoch == len(self._passes):
            self._shuffle()
        if self._current is None or epoch != len(self._passes) - 1:
            raise ValueError(f"step {t} is not next: a stream plays one game, t = 0, 1, ...")
        return self._current[k, ...]

    def _shuffle(self) -> None:
        order = np.stack([rng.permutation(self._loss.samples) for rng in self._rngs], axis=1)
        self._passes.append(order)
        device = asarray_like(
            order.astype(np.float64), self._like
        )  # sample numbers are exact in every float dtype used
        self._current = namespace(device).astype(device, namespace(device).int64)


def breast_cancer_stream() -> DataStream:
    """Logistic loss on the breast cancer data, parameter (31,)."""
    from problems.datasets import breast_cancer

    return DataStream(breast_cancer().loss(), "breast_cancer")


def digits_stream() -> DataStream:
    """Softmax loss on the digits, parameter (10, 64)."""
    from problems.datasets import digits

    return DataStream(digits().loss(), "digits")
