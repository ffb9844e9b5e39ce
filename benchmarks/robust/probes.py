r"""The probes: each trains a tiny model in one unusual situation and says whether all is well, or raises.

A probe returns normally when the optimizer worked; it raises `Refused` when the optimizer refused with an error that says
why and left parameters and state as they were; anything else is a failure with its reason.

Source: the failures of published optimizers, seen and listed by us.
"""

from __future__ import annotations

import copy
import io
import math

import torch
from torch import nn

from benchmarks.robust.judge import (
    PROBES,
    Broken,
    Refused,
    finite,
    outcome,
    probe,
    refusing,
    require,
)  # fmt: skip
from benchmarks.robust.models import Bag, Make, drawing, equal, loss_of, mlp, ramped, snapshot, train

__all__ = ["PROBES", "outcome"]


@probe("dead row and column")
def dead(make: Make) -> None:
    """An input that is always 0 and an output without gradient, for 600 steps: their statistics stay zero."""
    model = ramped(nn.Linear(5, 4, bias=False))
    optimizer, draw = make(model), torch.Generator().manual_seed(0)
    for _ in range(600):
        x = torch.randn(8, 5, generator=draw)
        x[:, 2] = 0.0
        optimizer.zero_grad()
        model(x)[:, torch.tensor([0, 1, 3])].square().sum(1).mean().backward()
        optimizer.step()
        require(finite(model), "not finite")


@probe("zero gradients")
def zero(make: Make) -> None:
    """All zero from the first step, then not."""
    model = mlp()
    optimizer = make(model)
    for _ in range(3):
        optimizer.zero_grad()
        (0.0 * loss_of(model, 0)).backward()
        optimizer.step()
        require(finite(model), "not finite after zero gradients")
    losses = train(model, optimizer, range(1, 41))
    require(finite(model) and losses[-1] < 1e3, "does not recover")


@probe("NaN or infinite gradient")
def not_finite(make: Make) -> None:
    """In the third step: refused with everything as it was, or left out."""
    for bad in (math.nan, math.inf):
        model = mlp()
        optimizer = make(model)
        train(model, optimizer, range(2))
        optimizer.zero_grad()
        loss_of(model, 2).backward()
        list(model.parameters())[0].grad[1, 2] = bad  # pyright: ignore[reportOptionalSubscript]
        try:
            refusing(model, optimizer, optimizer.step)
        except Refused as reason:
            refusal = str(reason)
            optimizer.zero_grad()
            train(model, optimizer, range(3, 6))
            require(finite(model), "not finite after the refused step")
            continue
        train(model, optimizer, range(3, 6))
        require(finite(model), f"{bad} spreads without a word")
        return
    raise Refused(refusal)  # pyright: ignore[reportPossiblyUnbound]


@probe("rank one")
def rank_one(make: Make) -> None:
    """Gradients that are all multiples of one matrix of rank one."""
    model = ramped(nn.Linear(7, 6, bias=False))
    optimizer, x, y = make(model), torch.linspace(-1, 1, 7)[None], torch.linspace(1, 2, 6)[None]
    first = last = 0.0
    for step in range(60):
        optimizer.zero_grad()
        loss = 0.5 * (model(x) - y).square().sum(1).mean()
        loss.backward()
        optimizer.step()
        last = float(loss.detach())
        first = first if step else last
        require(finite(model), "not finite")
    require(last < first, f"the loss went from {first:.3g} to {last:.3g}")


@probe("empty tensor")
def empty(make: Make) -> None:
    """A parameter without entries among others."""
    bagged(make, (0, 4), (3, 4), (0,))


@probe("0-d, 1-d, 3-d, 4-d")
def any_rank(make: Make) -> None:
    """Parameters of all ranks."""
    bagged(make, (), (5,), (3, 4), (2, 3, 4), (4, 3, 2, 2), (1, 1))


def bagged(make: Make, *shapes: tuple[int, ...]) -> None:
    model = Bag(*shapes)
    optimizer = make(model)
    first = float(model.loss().detach())
    for _ in range(20):
        optimizer.zero_grad()
        model.loss().backward()
        optimizer.step()
    last = float(model.loss().detach())
    require(math.isfinite(last) and last < first, f"the loss went from {first:.3g} to {last:.3g}")


