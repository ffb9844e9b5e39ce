r"""Who is compared: the methods of the suite, variants that are not defaults, and K-FAC where it is installed.

Every method has one number to tune, its learning rate, and its defaults for the rest; roots and factors are renewed every
tenth step.

Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.steps.memory import state_bytes
from benchmarks.trained import kfac
from experiments.suite._tasks import Task
from experiments.suite._training import History, train
from experiments.suite.optimizer_training import COMPARED

__all__ = ["METHODS", "Trained", "absent", "trained"]

METHODS = (*COMPARED, "Jorge, no ridge", "FNGD, table", "FNGD, damping 0.1", "K-FAC")


@dataclass(frozen=True)
class Trained:
    """A finished run and what its method holds in memory."""

    history: History
    bytes: int


def absent(method: str) -> str | None:
    """Why a method cannot take part; None when it can."""
    return kfac.missing() if method == "K-FAC" else None


def trained(task: Task, method: str, lr: float, seed: int, epochs: int, checks: int = 1) -> Trained:
    """A whole run of a method."""
    watch = kfac.KFAC(seed) if method == "K-FAC" else None
    history = train(task, "SGD" if watch else method, lr, seed, epochs, watch, checks=checks)
    return Trained(history, state_bytes(history.optimizer) + (watch.state_bytes() if watch else 0))
