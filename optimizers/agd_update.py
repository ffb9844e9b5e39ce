r"""The arithmetic of one AGD step.

With the bias-corrected mean :math:`\hat m` as the state, the difference that AGD takes needs no copy of it, and with
:math:`v_t = \sigma_t V_t` the average forgets by growing weights instead of one more pass (σ returns to 1 before it
underflows):

.. math::
    e_t &= g_t - \hat m_{t-1}, \qquad \hat m_t = \hat m_{t-1} + \gamma_t e_t, \qquad
    s_t = \hat m_t - \hat m_{t-1} = \gamma_t e_t, \qquad \gamma_t = \frac{1 - \beta_1}{1 - \beta_1^t}, \\
    \sigma_t &= \beta_2 \sigma_{t-1}, \qquad V_t = V_{t-1} + \frac{1 - \beta_2}{\sigma_t}\, s_t^2
    \quad\Longleftrightarrow\quad v_t = \beta_2 v_{t-1} + (1 - \beta_2) s_t^2, \\
    W &\leftarrow (1 - \eta\lambda) W - \eta \sqrt{1 - \beta_2^t}\,
    \operatorname{clip}\Bigl(\frac{\hat m_t}{\max(\sqrt{\sigma_t V_t},\, \delta\sqrt{1 - \beta_2^t})}\Bigr) .

Source: derived here, docs/proofs/agd.md#the-identity; the recursion is Yue et al. 2023, Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C._nn import flatten_dense_tensors, unflatten_dense_tensors

from optimizers.pieces import pieces

__all__ = ["HEADROOM", "Coefficients", "coefficients", "fused_step", "packed_step", "tensor_step", "unguarded_step"]

SMALLEST = 2.0**-20  # of σ: V grows by its inverse at most
HEADROOM = 2.0**12  # √V is at most 2¹¹ times the longest gradient: |s| ≤ 2|g|, and 1/√σ ≤ 2¹⁰


class Coefficients(NamedTuple):
    """The numbers of one step, common to all entries; m̂ / max(√V, floor) is the update in units of `rate`."""

    keep: float  # what weight decay leaves of a parameter
    gain: float  # γ_t
    forget: float  # what is left of V: 1, or σ when it returns to 1
    weight: float  # (1 - β₂) γ_t² / σ_t
    floor: float
    limit: float  # of |m̂ / max(√V, floor)|; infinite without a clip
    rate: float


def coefficients(options: dict[str, Any], delta: float, t: int, scale: float) -> tuple[Coefficients, float]:
    """The numbers of step t ≥ 1 of a group, and σ_t, from σ_{t-1} = `scale`.

    A numeric clip is the published one, of m_t / D_t before the factor √(1 - β₂^t) / (1 - β₁^t); "auto" bounds what comes
    after it, m̂_t / max(√v̂_t, δ), by 1 / (1 - β₁).
    """
    lr, (beta1, beta2), clip = float(options["lr"]), options["betas"], options["clip"]
    rest1, rest2 = 1.0 - beta1**t, math.sqrt(1.0 - beta2**t)
    gain = (1.0 - beta1) / rest1
    # The largest v so far is compared with v itself, so that AMSGrad keeps σ = 1.
    sigma, forget = scale * beta2, 1.0
    if sigma < SMALLEST or options["amsgrad"]:
        sigma, forget = 1.0, sigma
    root = math.sqrt(sigma)
    limits = {None: math.inf, "auto": root / ((1.0 - beta1) * rest2)}
    limit = limits[clip] if clip in limits else root * float(clip) / rest1
    decay = {"decoupled": lr, "fixed": 1.0, "coupled": 0.0}[options["decay"]] * options["weight_decay"]
    weight = (1.0 - beta2) * gain * gain / sigma
    return Coefficients(1.0 - decay, gain, forget, weight, delta * rest2 / root, limit, lr * rest2 / root), sigma


def advance(e: Tensor, statistics: Sequence[Tensor], c: Coefficients) -> Tensor:
    """Bring the statistics up to date in place, given e = g - m̂; e becomes the update in units of the rate."""
    mean, square, *peak = statistics
    mean.add_(e, alpha=c.gain)
    if c.forget != 1.0:
        square.mul_(c.forget)
    square.addcmul_(e, e, value=c.weight)
    v = torch.maximum(peak[0], square, out=peak[0]) if peak else square
    D = torch.sqrt(v, out=e).clamp_min_(c.floor)
    u = torch.div(mean, D, out=e)
    return u.clamp_(-c.limit, c.limit) if math.isfinite(c.limit) else u


def tensor_step(
    p: Tensor, g: Tensor, statistics: Sequence[Tensor], c: Coefficients, entries: int | None = None
) -> None:
    """One step of one tensor in place, in pieces of `entries`, or whole."""
    buffer = None
    for q, h, *kept in pieces([p, g, *statistics], entries or max(p.numel(), 1)):
        if buffer is None or buffer.shape != kept[0].shape:
            buffer = torch.empty_like(kept[0])
        u = advance(torch.sub(h, kept[0], out=buffer), kept, c)
        move(q, u, c)


def move(p: Tensor, u: Tensor, c: Coefficients) -> None:
    """The parameter after the step in place, rounded once: a decay below half precision's spacing would be lost by itself."""
    if c.keep == 1.0:
        p.add_(u, alpha=-c.rate)
    elif narrower(p, u):
        p.copy_(u.mul_(-c.rate).add_(p, alpha=c.keep))
    else:
        p.mul_(c.keep).add_(u, alpha=-c.rate)


