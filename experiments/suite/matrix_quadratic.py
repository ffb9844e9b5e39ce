r"""Loss against steps on the matrix quadratic, each method at its best learning rate: where does more structure win?

Problem: ``problems.matrix_quadratic`` with :math:`X_0 = 0`, in the eigenbasis of Hs and in a random one. The rotated problem
is the same instance X ↦ f(UᵀX), so that a method without preferred coordinates must draw the same curve twice.
Methods: adaptive regularization with five structures, two-sided Shampoo, gradient descent; ε = 0; learning rates
:math:`\text{unit} \cdot 10^{k/2}`, the unit being the order of magnitude of a method's theory (`Method.unit`).

A run stores for every rate f at the iterates, f at their running average, and the regret bound divided by the number of
steps, which bounds the latter because f is convex and its minimum is 0:
:math:`f(\bar X_t) \le R_t / t \le \text{bound}_t / t`.

Full-matrix AdaGrad at ε = 0 answers a gradient in a new direction by a step of length about lr, however small the gradient
is. It so magnifies rounding, and a direct run leaves the space V of `problems.spectral_reduction`, which it cannot leave in
exact arithmetic. ``Full`` is the direct run, ``FullReduced`` the run inside V, which is stable; the reason is in
docs/proofs/matrix-quadratic.md.

Cost on one core: ci 2 s, laptop 60 s, paper 2 hours, estimated from single rates (one-sided 100 s, Shampoo 160 s, full matrix
35 s and 1.5 GB, diagonal 10 s, the reduced ones 3 s for all rates together; two bases, nine rates).

Source: Xie et al. 2025 (arXiv 2503.10537), experiment of the last section; its sizes are remembered, the grid is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import theory
from experiments.spec import SCALES, Experiment, Progress, Result, RunSpec, quiet
from problems.matrix_quadratic import MatrixQuadratic, gaussian_matrix_quadratic
from problems.spectral_reduction import reduce_to_spectrum, scalar_step
from regret import (
    AdaptiveRegularization,
    Adversary,
    GramFullMatrix,
    Learner,
    OnlineGradientDescent,
    Stream,
    Trace,
    TwoSidedShampoo,
    play,
)
from structures import Diagonal, Full, LeftKronecker, RightKronecker, Scalar, Structure
from structures.arrays import Array, namespace, to_numpy

__all__ = ["METHODS", "MatrixQuadraticExperiment", "Method", "best_rate"]

DIVERGED = 1e12  # a run whose loss exceeds this many times its first one is stopped and its loss recorded as inf


@dataclass(frozen=True)
class Method:
    """One curve of the comparison."""

    unit: Callable[[int], float]  # n -> the rate at k = 0
    make: Callable[[tuple[int, ...], tuple[float, ...], int], Learner]  # shape, rates, horizon -> learner
    theorem: str  # whose bound is drawn beside the average iterate
    structure: type[Structure] | None = None
    reduced: tuple[str, ...] = ()  # the scales at which it runs on the spectral reduction


def _entry_size(n: int) -> float:
    """1/√n, the standard deviation of an entry of X*: the order of ‖X*‖_H for one number, a diagonal or one side."""
    return n**-0.5


def _frobenius_size(n: int) -> float:
    """√n, the order of the Frobenius norm of X*."""
    return n**0.5


def _adaptive(structure: type[Structure], reduced: tuple[str, ...] = ()) -> Method:
    """Adaptive regularization with ε = 0."""
    return Method(
        _entry_size,
        lambda shape, rates, horizon: AdaptiveRegularization(structure(shape), lr=rates),
        "structured-regret",
        structure,
        reduced,
    )


def _full(reduced: tuple[str, ...] = ()) -> Method:
    """Full-matrix AdaGrad with ε = 0, in Gram form."""
    return Method(
        _frobenius_size,
        lambda shape, rates, horizon: GramFullMatrix(shape, lr=rates, eps=0.0, horizon=horizon),
        "structured-regret",
        Full,
        reduced,
    )


METHODS = {
    "GradientDescent": Method(
        lambda n: 0.5,  # 1/L with L = 2 σ_max = 2
        lambda shape, rates, horizon: OnlineGradientDescent(shape, lr=rates),
        "online-gradient-descent",
        reduced=("paper",),
    ),
    "Scalar": _adaptive(Scalar, reduced=("paper",)),
    "Diagonal": _adaptive(Diagonal),
    "LeftKronecker": _adaptive(LeftKronecker),
    "RightKronecker": _adaptive(RightKronecker),
    "Full": _full(),
    "FullReduced": _full(reduced=SCALES),
    "Shampoo": Method(
        _frobenius_size,
        lambda shape, rates, horizon: TwoSidedShampoo(shape, lr=rates),
        "rank-free-shampoo",
    ),
}

SIZES = {"ci": (30, 60, 1), "laptop": (100, 100, 2), "paper": (1000, 100, 1)}  # n, steps, draws of X*
EXPONENTS = tuple(range(-4, 5))  # k: two decades to each side of a method's unit


class MatrixQuadraticExperiment(Experiment):
    """The comparison on ⟨Hs, (X − X*)(X − X*)ᵀ⟩ in two bases."""

    id = "matrix_quadratic"
    title = "Matrix quadratic: more structure wins"
    claim = (
        "On a loss whose curvature acts on the rows, the average iterate of one-sided Shampoo beats that of full-matrix "
        "AdaGrad in double precision, which beats AdaGrad-Norm's; AdaGrad's lies between the first two in the eigenbasis "
        "and is no better than AdaGrad-Norm's in a rotated one."
    )

    def runs(self, scale: str) -> list[RunSpec]:
        n, horizon, draws = SIZES[scale]
        return [
            self.spec(
                method=name,
                rotated=rotated,
                seed=seed,
                n=n,
                horizon=horizon,
                exponents=list(exponents),
                reduced=reduced,
            )
            for seed in range(draws)
            for rotated in (False, True)
            for name, method in METHODS.items()
            for reduced in [scale in method.reduced]
            for exponents in _cells(scale, reduced)
        ]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        p = spec.params
        method, horizon = METHODS[p["method"]], p["horizon"]
        original = gaussian_matrix_quadratic(p["n"], p["seed"], p["rotated"])
        rates = [method.unit(p["n"]) * 10.0 ** (k / 2) for k in p["exponents"]]
        problem, factor = _played(original, p["reduced"], p["method"])
        learner = method.make(problem.shape, tuple(rate * factor for rate in rates), horizon + 1)
        curves = Curves(problem, horizon + 1, progress)
        # One more gradient than steps, so that the loss after the last step is seen as well.
        game = Descent(problem.shape, curves)
        trace = play(learner, game, horizon + 1, batch=len(rates), comparator=problem.solution, progress=False)
        verdict = trace.verify(method.theorem)
        arrays = {
            "rates": np.array(rates),
            "loss": np.stack(curves.losses),
            "average_loss": np.stack(curves.average_losses),
            "bound": _average_bound(method.theorem, trace),
        }
        summary = {
            "predicted": _prediction(original, method.structure),
            "diverged": int(np.isinf(arrays["loss"][-1]).sum()),
        }
        return Result(arrays, summary, [verdict])


class Curves(Stream):
    """The same loss at every step for a batch of runs, and what is recorded: f at the iterates and at their averages.

    A run that diverges is stopped: from then on its losses are the zero function, recorded as inf.
    """

    def __init__(self, problem: MatrixQuadratic, horizon: int, progress: Progress = quiet) -> None:
        self.losses: list[np.ndarray] = []  # (B,) each
        self.average_losses: list[np.ndarray] = []  # (B,) each; entry t belongs to the average of t + 1 iterates
        self._problem, self._horizon, self._progress = problem, horizon, progress
        self._sum: Array = 0.0
        self._alive: Array = True
        self._limit = DIVERGED * float(problem.value(0.0 * problem.solution))

    def gradient(self, t: int, x: Array) -> Array:  # (B, m, n) -> (B, m, n)
        """∇f for the runs that are alive, 0 for the others."""
        value, G = self._problem.value_and_gradient(x)
        self._alive = self._alive & (value <= self._limit)  # a NaN is not alive
        self._sum = self._sum + x
        average = self._problem.value(self._sum / (t + 1.0))
        xp = namespace(x)
        for curve, f in ((self.losses, value), (self.average_losses, average)):
            curve.append(to_numpy(xp.where(self._alive, f, xp.full_like(f, float("inf")))))
        self._progress(t + 1, self._horizon)
        return xp.where(self._alive[:, None, None], G, xp.zeros_like(G))


@dataclass(frozen=True, eq=False)
class Descent(Adversary):
    """Optimization as a game: one loss at every step. It plays the one game that its stream records."""

    shape: tuple[int, ...]
    curves: Curves

    def start(self, batch: int, seed: int, x: Array, first: int = 0) -> Stream:
        return self.curves


def best_rate(final: np.ndarray) -> int:  # (draws, rates) losses at the last step
    """The index of the rate with the smallest median over the draws; a diverged run counts as infinite."""
    return int(np.argmin(np.median(final, axis=0)))


def _cells(scale: str, reduced: bool) -> Sequence[tuple[int, ...]]:
    """The rates of one run: all of them in one batch, but one by one where a batch of them would not fit in memory."""
    return [(k,) for k in EXPONENTS] if scale == "paper" and not reduced else [EXPONENTS]


def _played(problem: MatrixQuadratic, reduced: bool, method: str) -> tuple[MatrixQuadratic, float]:
    """The problem that the learner meets, and what its rates are multiplied by there."""
    if not reduced:
        return problem, 1.0
    reduction = reduce_to_spectrum(problem)
    return reduction.problem, scalar_step(reduction) if method == "Scalar" else 1.0


def _average_bound(theorem: str, trace: Trace) -> np.ndarray:  # -> (T, B)
    """The theorem's bound on the regret after t steps, divided by t: a bound on the loss of the average iterate."""
    steps = np.arange(1.0, trace.horizon + 1.0)[:, None]
    return np.asarray(theory.get(theorem).bound(trace)) / steps


def _prediction(problem: MatrixQuadratic, structure: type[Structure] | None) -> float | None:
    """Λ_H ‖X*‖²_H, the leading constant of the smooth rate; None without a structure or a closed form."""
    if structure is None:
        return None
    K = structure(problem.shape)
    smoothness = problem.adaptive_smoothness(K)
    return None if smoothness is None else smoothness * float(K.norm(problem.solution)) ** 2
