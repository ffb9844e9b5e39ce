r"""Loss against steps on the matrix quadratic, best learning rate of each method: does more structure win, and in which basis?

Problem: ``problems.matrix_quadratic`` with :math:`X_0 = 0`, in the eigenbasis of Hs and in a random one. The rotated problem is
the same instance X ↦ f(UᵀX), so that a method without preferred coordinates must draw the same curve twice.
Methods: adaptive regularization with five structures, two-sided Shampoo, gradient descent; ε = 0, learning rates
:math:`\text{unit} \cdot 10^{k/2}` with a method's unit being the order of magnitude that its theory asks for (`unit`). The full-matrix
method at ε = 0 is chaotic in floating point, hence several draws and a best rate chosen by the median over them.

What a run stores, for every rate: f at each iterate, f at the running average, and the regret bound divided by the steps,
which bounds the latter, :math:`f(\bar X_t) - \min f \le R_t/t \le \text{bound}_t/t`, because f is convex.

Cost: ci 1 s; laptop about 30 s on one core (n = 100, 10⁴ parameters); paper (n = 1000, 10⁶ parameters) about PAPER_HOURS on one core. At
paper scale gradient descent, AdaGrad-Norm and full-matrix AdaGrad run on the exact spectral reduction, the others directly.

Source: Xie et al. 2025 (arXiv 2503.10537), the experiment of the last section; its sizes are remembered, its grid is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from problems.matrix_quadratic import MatrixQuadratic, gaussian_matrix_quadratic
from problems.spectral_reduction import reduce_to_spectrum, scalar_step
from regret import AdaptiveRegularization, play
from regret.adversaries.python_loss import PythonLoss
from regret.learners import GramFullMatrix, Learner, OnlineGradientDescent, TwoSidedShampoo
from structures import Diagonal, LeftKronecker, RightKronecker, Scalar
