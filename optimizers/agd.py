r"""AGD: SGD where the momentum changes little from step to step, an adaptive method where it changes more.

.. math::
    m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad \hat m_t = \frac{m_t}{1 - \beta_1^t}, \quad
    s_t = \hat m_t - \hat m_{t-1}\ (\hat m_0 = 0), \quad v_t = \beta_2 v_{t-1} + (1 - \beta_2) s_t^2, \\
    W_{t+1} &= (1 - \eta\lambda) W_t - \eta\,\frac{\hat m_t}{\max(\sqrt{v_t / (1 - \beta_2^t)},\, \delta)} .

A coordinate with :math:`\sqrt{\hat v_t} \le \delta` takes a step of SGD with momentum and learning rate :math:`\eta/\delta`.

Source: Yue et al. 2023 (AGD), Algorithm 1; the default clip and the choice of δ are derived here, docs/proofs/agd.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from optimizers.agd_update import (
    HEADROOM,
    Coefficients,
    coefficients,
    fused_step,
    packed_step,
    tensor_step,
    unguarded_step,
)
from optimizers.base import (
    OptimizerBase,
    Options,
    eagerly,
    fraction,
    local,
    locals_of,
    nonnegative,
    number,
    require_whole,
    wide,
)
from optimizers.fused import Fused
from optimizers.pieces import ENTRIES, SMALL, Packs
from optimizers.saved import UNCHANGED, require_names, require_step, require_tensor

__all__ = ["AGD"]

DECAYS = ("decoupled", "fixed", "coupled")
FIRST_DELTA = 1e-8  # until "auto" has chosen: small beside any gradient of note, so that the adaptive method is seen


class _Part(NamedTuple):
    """Parameters that take the same step."""

    params: list[Tensor]
    grads: list[Tensor]
    states: list[Options]


class AGD(OptimizerBase):
    """W ← W - lr · m̂ / max(√v̂, delta), with v̂ the mean square of the changes of the momentum m̂.

    The published advice is a tenth of AdamW's `lr`. `delta` is in units of the gradient, or "auto": after `delta_steps` steps
    it becomes the quantile `delta_share` of the √v̂ that are not zero, so that this share of the group's coordinates starts as
    SGD (kept in the group as ``chosen_delta``). `clip` bounds the coordinates of the update: "auto" by ``1 / (1 - betas[0])``
    in units of `lr`, the length of AdamW's step with a learning rate larger by that factor; a number is the published rule,
    which clips m / √v before the bias corrections; None is no clip, and then a constant gradient makes the step grow without
    end. `decay` is where `weight_decay` enters: "decoupled" W (1 - lr · λ), "fixed" W (1 - λ), "coupled" G + λ W. `amsgrad`
    keeps the largest v since it was switched on. `betas` may be changed on the way (OneCycleLR does): the corrections of
    a step are those of its own betas, as in torch's Adam.

    `foreach` None or True takes small tensors side by side and cuts large ones into pieces that stay in the cache, False takes
    each tensor whole; `compile` fuses the update with torch's compiler. ``guard=False`` steps without a look at whether all
    gradients are finite, as torch's own optimizers do, which saves one pass over them. State: the step and the scale of v, and
    two tensors like the parameter (three with `amsgrad`), in float32 for parameters in half precision.

    Raises ValueError for options that are not allowed.
    """

    elementwise = True
    headroom = HEADROOM

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        delta: float | str = 1e-5,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        clip: float | str | None = "auto",
        *,
        decay: str = "decoupled",
        delta_share: float = 0.5,
        delta_steps: int = 100,
        maximize: bool = False,
        foreach: bool | None = None,
        compile: bool = False,
        guard: bool = True,
    ) -> None:
        defaults = {
            "lr": lr, "betas": tuple(betas), "delta": delta, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "clip": clip, "decay": decay, "delta_share": delta_share, "delta_steps": delta_steps, "chosen_delta": None,
            "maximize": maximize, "foreach": foreach, "compile": compile, "guard": guard,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: Options) -> None:
        nonnegative(options, "lr", "weight_decay")
        for beta in _two(options["betas"]):
            fraction({"betas": beta}, "betas")
        delta = options["delta"]
        if delta != "auto" and (isinstance(delta, str) or not 0.0 < number(options, "delta") < math.inf):
            raise ValueError(f'delta must be "auto" or a finite number > 0, got {delta!r}.')
        if not (0.0 <= number(options, "delta_share") <= 1.0 and number(options, "delta_steps") >= 1):
            raise ValueError(
                f"delta_share must be in [0, 1] and delta_steps at least 1, got {options['delta_share']!r} and "
                f"{options['delta_steps']!r}."
            )
        clip = options["clip"]
        if (
            clip is not None
            and clip != "auto"
            and (isinstance(clip, str | bool) or not 0.0 < number(options, "clip") < math.inf)
        ):
            raise ValueError(f'clip must be None, "auto" or a finite number > 0, got {clip!r}.')
        if options["decay"] not in DECAYS:
            raise ValueError(f"decay must be one of {', '.join(DECAYS)}, got {options['decay']!r}.")

    def require_usable(self, params: list[Tensor]) -> None:
        for group in self.param_groups:
            for p in group["params"] if group["delta"] == "auto" else ():
                require_whole(p, 'AGD with delta="auto"')
        super().require_usable(params)

    def require_finite(self, params: list[Tensor]) -> None:
        # One fused call looks by itself, while the gradients are at hand.
        if any(group["guard"] for group in self.param_groups) and not self._looks_itself():
            self._look(params)

    def _look(self, params: list[Tensor]) -> None:
        """Raise unless the gradients can be squared, those with a decay that is coupled to them as well."""
        super().require_finite(params)
        for group in self.param_groups:
            if group["guard"] and is_coupled(group):
                self._look_at_decayed(group)

    def _look_at_decayed(self, group: Options) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if params and not self.measurable(decayed(group, params, [p.grad for p in params])):
            raise ValueError(
                "the gradients with the weight decay that is coupled to them are too large to be squared, or not finite. "
                "Parameters and state are unchanged: look for parameters that have diverged, or lower the weight decay."
            )

    def _looks_itself(self) -> bool:
        return len(self.param_groups) == 1 and self.param_groups[0]["compile"]

    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        self._steps(group, params, grads, fuse=group["compile"] or torch.compiler.is_compiling())

    @eagerly  # the number of the step is a Python number, for which a compiler would start again each time
    def _steps(self, group: Options, params: list[Tensor], grads: list[Tensor], fuse: bool) -> None:
        if is_coupled(group):
            grads = decayed(group, params, grads)
        try:
            self._move(group, params, grads, fuse)
        except BaseException:  # refused, or not to be compiled: then there is no state yet
            for p in params:
                if p in self.state and not self.state[p].get("step"):
                    self.state.pop(p)
            raise
        if group["delta"] == "auto" and group["chosen_delta"] is None:
            oldest = max(self.state[p]["step"] for p in params)
            if oldest >= group["delta_steps"]:
                group["chosen_delta"] = quantile([self.change(p) for p in params], group["delta_share"])

    def _move(self, group: Options, params: list[Tensor], grads: list[Tensor], fuse: bool) -> None:
        alike = self._alike(group, params)
        if group["guard"] and self._looks_itself() and len(alike) > 1:
            self._look(params)
        for (t, scale, dtype), chosen in alike.items():
            c, sigma = coefficients(group, delta_of(group), t, scale)
            own = [params[i] for i in chosen]
            part = _Part(locals_of(own), locals_of([grads[i] for i in chosen], own), [self.state[p] for p in own])
            if not (fuse and self._fused(group, part, c, dtype)):
                if fuse:  # something is not finite, or only the sum is not
                    self._look(params)
                self._eager(group, part, c)
            for state in part.states:
                state["step"], state["scale"] = t, sigma

    def change(self, p: Tensor) -> Tensor:
        """√v̂ of a parameter, the root mean square of the changes of its momentum; NaN before its first step."""
        group = next(group for group in self.param_groups if any(p is own for own in group["params"]))
        state = self.state[p]
        if not state:
            return torch.full_like(p, math.nan, dtype=wide(p.dtype))
        # The peak is of v itself: AMSGrad keeps its scale at 1.
        v = state["peak"] if group["amsgrad"] and "peak" in state else state["square"] * state["scale"]
        return torch.sqrt(v / (1.0 - group["betas"][1] ** state["step"]))

    def sgd_share(self, p: Tensor | None = None) -> float:
        """The share of coordinates (of one parameter, or of all; of the shards here) whose last step was SGD's: √v̂ ≤ δ."""
        below = entries = 0
        for group in self.param_groups:
            for own in group["params"]:
                if self.state[own] and (p is None or own is p):
                    below += int((local(self.change(own)) <= delta_of(group)).sum())
                    entries += local(own).numel()
        return below / entries if entries else math.nan

    def _alike(self, group: Options, params: list[Tensor]) -> dict[tuple[int, float, torch.dtype], list[int]]:
        """Positions of the parameters by the number of the step that they take now, σ before it, and precision."""
        found: dict[tuple[int, float, torch.dtype], list[int]] = {}
        peaks = bool(group["amsgrad"])
        for i, p in enumerate(params):
            state = self.state[p]
            if not state:
                state["step"], state["scale"] = 0, 1.0
                for name in ("mean", "square"):
                    state[name] = torch.zeros_like(p, dtype=wide(p.dtype), memory_format=torch.preserve_format)
            if ("peak" in state) != peaks:
                if peaks:
                    state["peak"] = state["square"] * state["scale"]  # switched on: the largest v from here on
                else:
                    del state["peak"]
            found.setdefault((state["step"] + 1, state["scale"], state["mean"].dtype), []).append(i)
        return found

    def _fused(self, group: Options, x: _Part, c: Coefficients, dtype: torch.dtype) -> bool:
        """Whether the step was taken: not when the sum of the squares of the gradients is not finite."""
        statistics = [locals_of([state[name] for state in x.states]) for name in _names(group)]
        function = fused_step if group["guard"] else unguarded_step
        run = self.__dict__.setdefault("_compiled", {}).setdefault((function, dtype), Fused(function))
        return bool(run(torch.tensor(c, dtype=dtype), [x.params, x.grads], statistics))

    def _eager(self, group: Options, x: _Part, c: Coefficients) -> None:
        names = _names(group)
        whole = group["foreach"] is False
        small: dict[Any, list[int]] = {}
        for i, (p, g, state) in enumerate(zip(*x, strict=True)):
            if not whole and p.numel() <= SMALL and type(state["mean"]) is Tensor:
                small.setdefault((p.get_device(), p.dtype, g.dtype), []).append(i)
            else:
                tensor_step(p, g, [local(state[name]) for name in names], c, None if whole else ENTRIES)
        for chosen in small.values():
            flat = self._packs().flat([x.states[i] for i in chosen], names)
            packed_step([x.params[i] for i in chosen], [x.grads[i] for i in chosen], flat, c)

    def _packs(self) -> Packs:
        # Not an entry that torch copies or pickles: a copy packs its own states.
        return self.__dict__.setdefault("_packed", Packs())

    def check_state(self, p: Tensor, state: Options) -> None:
        if not state:
            return
        require_names("AGD", state, {"step", "scale", "mean", "square"}, {"peak"})
        require_step(state)
        if not (isinstance(state["scale"], float) and 0.0 < state["scale"] <= 1.0):
            raise ValueError(f"the saved scale must be a number in (0, 1], got {state['scale']!r}. {UNCHANGED}")
        for name in sorted(state.keys() - {"step", "scale"}):
            require_tensor(name, state[name], p.shape, least=-math.inf if name == "mean" else 0.0)
        if len({state[name].dtype for name in state.keys() - {"step", "scale"}}) > 1:
            raise ValueError(f"the saved mean, square and peak must have one precision. {UNCHANGED}")


