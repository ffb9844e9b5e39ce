r"""What every optimizer here shares: checked options and gradients, closures, and states that keep their precision.

.. math:: W_{t+1} = \mathrm{update}(W_t, G_t, \mathrm{state}_t), \qquad G_t = \nabla f(W_t)

A subclass writes ``check`` (which options are allowed) and ``update`` (one step of one group), or ``prepare`` where a step
can fail for reasons that only its arithmetic finds. Nothing changes before everything was looked at: options, gradients, a
state that is loaded.

Statistics of parameters in half precision are kept in float32: ``torch.optim.Optimizer.load_state_dict`` would cast them
to the parameter's precision, so loading is done here.

Source: the contract of ``torch.optim.Optimizer``; PyTorch issue 43706 (states that lose their precision when loaded).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import chain
from operator import is_
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch._C._nn import flatten_dense_tensors
from torch.optim import Optimizer

__all__ = [
    "OptimizerBase",
    "eagerly",
    "fraction",
    "local",
    "locals_of",
    "nonnegative",
    "number",
    "require_whole",
    "wide",
]

Options = dict[str, Any]  # of one parameter group, by name
# What is surely no DTensor: to ask a tensor for an attribute that it lacks is slow.
PLAIN = frozenset({Tensor, torch.nn.Parameter})
F = TypeVar("F", bound=Callable[..., Any])


def eagerly(function: F) -> F:
    """The function, of which a compiled step makes no part of its graph."""
    return torch.compiler.disable(function)  # pyright: ignore[reportReturnType]


class OptimizerBase(Optimizer):
    """A torch optimizer whose subclasses write `check` and `update`."""

    elementwise: ClassVar[bool] = False  # each number by itself: then a sharded tensor is as good as a whole one
    headroom: ClassVar[float] = 0.0  # so many times the length of all gradients must have a finite square as well

    def __init__(self, params: Iterable[Any], defaults: Options) -> None:
        """Raises ValueError for options that are not allowed, TypeError for parameters that are not real numbers."""
        self.check(defaults)
        super().__init__(params, defaults)

    @abstractmethod
    def check(self, options: Options) -> None:
        """Raise ValueError, naming the option, its value and what is allowed, unless all are allowed."""

    @abstractmethod
    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        """One step of the parameters that have a gradient; gradients are finite, to be minimised along, and read only."""

    def prepare(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> Callable[[], None]:
        """What takes the step of a group. Whatever can fail is done here, where nothing changes, and before any group moves."""
        return partial(self.update, group, params, grads)

    def advance(self, work: list[tuple[Options, list[Tensor], list[Tensor]]]) -> None:
        """The steps of all groups."""
        for move in [self.prepare(*each) for each in work]:
            move()

    def add_param_group(self, param_group: Options) -> None:
        """As torch's; the group's own options are checked, and nothing is added when they are not allowed."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            self.check(group)
            for p in group["params"]:
                require_real(p)
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the closure, if given, computes the loss that is returned.

        Raises ValueError for a gradient that is not finite or whose square is not, and for an option that was changed to what
        is not allowed, TypeError for a sparse gradient, before anything changes.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        self.require_usable([p for _, params in found for p in params])
        self.advance([(group, params, gradients(group, params)) for group, params in found if params])
        return loss

    @eagerly
    def require_usable(self, params: list[Tensor]) -> None:
        """Raise unless every gradient is dense and finite, and options that were changed are allowed.

        A compiled step breaks its graph here, because what it depends on are numbers.
        """
        self.require_options()
        known = self.__dict__.setdefault("_shapes", {})  # not an entry that torch copies or pickles
        grads, shapes = [p.grad for p in params], [p.shape for p in params]
        seen = [(torch.strided, shape) for shape in shapes]
        if (
            [(g.layout, g.shape) for g in grads if g is not None] != seen
            or list(map(known.get, map(id, params))) != shapes
            or not (self.elementwise or PLAIN.issuperset(map(type, params)))
        ):
            self._require_each_usable(params, known)
        self.require_finite(params)

    def _require_each_usable(self, params: list[Tensor], known: dict[int, torch.Size]) -> None:
        """Raise TypeError or ValueError for a gradient that is not dense or not of its parameter's shape; note new shapes."""
        for p in params:
            if p.grad is not None and p.grad.layout != torch.strided:
                raise TypeError(f"{type(self).__name__} needs dense gradients, got one with layout {p.grad.layout}.")
            if not self.elementwise:
                require_whole(p, type(self).__name__)
            if (p.grad is not None and p.grad.shape != p.shape) or known.setdefault(id(p), p.shape) != p.shape:
                self._resized(p, known)

    def _resized(self, p: Tensor, shapes: dict[int, torch.Size]) -> None:
        """Raise ValueError for a gradient or a state of another shape; note the new one when there is no state."""
        if p.grad is not None and p.grad.shape != p.shape:
            raise ValueError(
                f"a parameter of shape {tuple(p.shape)} has a gradient of shape {tuple(p.grad.shape)}. Parameters and state "
                f"are unchanged: zero_grad() and compute the gradients after a parameter was resized."
            )
        if self.state.get(p, {}).get("step"):  # FNGD's backward() begins a state before the first step
            raise ValueError(
                f"a parameter was resized from {tuple(shapes[id(p)])} to {tuple(p.shape)}, and its state is that of the old "
                f"shape. Parameters and state are unchanged: drop the state (optimizer.state.pop(p)), or make a new "
                f"optimizer."
            )
        shapes[id(p)] = p.shape

    def require_options(self) -> None:
        """Raise ValueError when an option of a group was changed to what is not allowed."""
        allowed = self.__dict__.setdefault("_allowed", {})  # not an entry that torch copies or pickles
        for group in self.param_groups:
            values = list(group.values())
            last = allowed.get(id(group), ())
            if len(last) != len(values) or not all(map(is_, last, values)):
                self.check(group)
                # A tensor, such as a learning rate for a compiled step, is changed in place: it is looked at each time.
                allowed[id(group)] = () if any(isinstance(value, Tensor) for value in values) else values

    def require_finite(self, params: list[Tensor]) -> None:
        """Raise unless every gradient and its square are finite. One pass over the gradients, one transfer from a GPU."""
        grads = [p.grad for p in params if p.grad is not None]
        if grads and not self.measurable(grads):
            self._raise_not_finite(params)
            raise ValueError(
                "the squares of the gradients overflow, or would in the statistics, though every entry is finite. Parameters "
                "and state are unchanged: clip the gradients (torch.nn.utils.clip_grad_norm_), or lower the learning rate."
            )

    def measurable(self, grads: list[Tensor]) -> bool:
        """Whether the squares of the gradients, with the headroom that the statistics need, are finite."""
        length = length_of(grads)
        return math.isfinite(length) and length * self.headroom < 1.0

    def _raise_not_finite(self, params: list[Tensor]) -> None:
        for number, group in enumerate(self.param_groups):
            names = group.get("param_names", [str(i) for i in range(len(group["params"]))])
            for name, p in zip(names, group["params"], strict=True):
                bad = 0 if p.grad is None else int((~torch.isfinite(p.grad)).sum())
                if bad:
                    raise ValueError(
                        f"the gradient of parameter {name} in group {number}, shape {tuple(p.shape)}, has {bad} of "
                        f"{p.numel()} entries that are NaN or infinite. Parameters and state are unchanged: skip this "
                        f"step (optimizer.zero_grad()), lower the learning rate, or scale the loss with a GradScaler."
                    )

    def load_state_dict(self, state_dict: Options) -> None:
        """As torch's, but every tensor keeps the precision that it was saved with, and is copied.

        Raises ValueError for a state of another optimizer or of other shapes, before anything changes.
        """
        require_state_dict(state_dict)
        taken: Options = {}

        def look(_: Optimizer, found: Options) -> None:  # last, at what others' hooks have made of it
            require_state_dict(found)
            self._require_own(found)
            taken.update(found)

        def restore(_: Optimizer) -> None:  # first, so that others' hooks find what was saved
            for key, p in self._pairs(taken):
                if key in taken["state"]:
                    self.state[p] = copied(taken["state"][key], p.device)

        handles = [
            self.register_load_state_dict_pre_hook(look),
            self.register_load_state_dict_post_hook(restore, prepend=True),
        ]
        try:
            super().load_state_dict(state_dict)
        finally:
            for handle in handles:
                handle.remove()

    def _pairs(self, state_dict: Options) -> list[tuple[Any, Tensor]]:
        """Keys of a saved state beside the parameters that they stand for."""
        keys = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        return list(zip(keys, chain.from_iterable(group["params"] for group in self.param_groups), strict=False))

    def _require_own(self, state_dict: Options) -> None:
        for group in state_dict["param_groups"]:
            # torch gives copies of an optimizer, and only them, a default of its own.
            missing = sorted(set(self.defaults) - set(group) - {"differentiable"})
            if missing:
                raise ValueError(
                    f"this state_dict is not that of {type(self).__name__}: its groups have no {', '.join(missing)}. "
                    f"The optimizer is unchanged."
                )
            self.check(group)
        for key, p in self._pairs(state_dict):
            state = state_dict["state"].get(key, {})
            if not isinstance(state, dict):
                raise ValueError(f"the state of parameter {key} is no dict but {state!r}. The optimizer is unchanged.")
            self.check_state(p, state)

    def check_state(self, p: Tensor, state: Options) -> None:
        """Raise ValueError when a saved state cannot be that of a parameter like p."""


