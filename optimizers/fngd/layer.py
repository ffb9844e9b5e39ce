r"""One layer of the model that FNGD looks into: which module it is, its hooks, and the weighted gradient it returns.

.. math:: (a_i, g_i)_{i \le n} \;\longrightarrow\; \sum_i w_i\, g_i a_i^\top

Source: derived here (docs/proofs/fngd.md#weighted-backward).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from weakref import WeakMethod, ref

import torch
from torch import Tensor, nn

from optimizers.base import wide
from optimizers.fngd.contributions import Contributions, Use, linear_contributions
from optimizers.fngd.convolution import ConvContributions, padded
from optimizers.fngd.taps import Gather, tap

__all__ = ["Hook", "Layer", "layers_of"]

FORWARDS = tuple(kind.forward for kind in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))
Weigh = Callable[["Layer", Contributions], tuple[Contributions, Tensor]]  # how the samples count, in which precision


class Layer:
    """A linear or convolutional module whose weight, and bias if `bias`, get weighted sums of contributions."""

    def __init__(self, name: str, module: nn.Module, bias: bool, batch_dim: int) -> None:
        self.name, self.module, self.batch_dim = name, module, batch_dim
        self.weight: Any = module.weight
        self.bias: Any = module.bias if bias else None
        self.linear = isinstance(module, nn.Linear)
        self.group = 0  # number of the optimizer's group that has the weight
        self.passes: list[dict[str, Any]] = []  # the optimizer's notes of each batch since the last step
        self.displaced = False  # by a later optimizer on the same model
        self._bare()

    def _bare(self) -> None:
        """Nothing on the module, and no graph."""
        self.handles: list[Any] = []
        self.weigh: Callable[[], Weigh | None] = _nobody
        self.frozen: list[Tensor] = []
        self.new_pass()

    def __getstate__(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "handles": [],
            "weigh": _nobody,
            "frozen": [],
            "gather": None,
            "passes": [],
        }

    @property
    def parameters(self) -> list[Tensor]:
        """Weight and, if it goes with the weight, bias."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    @property
    def hooked(self) -> bool:
        """Whether the module's hooks are in place."""
        return bool(self.handles)

    def attach(self, weigh: Weigh) -> None:
        """Put the hooks in place, instead of another optimizer's."""
        for hook in list(self.module._forward_hooks.values()):
            other = hook.owner() if isinstance(hook, Hook) else None
            if other is not None and other is not self:
                other.detach()
                other.displaced = True
        self.detach()
        self.weigh = WeakMethod(weigh)  # a layer that kept its optimizer alive would go on after it was deleted
        self.handles = [
            self.module.register_forward_pre_hook(Hook(self, "before"), with_kwargs=True),
            self.module.register_forward_hook(Hook(self, "after"), with_kwargs=True, always_call=True),
        ]

    def detach(self) -> None:
        """Take the hooks away: the module is then as it was before."""
        for handle in self.handles:
            handle.remove()
        self._bare()

    def new_pass(self) -> None:
        """Forget the forward pass before: what is used from now on is a batch of its own."""
        self.gather: Gather | None = None

    def forget(self) -> None:
        """Let go of the batches since the last step."""
        self.passes.clear()
        if self.gather is not None:
            self.gather.forget()

    def before(self, module: nn.Module, *_: Any) -> None:
        """Detach weight and bias while the module runs, so that autograd leaves their gradients to us."""
        mine = module.weight is self.weight and self.weight.requires_grad and self.weigh() is not None
        if not (mine and torch.is_grad_enabled()):
            return
        self.frozen = [p for p in self.parameters if p.requires_grad]
        for p in self.frozen:
            p.requires_grad_(False)

    def after(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor | None) -> Tensor | None:
        """Give weight and bias back, and have the output's gradient pass by us."""
        if not self.frozen:
            return None
        for p in self.frozen:
            p.requires_grad_(True)
        bias = self.frozen[1] if len(self.frozen) > 1 else None
        self.frozen = []
        if out is None:  # the module has raised an error
            return None
        if self.gather is None or self.gather.joint != (bias is not None):
            self.gather = Gather(self, bias is not None)
        return tap(out, args[0] if args else kwargs["input"], self.gather, self.weight, bias)

    def gradients(self, uses: list[Use], joint: bool) -> tuple[Tensor | None, Tensor | None]:
        """The weighted gradients of weight and, if `joint`, bias, from all uses in one backward pass of one forward pass."""
        batches: dict[int, list[Use]] = {}
        for use in uses:
            a, g = self._standard(*use)
            batches.setdefault(g.shape[0], []).append((a, g))
        weight: Tensor | None = None
        bias: Tensor | None = None
        device = self.weight.device.type
        for batch in batches.values():  # one, unless the module is used on batches of several sizes
            with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
                dW, db = self._weighted(batch, joint)
            weight = dW if weight is None else weight + dW
            bias = db if bias is None or db is None else bias + db
        return weight, bias

    def _standard(self, a: Tensor, g: Tensor) -> Use:
        """Samples first, padding done, statistics' precision."""
        dtype = wide(self.weight.dtype)
        a, g = a.to(dtype), g.to(dtype)
        if self.linear:
            if a.ndim > 2 and self.batch_dim:
                return a.movedim(self.batch_dim, 0), g.movedim(self.batch_dim, 0)
            return (a, g) if a.ndim > 1 else (a[None], g[None])
        a, g = (a, g) if a.ndim == self.weight.ndim else (a[None], g[None])
        return padded(self.module, a), g

    def _weighted(self, uses: list[Use], joint: bool) -> tuple[Tensor, Tensor | None]:
        weigh = self.weigh()
        if weigh is None:
            raise RuntimeError("FNGD let go of this model between forward and backward: run the forward pass again.")
        if all(g.numel() == 0 for _, g in uses):  # no sample, no contribution
            self.passes.append({})
            return torch.zeros_like(self.weight), torch.zeros_like(self.bias) if joint else None
        found = linear_contributions(uses, joint) if self.linear else ConvContributions(self.module, uses, joint)
        contributions, w = weigh(self, found)
        return contributions.combine(w)


