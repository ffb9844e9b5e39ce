r"""What optimizers are compared on: small networks, their data in three parts, and one loss.

.. math:: f(W) = \frac1n \sum_i -\log p_W(y_i \mid x_i)

Digits ship inside scikit-learn and the text inside Python (the language reference behind ``help()``): nothing is downloaded.
MNIST and CIFAR-10 are read from a folder when their files are at hand.

Source: derived here; the decoder is that of Vaswani et al. 2017 in its usual small form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

__all__ = ["TASKS", "Task", "characters", "cnn", "convolutions", "digits_cnn", "digits_mlp", "mlp", "pictures"]

Parts = tuple[Any, Any]  # inputs and targets, tensors with samples first


@dataclass(frozen=True)
class Task:
    """A model to be made and data in three parts: to learn from, to choose step sizes by, to report."""

    name: str
    make: Callable[[], Any]  # draws its start from torch's global state
    learn: Parts
    choose: Parts
    report: Parts
    batch: int
    accuracy: bool = True  # of the largest output; characters are judged by the loss

    def model(self, seed: int) -> Any:
        """The model with the start of this seed."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.make()

    def batches(self, seed: int, epoch: int) -> Iterator[tuple[Any, Any, Any]]:
        """Inputs, targets and sample ids of each batch of an epoch, in the order of this seed; a remainder is left out."""
        import torch

        order = torch.randperm(len(self.learn[0]), generator=torch.Generator().manual_seed(1000 * seed + epoch))
        for ids in order.split(self.batch):
            if len(ids) == self.batch:
                yield self.learn[0][ids], self.learn[1][ids], ids

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self.learn[0]) // self.batch


def mlp(*widths: int) -> Any:
    """Fully connected layers with ReLU between."""
    from torch import nn

    layers: list[Any] = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def cnn(channels: int, side: int, width: int = 16) -> Any:
    """Two convolutions of stride 2 and a linear layer, for square pictures of ten classes."""
    from torch import nn

    half = -(-side // 2)
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(2 * width * (-(-half // 2)) ** 2, 10),
    )  # fmt: skip


def convolutions(*widths: int, classes: int = 10) -> Any:
    """3×3 convolutions of stride 2 with ReLU, the mean over what is left of the picture, and a linear layer."""
    from torch import nn

    layers: list[Any] = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Conv2d(a, b, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


def decoder(symbols: int, context: int, width: int = 32, heads: int = 2) -> Any:
    """One layer of causal attention and a perceptron, layers normalised before each."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbol, self.place = nn.Embedding(symbols, width), nn.Embedding(context, width)
            self.before, self.between, self.after = (nn.LayerNorm(width) for _ in range(3))
            self.mix, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.read = nn.Linear(width, symbols)

        def forward(self, x: Any) -> Any:  # (n, T) -> (n, T, symbols)
            h = self.symbol(x) + self.place(torch.arange(x.shape[1]))
            q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in self.mix(self.before(h)).chunk(3, 2))
            h = h + self.project(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
            h = h + self.narrow(F.gelu(self.widen(self.between(h))))
            return self.read(self.after(h))

    return Decoder()


def parts(x: np.ndarray, y: np.ndarray, sizes: tuple[int, int]) -> list[Parts]:
    """Three parts of shuffled data; `sizes` are those of the last two."""
    import torch

    order = np.random.default_rng(7).permutation(len(x))
    x, y = x[order], y[order]
    cuts = [len(x) - sum(sizes), len(x) - sizes[1]]
    return [
        (torch.from_numpy(a.copy()), torch.from_numpy(b.copy()))
        for a, b in zip(np.split(x, cuts), np.split(y, cuts), strict=True)
    ]


@cache
def digit_parts() -> list[Parts]:
    """The digits as (n, 1, 8, 8)."""
    from problems.datasets import digits

    data = digits()
    return parts(data.features.astype(np.float32).reshape(-1, 1, 8, 8), data.labels, (360, 360))


def digits_mlp() -> Task:
    """64-64-32-10 on the digits."""
    return Task("digits MLP", lambda: mlp(64, 64, 32, 10), *digit_parts(), batch=64)


def digits_cnn() -> Task:
    """A small convolutional network on the digits."""
    return Task("digits CNN", lambda: cnn(1, 8), *digit_parts(), batch=64)


def characters(
    text: str | None = None, context: int = 16, size: int = 1024, width: int = 32, name: str = "characters"
) -> Task:
    """Next characters of a text by a small decoder; the text is Python's language reference unless one is given."""
    symbols, codes = encoded(text if text is not None else reference_text())
    count = min(size + 600, (len(codes) - 1) // context)
    x, y = (codes[k : k + count * context].reshape(count, context) for k in (0, 1))
    return Task(name, lambda: decoder(symbols, context, width), *parts(x, y, (300, 300)), batch=32, accuracy=False)


def reference_text() -> str:
    """The topics of Python's ``help()``, in alphabetical order."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def encoded(text: str) -> tuple[int, np.ndarray]:
    """How many symbols there are, and the text as their numbers."""
    _, codes = np.unique(np.array(list(text)), return_inverse=True)
    return int(codes.max()) + 1, codes.astype(np.int64)


def pictures(
    name: str,
    make: Callable[[], Any],
    known: tuple[np.ndarray, np.ndarray],  # (n, channels, side, side) and labels (n,), to learn from and to choose by
    report: tuple[np.ndarray, np.ndarray],
    choose: int,  # of the known ones
    batch: int,
) -> Task:
    """A task on pictures that come with a part of their own to report on."""
    x, y = known[0].astype(np.float32), known[1].astype(np.int64)
    learn, chosen, _ = parts(x, y, (choose, 0))
    _, _, last = parts(report[0].astype(np.float32), report[1].astype(np.int64), (0, len(report[0])))
    return Task(name, make, learn, chosen, last, batch=batch)


TASKS: dict[str, Callable[[], Task]] = {
    "digits MLP": digits_mlp,
    "digits CNN": digits_cnn,
    "characters": characters,
}
