r"""Do the series keep the inverse root? Jorge's published rule, the sandwich rule and stale exact roots on streams of gradients.

.. math::
    L_t = \beta_{2,t} L_{t-1} + (1-\beta_{2,t})\, G_tG_t^\top, \qquad
    \cos_t = \frac{\langle P_t G_t,\; L_t^{-1/4} G_t\rangle}{|P_tG_t|\,|L_t^{-1/4}G_t|}

with each rule's own :math:`\beta_{2,t}` in L. Streams: G = C^{1/2}Z with Gaussian Z and a covariance C of a given condition
number, fixed, or with axes that turn by 0.01 per step; or the gradients of a layer of a network in training. A rule can
also be wrong because its :math:`\beta_2` went to 1 and it no longer takes gradients in: then the cosine to the root of the
current covariance, stored as well where that is known, shows it.

Source: the rule is the Jorge paper's (jorge); streams and the sandwich rule are derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.spec import Experiment, Progress, Result, RunSpec, quiet

__all__ = ["RULES", "RootStreams", "followed", "network"]

N = 32  # size of the roots
TURN = 0.01  # radians per step
EXACT_BETA2, EXACT_EVERY = 0.99, 10  # of the stale exact root
RIDGE = 1e-2  # the library's default for series, times the mean eigenvalue of GGᵀ

CONDITIONS = (1e1, 1e3, 1e5)
Stream = Iterator[tuple[np.ndarray, np.ndarray | None]]  # gradients, and the root of their covariance where it is known
SYNTHETIC, NETWORKS = ("fixed axes", "turning axes"), ("digits MLP", "digits CNN")
SIZES: dict[str, dict[str, Any]] = {
    "ci": {"steps": 200, "seeds": 2, "networks": (), "epochs": 0},
    "laptop": {"steps": 2000, "seeds": 3, "networks": NETWORKS, "epochs": 20},
    "paper": {"steps": 20_000, "seeds": 10, "networks": NETWORKS, "epochs": 100},
}


class RootStreams(Experiment):
    """One run for each rule and stream, in float32."""

    id = "root_streams"
    title = "Inverse roots by series on streams of gradients"
    claim = "On a turning stream of condition 1e5 the sandwich rule keeps the direction to a cosine of 0.99, Jorge's does not."
    requires = ("torch",)

    def runs(self, scale: str) -> list[RunSpec]:
        size = SIZES[scale]
        streams = [
            {"stream": stream, "condition": condition, "steps": size["steps"], "seeds": size["seeds"]}
            for stream in SYNTHETIC
            for condition in CONDITIONS
        ]
        streams += [{"stream": name, "epochs": size["epochs"], "seeds": size["seeds"]} for name in size["networks"]]
        return [self.spec(rule=rule, **stream) for stream in streams for rule in RULES]

    def execute(self, spec: RunSpec, progress: Progress = quiet) -> Result:
        params = spec.params
        if params["stream"] in NETWORKS:
            from experiments.suite._tasks import TASKS

            stream: Stream = network(TASKS[params["stream"]](), params["epochs"], params["seeds"])
        else:
            stream = gaussian(params["steps"], params["condition"], params["stream"] == "turning axes", params["seeds"])
        return Result(*followed(RULES[params["rule"]], stream, progress))


# ---- rules


@dataclass
class State:
    """A root with the statistic that it stands for, one for each seed."""

    P: np.ndarray  # (seeds, n, n)
    L: np.ndarray  # (seeds, n, n)
    beta2: np.ndarray  # (seeds, 1, 1) of the last step


def series(step: str, ridge: float) -> Callable[[State, np.ndarray, int], State]:
    """A rule of `optimizers.roots.series` of order 2 with the dynamic β₂."""
    from optimizers.roots.series import dynamic_beta2, jorge_step, sandwich_step

    def follow(state: State, G: np.ndarray, t: int) -> State:
        shift = ridge * np.sum(G * G, axis=(1, 2), keepdims=True) / G.shape[1]
        GG = G @ G.mT + shift * np.eye(G.shape[1], dtype=G.dtype)
        square = state.P @ state.P
        if step == "jorge":
            beta2, P = dynamic_beta2(square @ square @ GG), jorge_step(state.P, GG)
        else:
            H = np.concatenate([square @ G, np.sqrt(shift) * square], axis=2) if ridge else square @ G
            beta2, P = dynamic_beta2(H @ H.mT), sandwich_step(state.P, H)
        fine = np.all(np.isfinite(P), axis=(1, 2), keepdims=True)
        return State(np.where(fine, P, state.P), beta2 * state.L + (1.0 - beta2) * GG, beta2)

    return follow


def exact(state: State, G: np.ndarray, t: int) -> State:
    """The root of an average with fixed β₂, taken every few steps."""
    L = EXACT_BETA2 * state.L + (1.0 - EXACT_BETA2) * (G @ G.mT)
    P = inverse_fourth_root(L).astype(G.dtype) if t % EXACT_EVERY == 0 else state.P
    return State(P, L, np.full_like(state.beta2, EXACT_BETA2))


RULES: dict[str, Callable[[State, np.ndarray, int], State]] = {
    "Jorge": series("jorge", 0.0),
    "Jorge, ridge": series("jorge", RIDGE),
    "sandwich": series("sandwich", 0.0),
    "sandwich, ridge": series("sandwich", RIDGE),
    "eigh": exact,
}


def inverse_fourth_root(L: np.ndarray) -> np.ndarray:  # (..., n, n) -> (..., n, n) float64
    """By eigendecomposition in float64, eigenvalues at least 1e-12 of the largest."""
    values, vectors = np.linalg.eigh(L.astype(np.float64))
    values = np.maximum(values, 1e-12 * values[..., -1:])
    return (vectors * values[..., None, :] ** -0.25) @ vectors.mT


# ---- streams


def gaussian(
    steps: int,
    condition: float | np.ndarray,  # (...)
    turning: bool,
    seeds: int,
    n: int = N,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gradients (..., seeds, n, n) and the fourth root of the inverse of their covariance; axes and noise are common."""
    rng = np.random.default_rng(11)
    axes = np.linalg.qr(rng.standard_normal((seeds, n, n)))[0]
    skew = rng.standard_normal((seeds, n, n))
    skew = skew - skew.mT
    skew *= TURN / np.linalg.norm(skew, ord=2, axis=(1, 2), keepdims=True)
    eye = np.eye(n)
    turn = np.linalg.solve(eye - skew / 2.0, eye + skew / 2.0)  # Cayley's: orthogonal
    scales = np.asarray(condition)[..., None, None, None] ** np.linspace(0.0, -1.0, n)  # (..., 1, 1, n)
    for _ in range(steps):
        axes = turn @ axes if turning else axes
        G = (axes * np.sqrt(scales)) @ rng.standard_normal((seeds, n, n)) / np.sqrt(n)
        yield G.astype(np.float32), (axes * scales**-0.25) @ axes.mT