def gradients(group: Options, params: list[Tensor]) -> list[Tensor]:
    """The gradients of the parameters, to be minimised along."""
    grads: list[Any] = [p.grad for p in params]
    if not group.get("maximize"):
        return grads
    if PLAIN.issuperset(map(type, grads)):  # else some may be sharded, which do not mix with others in one call
        return list(torch._foreach_neg(grads))  # pyright: ignore[reportPrivateImportUsage]
    return [g.neg() for g in grads]


def require_state_dict(found: Any) -> None:
    """Raise ValueError unless this has the entries of a state_dict."""
    if not (isinstance(found, dict) and {"state", "param_groups"} <= set(found)):
        raise ValueError(
            f"a state_dict has the entries state and param_groups, got {type(found).__name__}. The optimizer is unchanged."
        )


def number(options: Options, name: str) -> float:
    """The option, a number or a tensor with one; raises ValueError for anything else."""
    value = options[name]
    if not isinstance(value, bool | str):
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            pass
    raise ValueError(f"{name} must be a number, got {value!r}.")


def nonnegative(options: Options, *names: str) -> None:
    """Raise ValueError unless each of these options is a finite number ≥ 0."""
    for name in names:
        value = number(options, name)
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{name} must be a finite number ≥ 0, got {options[name]!r}.")


