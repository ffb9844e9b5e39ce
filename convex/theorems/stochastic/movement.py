r"""How far preconditioned steps go in any norm of the structure: the matrix S_T, and what the descent lemma makes of it.

.. math::
    u_t = V_t^{-1} g_t, \qquad S_T = \sum_{t \le T} E(u_t u_t^\top) \in J, \qquad
    \sum_{t \le T} \|u_t\|_H^2 = \langle H, S_T\rangle \le \operatorname{Tr}(H)\,\|S_T\|_{\rm op} \quad \text{for
    every } H \in \mathcal H .

For sums of all gradients :math:`S_T = \sum V_t^{-1}(V_t^2 - V_{t-1}^2)V_t^{-1}`.

Source: Xie et al. 2025, arXiv 2511.20584, Lemma 3.3; derived here (docs/proofs/stochastic.md#movement).
"""

from __future__ import annotations

import numpy as np

from convex.theorems.stochastic.constants import structure_of
from convex.theorems.stochastic.runs import StochasticRun
from structures.arrays import tree_map

__all__ = ["directions", "movement"]


def directions(run: StochasticRun) -> np.ndarray:  # -> (T, B, *shape)
    """u_t = (x_t - x_{t+1})/η of a run without projection."""
    eta = run.rates.reshape(-1, *[1] * len(run.problem.shape))
    return (run.iterates[:-1] - run.iterates[1:]) / eta


def movement(run: StochasticRun) -> np.ndarray:  # -> (T, B)
    """‖S_t‖_op at every horizon."""
    K = structure_of(run)
    total = tree_map(lambda c: np.cumsum(c, axis=0), K.outer(directions(run)))
    return np.max(K.factor(total).values, axis=-1)
