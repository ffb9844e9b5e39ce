r"""The three root rules on stacks of torch matrices: what one side of a preconditioner keeps, and how a gradient changes it.

A side of size n of a stack of b gradient matrices :math:`G` (b, n, k) keeps

.. math::
    \text{eigh: } L \leftarrow \beta_2 L + (1-\beta_2)\,GG^\top \ (\text{or } L + GG^\top),\quad A = L^{-1/p}; \qquad
    \text{series: } P \leftarrow \mathrm{step}(P, G) \approx L^{-1/4}

with p twice the number of sides that are preconditioned; a series side alone applies P twice. Every rule can
keep L as well and have its root looked at: an estimate of :math:`\|P^2LP^2 - I\|_2` from above, right with a chance of
99 per cent, that is beyond the threshold asks for an exact root.

Source: Gupta, Koren, Singer 2018 (Shampoo), Algorithm 1; the Jorge paper (singh2023jorge); the rest is derived here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from optimizers.base import Options  # of a parameter group: beta2, eps, ridge, order, refresh, threshold, probes
from optimizers.roots.certificate import probed_bound, staleness_bound
from optimizers.roots.exact import half_root, ridge_of
from optimizers.roots.products import (
    accumulate,
    add_gram,
    probes,
    ridged_gram,
    scaled_identity,
    symmetric_product,
    transposed,
)
from optimizers.roots.series import dynamic_beta2, one_sided_step, symmetric_half

__all__ = ["CERTIFICATE", "KEPT", "RULES", "Rule", "Side", "grown_stale"]

CERTIFICATE = "certificate"
KEPT = ("statistic", "root", "series", "stale")  # the names of a side's tensors
TOGETHER = 256  # rows up to which statistics of several sides are decomposed in one call


@dataclass
class Side:
    """One side of a stack of b matrices: size n, exponent -1/p, and its tensors, all with a leading axis b."""

    n: int
    p: int  # 2 for a side alone
    tensors: dict[str, Tensor] = field(default_factory=dict)
    passing: Tensor | None = None  # the root of this step when it is not kept

    @property
    def alone(self) -> bool:
        """Whether the whole exponent is on this side."""
        return self.p == 2

    @property
    def root(self) -> Tensor:  # (b, n, n)
        """What the step multiplies with: A, or the P of a series."""
        if self.passing is not None:
            return self.passing
        return self.tensors["root" if "root" in self.tensors else "series"]

    def part(self, which: Tensor) -> Side:
        """Copies of the elements `which`."""
        return Side(self.n, self.p, {name: t[which] for name, t in self.tensors.items()})

    def put(self, which: Tensor, part: Side) -> None:
        """Write a changed `part` back."""
        for name, t in part.tensors.items():
            self.tensors[name][which] = t


class Rule:
    """How a side begins, takes a gradient in, and multiplies."""

    series = False

    def names(self, alone: bool, options: Options) -> set[str]:
        """The tensors that a side keeps."""
        raise NotImplementedError

    def begin(self, side: Side, count: int, like: Tensor, options: Options) -> dict[str, Tensor]:
        """The tensors of a side before its first gradient."""
        raise NotImplementedError

    def observe(self, side: Side, G: Tensor, options: Options) -> None:  # G: (b, n, k), none of it zero
        """Take gradients into the statistics."""
        raise NotImplementedError

    def square(self, side: Side, X: Tensor) -> Tensor:  # (b, n, k) -> (b, n, k)
        """P² X, with P standing for L^{-1/4}."""
        raise NotImplementedError

    def left(self, side: Side, X: Tensor) -> Tensor:  # (b, n, k)
        """The side's factor times X."""
        return self.square(side, X) if side.alone else side.root @ X

    def right(self, side: Side, X: Tensor) -> Tensor:  # (b, k, n)
        """X times the side's factor."""
        return X @ side.root @ side.root if side.alone else X @ side.root

    def refresh(self, sides: list[Side], options: Options) -> None:
        """Make the roots those of the statistics, where a rule keeps them apart."""

    def changed(self, side: Side, missing: set[str], options: Options) -> None:
        """Fill what a changed option asks for and the states did not have."""
        self.refresh([side], options)

    def recheck(self, side: Side, options: Options, step: int) -> bool:
        """Probe the roots and refresh those that are not certified to be within the threshold; whether there were any."""
        L = side.tensors["statistic"]
        V = probes(side.n, options["probes"], step, L)
        bound = probed_bound(lambda X: self.square(side, X), L, V, ridge_of(L, options["ridge"]))
        off = ~(bound <= options["threshold"])
        if not bool(off.any()):
            return False
        self.refresh_some(side, off, options)
        return True

    def refresh_some(self, side: Side, which: Tensor, options: Options) -> None:  # which: (b,) bool
        """Refresh the roots of some elements."""
        part = side.part(which)
        self.refresh([part], options)
        side.put(which, part)


