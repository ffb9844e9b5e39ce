r"""Simple convex penalties: value, proximal point, conjugate.

>>> import numpy as np
>>> from problems.penalties import L1
>>> L1(1.0).prox(np.array([3.0, -0.5]), 2.0)
array([ 1., -0.])

Source: derived here.
"""

from problems.penalties.base import Penalty
from problems.penalties.box import BoxIndicator
from problems.penalties.elastic_net import ElasticNet
from problems.penalties.group_l1 import GroupL1
from problems.penalties.l1 import L1
from problems.penalties.squared_l2 import SquaredL2
from problems.penalties.zero import ZeroPenalty

__all__ = ["L1", "BoxIndicator", "ElasticNet", "GroupL1", "Penalty", "SquaredL2", "ZeroPenalty"]