def network(
    task: Any,  # a Task of `experiments.suite._tasks`
    epochs: int,
    seeds: int,
    weight: int = 1,  # of the parameters with several axes
    side: str = "left",  # or "right": transposed
    lr: float = 0.1,
) -> Stream:
    """Gradients (seeds, rows, columns) of a weight of a network that SGD with momentum trains, as long as all seeds run."""
    from experiments.suite._training import train

    found = []
    for seed in range(seeds):
        kept: list[np.ndarray] = []

        def watch(model: Any, optimizer: Any, step: int, _: Any, kept: list[np.ndarray] = kept) -> None:
            G = [p for p in model.parameters() if p.ndim > 1][weight].grad.flatten(1)
            kept.append((G.mT if side == "right" else G).numpy().copy())

        train(task, "SGD", lr, seed, epochs, watch)
        found.append(kept)
    for each in zip(*found, strict=False):
        yield np.stack(each), None


# ---- what is recorded


def followed(
    rule: Callable[[State, np.ndarray, int], State],
    stream: Stream,
    progress: Progress,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Cosines and β₂ at steps spaced evenly on a logarithmic axis, and summaries over the second half."""
    state: State | None = None
    rows: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
    due, t = 1.0, 0
    with np.errstate(over="ignore", invalid="ignore"):
        for t, (G, root) in enumerate(stream):
            state = rule(state or start(G), G, t)
            if t + 1 >= due:
                rows.append((t + 1, *quality(state, G, root), state.beta2[:, 0, 0].astype(np.float64)))
                due = max(due + 1.0, due * 1.05)
    steps = np.array([row[0] for row in rows])
    cosine, current, beta2 = (np.stack([row[k] for row in rows]) for k in (1, 2, 3))  # (records, seeds)
    late = steps > t / 2
    return (
        {"step": steps, "cosine": cosine, "cosine_to_current": current, "beta2": beta2},
        {
            "least_cosine_late": float(np.min(cosine[late])),
            "median_cosine_late": float(np.median(cosine[late])),
            "median_current_late": float(np.median(current[late])),
            "median_beta2_late": float(np.median(beta2[late])),
        },
    )


def start(G: np.ndarray) -> State:
    """From the size of the first gradient: L = Tr(GGᵀ)/n · I."""
    n = G.shape[1]
    level = np.sum(G * G, axis=(1, 2), keepdims=True) / n
    eye = np.eye(n, dtype=G.dtype)
    return State(level**-0.25 * eye, level * eye, np.zeros_like(level))


def quality(
    state: State, G: np.ndarray, root: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:  # (seeds,), (seeds,)
    """Cosine to the root of the rule's own L, and of the current covariance (NaN where that is not known)."""
    PG = state.P.astype(np.float64) @ G
    known = np.full(len(G), np.nan) if root is None else cosine(PG, root @ G)
    return cosine(PG, inverse_fourth_root(state.L) @ G), known


def cosine(A: np.ndarray, B: np.ndarray) -> np.ndarray:  # (seeds, n, m) -> (seeds,)
    """0 where one is not finite or zero."""
    inner = np.sum(A * B, axis=(1, 2)) / (np.linalg.norm(A, axis=(1, 2)) * np.linalg.norm(B, axis=(1, 2)))
    return np.where(np.isfinite(inner), inner, 0.0)
