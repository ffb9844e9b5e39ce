"""One of two processes that train with DistributedDataParallel and FNGD."""

import torch
import torch.distributed as dist
from fngd_models import cross_entropy, gradients_of, problem
from torch.nn.parallel import DistributedDataParallel

from optimizers import FNGD

PARTS = (slice(0, 3), slice(3, 7))
SHARES = {"none": None, "scalar": 2}  # with the length of the window


def work(rank: int, meeting: str, results: str) -> None:
    """Save, for each way of sharing, the gradients of the first backward pass and the parameters after four steps."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=len(PARTS))
    torch.save({share: run(rank, share) for share in SHARES}, f"{results}/{rank}")
    dist.destroy_process_group()


def run(rank: int, share: str) -> tuple[dict, list[torch.Tensor]]:
    model, X, y = problem("mlp")
    optimizer = FNGD(model, lr=0.1, damping=0.05, share=share, window=SHARES[share])
    parallel = DistributedDataParallel(model)
    found = {}
    for _ in range(4):
        optimizer.zero_grad()
        cross_entropy(parallel(X[PARTS[rank]]), y[PARTS[rank]]).backward()
        found = found or gradients_of(model)
        optimizer.step()
    return found, [p.detach() for p in model.parameters()]
