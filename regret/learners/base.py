r"""What a learner is: a pure map from a state and a gradient to the next state.

.. math:: x_{t+1} = \Pi^{H_t}_{\mathcal X}\bigl(x_t - \eta H_t^{-1} g_t\bigr), \qquad t = 1, 2, \dots, T,

for every element of the leading batch axis at once: seeds, step sizes and instances ride on it. A state is a dict of
arrays; ``state["x"]`` is the iterate, ``state["t"]`` the number of gradients seen. ``step`` never changes the state it is
given and shares no memory with its arguments.

Source: the init/step contract of optimistix, <https://docs.kidger.site/optimistix/>; the recursion is Algorithm 1 of
Gupta, Koren, Singer 2017 (a unified approach to adaptive regularization).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, ClassVar, Protocol

import array_api_compat
import numpy as np

from problems.domains import Domain
from problems.domains.vectors import norm
from structures.arrays import Array, all_finite, dtype_name, namespace, require_finite, require_shape, to_numpy

__all__ = [
    "Learner",
    "Metric",
    "State",
    "check_damping",
    "check_domain",
    "check_rate",
    "inner",
    "norm2",
    "per_element",
    "require_gradient",
    "require_start",
]

State = dict[str, Any]


class Metric(Protocol):
    """The norm of one step, ‖X‖²_{H_t}, as long as the step's factor lives."""

    def energy(self, X: Array) -> Array:  # (B, *shape) -> (B,)
        """<X, H_t X>."""
        ...


class Learner(ABC):
    """A frozen description (subclasses are frozen dataclasses) of an online algorithm; its memory is the state."""

    shape: tuple[int, ...]  # of the parameter
    lr: float | tuple[float, ...]  # η, or one for each batch element
    domain: Domain | None  # where the iterates live, on `shape`; None is the whole space

    scalars: ClassVar[tuple[str, ...]] = ("trace_root", "q", "gap")  # entries (B,) of a state that a trace keeps

    @abstractmethod
    def init(self, x0: Array) -> State:  # (B, *shape)
        """The state before the first gradient; x0 is copied."""

    @abstractmethod
    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        """The next state, and the metric H_t that this step moved and projected in."""

    def step(self, state: State, G: Array) -> State:  # (B, *shape)
        """The next state. Raises ValueError or TypeError for a gradient that does not fit, before anything changes."""
        return self.advance(state, G)[0]

    def norms(self) -> dict[str, Callable[[Array], Array]]:  # each (..., *shape) -> (...)
        """Norms in which the distance to a fixed comparator enters this learner's bounds; the first is the main one."""
        ndim = len(self.shape)
        return {"euclidean": lambda X: norm(namespace(X).reshape(X, (*X.shape[: X.ndim - ndim], -1)))}


def inner(A: Array, B: Array) -> Array:  # (B, *shape), (B, *shape) -> (B,)
    """<A, B> for each batch element."""
    xp, product = namespace(A), A * B
    return xp.sum(product if product.ndim == 2 else xp.reshape(product, (product.shape[0], -1)), axis=-1)


def norm2(X: Array) -> Array:  # (B, *shape) -> (B,)
    """‖X‖₂ for each batch element, at every scale."""
    return norm(namespace(X).reshape(X, (X.shape[0], -1)))


def check_rate(lr: float | Sequence[float]) -> float | tuple[float, ...]:
    """A learning rate, or one for each batch element, as Python floats; all must be positive and finite."""
    rates = to_numpy(lr)
    fits = rates.ndim <= 1 and rates.size > 0 and rates.dtype.kind in "iuf"
    if not fits or not np.all(np.isfinite(rates) & (rates > 0)):
        raise ValueError(f"lr must be a positive, finite number (or one for each batch element), got {lr!r}.")
    return float(rates) if rates.ndim == 0 else tuple(float(rate) for rate in rates)


def check_damping(eps: float) -> float:
    """ε as a Python float; raises ValueError unless it is finite and ≥ 0."""
    value = to_numpy(eps)
    if value.ndim > 0 or value.dtype.kind not in "iuf" or not (np.isfinite(value) and value >= 0):
        raise ValueError(f"eps must be a finite number ≥ 0, got {eps!r}: it is added to squares of gradients.")
    return float(value)


