r"""Torch optimizers in the online games of the theorems, their regret beside the bound of adaptive regularization.

The bound is that of the structured method on the gradients that the optimizer itself has met, with the structure whose bound
is least at the end,

.. math:: \sqrt2\, D_{\mathcal H}\, |||g_{1:t}|||_{\mathcal H} .

It is a yardstick and covers no curve here: a theorem covers AdaGrad, AdaGrad-Norm and one-sided Shampoo with their own structure
at the learning rate :math:`D/\sqrt2`, and these are the least of several structures' bounds and, of every method, the best
learning rate of a grid for the regret at the end (``at_edge`` where that is an end of the grid), constant for methods that sum
their statistics, :math:`\propto 1/\sqrt t` for others.

In the cyclic game on [-1, 1] the gradient is 3 once and -1 twice, again and again; the best point is -1. Adam with
:math:`\beta_1 = 0,\ \beta_2 = 1/(1 + 3^2)` goes to +1, for every learning rate: it does no better than standing still at 0, whose
regret is :math:`T/3`.

Source: Reddi, Kale and Kumar 2018 (reddi2018convergence), Theorem 1, for the cyclic game; the comparison is ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.seeds import seed_for
from experiments.spec import Experiment, Progress, Result, RunSpec, quiet
from experiments.suite._data_games import Reshaped, reference, stream
from problems.domains import Box
from regret import Adversary, FixedSequence, Trace, play
from structures import Diagonal, LeftKronecker, RightKronecker, Scalar, Structure

__all__ = ["METHODS", "OptimizerRegret"]

FAST = {"betas": (0.0, 0.1)}  # of the counterexample
TEXTBOOK = {"momentum": 0.0, "grafting": None, "beta2": 1.0, "ridge": 0.0, "eps": 1e-12, "refresh": 1}

# name -> module, class, options, schedule of the learning rate
METHODS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "SGD": ("torch.optim", "SGD", {}, "inverse_sqrt"),
    "Adagrad": ("torch.optim", "Adagrad", {}, "constant"),
    "AdaGradNorm": ("optimizers", "AdaGradNorm", {}, "constant"),
    "Adam": ("torch.optim", "Adam", {}, "inverse_sqrt"),
    "Adam, fast": ("torch.optim", "Adam", FAST, "inverse_sqrt"),
    "AMSGrad, fast": ("torch.optim", "Adam", {**FAST, "amsgrad": True}, "inverse_sqrt"),
    "AGD": ("optimizers", "AGD", {}, "inverse_sqrt"),
    "AGD, fast": ("optimizers", "AGD", {**FAST, "clip": None}, "inverse_sqrt"),
    "AGD, fast, AMSGrad": ("optimizers", "AGD", {**FAST, "clip": None, "amsgrad": True}, "inverse_sqrt"),
    "OneSidedShampoo": ("optimizers", "OneSidedShampoo", TEXTBOOK, "constant"),
    "Muon": ("torch.optim", "Muon", {}, "inverse_sqrt"),
}
MATRICES_ONLY = ("OneSidedShampoo", "Muon")
SHAPES = {"cyclic": (1,), "breast_cancer": (31,), "digits": (10, 64)}
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"cyclic": 150, "breast_cancer": 30, "digits": 16, "rates": 5, "seeds": 2},
    "laptop": {"cyclic": 1200, "breast_cancer": 300, "digits": 256, "rates": 9, "seeds": 3},
    "paper": {"cyclic": 30000, "breast_cancer": 5690, "digits": 1797, "rates": 11, "seeds": 10},
}
POINTS = 40  # horizons at which regret and bound are kept


class OptimizerRegret(Experiment):
    """One run for each game and method."""

    id = "optimizer_regret"
    title = "Torch optimizers in the games of the theorems"
    claim = (
        "On every game the regret of methods whose second moment never falls stays below the bound of adaptive "
        "regularization; on the cyclic game Adam and AGD with a short memory do no better than standing still, at any "
        "learning rate of the grid."
    )
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        return [
            self.spec(
                game=game,
                method=method,
                horizon=size[game],
                rates=size["rates"],
                seeds=1 if game == "cyclic" else size["seeds"],
            )
            for game, shape in SHAPES.items()
            for method in METHODS
            if len(shape) == 2 or method not in MATRICES_ONLY
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        from importlib import import_module

        from optimizers.learner import TorchLearner

        params = spec.params
        shape, seeds, horizon = SHAPES[params["game"]], params["seeds"], params["horizon"]
        module, name, options, schedule = METHODS[params["method"]]
        domain = arena(params["game"])
        rates = grid(params["rates"]) * domain.diameter(Diagonal(shape))
        learner = TorchLearner(
            shape, getattr(import_module(module), name), tuple(np.repeat(rates, seeds)), options, domain, schedule
        )
        x0 = np.zeros((len(rates) * seeds, *shape))
        seed = seed_for(0, "adversary")
        trace = play(
            learner, game(params["game"], horizon), horizon, seed=seed, x0=x0, keep_history=True, progress=False
        )
        progress(horizon, horizon)
        final = np.median(trace.regret[-1].reshape(len(rates), seeds), axis=1)
        best = int(final.argmin())
        chosen = slice(best * seeds, (best + 1) * seeds)
        horizons = np.unique(np.geomspace(1, horizon, POINTS).astype(int))
        structure, bound = least_bound(trace, chosen, horizons)
        return Result(
            {"horizons": horizons, "regret": trace.regret[horizons - 1, chosen], "bound": bound, "final": final, "rates": rates},
            {"lr": rates[best], "at_edge": best in (0, len(rates) - 1), "structure": type(structure).__name__},
        )  # fmt: skip


def grid(count: int) -> np.ndarray:
    """Learning rates over the width of the domain, in half decades down from 10."""
    return 10.0 ** (1.0 - np.arange(count) / 2.0)


def arena(name: str) -> Box:
    """[-1, 1], or the cube with the reference point of a data set on its surface."""
    return Box(1.0 if name == "cyclic" else float(np.abs(reference(name)).max()))


def game(name: str, horizon: int) -> Adversary:
    """The cyclic gradients, or one sample of the data per step."""
    if name == "cyclic":
        return FixedSequence(np.where(np.arange(horizon) % 3 == 0, 3.0, -1.0)[:, None])
    return Reshaped(stream(name), SHAPES[name])


def least_bound(trace: Trace, chosen: slice, horizons: np.ndarray) -> tuple[Structure, np.ndarray]:  # (L, S)
    """The structure whose bound on these gradients is least at the end, and its bound at the horizons."""
    domain = trace.domain
    assert trace.gradients is not None and domain is not None
    G, shape = trace.gradients[:, chosen], trace.learner.shape
    kinds = (Scalar, Diagonal, LeftKronecker, RightKronecker) if len(shape) == 2 else (Scalar, Diagonal)
    structures = [kind(shape) for kind in kinds]

    def bound(K: Structure, t: int) -> np.ndarray:
        return np.sqrt(2.0) * domain.diameter(K) * np.asarray(K.adaptive_norm(G[:t]))

    best = min(structures, key=lambda K: float(np.median(bound(K, len(G)))))
    return best, np.stack([bound(best, int(t)) for t in horizons])
