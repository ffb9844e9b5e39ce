"""FNGD under DistributedDataParallel: every rank has the coefficients of its own batch, and directions are averaged."""

import torch
from fngd_models import apart, directions, problem
from fngd_processes import PARTS, SHARES, work


def test_ranks_average_the_directions_of_their_batches(tmp_path):
    torch.multiprocessing.spawn(work, (str(tmp_path / "meeting"), str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / str(rank), weights_only=False) for rank in range(2)]
    model, X, y = problem("mlp")
    local = [directions(model, X[part], y[part], 0.05) for part in PARTS]
    for share in SHARES:
        for rank in ranks:
            assert apart(rank[share][0], {k: (local[0][k] + local[1][k]) / 2 for k in local[0]}) < 1e-11
        # With share="scalar" every rank has a scalar of its own: applied after the averaging, the models would part.
        assert all(torch.equal(p, q) for p, q in zip(ranks[0][share][1], ranks[1][share][1], strict=True))
