r"""Adversaries: who chooses the gradients of an online game."""

from regret.adversaries.base import Adversary, Oblivious, Stream
from regret.adversaries.data_stream import DataStream, breast_cancer_stream, digits_stream
from regret.adversaries.drifting import Drifting
from regret.adversaries.fixed_sequence import FixedSequence
from regret.adversaries.hadamard import Hadamard
from regret.adversaries.hard_sequence import HardSequence
from regret.adversaries.linear_random import LinearRandom
from regret.adversaries.python_loss import PythonLoss
from regret.adversaries.sign import GreedySign, RandomSigns
from regret.adversaries.sparse import Sparse

__all__ = [
    "Adversary",
    "DataStream",
    "Drifting",
    "FixedSequence",
    "GreedySign",
    "Hadamard",
    "HardSequence",
    "LinearRandom",
    "Oblivious",
    "PythonLoss",
    "RandomSigns",
    "Sparse",
    "Stream",
    "breast_cancer_stream",
    "digits_stream",
]
