r"""Any torch optimizer as a learner of ``regret.play``, so that its regret can be measured and plotted beside a bound.

.. math:: y_{t+1} = \mathrm{step}_t(x_t, g_t), \qquad x_{t+1} = \Pi_{\mathcal X}(y_{t+1}) \ \text{(Euclidean)},
          \qquad \eta_t = \eta f_t .

Each element of the batch has an optimizer of its own, which sees one parameter.

Source: the contract of ``torch.optim.Optimizer``; the protocol of online convex optimization.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any

from regret.learners.base import (
    Learner,
    Metric,
    State,
    check_domain,
    check_rate,
    inner,
    require_gradient,
    require_start,
)
from structures.arrays import Array, asarray_like, like, namespace, positive_sizes, to_numpy

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from problems.domains import Domain

__all__ = ["TorchLearner"]

SCHEDULES: dict[str, Callable[[int], float]] = {"constant": lambda t: 1.0, "inverse_sqrt": lambda t: t**-0.5}


@dataclass(frozen=True, eq=False)
class _Multiple:
    """‖·‖² = scale · ‖·‖₂²."""

    scale: float

    def energy(self, X: Array) -> Array:  # (B, *shape) -> (B,)
        return self.scale * inner(X, X)


@dataclass(frozen=True)
class TorchLearner(Learner):
    """``optimizer([parameter], lr=..., **options)`` stepping along the gradients of a game.

    `optimizer` is a class such as ``torch.optim.Adam`` or ``optimizers.AGD`` (kept as "module:name", so that a trace can be
    stored). The learning rate of step t = 1, 2, ... is ``lr * schedule(t)``, with "constant" and "inverse_sqrt" for 1 and
    1/√t. `lr` may be one number for each element of the batch. The domain's Euclidean projection follows each step; the
    optimizer does not know of it.

    A state shares its optimizers with the state before, so that it can be stepped once; stepping it again raises
    ValueError. Optimizers that need a closure, or several parameters, do not fit.

    Raises ValueError for lr ≤ 0 or an unknown schedule, TypeError for an optimizer that is none.
    """

    shape: tuple[int, ...]
    optimizer: Any  # type[Optimizer] or "module:name"
    lr: float | tuple[float, ...]
    options: Any = ()  # a mapping; kept as pairs in the order of their names
    domain: Domain | None = None
    schedule: str | Callable[[int], float] = "constant"

    def __post_init__(self) -> None:
        shape = positive_sizes("TorchLearner", self.shape)
        if isinstance(self.schedule, str) and self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be {', '.join(SCHEDULES)} or a function of t, got {self.schedule!r}.")
        pairs = self.options.items() if isinstance(self.options, Mapping) else self.options
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "optimizer", _path(self.optimizer))
        object.__setattr__(self, "options", tuple(sorted((str(name), value) for name, value in pairs)))
        object.__setattr__(self, "lr", check_rate(self.lr))
        object.__setattr__(self, "domain", check_domain(self.domain, shape))

    def factor(self, t: int) -> float:
        """What the learning rate is multiplied by at step t = 1, 2, ..."""
        return SCHEDULES[self.schedule](t) if isinstance(self.schedule, str) else float(self.schedule(t))

    def init(self, x0: Array) -> State:  # (B, *shape)
        x = require_start(x0, self.shape)
        zeros = {name: namespace(x).zeros(x.shape[0], **like(x)) for name in self.scalars}
        return {"x": x, "t": 0, "seats": _Seats(self, x), **zeros}

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        require_gradient(state, G)
        x, t = state["x"], state["t"] + 1
        factor = self.factor(t)
        Y = state["seats"].step(t, x, G, factor)
        X = Y if self.domain is None else self.domain.project_euclidean(Y)
        rates = self.lr if isinstance(self.lr, tuple) else (self.lr,) * x.shape[0]
        xp = namespace(x)
        new = {
            "x": X, "t": t, "seats": state["seats"], "gap": self._gap(X, Y) / factor,
            "trace_root": xp.full((x.shape[0],), prod(self.shape) / factor, **like(x)),
            "q": inner(G, x - Y) / xp.asarray(list(rates), **like(x)),
        }  # fmt: skip
        return new, _Multiple(1.0 / factor)

    def _gap(self, X: Array, Y: Array) -> Array:  # (B, *shape), (B, *shape) -> (B,)
        """The Frank-Wolfe gap of ½‖x - y‖₂² at X."""
        xp = namespace(X)
        if self.domain is None:
            return xp.zeros(X.shape[0], **like(X))
        slope = X - Y
        gap = inner(slope, X - self.domain.lmo(slope))
        return xp.where(gap < 0, xp.zeros_like(gap), gap)  # a NaN stays one


class _Seats:
    """An optimizer and its parameter for each element."""

    def __init__(self, learner: TorchLearner, x: Array) -> None:  # (B, *shape)
        import torch

        rates = learner.lr if isinstance(learner.lr, tuple) else (learner.lr,) * x.shape[0]
        if len(rates) != x.shape[0]:
            raise ValueError(f"lr has {len(rates)} values for a batch of {x.shape[0]}.")
        cls = _class(learner.optimizer)
        self._rates, self._steps = rates, 0
        self._parameters = [torch.nn.Parameter(_tensor(x[b, ...])) for b in range(x.shape[0])]
        self._optimizers: list[Optimizer] = [
            cls([p], lr=rate, **dict(learner.options)) for p, rate in zip(self._parameters, rates, strict=True)
        ]

    def step(self, t: int, x: Array, G: Array, factor: float) -> Array:  # -> (B, *shape)
        """Where step t of every optimizer leads from x."""
        if t != self._steps + 1:
            raise ValueError(
                f"this state of TorchLearner has seen {t - 1} gradients, its optimizers {self._steps}: a state can be stepped "
                f"once, because optimizers change in place. Start again from init(x0)."
            )
        self._steps = t
        for b, (p, optimizer) in enumerate(zip(self._parameters, self._optimizers, strict=True)):
            p.data.copy_(_tensor(x[b, ...]))
            p.grad = _tensor(G[b, ...])
            for group in optimizer.param_groups:
                group["lr"] = self._rates[b] * factor
            optimizer.step()
        return namespace(x).stack([asarray_like(p.detach().clone(), x) for p in self._parameters])


def _tensor(x: Array) -> Any:
    """A copy as a torch tensor, on the same device when it is one."""
    import torch

    return x.detach().clone() if isinstance(x, torch.Tensor) else torch.from_numpy(to_numpy(x).copy())


def _path(optimizer: Any) -> str:
    """The name of a class, "module:name"."""
    if isinstance(optimizer, str):
        optimizer = _class(optimizer)  # a package may name the class of one of its modules
    if not isinstance(optimizer, type):
        raise TypeError(f"optimizer must be a class such as torch.optim.Adam, got {optimizer!r}.")
    return f"{optimizer.__module__}:{optimizer.__qualname__}"


def _class(path: str) -> Any:
    """The optimizer's class; modules that are neither torch's nor this project's must be loaded already."""
    from torch.optim import Optimizer

    module, _, name = path.partition(":")
    found: Any = None
    if module in sys.modules or module.split(".")[0] in ("torch", "optimizers"):
        found = getattr(import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Optimizer)):
        raise TypeError(f"{path!r} is no torch optimizer that is loaded: import it, or pass the class.")
    return found
