r"""Random streams by component name, so that solvers under comparison share their randomness.

.. math:: \text{stream}(s, c, r) = \text{SeedSequence}(s,\ \text{spawn key} = (h_1(c), \dots, h_4(c), r))

with :math:`h_i` the 32-bit words of a SHA-256 of the component's name: the stream of "adversary" is the same whichever
learner plays against it, and adding a component changes no other.  Nothing here depends on Python's hash seed.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np

__all__ = ["generator", "seed_for", "seed_sequence", "stable_hash"]


def stable_hash(component: str) -> tuple[int, int, int, int]:
    """Four 32-bit words that depend on the name alone: the same on every machine, version and process."""
    return struct.unpack("<4I", hashlib.sha256(component.encode()).digest()[:16])


def seed_sequence(seed: int, component: str, replicate: int = 0) -> np.random.SeedSequence:
    """The SeedSequence of a component in the run with this seed.  Raises ValueError for a negative number."""
    if seed < 0 or replicate < 0:
        raise ValueError(f"seed and replicate must be >= 0, got seed={seed}, replicate={replicate}")
    return np.random.SeedSequence(seed, spawn_key=(*stable_hash(component), replicate))


def generator(seed: int, component: str, replicate: int = 0) -> np.random.Generator:
    """A NumPy generator of a component; independent for different seeds, components and replicates."""
    return np.random.default_rng(seed_sequence(seed, component, replicate))


def seed_for(seed: int, component: str, replicate: int = 0) -> int:
    """An integer seed in [0, 2**53) for what takes an integer only; JSON readers keep it exactly."""
    state = seed_sequence(seed, component, replicate).generate_state(1, np.uint64)
    return int(state[0]) >> 11