def _nobody() -> None:
    """Where no optimizer is."""


class Hook:
    """A hook that does nothing once its owner is gone, and nothing in a copy of the module."""

    def __init__(self, owner: Any, method: str) -> None:
        self.owner, self.method = ref(owner), getattr(type(owner), method)

    def __call__(self, *args: Any) -> Any:
        owner = self.owner()
        return None if owner is None else self.method(owner, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        # A copied model trains as any other; an optimizer that was copied with it attaches its own hooks.
        return (Silent, ())


class Silent:
    """What is left of a hook in a copy."""

    def __call__(self, *_: Any) -> None:
        return None


def layers_of(model: nn.Module, bias: bool, batch_dim: int) -> Iterator[Layer]:
    """Every linear and convolutional module that is called as a module and shares its weight with no other.

    Raises ValueError for a `batch_dim` that is no axis.
    """
    if isinstance(batch_dim, bool) or not isinstance(batch_dim, int) or batch_dim < 0:
        raise ValueError(f"batch_dim must be an integer ≥ 0, the axis of the samples, got {batch_dim!r}.")
    owners = Counter(id(p) for module in model.modules() for p in module._parameters.values() if p is not None)
    # Attention multiplies by the weight of its output projection itself.
    inside = {child for m in model.modules() if isinstance(m, nn.MultiheadAttention) for child in m.children()}
    for name, module in model.named_modules():
        if type(module).forward not in FORWARDS or module in inside:
            continue
        weight, b = module._parameters.get("weight"), module._parameters.get("bias")
        if weight is not None and owners[id(weight)] == 1:
            yield Layer(name, module, bias and b is not None and owners[id(b)] == 1, batch_dim)
