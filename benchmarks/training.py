r"""What FNGD's epochs cost. What training brings, with every optimizer, is measured by `benchmarks.optimizer_training`.

.. math:: \frac{t(\text{epoch of FNGD})}{t(\text{epoch of SGD})}, \qquad
    \frac{t(\text{fresh coefficients})}{t(\text{SGD}) + t(\text{Gram products and solutions alone})}

Epochs take turns with SGD's (momentum 0.9, foreach). "scalar" and "table" are timed when they share, after their first window,
and "first epoch" before. The floor of fresh coefficients is SGD's epoch plus the Gram matrices of all layers, each by the fastest
of the known ways to it, and one Cholesky solution for each. Freed memory is kept (`benchmarks.steps.allocator`), unless asked
otherwise: else new pages come by chance, more of them to SGD than to FNGD or the other way round.

    python -m benchmarks.training [--json FILE] [--repeats N] [--threads N] [--return-memory] [--quick]
    python -m benchmarks.training --show FILE
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from scipy.linalg.blas import ssyrk
from scipy.linalg.lapack import sposv
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from benchmarks.options import count, save, stored, target
from benchmarks.race.machine import machine
from benchmarks.steps.allocator import keep_freed_memory
from benchmarks.steps.clock import Timed, Turns, paired
from benchmarks.steps.table import short
from optimizers import FNGD

__all__ = ["epoch_ratios", "main"]

BATCHES = 8  # of an epoch that is timed


def mlp(*widths: int) -> nn.Module:
    """Fully connected layers with ReLU between."""
    layers: list[nn.Module] = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def four_convolutions(*channels: int, strides: tuple[int, ...]) -> nn.Module:
    """On pictures of 32×32."""
    layers: list[nn.Module] = []
    for a, b, stride in zip((3, *channels), channels, strides, strict=False):
        layers += [nn.Conv2d(a, b, 3, stride, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * (32 // math.prod(strides)) ** 2, 10))


# name -> model, shape of a sample, batch
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "MLP 784-256-256-10, batch 128": (lambda: mlp(784, 256, 256, 10), (784,), 128),
    "MLP 784-1024-1024-10, batch 128": (lambda: mlp(784, 1024, 1024, 10), (784,), 128),
    "MLP 784-1024-1024-10, batch 512": (lambda: mlp(784, 1024, 1024, 10), (784,), 512),
    "CNN 3-16-16-32-32, batch 64": (
        lambda: four_convolutions(16, 16, 32, 32, strides=(1, 2, 1, 2)), (3, 32, 32), 64,
    ),
    "CNN 3-64-128-256-512, batch 32": (
        lambda: four_convolutions(64, 128, 256, 512, strides=(1, 2, 2, 2)), (3, 32, 32), 32,
    ),
}  # fmt: skip
SHARINGS: dict[str, dict[str, Any]] = {
    "scalar": {"share": "scalar", "window": BATCHES},
    "table": {"share": "table"},
    "fresh": {"share": "none"},
}


def epoch_ratios(name: str, repeats: int) -> dict[str, Any]:
    """Seconds per batch of SGD, of FNGD with each way to share, and of the Gram products alone."""
    make, shape, batch = MODELS[name]
    draw = torch.Generator().manual_seed(0)
    data = [
        (torch.randn(batch, *shape, generator=draw), torch.randint(10, (batch,), generator=draw))
        for _ in range(BATCHES)
    ]
    timed = {"SGD": Timed(epoch(make, lambda model: torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9), data))}
    for label, options in SHARINGS.items():
        timed[label] = Timed(epoch(make, lambda model, options=options: FNGD(model, lr=1e-3, **options), data))
    timed["Gram products"] = Timed(gram_products(make(), data[0]))
    turns = paired(timed, repeats)
    ratios = {label: turns.ratio(label, "SGD") for label in SHARINGS}
    floor = [s + BATCHES * g for s, g in zip(turns.seconds["SGD"], turns.seconds["Gram products"], strict=True)]
    beside = Turns({"fresh": turns.seconds["fresh"], "floor": floor})
    return {
        "model": name, "seconds": {label: turns.median(label) / (1 if label == "Gram products" else BATCHES) for label in timed},
        "ratio": ratios, "fresh_to_floor": beside.ratio("fresh", "floor"),
    }  # fmt: skip


def epoch(
    make: Callable[[], nn.Module], optimizer_of: Callable[[nn.Module], Any], data: list[tuple[Tensor, Tensor]]
) -> Callable[[], None]:
    """One epoch over the batches; two are run before, so that what is shared is known."""
    torch.manual_seed(0)
    model = make()
    optimizer = optimizer_of(model)
    size, with_ids = len(data[0][0]), optimizer.defaults.get("share") == "table"

    def run() -> None:
        for k, (x, y) in enumerate(data):
            optimizer.zero_grad()
            with optimizer.samples(torch.arange(k * size, (k + 1) * size)) if with_ids else nullcontext():
                nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

    run()
    run()
    return run


def gram_products(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Callable[[], None]:
    """The Gram matrix of every layer by the fastest of the `ways` to it, and a Cholesky solution for each."""
    seen: list[tuple[nn.Module, Tensor, Tensor]] = []
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(
                lambda module, args, out: (out.retain_grad(), seen.append((module, args[0], out)))[1]
            )
    nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
    layers = [(module, a.detach(), out.grad.detach()) for module, a, out in seen if out.grad is not None]
    grams = [fastest(ways(*layer)) for layer in layers]
    n = len(batch[0])
    ones, shift = np.ones(n, np.float32), torch.eye(n)

    def run() -> None:
        for gram in grams:
            sposv(gram().add_(shift).numpy().T, ones, lower=1, overwrite_a=1)

    return run


def fastest(calls: list[Callable[[], Tensor]]) -> Callable[[], Tensor]:
    """The one that takes the least time, in turns."""
    turns = paired({str(k): Timed(call) for k, call in enumerate(calls)}, 3)
    return min(enumerate(calls), key=lambda each: turns.median(str(each[0])))[1]


def ways(module: Any, a: Tensor, g: Tensor) -> list[Callable[[], Tensor]]:
    """Ways to the upper triangle of a layer's Gram matrix.

    Whole products or their upper halves; of inputs and output gradients for a linear layer; for a convolution of the samples'
    gradients (one grouped convolution, or one product for each sample's patches), or of pairs of positions.
    """
    if isinstance(module, nn.Linear):
        return [lambda square=square: square(a).mul_(square(g)) for square in (whole, half)]
    n = len(a)
    samples = [
        lambda make=make, square=square: square(make(module, a, g).reshape(n, -1))
        for make in (per_sample, per_sample_of_patches)
        for square in (whole, half)
    ]
    few = (n * g[0, 0].numel()) ** 2 <= 2**26  # pairs, at most 256 MiB of them
    return [*samples, lambda: pairs_of_positions(module, a, g)] if few else samples


def whole(U: Tensor) -> Tensor:
    """U Uᵀ."""
    return U @ U.mT


def half(U: Tensor) -> Tensor:
    """Its upper triangle."""
    return torch.from_numpy(ssyrk(1.0, U.contiguous().numpy().T, trans=1, lower=1).T)


def unfolded(module: Any, a: Tensor) -> Tensor:  # (n, inputs * kernel volume, positions)
    return nn.functional.unfold(a, module.kernel_size, module.dilation, module.padding, module.stride)


def per_sample_of_patches(module: Any, a: Tensor, g: Tensor) -> Tensor:
    """Every sample's gradient of the weight of a two-dimensional convolution."""
    return torch.bmm(g.flatten(2), unfolded(module, a).mT)


def pairs_of_positions(module: Any, a: Tensor, g: Tensor) -> Tensor:
    """K of a two-dimensional convolution, without the samples' gradients."""
    n, positions = len(a), g[0, 0].numel()
    inner = whole(unfolded(module, a).mT.reshape(n * positions, -1))
    inner *= whole(g.flatten(2).mT.reshape(n * positions, -1))
    return inner.reshape(n, positions, n, positions).sum((1, 3))


def per_sample(module: Any, a: Tensor, g: Tensor) -> Tensor:
    """Every sample's gradient of the weight of a two-dimensional convolution."""
    n, o, i = len(a), module.out_channels, module.in_channels
    grouped = conv2d_weight(
        a.reshape(1, n * i, *a.shape[2:]), (n * o, i, *module.kernel_size), g.reshape(1, n * o, *g.shape[2:]),
        module.stride, module.padding, module.dilation, n,
    )  # fmt: skip
    return grouped.reshape(n, o, i, *module.kernel_size)


def markdown(results: dict[str, Any]) -> str:
    """The table of a measurement."""
    lines = [
        "| model | SGD, ms per batch | scalar / SGD | table / SGD | fresh / SGD | fresh / its floor |",
        "|---|---|---|---|---|---|",
    ]
    for each in results["epochs"]:
        ratios = [short(each["ratio"][label][0]) for label in SHARINGS] + [short(each["fresh_to_floor"][0])]
        lines.append(f"| {each['model']} | {1e3 * each['seconds']['SGD']:.2f} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What an epoch of FNGD costs beside one of SGD.")
    parser.add_argument("--json", type=target, help="write the numbers to this file")
    parser.add_argument("--show", type=stored("epochs"), help="print the table of a file, measure nothing")
    parser.add_argument("--repeats", type=count, default=9)
    parser.add_argument(
        "--threads", type=count, default=1, help="of torch; BLAS' own threads are left alone beyond one"
    )
    parser.add_argument("--return-memory", action="store_true", help="leave the C library's allocator as it is")
    parser.add_argument("--quick", action="store_true", help="one small model, two repeats")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, and write JSON when asked."""
    options = parsed(arguments)
    if options.show:
        print(markdown(options.show))
        return 0
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(options.threads)
    kept = not options.return_memory and keep_freed_memory()
    names = list(MODELS)[:1] if options.quick else list(MODELS)
    with warnings.catch_warnings(), threadpool_limits(1 if options.threads == 1 else None):  # BLAS', that SciPy brings
        warnings.simplefilter("ignore")
        epochs = [epoch_ratios(name, 2 if options.quick else options.repeats) for name in names]
    machine_now = {**machine(), "threads_used": options.threads, "freed_memory_kept": kept}
    results = {"machine": machine_now, "epochs": epochs}
    if options.json:
        save(options.json, results)
    print(markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
