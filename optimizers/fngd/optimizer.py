r"""FNGD: natural gradient descent with the empirical Fisher matrix of each layer, at about the price of SGD.

.. math::
    x_l = \Bigl(\frac1n \sum_i u_{l,i} u_{l,i}^\top + \lambda I\Bigr)^{-1} \bar g_l = \sum_i c_{l,i}\, u_{l,i}, \qquad
    m \leftarrow \mu m + x_l + \rho W_l, \qquad W_l \leftarrow W_l - \eta m,

with :math:`u_{l,i}` the gradient of sample i's own loss. With fresh coefficients :math:`\|x_l\| \le 1/(2\sqrt\lambda)`; shared
ones give that up.

``backward()`` leaves x_l in ``p.grad``, in place of the gradient, for the weights of linear and convolutional modules and
(``bias="joint"``) their biases; with ``share="scalar"`` inside a window only: between windows the plain gradient is left there,
which ``step()`` scales, so that a threshold for clipping means something else. All other parameters take SGD's step with the
same momentum and decay; so do weights that belong to several modules. In training mode BatchNorm mixes samples: u_i is then
what sample i contributes to the gradient.

Source: Ou, Zhu, Huang and Liu 2024 (ou2024inverse), abstract; the push-through form and its bounds are derived here,
docs/proofs/fngd.md.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from optimizers.base import OptimizerBase, require_whole
from optimizers.fngd import sharing
from optimizers.fngd.coefficients import solve
from optimizers.fngd.contributions import Contributions
from optimizers.fngd.drift import measure
from optimizers.fngd.gram import full
from optimizers.fngd.heavy_ball import descend
from optimizers.fngd.layer import Hook, Layer, layers_of
from optimizers.fngd.loading import require_saved
from optimizers.fngd.options import check_options, require_choice, require_count
from optimizers.fngd.table import as_ids

__all__ = ["FNGD"]

Options = dict[str, Any]


class FNGD(OptimizerBase):
    r"""Fast natural gradient descent over all parameters of a model.

    `model`: the module that is trained. `lr`, `momentum`, `weight_decay`: as SGD's, decay added to the direction.
    `damping`: λ > 0, in the units of a squared gradient. `share`: "none" (fresh coefficients every step), "table" (one weight
    per sample and layer, needs ``with optimizer.samples(ids):``) or "scalar" (one per layer; costs nothing). The scalar, a mean
    over samples, goes farther along the gradient than fresh weights do: where a window closes the step grows, and may need a
    lower `lr` (docs/proofs/fngd.md#the-mean-weight-overshoots). A module that is called several times in a forward pass, as in
    a siamese network, has one weight for all that sample i does in it.

    `window`, `refresh`, `drift`, `probe`, `measure`: when shared weights are computed again, see `optimizers.fngd.sharing`
    and `optimizers.fngd.drift`. `bias`: "joint" with the weight, or "sgd". `sgd_lr`: another step size for the parameters
    that take SGD's step. `reduction`: the loss', "mean" or "sum". `accumulation`: backward passes per step, each of a loss
    divided by that number (with reduction="sum": not divided); every pass has its own coefficients, and so has every rank of
    DistributedDataParallel, where share="scalar" costs as much as "table".
    `batch_dim`: axis of the samples in inputs (n, T, p) of linear modules. `scaler`: the GradScaler, if there is one.

    The gradient of sample i's loss is read off a loss with `reduction` over the first axis: n times what arrives.
    A weight that the model also uses outside its own module gets FNGD's direction and that gradient added up.

    Raises TypeError when `model` is not a module or has sharded parameters, ValueError for options that are not allowed.
    """

    _step_supports_amp_scaling = True  # so that a GradScaler shows itself: `grad_scale` and `found_inf` are set by it

    def __init__(
        self,
        model: nn.Module,
        lr: float = 0.05,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        damping: float = 1.0,
        share: str = "none",
        *,
        window: int | None = None,
        refresh: int | None = None,
        drift: float | None = None,
        probe: int = 100,
        measure: str = "change",
        bias: str = "joint",
        sgd_lr: float | None = None,
        reduction: str = "mean",
        accumulation: int = 1,
        batch_dim: int = 0,
        maximize: bool = False,
        scaler: Any = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"FNGD looks into the layers: it takes the model itself, got {type(model).__name__}.")
        for p in model.parameters():
            require_whole(p, "FNGD")  # before any hook, as products of a shard would fail in the middle of backward()
        require_choice("bias", bias, ("joint", "sgd"))
        require_choice("reduction", reduction, ("mean", "sum"))
        require_count("accumulation", accumulation)
        self.model, self.reduction, self.accumulation, self.scaler = model, reduction, accumulation, scaler
        self.layers = list(layers_of(model, bias == "joint", batch_dim))
        self.make_layers = (bias == "joint", batch_dim)
        self._ids: Any = None
        self._idle = False  # inside `paused`
        self._warned: set[str] = set()
        defaults = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay, "damping": damping, "share": share,
            "window": window, "refresh": refresh, "drift": drift, "probe": probe, "measure": measure,
            "maximize": maximize,
        }  # fmt: skip
        super().__init__(self._groups(sgd_lr), defaults)
        self._open()

    def _groups(self, sgd_lr: float | None) -> list[Options]:
        """All parameters in the model's order; those that take SGD's step apart when they have their own step size."""
        if sgd_lr is None:
            return [{"params": list(self.model.parameters())}]
        natural = {id(p) for layer in self.layers for p in layer.parameters}
        split: tuple[list[Tensor], list[Tensor]] = ([], [])
        for p in self.model.parameters():
            split[id(p) not in natural].append(p)
        return [{"params": split[0]}, {"params": split[1], "lr": sgd_lr}]

    def _open(self) -> None:
        """Look at the model: every forward pass of it is a batch of its own."""
        self.model.register_forward_pre_hook(Hook(self, "_new_pass"))
        self._attach()

    def check(self, options: Options) -> None:
        check_options(options)
        if options["share"] == "scalar" and self.reduction == "sum":
            # Between windows nothing is looked at, and the size of a batch, which a sum grows with, is not known.
            raise ValueError(
                'share="scalar" needs a loss with reduction="mean"; take share="table" or "none" for a sum.'
            )

    def check_state(self, p: Tensor, state: Options) -> None:
        require_saved(p, state)

    def add_param_group(self, param_group: Options) -> None:
        """As torch's. Parameters of layers that the model got since are looked into, all others take SGD's step."""
        super().add_param_group(param_group)
        number, group = len(self.param_groups) - 1, self.param_groups[-1]
        mine = {id(p) for p in group["params"]}
        seen = {id(layer.weight) for layer in self.layers}
        for layer in layers_of(self.model, *self.make_layers):
            if id(layer.weight) in mine and id(layer.weight) not in seen:
                self.layers.append(layer)
        for layer in self.layers:
            layer.group = number if id(layer.weight) in mine else layer.group
        if hasattr(self, "state"):
            self._attach()

    # ---- what a backward pass asks

    @property
    def ids(self) -> Any:
        """The sample ids of the batch, or None."""
        return None if self._ids is None else self._ids.values

    @ids.setter
    def ids(self, ids: Any) -> None:
        self._ids = None if ids is None else as_ids(ids)

    @contextmanager
    def samples(self, ids: Any) -> Iterator[None]:
        """The ids of the samples of the backward passes inside: a vector of integers ≥ 0."""
        before, self.ids = self._ids, ids
        try:
            yield
        finally:
            self._ids = before

    def _coefficients(self, layer: Layer) -> Options:
        """The layer's part of the state, made when it is first asked for."""
        state = self.state[layer.weight]
        if "coefficients" not in state:
            state["coefficients"] = sharing.initial(self.param_groups[layer.group], layer.weight)
        return state["coefficients"]

    def _factor(self, n: int) -> float:
        """What a received output gradient is multiplied by to be that of the sample's own, unscaled loss."""
        scale = 1.0 if self.scaler is None else float(self.scaler.get_scale())
        return (n * self.accumulation if self.reduction == "mean" else 1.0) / scale

    def _weigh(self, layer: Layer, contributions: Contributions) -> tuple[Contributions, Tensor]:
        """How the samples of a batch count in the gradient: weights for what was received, noted for the step."""
        group, state, n = self.param_groups[layer.group], self._coefficients(layer), contributions.n
        shared, fresh = sharing.recall(group, state, self._ids, n)
        note: Options = {"ids": self._ids}
        if shared is None or fresh:
            factor = self._factor(n)
            contributions, K, c = solve(contributions, factor, group["damping"])
            note["w"] = w = n * c
            if shared is not None and group["drift"] is not None:
                K, alone = full(K).mul_(factor * factor), group["share"] == "scalar"
                note["drift"] = measure(K, group["damping"], c, shared.to(c) / n, alone)
        else:
            w = shared.to(contributions.like)
        layer.passes.append(note)
        return contributions, w if self.reduction == "mean" else w / (n * self.accumulation)

    # ---- the step

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the closure, if given, computes the loss that is returned. A GradScaler's factor is undone here.

        Raises what the base raises, and RuntimeError for a GradScaler that the optimizer was not told of and for a model
        that another FNGD has taken over; parameters and state are then unchanged.
        """
        if any(layer.displaced for layer in self.layers):
            raise RuntimeError("another FNGD has taken over this model: make only one at a time, or close() the first.")
        if hasattr(self, "found_inf") and not self._unscaled():
            self._forget()
            return None
        loss = super().step(closure)
        for layer in self.layers:
            if layer.weight.grad is not None:
                self._learn(layer)
        self._forget()
        self._attach()
        return loss

    def _unscaled(self) -> bool:
        """Undo the GradScaler's factor; False when there is an infinity."""
        if self.scaler is None and any(layer.passes for layer in self.layers):
            raise RuntimeError(
                "FNGD's coefficients are not linear in the loss: with a GradScaler it must know the scale at "
                "backward(). Use FNGD(model, ..., scaler=scaler). Parameters and state are unchanged."
            )
        if float(self.found_inf):  # pyright: ignore[reportAttributeAccessIssue]
            return False
        scale = getattr(self, "grad_scale", None)
        if scale is not None:
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad.div_(scale.to(p.grad.device))
        return True

    def prepare(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> Callable[[], None]:
        return partial(self._move, group, params, grads, self._scales())

    def update(self, group: Options, params: list[Tensor], grads: list[Tensor]) -> None:
        self.prepare(group, params, grads)()

    def _move(self, group: Options, params: list[Tensor], grads: list[Tensor], scales: dict[Tensor, float]) -> None:
        lr, momentum, decay = (float(group[name]) for name in ("lr", "momentum", "weight_decay"))
        work = [(p, g, self.state[p], scales.get(p, 1.0)) for p, g in zip(params, grads, strict=True)]
        for _, _, state, _ in work:
            state["step"] = state.get("step", 0) + 1
        if momentum:
            descend(work, lr, momentum, decay)
            return
        for p, g, _, scale in work:
            p.mul_(1.0 - lr * decay).add_(g, alpha=-lr * scale)

    def _scales(self) -> dict[Tensor, float]:
        """Factors of the gradients of layers that autograd computed by itself."""
        scales: dict[Tensor, float] = {}
        for layer in self.layers:
            if layer.weight.grad is None:
                continue
            if layer.passes:
                self._question_batches(layer)
                continue
            scale = sharing.uniform_weight(self._coefficients(layer))
            if layer.hooked or math.isnan(scale):
                self._question_origin(layer)
            else:
                scales.update(dict.fromkeys(layer.parameters, scale))
        return scales

    def _question_origin(self, layer: Layer) -> None:
        self._warn(
            "elsewhere",
            f"the gradient of {layer.name or 'the layer'}'s weight did not come from a call of its module: it is used as it "
            "is, as SGD does. If torch.compile was applied to the model after FNGD was made from it, make FNGD after "
            "torch.compile.",
        )

    def _question_batches(self, layer: Layer) -> None:
        if len(layer.passes) > self.accumulation:
            self._warn(
                "several",
                f"{layer.name or 'the layer'} had {len(layer.passes)} batches in one step, each with coefficients of its "
                f"own. If the loss was divided by that number, say FNGD(..., accumulation={len(layer.passes)}).",
            )

    def _warn(self, subject: str, text: str) -> None:
        if subject not in self._warned:
            self._warned.add(subject)
            warnings.warn(text, stacklevel=callers_level())

    def _learn(self, layer: Layer) -> None:
        group, state = self.param_groups[layer.group], self._coefficients(layer)
        drifts = [note["drift"] for note in layer.passes if "drift" in note]
        for note in layer.passes:
            if "w" in note:
                sharing.learn(group, state, note["ids"], note["w"])
        if drifts:
            state["drift"] = drifts[-1]
        sharing.advance(group, state, drifts[-1] if drifts else None)

    def _forget(self) -> None:
        for layer in self.layers:
            layer.forget()

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        self._forget()

    def drift(self) -> dict[str, dict[str, float]]:
        """By layer, what the last probe measured: see `optimizers.fngd.drift.measure`."""
        found = {layer.name: self.state[layer.weight].get("coefficients", {}).get("drift") for layer in self.layers}
        return {name: drift for name, drift in found.items() if drift is not None}

    # ---- hooks

    def _new_pass(self, *_: Any) -> None:
        for layer in self.layers:
            layer.new_pass()

    def _attach(self) -> None:
        """Hooks where the next step needs them: with share="scalar" hardly ever, in one process."""
        if self._idle:
            return
        everywhere = many_processes()
        for layer in self.layers:
            group = self.param_groups[layer.group]
            wanted = everywhere or group["share"] == "table" or sharing.fresh_ahead(group, self._coefficients(layer))
            if wanted and not layer.hooked:
                layer.attach(self._weigh)
            elif layer.hooked and not wanted:
                layer.detach()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Forward passes inside are the model's own: ``backward()`` leaves plain gradients."""
        self.close()
        before, self._idle = self._idle, True
        try:
            yield
        finally:
            self._idle = before
            self._attach()

    def close(self) -> None:
        """Take all hooks off the model, which another optimizer can then train."""
        for layer in self.layers:
            layer.detach()

    # ---- copies

    def __getstate__(self) -> Options:
        # A GradScaler cannot be copied in the middle of a step: a copy is told of its own.
        keep = ("model", "layers", "make_layers", "reduction", "accumulation", "_warned")
        return {
            **super().__getstate__(),
            **{name: self.__dict__[name] for name in keep},
            "scaler": None,
            "_ids": None,
            "_idle": False,
        }

    def __setstate__(self, state: Options) -> None:
        super().__setstate__(state)
        self._open()

    def load_state_dict(self, state_dict: Options) -> None:
        """As the base's; the hooks are then those that the loaded state needs."""
        super().load_state_dict(state_dict)
        self._forget()
        self._attach()


def callers_level() -> int:
    """The level of the stack, for a warning, at which neither this package nor torch is: where step() was called."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("optimizers", "torch"):
        frame, level = frame.f_back, level + 1
    return level


def many_processes() -> bool:
    """Whether gradients may be averaged over processes: a rank's weights must then be applied before that."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
