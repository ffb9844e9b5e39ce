r"""Online learners: adaptive regularization with a structure, its Gram form, and two baselines."""

from regret.learners.adaptive import AdaptiveRegularization
from regret.learners.base import Learner, Metric, State
from regret.learners.dual_averaging import DualAveraging
from regret.learners.gradient_descent import OnlineGradientDescent
from regret.learners.gram import GramFullMatrix
from regret.learners.shampoo import TwoSidedShampoo

__all__ = [
    "AdaptiveRegularization",
    "DualAveraging",
    "GramFullMatrix",
    "Learner",
    "Metric",
    "OnlineGradientDescent",
    "State",
    "TwoSidedShampoo",
]
