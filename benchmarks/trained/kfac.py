r"""K-FAC as a peer: the factors and their inverses are curvlinops', the step is SGD's with momentum.

.. math:: x_l = (B_l + \tfrac{\sqrt\lambda}{\pi} I)^{-1}\, \bar g_l\, (A_l + \pi\sqrt\lambda I)^{-1}, \qquad
    A_l \approx \mathbb E\,aa^\top, \quad B_l \approx \mathbb E\,gg^\top

Every tenth step the factors of the batch (one label drawn per prediction) join a moving average and are inverted again.
Parameters of other layers than linear and convolutional ones (embeddings, norms) have their gradients divided by the root of
their mean square, and by ten, which momentum adds up again: nearly Adam's step with the same learning rate. λ is 0.01: of 0.1,
0.01 and 0.001 the one whose best learning rate lies inside the grid on both digits networks.

Source: the method is Martens and Grosse's (K-FAC); the moving average and the interval are choices made here, equal to or
in favour of what the other methods have.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["KFAC", "missing"]


def missing() -> str | None:
    """Why it cannot take part; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it imports is deprecated
            importlib.import_module("curvlinops")
    except ImportError as error:
        return f"not installed ({error.name})"
    return None


class Flat(nn.Module):
    """A model whose outputs are (samples · positions, classes)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """The outputs, all axes but the last in one."""
        return self.model(x).flatten(0, -2)


class KFAC:
    """Called between backward and step: puts the preconditioned gradients in the place of the gradients."""

    def __init__(self, seed: int, damping: float = 1e-2, refresh: int = 10, keep: float = 0.9) -> None:
        self.seed, self.damping, self.refresh, self.keep = seed, damping, refresh, keep
        self.factors: dict[str, dict[str, Tensor]] = {}
        self.inverse: Any = None
        self.squares: list[Tensor] = []  # means over steps, of the other parameters

    def __call__(self, model: nn.Module, _: Any, step: int, batch: tuple[Tensor, Tensor, Any]) -> None:
        """Renew the inverse when it is due, then apply it."""
        weights = supported(model)
        if step % self.refresh == 0:
            self.renew(model, weights, step, *batch[:2])
        self.divide([p for p in model.parameters() if not any(p is weight for weight in weights)], step + 1)
        try:
            found = self.inverse @ [p.grad for p in weights]
        except RuntimeError as error:  # torch's LinAlgError is one
            if "positive-definite" not in str(error):
                raise
            # Factors without bound: the run has diverged, and ends at its next loss.
            found = [torch.full_like(p, torch.nan) for p in weights]
        for p, x in zip(weights, found, strict=True):
            p.grad = x.detach()

    def renew(self, model: nn.Module, weights: list[Tensor], step: int, x: Tensor, y: Tensor) -> None:
        """Factors of this batch into the average, and the average's inverse."""
        curvlinops: Any = importlib.import_module("curvlinops")
        kept = [p.grad for p in weights]
        operator = curvlinops.KFACLinearOperator(
            Flat(model), nn.CrossEntropyLoss(), weights, [(x, y.flatten())], check_deterministic=False,
            separate_weight_and_bias=False, fisher_type="mc", seed=1000 * self.seed + step,
            num_per_example_loss_terms=y[0].numel(), batch_size_fn=len,
        )  # fmt: skip
        operator.compute_kronecker_factors()
        for p, g in zip(weights, kept, strict=True):
            p.grad = g
        state = operator.state_dict()
        for kind in ("input_covariances", "gradient_covariances"):
            for name, new in state[kind].items():
                old = self.factors.setdefault(kind, {}).get(name)
                self.factors[kind][name] = new.detach() if old is None else self.keep * old + (1 - self.keep) * new
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parameters are overwritten by themselves
            operator.load_state_dict({**state, **self.factors})
        self.inverse = curvlinops.KFACInverseLinearOperator(operator, damping=self.damping, use_heuristic_damping=True)

    def divide(self, rest: list[Tensor], steps: int, beta2: float = 0.999) -> None:
        """What the parameters without factors take."""
        self.squares = self.squares or [torch.zeros_like(p) for p in rest]
        for p, square in zip(rest, self.squares, strict=True):
            grad: Any = p.grad
            square.lerp_(grad.square(), 1.0 - beta2)
            grad /= 10.0 * (square / (1.0 - beta2**steps)).sqrt_() + 1e-8

    def state_bytes(self) -> int:
        """Factors, their inverses, and mean squares."""
        each = [factor for kind in self.factors.values() for factor in kind.values()]
        held = [*each, *each, *self.squares]
        return sum(tensor.numel() * tensor.element_size() for tensor in held)


def supported(model: nn.Module) -> list[Tensor]:
    """Weights and biases of the linear and convolutional modules."""
    modules = (module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d))
    return [p for module in modules for p in module.parameters()]
