r"""Reference solvers for finite sums with a simple penalty: readable, exact, on any Array API namespace.

.. math:: \min_x \; \tfrac1n \textstyle\sum_i F_i(x) + R(x)

>>> from convex.solvers import DASVRDA, gamma_star
>>> DASVRDA(minibatch=4, restart="gradient").restart
'gradient'
>>> round(gamma_star(m=100, b=4), 3)
3.026

Source: see each file.
"""

from convex.solvers.acc_prox_svrg import AccProxSVRG
from convex.solvers.accelerated_gradient import AcceleratedGradient
from convex.solvers.base import Snapshot, Solver
from convex.solvers.constants import Constants, gamma_star, step_size
from convex.solvers.dasvrda import DASVRDA
from convex.solvers.katyusha import Katyusha
from convex.solvers.path import Path
from convex.solvers.saga import SAGA
from convex.solvers.stage import Stage, acc_svrda
from convex.solvers.svrg import SVRG

__all__ = [
    "DASVRDA",
    "SAGA",
    "SVRG",
    "AccProxSVRG",
    "AcceleratedGradient",
    "Constants",
    "Katyusha",
    "Path",
    "Snapshot",
    "Solver",
    "Stage",
    "acc_svrda",
    "gamma_star",
    "step_size",
]
