"""Small models for FNGD, and its directions from `torch.func` per-sample gradients and direct inverses, layer by layer."""

import copy
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from optimizers import FNGD
from optimizers.reference import fngd as literal

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
cross_entropy = nn.functional.cross_entropy
SHARES = {"none": {}, "table": {"share": "table"}, "scalar": {"share": "scalar", "window": 2, "refresh": 4}}


class Repeated(nn.Module):
    """A sequence model that uses its second layer twice and adds in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:  # (n, T, 5)
        x = torch.relu_(self.first(x))
        x = torch.tanh(self.second(torch.tanh(self.second(x)) + x))
        return self.last(x.mean(1))


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Linear(8, 8, bias=False), nn.Tanh(), nn.Linear(8, 3)
    )


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding="same", groups=2, padding_mode="circular"), nn.Tanh(),
        nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.Flatten(), nn.Linear(6 * 9, 3),
    )  # fmt: skip


def lines() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, dilation=2), nn.GELU(), nn.Conv1d(4, 6, 3, padding="same"), nn.Flatten(), nn.Linear(24, 3)
    )


def volumes() -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(1, 3, 2, stride=(1, 2, 1)), nn.Tanh(), nn.Flatten(), nn.Linear(3 * 12, 3))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (7, 5)),
    "convolutions": (convolutions, (7, 2, 5, 6)),
    "lines": (lines, (7, 2, 8)),
    "volumes": (volumes, (7, 1, 3, 4, 4)),
    "a layer used twice, on sequences": (Repeated, (7, 4, 5)),
}


def problem(name: str, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor, Tensor]:
    """A model, inputs and classes."""
    torch.manual_seed(seed)
    make, shape = MODELS[name]
    return make().to(dtype), torch.randn(shape, dtype=dtype), torch.randint(3, shape[:1])


def per_sample(model: nn.Module, X: Tensor, y: Tensor) -> dict[str, np.ndarray]:
    """Gradients of each sample's own loss, (n, *shape) by parameter name."""
    bare = copy.deepcopy(model)
    parameters = {name: p.detach() for name, p in bare.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor, t: Tensor) -> Tensor:
        return cross_entropy(functional_call(bare, parameters, (x[None],)), t[None])

    found = vmap(grad(loss), (None, 0, 0))(parameters, X, y)
    return {name: g.double().numpy() for name, g in found.items()}


def layer_columns(model: nn.Module, X: Tensor, y: Tensor, bias: bool = True) -> dict[str, tuple[list[str], np.ndarray]]:
    """By layer: the names of its parameters, and U (d, n)."""
    gradients = per_sample(model, X, y)
    columns = {}
    for name, module in model.named_modules():
        if isinstance(module, LAYERS):
            names = [f"{name}.weight"] + ([f"{name}.bias"] if bias and module.bias is not None else [])
            columns[name] = (names, np.concatenate([gradients[k].reshape(len(X), -1) for k in names], axis=1).T)
    return columns


def directions(model: nn.Module, X: Tensor, y: Tensor, damping: float, bias: bool = True) -> dict[str, np.ndarray]:
    """FNGD's direction by parameter name; for parameters outside of the layers, the gradient."""
    found = {name: g.mean(axis=0) for name, g in per_sample(model, X, y).items()}
    for names, U in layer_columns(model, X, y, bias).values():
        pieces = np.split(literal.direct_inverse(U, damping), np.cumsum([found[k].size for k in names])[:-1])
        found.update({k: piece.reshape(found[k].shape) for k, piece in zip(names, pieces, strict=True)})
    return found


def plain_gradients(model: nn.Module, X: Tensor, y: Tensor) -> dict[str, Tensor]:
    """What autograd finds on a copy."""
    bare = copy.deepcopy(model)
    cross_entropy(bare(X), y).backward()
    return {name: p.grad for name, p in bare.named_parameters()}


def gradients_of(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: p.grad.double().numpy() for name, p in model.named_parameters()}


def apart(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference, relative to the largest entry of each parameter."""
    assert found.keys() == expected.keys()
    return max(
        float(np.max(np.abs(found[k] - expected[k])) / max(np.max(np.abs(expected[k])), 1e-300)) for k in expected
    )


def found_by(model: nn.Module, X: Tensor, y: Tensor, loss: Callable[..., Tensor] = cross_entropy, **options) -> dict:
    """What FNGD with these options leaves in the gradients after one backward pass."""
    optimizer = FNGD(model, **options)
    loss(model(X), y).backward()
    assert all(layer.passes for layer in optimizer.layers)
    return gradients_of(model)


def train(model: nn.Module, optimizer: FNGD, steps: int, seed: int = 0) -> list[Tensor]:
    """The parameters after steps on random batches of an `mlp`, whose samples have random ids."""
    generator = torch.Generator().manual_seed(seed)
    kind = next(model.parameters()).dtype
    for _ in range(steps):
        X = torch.randn(6, 5, generator=generator, dtype=torch.float64).to(kind)
        y = torch.randint(3, (6,), generator=generator)
        optimizer.zero_grad()
        with optimizer.samples(torch.randperm(20, generator=generator)[:6]):
            cross_entropy(model(X), y).backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def same(one: Iterable[Tensor], other: Iterable[Tensor]) -> bool:
    """Whether two lists of tensors are equal, bit for bit."""
    return all(torch.equal(p, q) for p, q in zip(one, other, strict=True))
