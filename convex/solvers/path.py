r"""What a run of a solver leaves behind: its points at snapshots, what they cost, and the objective there.

.. math:: (x^{(0)}, 0), (x^{(1)}, e_1), \dots, (x^{(K)}, e_K), \qquad e_k \text{ component gradients } \nabla F_i \text{ so far.}

A full gradient counts n, a difference of mini-batches 2b (b where one side of it is kept in a table). Values of the objective are
recorded but not counted: at a snapshot they share their inner products with the full gradient.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from structures.arrays import Array

__all__ = ["Path"]


@dataclass(frozen=True, eq=False)
class Path:
    """K + 1 snapshots of B runs, the starting points first."""

    points: Array = field(repr=False)  # (K+1, B, *shape)
    values: Array = field(repr=False)  # (K+1, B) P
    evaluations: np.ndarray = field(repr=False)  # (K+1,) int, of component gradients, for each run
    samples: int  # n
    restarts: np.ndarray = field(repr=False)  # (K+1, B) bool: the momentum was dropped at this snapshot

    @property
    def x(self) -> Array:  # (B, *shape)
        """The last snapshot."""
        return self.points[-1, ...]

    @property
    def passes(self) -> np.ndarray:  # (K+1,)
        """Component gradients over n."""
        return self.evaluations / self.samples
