r"""Online convex optimization: learners, adversaries, and the one loop that plays and measures them.

>>> from problems.domains import Box
>>> from regret import AdaptiveRegularization, RandomSigns, play
>>> from structures import Diagonal
>>> learner = AdaptiveRegularization(Diagonal((3,)), lr=2**0.5, domain=Box(1.0))
>>> trace = play(learner, RandomSigns((3,)), horizon=100, batch=4, seed=0)
>>> trace.regret.shape
(100, 4)

Source: Xie et al. 2025, arXiv 2503.10537 (the learner); Orabona, A modern introduction to online learning (the games).
"""

from regret.adversaries import (
    Adversary,
    DataStream,
    Drifting,
    FixedSequence,
    GreedySign,
    Hadamard,
    HardSequence,
    LinearRandom,
    Oblivious,
    PythonLoss,
    RandomSigns,
    Sparse,
    Stream,
    breast_cancer_stream,
    digits_stream,
)
from regret.learners import (
    AdaptiveRegularization,
    DualAveraging,
    GramFullMatrix,
    Learner,
    OnlineGradientDescent,
    TwoSidedShampoo,
)
from regret.play import play
from regret.trace import Trace

__all__ = [
    "AdaptiveRegularization",
    "Adversary",
    "DataStream",
    "Drifting",
    "DualAveraging",
    "FixedSequence",
    "GramFullMatrix",
    "GreedySign",
    "Hadamard",
    "HardSequence",
    "Learner",
    "LinearRandom",
    "Oblivious",
    "OnlineGradientDescent",
    "PythonLoss",
    "RandomSigns",
    "Sparse",
    "Stream",
    "Trace",
    "TwoSidedShampoo",
    "breast_cancer_stream",
    "digits_stream",
    "play",
]