@probe("bfloat16")
def bfloat16(make: Make) -> None:
    """Parameters in bfloat16 train, and stay in it."""
    model = mlp(dtype=torch.bfloat16)
    optimizer = make(model)
    train(model, optimizer, range(20))
    require(finite(model), "not finite")
    require(all(p.dtype == torch.bfloat16 for p in model.parameters()), "parameters changed their precision")


@probe("bfloat16 keeps float32 statistics")
def wide_statistics(make: Make) -> None:
    """Statistics of bfloat16 parameters are float32, also after a state_dict was loaded."""
    model = mlp(dtype=torch.bfloat16)
    optimizer = make(model)
    train(model, optimizer, range(3))
    again = make(model)
    again.load_state_dict(optimizer.state_dict())
    for each in (optimizer, again):
        narrow = [t.dtype for t in tensors(each.state_dict()["state"]) if t.dtype == torch.bfloat16]
        require(not narrow, f"{len(narrow)} statistics are bfloat16")


def tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for entry in value.values() for t in tensors(entry)]
    if isinstance(value, list | tuple):
        return [t for entry in value for t in tensors(entry)]
    return []


@probe("deepcopy")
def deepcopy(make: Make) -> None:
    """Model and optimizer copied together go on as the originals, bitwise, and apart from them."""
    model = mlp()
    optimizer = make(model)
    train(model, optimizer, range(4))
    other, copied = copy.deepcopy((model, optimizer))
    train(model, optimizer, range(4, 8))
    train(other, copied, range(4, 8))
    require(equal(list(model.parameters()), list(other.parameters())), "the copy goes another way")


@probe("weights_only loading")
def weights_only(make: Make) -> None:
    """The saved state_dict loads with torch.load(weights_only=True), equal bitwise."""
    model = mlp()
    optimizer = make(model)
    train(model, optimizer, range(4))
    loaded = through_file(optimizer.state_dict())
    again = make(model)
    again.load_state_dict(loaded)
    require(equal(again.state_dict()["state"], optimizer.state_dict()["state"]), "not equal after loading")


def through_file(value: object) -> dict:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@probe("resumed training, bitwise")
def resumed(make: Make) -> None:
    """Stopped after 7 steps and resumed from a file equals not stopped."""
    through, stopped = mlp(), mlp()
    optimizer = make(through)
    train(through, optimizer, range(25))
    first = make(stopped)
    train(stopped, first, range(7))
    saved = through_file([stopped.state_dict(), first.state_dict()])
    fresh = mlp(seed=5)
    fresh.load_state_dict(saved[0])
    second = make(fresh)
    second.load_state_dict(saved[1])
    train(fresh, second, range(7, 25))
    require(equal(list(through.parameters()), list(fresh.parameters())), "another way after resuming")


@probe("add_param_group")
def add_param_group(make: Make) -> None:
    """A second group after some steps, with its own learning rate."""
    model, more = mlp(), Bag((3, 4), (5,))
    optimizer = make(model)
    train(model, optimizer, range(3))
    both = nn.ModuleList([model, more])
    refusing(both, optimizer, lambda: optimizer.add_param_group({"params": list(more.parameters()), "lr": 1e-3}))
    first = float(more.loss().detach())
    for step in range(3, 13):
        optimizer.zero_grad()
        (loss_of(model, step) + more.loss()).backward()
        optimizer.step()
    require(float(more.loss().detach()) < first, "the new group does not train")


@probe("closure")
def closure(make: Make) -> None:
    """A closure without enable_grad of its own gives the same steps, and its loss is returned."""
    plain, closed = mlp(), mlp()
    train(plain, make(plain), range(5))
    optimizer = make(closed)
    for step in range(5):

        def evaluate(step: int = step) -> torch.Tensor:
            optimizer.zero_grad()
            loss = loss_of(closed, step)
            loss.backward()
            return loss

        drawing(step)
        require(optimizer.step(evaluate) is not None, "the loss is not returned")
    require(equal(list(plain.parameters()), list(closed.parameters())), "another way than without a closure")