def fraction(options: Options, *names: str) -> None:
    """Raise ValueError unless each of these options is in [0, 1)."""
    for name in names:
        if not 0.0 <= number(options, name) < 1.0:
            raise ValueError(f"{name} must be in [0, 1), got {options[name]!r}.")


def wide(dtype: torch.dtype) -> torch.dtype:
    """The precision of the statistics of parameters of this dtype: float32 for halves, else their own."""
    return torch.promote_types(dtype, torch.float32)


def local(t: Tensor, like: Tensor | None = None) -> Tensor:
    """What of a tensor lives here: a DTensor's shard (placed as `like`), any other tensor itself."""
    if type(t) in PLAIN:
        return t
    placements = getattr(like, "placements", None)
    if placements is not None and getattr(t, "placements", placements) != placements:
        t = t.redistribute(placements=placements)  # pyright: ignore[reportAttributeAccessIssue]
    return t.to_local() if hasattr(t, "to_local") else t  # pyright: ignore[reportAttributeAccessIssue]


def locals_of(tensors: list[Tensor], like: list[Tensor] | None = None) -> list[Tensor]:
    """What of each tensor lives here."""
    if PLAIN.issuperset(map(type, tensors)):
        return tensors
    return [local(t, other) for t, other in zip(tensors, like or tensors, strict=True)]


def length_of(tensors: list[Tensor]) -> float:
    """The sum of the lengths of the tensors, which no NaN, infinity or overflowing square survives, in units of the longest
    whose square is finite in the precision of the statistics; one transfer per device and precision.
    """
    small: dict[tuple[int, torch.dtype], list[Tensor]] = {}
    found: dict[tuple[int, torch.dtype], list[Tensor]] = {}
    for t in tensors:
        # A call costs as much as some thousand entries: small tensors are measured side by side.
        if t.numel() <= 16384 and type(t) is Tensor:
            small.setdefault((t.get_device(), t.dtype), []).append(t)
        elif t.numel():
            found.setdefault((t.get_device(), wide(t.dtype)), []).append(_length(t))
    for (device, dtype), each in small.items():
        found.setdefault((device, wide(dtype)), []).append(_length(flatten_dense_tensors(each)))
    return sum(_total(each) / _longest(dtype) for (_, dtype), each in found.items())


@cache
def _longest(dtype: torch.dtype) -> float:
    """The length whose square is the largest number."""
    return math.sqrt(torch.finfo(dtype).max)


def _length(t: Tensor) -> Tensor:
    return torch.linalg.vector_norm(t, dtype=wide(t.dtype)) if type(t) is Tensor else t.to(wide(t.dtype)).square().sum()


def _total(sums: list[Tensor]) -> float:
    """The sum of numbers on one device; those of sharded tensors are of all shards."""
    if sums[0].is_cpu or any(type(each) is not Tensor for each in sums):
        return sum(map(float, sums))
    return float(torch.stack([each.double() for each in sums]).sum())


def require_real(p: Tensor) -> None:
    """Raise TypeError unless p has real floating-point entries."""
    if not p.is_floating_point():
        raise TypeError(f"parameters must be real floating-point tensors, got dtype {p.dtype}.")


def require_whole(p: Tensor, name: str) -> None:
    """Raise TypeError when only a shard of p lives here."""
    placements = getattr(p, "placements", ())
    if any(placement.is_shard() for placement in placements):
        raise TypeError(
            f"{name} needs whole tensors, got a DTensor of shape {tuple(p.shape)} sharded as {placements}: a shard's "
            f"statistics are not those of the tensor. Use DistributedDataParallel, or replicate this parameter."
        )


def copied(value: Any, device: torch.device) -> Any:
    """A copy of a saved state on `device`, with the precision that it was saved in."""
    if isinstance(value, Tensor):
        return value.detach().to(device=device, copy=True)
    if isinstance(value, dict):
        return {key: copied(entry, device) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(entry, device) for entry in value)
    return value
