r"""Coefficients shared by position in the batch are, under reshuffling, one step size per layer.

.. math:: \mathbb E_\pi\, c_j = \frac1{\binom Nn} \sum_{|S| = n} \frac1n \sum_{i \in S} c_i(S) \quad \text{for each position } j,

with N samples in uniformly random order, cut into batches of n, and c(S) the coefficients of batch S. What is learned per
position has the same expectation at every position: an average of it over many batches is a multiple of SGD's 1/n.

The expectation is taken exactly, over all N! orders.

Source: derived here (docs/proofs/fngd.md#exchangeable).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from math import factorial
from typing import ClassVar

import numpy as np

from optimizers.reference.fngd import weights
from optimizers.theorems.resolution import or_nan, resolved
from structures.arrays import tolerance
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["Epochs", "FngdExchangeable"]

Orders = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Epochs:
    """One epoch for each of equally likely orders of the samples, in batches of `batch`; what is left over is dropped."""

    U: np.ndarray  # (d, N) per-sample gradients, as they are at the time of the epoch
    batch: int
    damping: float
    orders: Orders

    def coefficients(self) -> np.ndarray:  # (orders, batches, batch)
        """c of every batch of every epoch; batches of the same samples are solved once, in the order of their indices."""
        known: dict[tuple[int, ...], dict[int, float]] = {}
        epochs = []
        for order in self.orders:
            stops = range(0, len(order) - self.batch + 1, self.batch)
            epochs.append([self._positions(order[stop : stop + self.batch], known) for stop in stops])
        return np.array(epochs)

    def _positions(self, samples: tuple[int, ...], known: dict[tuple[int, ...], dict[int, float]]) -> list[float]:
        key = tuple(sorted(samples))
        if key not in known:
            known[key] = dict(zip(key, weights(self.U[:, list(key)], self.damping), strict=True))
        return [known[key][i] for i in samples]


def _uniform(run: Epochs) -> Check:
    N = run.U.shape[1]
    different = len(set(run.orders))
    ok = different == factorial(N) == len(run.orders) and all(sorted(order) == list(range(N)) for order in run.orders)
    return Check(ok, 0.0 if ok else -1.0, f"{different} different orders of {N} samples out of {factorial(N)}")


def _posed(run: Epochs) -> Check:
    ok = run.damping > 0 and 1 <= run.batch <= run.U.shape[1]
    return Check(ok, run.damping, f"damping {run.damping:g}, batches of {run.batch} out of {run.U.shape[1]}")


def _resolved(run: Epochs) -> Check:
    if not _posed(run).ok:
        return Check(None, np.nan, "nothing is defined without damping and a batch")
    return resolved(_rounding(run), abs(FngdExchangeable().bound(run)))


class FngdExchangeable(Theorem):
    id = "fngd-exchangeable"
    title = "Coefficients shared by position are one step size per layer"
    kind = Kind.EXACT
    source = Citation("derived", "docs/proofs/fngd.md#exchangeable", "derived")
    statement = (
        r"\mathbb E_\pi\, c_{b,j} = \binom Nn^{-1} \sum_{|S| = n} \frac1n \sum_{i \in S} c_i(S) "
        r"\qquad \text{for every batch } b \text{ and position } j"
    )
    proof = "docs/proofs/fngd.md"
    subject = "fixed per-sample gradients, reshuffled uniformly; all orders enumerated"
    assumptions: ClassVar = (
        Assumption("posed", r"\lambda > 0,\; 1 \le n \le N", _posed),
        Assumption("uniform-order", r"\pi \text{ is uniform over all orders}", _uniform),
        Assumption("resolved", r"\text{rounding leaves six digits of a coefficient}", _resolved),
    )
    axes = ("batch", "position")

    def measured(self, run: Epochs) -> np.ndarray:  # (batches, batch)
        shape = (run.U.shape[1] // run.batch, run.batch)
        return or_nan(lambda: run.coefficients().mean(axis=0), shape)

    def bound(self, run: Epochs) -> float:
        subsets = combinations(range(run.U.shape[1]), run.batch)
        return float(or_nan(lambda: np.mean([weights(run.U[:, list(S)], run.damping) for S in subsets]), ()))

    def budget(self, run: Epochs) -> float:
        return _rounding(run)

    def examples(self) -> Iterator[Example]:
        yield Example("five samples, pairs", lambda: _all_orders(_gradients(5), 2))
        yield Example("six samples of very different sizes, triples", lambda: _all_orders(_gradients(6, spread=2.0), 3))
        yield Example("fewer parameters than samples", lambda: _all_orders(_gradients(5, d=2), 4))
        yield Example("the whole data set", lambda: _all_orders(_gradients(4), 4))
        yield Example("one sample at a time", lambda: _all_orders(_gradients(4), 1))

    def controls(self) -> Iterator[Example]:
        cases = (
            ("the same order in every epoch", ((0, 1, 2, 3, 4),)),
            ("pairs that stay together", tuple(_kept_together())),
            ("always the small ones first", tuple(order for order in permutations(range(5)) if order[0] == 0)),
        )
        for name, orders in cases:
            for how, expect, ignoring in (
                ("through the door", "HYPOTHESIS_FAILED", ()),
                ("applied anyway", "VIOLATED", ("uniform-order",)),
            ):
                yield Example(
                    f"{name}, {how}", lambda orders=orders: Epochs(_gradients(5), 2, 0.1, orders), expect=(expect,),
                    breaks="uniform-order", ignoring=ignoring,
                )  # fmt: skip


def _rounding(run: Epochs) -> float:
    """Both sides are means of the same few numbers, whose sizes add up to at most 1/(λ√n) each."""
    return tolerance(run.U, len(run.orders)) / (run.damping * np.sqrt(run.batch))


def _gradients(N: int, d: int = 7, spread: float = 0.7) -> np.ndarray:
    """Of growing size, and correlated."""
    rng = np.random.default_rng(17)
    return (rng.normal(size=(d, N)) + rng.normal(size=(d, 1))) * np.exp(spread * np.arange(N))


def _all_orders(U: np.ndarray, batch: int) -> Epochs:
    return Epochs(U, batch, 0.1, tuple(permutations(range(U.shape[1]))))


def _kept_together() -> Iterator[tuple[int, ...]]:
    """Batches reshuffled, but not what is in them."""
    for first, second in permutations(((0, 1), (2, 3))):
        yield (*first, *second, 4)
