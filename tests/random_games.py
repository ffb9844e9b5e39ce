"""Random short games for the search that tries to break the regret theorems: hard structures, domains, scales and adversaries."""

import numpy as np

from problems.domains import Box, L2Ball, Simplex, SpectralBall
from regret import AdaptiveRegularization, FixedSequence, Trace, play
from structures.base import Structure


def random_game(K: Structure, seed: int, **options) -> Trace:
    """A game of up to twelve steps; every choice is drawn from `seed`. `options` go to the learner."""
    rng = np.random.default_rng(seed)
    steps, batch = int(rng.integers(1, 13)), int(rng.integers(1, 3))
    domain = _domain(K, rng)
    gradients = _gradients(K, rng, (steps, batch, *K.shape))
    largest = float(np.max(np.abs(gradients))) or 1.0
    diameter = 1.0 if domain is None else domain.on(K.shape).diameter(K)
    learner = AdaptiveRegularization(
        K,
        lr=diameter * float(rng.choice([2**-0.5, 10.0 ** rng.uniform(-2, 1)])),
        eps=float(rng.choice([0.0, 0.0, 1e-12, 1e-3])) * largest**2,
        domain=domain,
        **options,
    )
    comparator, x0 = _points(K, domain, rng, batch)
    if rng.random() < 0.5:
        _turn_against(learner, gradients, comparator, x0, rng)
    keep = bool(rng.random() < 0.5)
    return play(learner, FixedSequence(gradients), steps, batch=batch, x0=x0, comparator=comparator, keep_history=keep)


def _domain(K: Structure, rng: np.random.Generator):
    size = float(10.0 ** rng.uniform(-2, 2))
    choices = [None, Box(size), L2Ball(size), Simplex(size) if K.dim > 1 else None]
    if len(K.shape) == 2:
        choices.append(SpectralBall(size))
    return choices[rng.integers(len(choices))]


def _gradients(K: Structure, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Gaussian, dyadic, over many scales, along one line, one entry at a time, or mostly zero; at a scale from 1e-8 to 1e8."""
    per_step = (shape[0], 1, *[1] * len(K.shape))
    kind = rng.integers(6)
    gradients = rng.standard_normal(shape)
    if kind == 1:
        gradients = rng.integers(-1, 2, shape).astype(float)
    elif kind == 2:
        gradients = gradients * 10.0 ** rng.uniform(-5, 5, per_step)
    elif kind == 3:
        gradients = (
            rng.standard_normal(K.shape) * rng.choice([-1.0, 1.0], per_step) * 10.0 ** rng.uniform(-1, 1, per_step)
        )
        gradients = np.broadcast_to(gradients, shape).copy()
    elif kind == 4:
        place = rng.integers(K.dim, size=shape[:2])
        gradients = (np.arange(K.dim) == place[..., None]).reshape(shape) * gradients
    elif kind == 5:
        gradients = gradients * (rng.random(per_step) < 0.5)
    return gradients * 10.0 ** rng.uniform(-8, 8)


def _points(K: Structure, domain, rng: np.random.Generator, batch: int):
    """A comparator (None: the best in hindsight) and a start (None: the centre)."""
    if domain is None:
        return rng.standard_normal(K.shape) * 10.0 ** rng.uniform(-1, 1), None
    inside = domain.on(K.shape).project_euclidean(rng.standard_normal(K.shape) * domain.size)
    vertex = domain.on(K.shape).lmo(rng.standard_normal((batch, *K.shape)))
    return inside if rng.random() < 0.4 else None, vertex if rng.random() < 0.5 else None


def _turn_against(learner, gradients: np.ndarray, comparator, x0, rng: np.random.Generator) -> None:
    """Choose the signs of the gradients so that most inner products with x - u are positive."""
    batch, shape = gradients.shape[1], gradients.shape[2:]
    start = (
        learner.domain.start(shape, batch, np.zeros(())) if learner.domain is not None else np.zeros((batch, *shape))
    )
    state = learner.init(start if x0 is None else x0)
    u = comparator if comparator is not None else learner.domain.lmo(rng.standard_normal(shape))
    for t in range(len(gradients)):
        products = np.sum((gradients[t] * (state["x"] - u)).reshape(batch, -1), axis=-1)
        if rng.random() < 0.8:
            gradients[t] *= np.where(products < 0, -1.0, 1.0).reshape(-1, *[1] * len(shape))
        state = learner.step(state, gradients[t])