def check_domain(domain: Domain | None, shape: tuple[int, ...]) -> Domain | None:
    """The domain for parameters of `shape`; raises TypeError for something else, ValueError for one of another size."""
    if domain is None:
        return None
    if not isinstance(domain, Domain):
        raise TypeError(f"domain must be None or a Domain, such as L2Ball(1.0), got {domain!r}.")
    if domain.shape is not None and prod(domain.shape) != prod(shape):
        raise ValueError(f"{domain} has {prod(domain.shape)} parameters, but the learner's shape is {shape}.")
    return domain.on(shape)


def per_element(lr: float | tuple[float, ...], x: Array) -> float | Array:  # -> scalar or (B, 1, ..., 1)
    """`lr` as something that multiplies arrays like `x` of shape (B, *shape)."""
    if not isinstance(lr, tuple):
        return lr
    if len(lr) != x.shape[0]:
        raise ValueError(
            f"lr has {len(lr)} values for a batch of {x.shape[0]}: give one number, or one for each element."
        )
    xp = namespace(x)
    rates = xp.asarray(list(lr), dtype=x.dtype, device=x.device)
    return xp.reshape(rates, (-1, *[1] * (x.ndim - 1)))


def require_start(x0: Array, shape: tuple[int, ...]) -> Array:  # (B, *shape)
    """A copy of `x0`. Raises TypeError unless it is floating, ValueError unless finite, of shape (B, *shape), B ≥ 1."""
    xp = namespace(x0)
    if not xp.isdtype(x0.dtype, "real floating"):
        raise TypeError(f"x0 has dtype {dtype_name(x0)}; a learner needs real floating numbers, such as float64.")
    if x0.ndim != len(shape) + 1:
        raise ValueError(
            f"x0 has shape {tuple(x0.shape)}, expected (batch, {', '.join(map(str, shape))}): one leading batch axis, "
            f"then the parameter's shape. For a single run pass x0[None]."
        )
    require_shape("x0", x0, shape)
    require_finite("x0", x0)
    return xp.asarray(x0, copy=True)


def require_gradient(state: State, G: Array) -> None:
    """Raise unless `G` is a finite array like ``state["x"]``: same namespace, dtype, device and shape."""
    x = state["x"]
    if type(G) is not type(x):
        _require_namespace(G, x)
    if G.dtype != x.dtype:
        raise TypeError(
            f"the gradient of step {state['t'] + 1} is {dtype_name(G)}, but the state is {dtype_name(x)}: nothing is "
            f"converted silently. Cast the gradient, or start from an x0 of the gradient's dtype."
        )
    if tuple(G.shape) != tuple(x.shape):
        raise ValueError(
            f"the gradient of step {state['t'] + 1} has shape {tuple(G.shape)}, expected {tuple(x.shape)}: "
            f"(batch, *shape), like the iterate."
        )
    if G.device != x.device:
        raise ValueError(f"the gradient is on {G.device}, the state on {x.device}.")
    if not all_finite(G):
        _raise_not_finite(state["t"] + 1, G)


def _require_namespace(G: Array, x: Array) -> None:
    if not array_api_compat.is_array_api_obj(G) or namespace(G) is not namespace(x):
        raise TypeError(
            f"the gradient is a {type(G).__module__}.{type(G).__name__}, but the state holds "
            f"{type(x).__module__}.{type(x).__name__}: pass an array of the same library."
        )


def _raise_not_finite(step: int, G: Array) -> None:
    values = to_numpy(G)
    bad = ~(abs(values) < float("inf"))
    element, *entry = (int(i) for i in np.argwhere(bad)[0])
    raise ValueError(
        f"the gradient of step {step} is not finite: batch element {element}, entry {tuple(entry)} is "
        f"{values[(element, *entry)]} ({int(bad.sum())} of {bad.size} entries are NaN or inf). The state is unchanged. "
        f"Look for a learning rate too large, a loss outside its domain, or an overflow."
    )