@probe("frozen parameters")
def frozen(make: Make) -> None:
    """Parameters without gradient stay, at first and when they are frozen later; then thaw."""
    model = mlp()
    first = list(model.parameters())[0]
    first.requires_grad_(False)
    before, optimizer = first.detach().clone(), make(model)
    train(model, optimizer, range(3))
    require(bool((first == before).all()), "a frozen parameter moved")
    first.requires_grad_(True)
    train(model, optimizer, range(3, 6))
    require(not bool((first == before).all()), "a thawed parameter does not move")
    first.requires_grad_(False)
    first.grad, before = None, first.detach().clone()
    train(model, optimizer, range(6, 9))
    require(bool((first == before).all()) and finite(model), "a parameter frozen later moved")


@probe("shared parameters")
def shared(make: Make) -> None:
    """Two layers with one weight."""
    model = ramped(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 4)))
    model[2].weight = model[0].weight
    optimizer = make(model)
    losses = train(model, optimizer, range(40))
    require(finite(model), "not finite")
    require(model[2].weight is model[0].weight, "the weights came apart")
    require(sum(losses[-5:]) < sum(losses[:5]), "does not train")


@probe("state_dict of another optimizer")
def foreign(make: Make) -> None:
    """Of SGD and of Adamax: refused with everything as it was."""
    for other in (torch.optim.SGD, torch.optim.Adamax):
        model, donor = mlp(), mlp()
        theirs = other(donor.parameters(), lr=0.1)
        train(donor, theirs, range(2))
        optimizer = make(model)
        train(model, optimizer, range(2))
        saved = theirs.state_dict()
        try:
            refusing(model, optimizer, lambda saved=saved, optimizer=optimizer: optimizer.load_state_dict(saved))
        except Refused as reason:
            train(model, optimizer, range(2, 4))
            refusal = str(reason)
            continue
        raise Broken("loads it without a word")
    raise Refused(refusal)  # pyright: ignore[reportPossiblyUnbound]


@probe("learning rate schedulers")
def schedulers(make: Make) -> None:
    """A schedule to zero stops the parameters; one that multiplies is followed."""
    model = mlp()
    optimizer = make(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 if step < 3 else 0.0)
    for step in range(6):
        before = [p.detach().clone() for p in model.parameters()]
        train(model, optimizer, range(step, step + 1))
        stayed = equal(before, [p.detach() for p in model.parameters()])
        require(step != 2 or not stayed, "does not move")  # the first steps may only look
        require(step < 3 or stayed, "moves at a learning rate of zero")
        schedule.step()


@probe("GradScaler")
def grad_scaler(make: Make) -> None:
    """The scaled loss takes the same way, and a step with an infinity is left out."""
    plain, scaled = mlp(), mlp()
    train(plain, make(plain), range(4))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)  # pyright: ignore[reportPrivateImportUsage]
    optimizer = make(scaled, scaler=scaler)
    for step in range(4):
        drawing(step)
        optimizer.zero_grad()
        scaler.scale(loss_of(scaled, step)).backward()
        scaler.step(optimizer)
        scaler.update()
    apart = max(
        float((p - q).detach().abs().max()) for p, q in zip(plain.parameters(), scaled.parameters(), strict=True)
    )
    require(apart < 1e-4, f"{apart:.2g} apart from the way without a scaler")
    before = snapshot(scaled, optimizer)
    optimizer.zero_grad()
    scaler.scale(loss_of(scaled, 4)).backward()
    list(scaled.parameters())[0].grad[0, 0] = math.inf  # pyright: ignore[reportOptionalSubscript]
    scaler.step(optimizer)
    scaler.update()
    require(equal(before[0], snapshot(scaled, optimizer)[0]), "a step with an infinity was taken")


@probe("defaults train")
def defaults_train(make: Make) -> None:
    """300 steps with defaults reduce the loss."""
    model = mlp()
    optimizer = make(model)
    losses = train(model, optimizer, range(300))
    first, last = sum(losses[:20]) / 20, sum(losses[-20:]) / 20
    require(last < 0.9 * first, f"the mean loss goes from {first:.3g} to {last:.3g} in 300 steps")
