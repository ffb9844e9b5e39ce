r"""Smooth stochastic problems: a function, its Hessian's envelope, an unbiased gradient and the noise of it.

>>> import numpy as np
>>> from problems.matrix_quadratic import MatrixQuadratic
>>> from problems.smooth import EntryNoise, SmoothMatrixQuadratic
>>> f = SmoothMatrixQuadratic(MatrixQuadratic(np.array([1.0, 3.0]), np.zeros((2, 2))), EntryNoise(0.1, "signs"))
>>> x, draws = np.ones((5, 2, 2)), f.noise(batch=5, seed=0).draw(10)  # (steps, batch, 2, 2)
>>> f.value(x)[0], f.stochastic_gradient(x, draws[0]).shape
(np.float64(8.0), (5, 2, 2))

Source: derived here.
"""

from problems.smooth.base import Minimum, NoiseStream, Outcomes, SmoothProblem
from problems.smooth.finite_sum import FiniteSum
from problems.smooth.geman_mcclure import GemanMcClure
from problems.smooth.matrix_quadratic import SmoothMatrixQuadratic
from problems.smooth.noise import AdditiveNoise, EntryNoise, FactorNoise, NoNoise
from problems.smooth.quadratic import SmoothQuadratic
from problems.smooth.sources import from_arrays, from_data_set, from_file

__all__ = [
    "AdditiveNoise",
    "EntryNoise",
    "FactorNoise",
    "FiniteSum",
    "GemanMcClure",
    "Minimum",
    "NoNoise",
    "NoiseStream",
    "Outcomes",
    "SmoothMatrixQuadratic",
    "SmoothProblem",
    "SmoothQuadratic",
    "from_arrays",
    "from_data_set",
    "from_file",
]
