r"""What a smooth problem declares, tried on points and directions: an honest problem survives, a lying one is told how.

.. math::
    \frac{f(x + hv) - f(x - hv)}{2h} \approx \langle \nabla f(x), v\rangle, \qquad
    |\langle v, \nabla^2 f(x) v\rangle| \le \langle v, A v\rangle, \qquad
    \mathbb E g(x, \omega) = \nabla f(x), \qquad
    \mathbb E \langle v, g - \nabla f\rangle^2 \le \langle v, \Sigma v\rangle, \qquad f(x) \ge \underline f .

Up to 64 parameters the two matrix inequalities are looked at in all directions, otherwise where Lanczos leads from a random one.
The stream has to draw the listed outcomes as often as they are probable, and independently. Means are exact where
one step has finitely many outcomes; otherwise they are those of 4000 draws, with an allowance of six standard errors.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from problems.domains import Domain
from problems.operators import HessianOperator, SymmetricOperator
from problems.operators.ritz import largest_ritz
from problems.smooth.base import SmoothProblem
from problems.smooth.drawn import above_rounding, departure, dependence, known_variance
from structures.arrays import to_numpy

__all__ = ["audit"]

DENSE_UP_TO = 64
DRAWS = 4000
SHORTER = (1.0, 1e-2, 1e-4)  # of that: curvature may change within 1e-5, where a row of the data is long
DIFFERENCE = 1e-5  # step of a central difference; its error is about 1e-10 relative and rounding 1e-11 over it


def audit(
    problem: SmoothProblem,
    domain: Domain | None = None,  # where the noise covariance is asked for; points are moved into it
    points: int = 4,
    seed: int = 0,
) -> list[str]:
    """What was found wrong, in words; empty for a problem that kept every promise at the points that were tried."""
    host = problem.beside(np.zeros(1))
    said = list(_of_the_form(host))
    if said:  # nothing else can be computed from it
        return said
    rng = np.random.default_rng(seed)
    spread = [0.1, 1.0, 10.0]
    places = [spread[k % 3] * rng.standard_normal(host.shape) for k in range(points)]
    if domain is not None:
        places = [domain.on(host.shape).project_euclidean(x) for x in places]
    found = dict.fromkeys(message for x in places for message in _at(host, x, domain, rng))
    return [*found, *_of_the_batch(host, np.stack(places)), *_of_the_whole(host)]


def _of_the_form(host: SmoothProblem) -> Iterator[str]:
    """Shapes, and that there are numbers."""
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((2, *host.shape))
    parts = {"value": (host.value(x), ()), "gradient": (host.gradient(x), host.shape)}
    parts["Hessian product"] = (host.hessian_product(x, v), host.shape)
    if host.solution is not None:
        parts["solution"] = (host.solution, host.shape)
    for name, (found, shape) in parts.items():
        if np.shape(found) != shape:
            yield f"the {name} has shape {np.shape(found)} and not {shape}"
        elif not np.all(np.isfinite(found)):
            yield f"the {name} is not finite"


def _of_the_batch(host: SmoothProblem, places: np.ndarray) -> Iterator[str]:  # (k, *shape)
    """Whether a batch is its elements, one by one."""
    v = np.random.default_rng(9).standard_normal(places.shape)
    for name, call, arguments in (
        ("value", host.value, (places,)),
        ("gradient", host.gradient, (places,)),
        ("Hessian product", host.hessian_product, (places, v)),
    ):
        alone = np.stack([call(*each) for each in zip(*arguments, strict=True)])
        together = np.asarray(call(*arguments))
        size = float(np.max(np.abs(alone))) + 1e-300
        if together.shape != alone.shape or not np.max(np.abs(together - alone)) <= 1e-9 * size:
            yield f"the {name} of a batch is not that of its elements"


def _at(host: SmoothProblem, x: np.ndarray, domain: Domain | None, rng: np.random.Generator) -> Iterator[str]:
    v = rng.standard_normal(host.shape)
    v = v / np.linalg.norm(v)
    steps = [shorter * DIFFERENCE * (1.0 + float(np.linalg.norm(x))) for shorter in SHORTER]
    if all(_gradient_off(host, x, v, h) for h in steps):
        yield "the gradient is not the derivative of the value"
    if all(_product_off(host, x, v, h) for h in steps):
        yield "the Hessian product is not the derivative of the gradient"
    yield from _curvature(host, x, v)
    yield from _noise(host, x, v, domain)
    low, high = host.minimum
    if float(host.value(x)) < low - 1e-9 * (1.0 + abs(low)):
        yield "the value falls below the declared minimum"
    h = steps[0]
    middle = 0.5 * (float(host.value(x + h * v)) + float(host.value(x - h * v)))
    if host.convex and float(host.value(x)) > middle + 1e-12 * (1.0 + abs(middle)):
        yield "the function is not convex"


def _gradient_off(host: SmoothProblem, x: np.ndarray, v: np.ndarray, h: float) -> bool:
    gradient, ends = host.gradient(x), (host.value(x + h * v), host.value(x - h * v))
    scale = float(np.linalg.norm(gradient)) + host.smoothness * h + 1e-10 * float(np.abs(ends[0])) / h
    return not abs(float(ends[0] - ends[1]) / (2 * h) - float(np.sum(gradient * v))) <= 1e-5 * scale


def _product_off(host: SmoothProblem, x: np.ndarray, v: np.ndarray, h: float) -> bool:
    difference = (host.gradient(x + h * v) - host.gradient(x - h * v)) / (2 * h)
    allowed = 1e-4 * host.smoothness + 1e-10 * float(np.linalg.norm(host.gradient(x))) / h
    return not np.linalg.norm(difference - host.hessian_product(x, v)) <= allowed


def _curvature(host: SmoothProblem, x: np.ndarray, v: np.ndarray) -> Iterator[str]:
    A, hessian = host.curvature, HessianOperator(host, x)
    if np.linalg.norm(A.apply(v)) > host.smoothness * (1.0 + 1e-9):
        yield "the smoothness constant is below a stretch of the curvature"
    if not (_below(hessian, A, v, 1.0) and _below(hessian, A, v, -1.0)):
        yield "the Hessian leaves the declared curvature"
    if host.convex and not _below(None, hessian, v, 1.0):
        yield "the function is not convex"


def _below(low: SymmetricOperator | None, high: SymmetricOperator, v: np.ndarray, sign: float) -> bool:
    """Sign · low ⪯ high up to rounding; low = None is 0."""
    slack = 1e-9 * (high.norm_bound if not isinstance(high, HessianOperator) else 1.0)
    if high.dim > DENSE_UP_TO:
        left = 0.0 if low is None else sign * float(np.sum(v * low.apply(v)))
        top = largest_ritz(lambda u: (0.0 if low is None else sign * low.apply(u)) - high.apply(u), high.shape)
        return left <= float(np.sum(v * high.apply(v))) + slack and top <= slack
    difference = to_numpy(high.dense()) - (0.0 if low is None else sign * to_numpy(low.dense()))
    return float(np.linalg.eigvalsh(difference)[0]) >= -slack - 1e-12 * float(np.max(np.abs(difference)))


def _noise(host: SmoothProblem, x: np.ndarray, v: np.ndarray, domain: Domain | None) -> Iterator[str]:
    outcomes, covariance = host.outcomes(), host.noise_covariance(domain)
    if outcomes is None:
        draws, p = host.noise(seed=11).draw(DRAWS)[:, 0], np.full(DRAWS, 1.0 / DRAWS)
    else:
        draws, p = outcomes
        if abs(float(np.sum(p)) - 1.0) > 1e-9:
            yield "the outcomes' probabilities do not sum to 1"
    gradient = host.gradient(x)
    errors = host.stochastic_gradient(np.broadcast_to(x, (len(p), *host.shape)), draws) - gradient
    flat = errors.reshape(len(p), -1)
    allowed = 6.0 / DRAWS**0.5 if outcomes is None else 1e-9
    size = float(np.sqrt(p @ np.sum(flat**2, axis=1))) + 1e-3 * float(np.linalg.norm(gradient)) + 1e-12
    if np.linalg.norm(p @ flat) > allowed * size:
        yield "the stochastic gradient is biased"
    if covariance is None:
        return
    along = flat @ v.reshape(-1)
    seen, declared = float(p @ along**2), float(covariance.quadratic(v))
    error = 6.0 * float(np.std(along**2)) / DRAWS**0.5 if outcomes is None else 1e-9 * (declared + 1e-300)
    if seen > declared + error or (host.exact_covariance and seen < declared - error):
        yield "the noise is not what the declared covariance says"
    if outcomes is not None and host.dim <= DENSE_UP_TO:
        difference = to_numpy(covariance.dense()) - flat.T @ (p[:, None] * flat)
        if float(np.linalg.eigvalsh(difference)[0]) < -1e-9 * (covariance.norm_bound + 1e-300):
            yield "the noise is not what the declared covariance says"


def _of_the_whole(host: SmoothProblem) -> Iterator[str]:
    """What needs no point."""
    x, (low, high) = host.solution, host.minimum
    top = host.curvature.norm_bound
    if host.dim <= DENSE_UP_TO:
        top = float(np.linalg.eigvalsh(to_numpy(host.curvature.dense()))[-1])
    if not host.smoothness >= top * (1.0 - 1e-9):
        yield "the smoothness constant is below the curvature's largest eigenvalue"
    if x is not None:
        if not float(host.value(x)) >= low - 1e-9 * (1.0 + abs(low)):
            yield "the value at the solution is below the declared minimum"
        gradient = float(np.linalg.norm(host.gradient(x)))
        if gradient > 1e-7 * (host.smoothness * (1.0 + float(np.linalg.norm(x)))):
            yield "the gradient does not vanish at the solution"
        if float(host.value(x)) > high + 1e-9 * (1.0 + abs(high)):
            yield "the solution is above the declared minimum"
    at = host.curvature_point
    if at is not None and host.dim <= DENSE_UP_TO and len(host.envelope) == 1:
        missing = to_numpy(host.curvature.dense()) - to_numpy(HessianOperator(host, at).dense())
        if np.max(np.abs(missing)) > 1e-9 * host.smoothness:
            yield "the Hessian at the curvature's point is not the curvature"
    wide, narrow = host.noise(batch=3, seed=5), host.noise(batch=1, seed=5, first=2)
    if not np.array_equal(wide.draw(4)[:, 2:], np.concatenate([narrow.draw(1), narrow.draw(3)])):
        yield "a run's randomness depends on the batch, or on how its steps are asked for"
    yield from _stream(host)


def _stream(host: SmoothProblem) -> Iterator[str]:
    """Whether the stream draws what the outcomes say, each time anew."""
    draws, outcomes, covariance = host.noise(batch=4, seed=7).draw(256), host.outcomes(), host.noise_covariance(None)
    if outcomes is not None:
        said = departure(draws, outcomes)
        if said:
            yield f"the stream does not draw the listed outcomes independently: {said}"
    elif covariance is not None:
        x = np.zeros(host.shape)
        seen = host.stochastic_gradient(np.broadcast_to(x, (*draws.shape[:2], *host.shape)), draws)
        noise = above_rounding(seen - host.gradient(x), seen).reshape(*draws.shape[:2], host.dim)
        if dependence(noise, known_variance(covariance)) > 1.0:
            yield "the stream's draws are not independent"
    if draws.size and np.array_equal(draws, host.noise(batch=4, seed=8).draw(256)):
        ways = (
            1
            if outcomes is None
            else len(np.unique(np.asarray(outcomes.draws).reshape(len(outcomes.draws), -1), axis=0))
        )
        if outcomes is None or ways > 1:
            yield "the stream does not depend on its seed"
