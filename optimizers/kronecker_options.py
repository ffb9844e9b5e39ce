r"""Which options and which saved states the Shampoo family accepts.

.. math:: \beta_2 \in (0, 1] \cup \{\text{dynamic}\}, \quad \epsilon, \lambda, r \ge 0, \qquad
    \text{and for a series } \beta_2 < 1,\ \epsilon > 0.

Source: derived here: a series in :math:`(1-\beta_2)/\beta_2` cannot sum statistics, nor start from an infinite root.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from optimizers.base import Options, fraction, nonnegative, number
from optimizers.grafting import GRAFTS
from optimizers.matrices import axes_of, labels
from optimizers.roots import root_rule
from optimizers.roots.rules import CERTIFICATE, KEPT, Rule

__all__ = ["check_options", "described", "fits"]

AXES = ("merged", "each")


def check_options(options: Options) -> None:
    """Raise ValueError, naming the option, its value and what is allowed."""
    nonnegative(options, "lr", "weight_decay", "ridge")
    fraction(options, "momentum")
    rule = root_rule(options["root"])
    if options.get("axes", "merged") not in AXES:
        raise ValueError(f"axes must be one of {', '.join(map(repr, AXES))}, got {options['axes']!r}.")
    if options.get("axes") == "each" and rule.series:
        raise ValueError(
            f"axes='each' asks for exponents -1/(2k) of tensors with k axes, and root={options['root']!r} is a series for "
            f"-1/4: use root='eigh', or axes='merged'."
        )
    if options["grafting"] not in GRAFTS:
        raise ValueError(f"grafting must be one of {', '.join(map(repr, GRAFTS))}, got {options['grafting']!r}.")
    check_statistics(options, rule)
    check_intervals(options)


def fits(name: str, value: Any, p: Tensor) -> bool:
    """Whether a saved value can be that of p: a count, a tensor of its shape, or a list of blocks that cover a side.

    Tensors are finite, in single precision or better; what is a sum of squares is not negative.
    """
    if name == "step":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if name in ("momentum", "graft_momentum", "second_moment"):
        least = 0.0 if name == "second_moment" else -math.inf
        return is_usable(value) and value.shape == p.shape and bool((value >= least).all())
    label, _, kind = str(name).partition("_")
    sizes = lengths_of(label, p)
    if not sizes or kind not in KEPT or not isinstance(value, list) or not value:
        return False
    if not all(map(is_usable, value)):
        return False
    if kind == "stale":
        return all(t.shape == (3,) for t in value)
    if not all(t.ndim == 2 and t.shape[0] == t.shape[1] for t in value):
        return False
    if kind == "statistic" and not all(bool((t.diagonal() >= 0.0).all()) for t in value):
        return False
    covered = sum(t.shape[0] for t in value)
    return any(size and covered % size == 0 for size in sizes)  # once, or once for each block of the other sides


def lengths_of(label: str, p: Tensor) -> set[int]:
    """How long a parameter's axis of this label may be, whichever way its axes are taken; empty when it has none."""
    shapes = [axes_of(p.shape, axes) for axes in AXES]
    return {n for shape in shapes for name, n in zip(labels(len(shape)), shape, strict=True) if name == label}


def is_usable(value: Any) -> bool:
    """Whether this is a finite tensor in single precision or better."""
    fine = isinstance(value, Tensor) and value.dtype in (torch.float32, torch.float64)
    return fine and bool(torch.isfinite(value).all())


def uneven(state: Options) -> list[str]:
    """Names whose list of blocks is longer or shorter than the first one of their side."""
    found: dict[str, dict[str, int]] = {}
    for name, value in state.items():
        if isinstance(value, list):
            found.setdefault(name.partition("_")[0], {})[name] = len(value)
    return [name for counts in found.values() for name, count in counts.items() if count != next(iter(counts.values()))]


def described(value: Any) -> str:
    """A value's type, with the shapes of tensors and what is wrong with their numbers."""
    tensors = [t for t in (value if isinstance(value, list) else [value]) if isinstance(t, Tensor)]
    words = f"{type(value).__name__} {[tuple(t.shape) for t in tensors]}" if tensors else repr(value)
    usable = all(map(is_usable, tensors))
    return words if usable else f"{words}, not finite or not in single precision or better"


def check_statistics(options: Options, rule: Rule) -> None:
    """Raise ValueError unless beta2, eps and order go together with the rule."""
    beta2, eps, order = options["beta2"], options["eps"], options["order"]
    if beta2 is not None and not 0.0 < number(options, "beta2") <= 1.0:
        raise ValueError(f"beta2 must be in (0, 1], or None for the dynamic rule, got {beta2!r}.")
    if rule.series and beta2 == 1.0:
        raise ValueError(
            f"root={options['root']!r} is a series in (1 - beta2)/beta2 and cannot sum statistics: "
            f"give beta2 < 1 or None, or use root='eigh'."
        )
    if eps is not None:
        nonnegative(options, "eps")
        if rule.series and float(eps) == 0.0:
            raise ValueError(
                f"root={options['root']!r} starts at eps^(-1/4): eps must be > 0, or None to start from "
                f"the first gradient, got {eps!r}."
            )
    if not (isinstance(order, int) and order >= 1):
        raise ValueError(f"order must be an integer ≥ 1, got {order!r}.")


def check_intervals(options: Options) -> None:
    """Raise ValueError unless refresh, statistics, threshold, probes and max_size are allowed."""
    for name in ("refresh", "statistics", "probes", "max_size"):
        value = options[name]
        if name == "refresh" and value == CERTIFICATE:
            continue
        if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
            extra = f" or {CERTIFICATE!r}" if name == "refresh" else ""
            raise ValueError(f"{name} must be an integer ≥ 1{extra}, got {value!r}.")
    if not 0.0 < number(options, "threshold") < 1.0:
        raise ValueError(
            f"threshold must be in (0, 1): beyond it the residual certifies nothing, got {options['threshold']!r}."
        )
