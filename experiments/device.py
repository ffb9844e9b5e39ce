"""Where a game computes: its arrays follow the first iterate, so that is what is put on a device."""

from __future__ import annotations

import numpy as np

from problems.domains import Domain
from structures.arrays import Array

__all__ = ["array_on", "start_on"]


def array_on(device: str, a: np.ndarray) -> Array:
    """`a` as a NumPy array for "cpu", as a torch tensor on any other device ("cuda", "cuda:1", "cpu:0")."""
    if device == "cpu":
        return a
    import torch

    return torch.asarray(a, device=device)


def start_on(device: str, domain: Domain, shape: tuple[int, ...]) -> Array:  # (*shape)
    """The canonical first point of the domain, in double precision."""
    return array_on(device, domain.start(shape, 1, np.zeros(()))[0])
