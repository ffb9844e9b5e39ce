"""What each of two gloo processes does for tests/optimizers/test_distributed.py: train, and write down what came out."""

import datetime as dt

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from benchmarks.robust.makers import OURS
from benchmarks.robust.models import batch, mlp
from optimizers import AGD

STEPS = 5


def start(rank, rendezvous, out):
    """The process of one rank; its findings go to out/<rank>.pt."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2, timeout=dt.timedelta(seconds=60)
    )
    found = {"data parallel": {name: data_parallel(make, rank) for name, make in OURS.items()}}
    mesh = init_device_mesh("cpu", (2,))
    found["sharded"] = {name: sharded(make, mesh) for name, make in OURS.items() if not name.startswith("FNGD")}
    found["replicated"] = {name: replicated(make, mesh) for name, make in OURS.items() if not name.startswith("FNGD")}
    found["mixed"] = {decay: mixed(mesh, decay) for decay in ("decoupled", "coupled")}
    found["fully_shard"] = {name: fully_sharded(make, mesh, rank) for name, make in OURS.items()}
    torch.save(found, f"{out}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def loss_of(model, step, part=slice(None)):
    """Half the mean squared error of a part of the batch of a step."""
    x, y = batch(step)
    return 0.5 * (model(x[part]) - y[part]).square().sum(1).mean()


def data_parallel(make, rank):
    """Parameters after training with half of each batch here and half there."""
    model = mlp()
    optimizer, parallel = make(model), DistributedDataParallel(model)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss_of(parallel, step, slice(8 * rank, 8 * rank + 8)).backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


class Held(nn.Module):
    """One parameter."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)


def sharded(make, mesh):
    """A weight of which each process has half of the rows."""
    return placed(make, mesh, Shard(0))


def replicated(make, mesh):
    """A weight that is a DTensor, whole in both processes."""
    return placed(make, mesh, Replicate())


def placed(make, mesh, placement):
    whole = torch.linspace(-1, 1, 24).reshape(6, 4)
    model = Held(distribute_tensor(whole.clone(), mesh, [placement]))
    optimizer = make(model)
    try:
        for step in range(STEPS):
            gradient = torch.cos(whole * (step + 1))
            model.weight.grad = distribute_tensor(gradient, mesh, [placement])
            optimizer.step()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}", optimizer.state_dict()["state"] == {}
    return model.weight.full_tensor().detach() if isinstance(model.weight, DTensor) else model.weight.detach()


def mixed(mesh, decay):
    """A sharded weight and a plain one in one group of AGD, after steps uphill."""
    whole = torch.linspace(-1, 1, 24).reshape(6, 4)
    params = [nn.Parameter(distribute_tensor(whole.clone(), mesh, [Shard(0)])), nn.Parameter(whole.clone())]
    optimizer = AGD(params, maximize=True, weight_decay=0.1, decay=decay)
    for step in range(STEPS):
        gradient = torch.cos(whole * (step + 1))
        params[0].grad, params[1].grad = distribute_tensor(gradient, mesh, [Shard(0)]), gradient
        optimizer.step()
    return params[0].full_tensor().detach(), params[1].detach()


def fully_sharded(make, mesh, rank):
    """Parameters after training under FSDP2, or the refusal."""
    from torch.distributed.fsdp import fully_shard

    model = mlp()
    fully_shard(model, mesh=mesh)
    optimizer = None
    try:
        optimizer = make(model)
        for step in range(STEPS):
            optimizer.zero_grad()
            loss_of(model, step, slice(8 * rank, 8 * rank + 8)).backward()
            optimizer.step()
    except (TypeError, RuntimeError, NotImplementedError, ValueError) as error:
        return f"{type(error).__name__}: {error}", optimizer is None or optimizer.state_dict()["state"] == {}
    return [p.full_tensor().detach().clone() for p in model.parameters()]
