r"""Grafting: the direction of one method, the length of another's step.

.. math::
    \Delta = \frac{|V|_F}{|M|_F}\, M, \qquad
    V_t = \begin{cases}
        b V_{t-1} + G_t & \text{sgd} \\
        \frac{1 - b}{1 - b^t} \sum_{s \le t} b^{t-s} U_s & \text{adagrad, rmsprop}
    \end{cases} \qquad
    U = G \big/ \bigl(\sqrt{Q} + \epsilon\bigr)

for each parameter by itself. Q is the sum of squared gradients (adagrad) or their bias-corrected moving average (rmsprop).

Source: Agarwal, Anil, Hazan, Koren, Zhang 2020, Disentangling adaptive gradient methods from learning rates; SGD's
length for Jorge: the Jorge paper (singh2023jorge).
"""

from __future__ import annotations

import torch
from torch import Tensor

from optimizers.base import Options
from optimizers.packs import Pack

__all__ = ["GRAFTS", "graft_step", "stretches"]

GRAFTS = (None, "sgd", "adagrad", "rmsprop")

BETA, EPSILON = 0.999, 1e-8  # of Adam: the length that learning rates of 1e-3 are tuned for


def graft_step(pack: Pack, G: Tensor, options: Options) -> tuple[Tensor, float]:  # flat -> flat
    """X and c with V = c·X; ``pack.step`` steps were made before. X can be the state: it is only read."""
    b, method = float(options["momentum"]), options["grafting"]
    if method == "sgd":
        return (pack.tensor("graft_momentum").mul_(b).add_(G), 1.0) if b else (G, 1.0)
    root, c = _denominator(pack, G, method)
    if not b:
        return torch.div(G, root, out=root), c
    V = pack.tensor("graft_momentum").mul_(b).addcdiv_(G, root, value=(1.0 - b) * c)
    return V, 1.0 / (1.0 - b ** (pack.step + 1))


def _denominator(pack: Pack, G: Tensor, method: str) -> tuple[Tensor, float]:
    """A new tensor D and a number c with U = c·G/D."""
    Q = pack.tensor("second_moment")
    if method == "adagrad":
        # A sum that overflows stays the largest number: an infinite one would be refused when it is loaded.
        return Q.addcmul_(G, G).clamp_max_(torch.finfo(Q.dtype).max).sqrt().add_(EPSILON), 1.0
    c = (1.0 - BETA ** (pack.step + 1)) ** 0.5
    return Q.mul_(BETA).addcmul_(G, G, value=1.0 - BETA).sqrt().add_(EPSILON * c), c


def stretches(Ms: list[Tensor], Vs: list[Tensor]) -> Tensor:  # [(b, ...), ...] -> (all the b together,)
    """|V|_F / |M|_F of each matrix; 0 where M is 0 or a norm overflows."""
    length, present = (torch.cat([torch.linalg.vector_norm(X.flatten(1), dim=1) for X in Xs]) for Xs in (Vs, Ms))
    return (length / present).nan_to_num_(0.0, 0.0, 0.0)