class Exact(Rule):
    """L is kept; its root is taken by eigendecomposition."""

    def names(self, alone: bool, options: Options) -> set[str]:
        kept = {"statistic"}
        if options["refresh"] != 1 or options["beta2"] is None:
            kept.add("root")
        if options["refresh"] == CERTIFICATE and alone and options["beta2"] is not None:
            kept.add("stale")
        return kept

    def begin(self, side: Side, count: int, like: Tensor, options: Options) -> dict[str, Tensor]:
        start = scaled_identity(count, side.n, options["eps"] or 0.0, like)
        fresh = {"statistic": start, "root": torch.zeros_like(start), "stale": like.new_zeros(count, 3)}
        return {name: fresh[name] for name in fresh if name in self.names(side.alone, options)}

    def observe(self, side: Side, G: Tensor, options: Options) -> None:
        accumulate(side.tensors["statistic"], G, self._beta2(side, G, options["beta2"]))

    def _beta2(self, side: Side, G: Tensor, beta2: float | None) -> float | Tensor:
        if beta2 is not None:
            return beta2
        H = self.square(side, G)  # |HHᵀ|_F = |HᵀH|_F: the smaller one
        weight = dynamic_beta2(H @ H.mT if H.shape[-2] <= H.shape[-1] else H.mT @ H)
        return weight.nan_to_num(1.0)  # an overflow keeps L as it is

    def refresh(self, sides: list[Side], options: Options) -> None:
        for group in alike(sides):
            statistics = [side.tensors["statistic"] for side in group]
            L = statistics[0] if len(group) == 1 else torch.cat(statistics)
            W = half_root(L, group[0].p, options["ridge"])
            for side, part in zip(group, W.split([len(L) for L in statistics]), strict=True):
                self._set(side, part)

    def _set(self, side: Side, W: Tensor) -> None:
        """The root is W Wᵀ from now on."""
        root = side.tensors.get("root")
        if root is None:
            side.passing = root = torch.empty_like(W)
        add_gram(root, W, 0.0, 1.0)
        if "stale" in side.tensors:
            ones = torch.ones_like(side.tensors["stale"][:, 0])
            side.tensors["stale"].copy_(torch.stack([ones, 0.0 * ones, root.square().sum((1, 2))], dim=-1))

    def square(self, side: Side, X: Tensor) -> Tensor:
        for _ in range(side.p // 2):
            X = side.root @ X
        return X

    def left(self, side: Side, X: Tensor) -> Tensor:
        return side.root @ X

    def right(self, side: Side, X: Tensor) -> Tensor:
        return X @ side.root


class Series(Rule):
    """P alone is kept, and changed by products.

    A given β₂ is raised where it must be for the series to converge: it is the least value of the dynamic rule.
    """

    series = True

    def names(self, alone: bool, options: Options) -> set[str]:
        return {"series", "statistic"} if options["refresh"] == CERTIFICATE else {"series"}

    def begin(self, side: Side, count: int, like: Tensor, options: Options) -> dict[str, Tensor]:
        eps = options["eps"]
        tensors = {"series": scaled_identity(count, side.n, 0.0 if eps is None else eps**-0.25, like)}
        if options["refresh"] == CERTIFICATE:
            tensors["statistic"] = scaled_identity(count, side.n, eps or 0.0, like)
        return tensors

    def observe(self, side: Side, G: Tensor, options: Options) -> None:
        P, least = side.tensors["series"], float(options["beta2"] or 0.0)
        energy = torch.linalg.vector_norm(G, dim=(1, 2), keepdim=True).square() / side.n  # (b, 1, 1)
        if options["eps"] is None:
            self._begin_at(side, energy[:, 0, 0])
        X = self.drive(P, G, energy * options["ridge"] if options["ridge"] else None)
        if "statistic" in side.tensors:
            weight = dynamic_beta2(X).clamp(min=least).nan_to_num(1.0)
            accumulate(side.tensors["statistic"], G, weight)
        new = self.stepped(P, X, options["order"], least)
        # An overflow inside the series leaves the root as it was: the next gradient may be smaller.
        alive = torch.isfinite(new.sum((1, 2), keepdim=True))
        if alive.device.type == "cpu" and bool(alive.all()):
            P.copy_(new)
        else:
            torch.where(alive, new, P, out=P)

    def drive(self, P: Tensor, G: Tensor, ridge: Tensor | None) -> Tensor:  # (b, n, n), (b, n, k), (b, 1, 1)
        """What the series is of, times c: X or Y of the statistic E = G Gᵀ + ridge·I."""
        raise NotImplementedError

    def stepped(self, P: Tensor, X: Tensor, order: int, least: float) -> Tensor:
        """P after it."""
        raise NotImplementedError

    def _begin_at(self, side: Side, energy: Tensor) -> None:  # (b,)
        """Where P is still zero it becomes that of L = Tr(GGᵀ)/n · I: the rule then has only the shape of L to learn."""
        fresh = side.tensors["series"][:, 0, 0] == 0.0
        side.tensors["series"].diagonal(dim1=1, dim2=2).add_(torch.where(fresh, energy**-0.25, 0.0)[:, None])
        if "statistic" in side.tensors:
            side.tensors["statistic"].diagonal(dim1=1, dim2=2).add_(torch.where(fresh, energy, 0.0)[:, None])

    def refresh(self, sides: list[Side], options: Options) -> None:
        for side in sides:
            if "statistic" in side.tensors:
                add_gram(side.tensors["series"], half_root(side.tensors["statistic"], 4, options["ridge"]), 0.0, 1.0)

    def changed(self, side: Side, missing: set[str], options: Options) -> None:
        if "statistic" in missing:  # its past is not known: root and statistic begin together
            series = side.tensors["series"]
            series.copy_(self.begin(side, len(series), series, options)["series"])

    def square(self, side: Side, X: Tensor) -> Tensor:
        return side.root @ (side.root @ X)


class JorgeSeries(Series):
    """The literal one-sided rule."""

    def drive(self, P: Tensor, G: Tensor, ridge: Tensor | None) -> Tensor:
        P2 = P @ P
        return P2 @ P2 @ ridged_gram(G, ridge)

    def stepped(self, P: Tensor, X: Tensor, order: int, least: float) -> Tensor:
        return one_sided_step(P, X, None, order, least)


class Sandwich(Series):
    """The symmetric rule."""

    def drive(self, P: Tensor, G: Tensor, ridge: Tensor | None) -> Tensor:
        P2 = symmetric_product(P, P)
        if G.shape[-1] >= G.shape[-2]:
            return symmetric_product(P2 @ ridged_gram(G, ridge), P2)
        H = P2 @ G  # cheaper than GGᵀ where G is tall
        H = H if ridge is None else torch.cat([H, ridge.sqrt() * P2], dim=-1)
        return symmetric_product(H, H.mT)

    def stepped(self, P: Tensor, X: Tensor, order: int, least: float) -> Tensor:
        half, gain = symmetric_half(P, X, None, order, least)
        return transposed(half).add_(half).mul_(gain)


RULES: Mapping[str, Rule] = MappingProxyType({"eigh": Exact(), "sandwich": Sandwich(), "jorge": JorgeSeries()})


def alike(sides: list[Side]) -> list[list[Side]]:
    """Sides whose statistics can be decomposed in one call; large ones are not copied for it."""
    found: dict[tuple[object, ...], list[Side]] = {}
    for i, side in enumerate(sides):
        L = side.tensors["statistic"]
        together = -1 if side.n <= TOGETHER else i
        found.setdefault((together, side.n, side.p, L.dtype, L.device), []).append(side)
    return list(found.values())


def grown_stale(side: Side, energy: Tensor, total: Tensor, options: Options) -> Tensor:  # (b,), (b,) -> (b,)
    """Take one more gradient into the bookkeeping of staleness; its bound of ρ.

    `energy` is |P²G|_F² with the kept root, `total` is |G|_F²; columns of ``stale`` are b, Tr(P² S P²) and |P²|_F².
    """
    stale, beta2 = side.tensors["stale"], options["beta2"]
    keep, weight = (1.0, 1.0) if beta2 == 1.0 else (beta2, 1.0 - beta2)
    ridge = options["ridge"] / side.n
    stale[:, 0].mul_(keep)
    stale[:, 1].mul_(keep).add_(weight * (energy + ridge * total * stale[:, 2]))
    return staleness_bound(stale[:, 0], stale[:, 1])