def is_coupled(group: Options) -> bool:
    """Whether a weight decay enters the gradients."""
    return group["decay"] == "coupled" and group["weight_decay"] != 0.0


def decayed(group: Options, params: list[Tensor], grads: list[Tensor]) -> list[Tensor]:
    """G + λ W."""
    return [torch.add(g, p, alpha=float(group["weight_decay"])) for g, p in zip(grads, params, strict=True)]


def delta_of(group: Options) -> float:
    """δ of a group's next step."""
    if group["delta"] != "auto":
        return float(group["delta"])
    return FIRST_DELTA if group["chosen_delta"] is None else group["chosen_delta"]


def quantile(values: list[Tensor], share: float) -> float:
    """The quantile of all positive entries (of every k-th one, when there are more than a million)."""
    flat = torch.cat([each.reshape(-1).to(values[0].device) for each in values])
    flat = flat[:: 1 + flat.numel() // 2**20]
    positive = flat[flat > 0]
    return max(float(torch.quantile(positive, share)), FIRST_DELTA) if positive.numel() else FIRST_DELTA


def _names(group: Options) -> tuple[str, ...]:
    """What is kept of each parameter."""
    return ("mean", "square", "peak") if group["amsgrad"] else ("mean", "square")


def _two(betas: Any) -> tuple[float, float]:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"betas must be two numbers in [0, 1), got {betas!r}.")
    return betas[0], betas[1]