def narrower(p: Tensor, u: Tensor) -> bool:
    """Whether p has fewer digits than its update."""
    return p.dtype.itemsize < u.dtype.itemsize


def packed_step(params: list[Tensor], grads: list[Tensor], statistics: Sequence[Tensor], c: Coefficients) -> None:
    """One step of many small tensors, whose statistics are flat."""
    g, u = flatten_dense_tensors(grads), torch.empty_like(statistics[0])
    for h, e, *kept in pieces([g, u, *statistics]):
        advance(torch.sub(h, kept[0], out=e), kept, c)
    updates = unflatten_dense_tensors(u, params)
    if c.keep != 1.0 and narrower(params[0], u):
        u.mul_(-c.rate)
        torch._foreach_add_(updates, params, alpha=c.keep)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_copy_(params, updates)  # pyright: ignore[reportPrivateImportUsage]
        return
    if c.keep != 1.0:
        torch._foreach_mul_(params, c.keep)  # pyright: ignore[reportPrivateImportUsage]
    torch._foreach_add_(params, updates, alpha=-c.rate)  # pyright: ignore[reportPrivateImportUsage]


def fused_step(numbers: Tensor, params: list[Tensor], grads: list[Tensor], *statistics: list[Tensor]) -> Tensor:
    """The same for a compiler to fuse: nothing changes, and False is returned, unless V has room for the gradients' squares.

    The numbers of the step are entries of a tensor, in the order of `Coefficients`.
    """
    total = torch.zeros_like(numbers[0])
    for g in grads:
        squares = g.to(numbers.dtype).square()
        # Four rows at once: in a single one, each addition would wait for the one before.
        rows = squares.view(4, g.numel() // 4).sum(0) if g.is_contiguous() and g.numel() % 4 == 0 else squares
        total = total + rows.sum()
    fine = torch.isfinite(total * HEADROOM**2)
    for old, new in _changes(numbers, params, grads, statistics):
        old.copy_(torch.where(fine, new, old))
    return fine


def unguarded_step(numbers: Tensor, params: list[Tensor], grads: list[Tensor], *statistics: list[Tensor]) -> Tensor:
    """As `fused_step`, without a look at the gradients; True."""
    for old, new in _changes(numbers, params, grads, statistics):
        old.copy_(new)
    return torch.isfinite(numbers[0])


def _changes(
    numbers: Tensor, params: list[Tensor], grads: list[Tensor], statistics: Sequence[list[Tensor]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every tensor that a step changes beside what it becomes."""
    keep, gain, forget, weight, floor, limit, rate = numbers.unbind()
    for p, g, mean, square, *peak in zip(params, grads, *statistics, strict=True):
        e = g.to(mean.dtype) - mean
        new_mean = mean + gain * e
        new_square = forget * square + weight * e * e
        v = torch.maximum(peak[0], new_square) if peak else new_square
        u = torch.clamp(new_mean / torch.maximum(v.sqrt(), floor), -limit, limit)
        # A number of no dimension does not widen a tensor: keep·p would be rounded to half precision by itself.
        yield p, (keep * p.to(torch.promote_types(p.dtype, u.dtype)) - rate * u).to(p.dtype)
        yield from zip((mean, square, *peak), (new_mean, new_square, v), strict=False)
