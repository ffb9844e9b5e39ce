r"""Which structure to try first, from a problem or from gradients that were seen, within a memory limit.

.. math::
    \text{outside}(J) = \frac{\|A - E(A)\|_F^2}{\|A\|_F^2} \in [0, 1], \qquad
    \text{promise}(J) = \frac{4\Lambda_{\mathcal H} D_{\mathcal H}^2}{T}
    + \frac{2\sqrt2 D_{\mathcal H} \sigma_{\mathcal H}}{\sqrt T} \quad\text{or}\quad D_{\mathcal H}\, |||g_{1:T}|||_{\mathcal H} .

A is the problem's curvature, or the second moment of the gradients; the part of it that the structure does not see is the screen.
Among the structures short of all matrices with less than a tenth outside, the smallest promise wins; where there is none, the
smallest promise of all, and the choice says that it was not screened. The displacement behind D is a Newton step by conjugate
gradients. Where f does not do what its Hessian at the start says (Huber's loss far from the solution), it is a step with the
largest curvature A in its place; where the gradient vanishes, and for gradients alone, which do not show it, random and
isotropic. For gradients both norms are sums over pairs of
different steps, so that sampling noise does not count as structure that is missing.

This is a heuristic. The promise alone picked the winner where the Hessian lay in a candidate and lost by factors of 10 to 33
elsewhere; the state size is counted in numbers, not in bytes.

Source: derived here; the screen is what a small study of the promise left of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, prod

import numpy as np

from convex.smoothness.adaptive import envelope_smoothness
from convex.smoothness.candidates import candidates as all_candidates
from convex.smoothness.candidates import state_size, title
from convex.smoothness.compare import promised
from problems.smooth.base import SmoothProblem
from structures import Full, Structure
from structures.arrays import Array, asarray_like, namespace, require_finite, tree_map

__all__ = ["Choice", "Score", "choose_structure"]

OUTSIDE = 0.1  # the share of the Hessian that a screened structure may miss


@dataclass(frozen=True)
class Score:
    """What is known of one candidate."""

    structure: Structure
    promise: float  # comparable within one choice only
    outside: float  # share of the Hessian, or of the gradients' second moment, outside of the structure
    state: int


@dataclass(frozen=True)
class Choice:
    """The structure, and all the scores behind it, best promise first."""

    structure: Structure
    scores: tuple[Score, ...]
    screened: bool  # whether the structure nearly holds the curvature; if not, think of the diagonal as well
    warning: str = ""  # why the promises deserve less trust than usual

    def __repr__(self) -> str:
        lines = [f"{'structure':<16}{'promise':>12}{'outside':>10}{'state':>12}"]
        lines += [f"{title(s.structure):<16}{s.promise:>12.4g}{s.outside:>10.3f}{s.state:>12d}" for s in self.scores]
        word = (
            "the curvature is nearly in it" if self.screened else "nothing holds the curvature: not better than a guess"
        )
        said = [f"* {self.warning}"] if self.warning else []
        legend = "* outside: the part of the curvature that the structure cannot hold, of 1"
        return "\n".join([*lines, f"* chosen: {title(self.structure)}; {word}", legend, *said])


def choose_structure(
    source: SmoothProblem | Array,  # a problem, or gradients (T, *shape)
    candidates: Sequence[Structure] | None = None,
    memory_limit: int | None = None,  # most numbers that the preconditioner may keep
    *,
    x0: Array | None = None,  # (*shape) the start of a problem; None: 0
    horizon: int = 1000,
    probes: int = 16,  # random vectors: stochastic gradients, Hessian products, displacements
    seed: int = 0,
) -> Choice:
    """The choice.

    Raises ValueError for no candidate within the limit, gradients that are not (T, *shape) and finite, or a horizon below 1.
    """
    source = source if hasattr(source, "shape") else np.asarray(source)
    shape = source.shape if isinstance(source, SmoothProblem) else tuple(source.shape[1:])
    if not shape:
        raise ValueError(f"gradients must be (T, *shape), got shape {tuple(source.shape)}.")
    listed = all_candidates(shape) if candidates is None else list(candidates)
    if not listed:
        raise ValueError("at least one candidate is needed, got none.")
    allowed = [K for K in listed if memory_limit is None or state_size(K) <= memory_limit]
    if not allowed:
        raise ValueError(f"no candidate keeps at most {memory_limit} numbers; the smallest keeps {_smallest(listed)}.")
    if isinstance(source, SmoothProblem):
        scores, warning = _from_problem(source, allowed, x0, horizon, probes, seed)
    else:
        require_finite("gradients", source)
        scores, warning = _from_gradients(source, allowed, probes, seed), ""
    ranked = sorted(scores, key=lambda s: s.promise)
    inside = [s for s in ranked if s.outside <= OUTSIDE and not isinstance(s.structure, Full)]
    if ranked[0].promise == inf:
        warning = "; ".join(text for text in (warning, "no candidate has a finite promise") if text)
    return Choice((inside or ranked)[0].structure, tuple(ranked), bool(inside), warning)


def _smallest(listed: Sequence[Structure]) -> int | None:
    return min((state_size(K) for K in listed), default=None)


def _from_problem(
    problem: SmoothProblem, allowed: Sequence[Structure], x0: Array | None, horizon: int, probes: int, seed: int
) -> tuple[list[Score], str]:
    if horizon < 1:
        raise ValueError(f"the horizon must be at least 1, got {horizon!r}.")
    A = problem.curvature
    xp = namespace(A.like)
    start = xp.zeros(problem.shape, dtype=A.like.dtype, device=A.like.device) if x0 is None else x0
    noise = _noise_samples(problem, start, probes, seed)
    displacement, warning = _displacement(problem, start, seed)
    v = asarray_like(np.random.default_rng([seed, 1]).standard_normal((probes, *problem.shape)), A.like)
    image = A.apply(v)
    size = float(xp.max(xp.abs(image))) or 1.0  # squares of large curvatures overflow
    whole = float(xp.sum((image / size) ** 2))
    scores = []
    for K in allowed:
        missed = (image - K.apply(A.project(K), v)) / size
        smoothness = _smoothness(problem, K, seed)
        sigma = float(K.adaptive_norm(noise)) / probes**0.5
        promise = promised(smoothness, sigma, float(K.norm(displacement)), horizon)
        scores.append(Score(K, promise, _ratio(float(xp.sum(missed**2)), whole), state_size(K)))
    return scores, warning


def _smoothness(problem: SmoothProblem, K: Structure, seed: int) -> float:
    """Λ_H from above; inf where no method applies to this structure, which then is not chosen for its promise."""
    try:
        return envelope_smoothness(problem.envelope, K, seed=seed).upper
    except ValueError:
        return inf


def _from_gradients(G: Array, allowed: Sequence[Structure], probes: int, seed: int) -> list[Score]:
    """‖C‖² and ‖E(C)‖² of C = E g gᵀ without bias: sums over pairs of different steps, from Gram matrix and eigenvalues."""
    if G.shape[0] < 2:
        raise ValueError("at least two gradients are needed.")
    xp = namespace(G)
    flat = xp.reshape(G, (G.shape[0], prod(G.shape[1:])))
    scale = float(xp.max(xp.abs(flat))) or 1.0
    flat = flat / scale
    gram = flat @ xp.matrix_transpose(flat)
    energy = float(xp.sum(gram**2) - xp.sum(xp.linalg.diagonal(gram) ** 2))
    displacement = asarray_like(np.random.default_rng([seed, 2]).standard_normal((probes, *G.shape[1:])), G)
    scores = []
    for K in allowed:
        squares = K.outer(G / scale)
        total = tree_map(lambda c: namespace(c).sum(c, axis=0), squares)
        distance = float(xp.mean(K.norm(displacement)))
        inside = float(K.factor(total).trace(2)) - float(xp.sum(K.factor(squares).trace(2)))
        scores.append(Score(K, distance * float(K.adaptive_norm(G)), _ratio(energy - inside, energy), state_size(K)))
    return scores


def _displacement(problem: SmoothProblem, x: Array, seed: int) -> tuple[Array, str]:  # (*shape) -> (*shape), words
    """Where the minimiser may lie, seen from x, and what to think of it."""
    g, value = problem.gradient(x), float(problem.value(x))
    if not float(namespace(g).max(namespace(g).abs(g))) > 0:
        random = np.random.default_rng([seed, 2]).standard_normal(x.shape)
        return asarray_like(random, x), "the gradient at the start is 0: distances are those of a random displacement"
    step = newton_step(problem.hessian_product, x, g)
    promised_drop = -0.5 * float(namespace(g).sum(g * step))
    drop = value - float(problem.value(x + step))
    if promised_drop > 0 and 0.1 * promised_drop <= drop <= 10.0 * promised_drop:
        return step, ""
    said = (
        "f is not what its Hessian at the start says: distances are those of a step with the largest curvature, and a start "
        "nearer to the minimiser would show more"
    )
    return newton_step(lambda _, v: problem.curvature.apply(v), x, g), said


def newton_step(
    product: Callable[[Array, Array], Array],  # (x, v) -> ∇²f(x) v
    x: Array,  # (*shape)
    g: Array,  # (*shape) ∇f(x)
    steps: int = 50,
) -> Array:  # (*shape)
    """−∇²f(x)⁻¹ g by conjugate gradients, stopped at curvature that is not positive beside rounding; 0 where there is none."""
    xp = namespace(x)
    p, residual, direction = xp.zeros_like(x), -g, -g
    size = first = float(xp.sum(residual * residual))
    stiffest = 0.0
    for _ in range(steps):
        if not size > 1e-20 * first:
            break
        image = product(x, direction)
        curved, length = float(xp.sum(direction * image)), float(xp.sum(direction * direction))
        stiffest = max(stiffest, curved / length)
        if not curved > 1e-14 * stiffest * length:
            break
        p, residual = p + (size / curved) * direction, residual - (size / curved) * image
        before, size = size, float(xp.sum(residual * residual))
        direction = residual + (size / before) * direction
    return p


def _noise_samples(problem: SmoothProblem, x: Array, probes: int, seed: int) -> Array:  # -> (probes, *shape)
    """Stochastic gradients minus their mean."""
    wide = namespace(x).broadcast_to(x, (probes, *x.shape))
    draws = problem.noise(batch=probes, seed=seed).draw(1)[0]
    return problem.stochastic_gradient(wide, draws) - problem.gradient(x)


def _ratio(part: float, whole: float) -> float:
    """In [0, 1]; 0 when there is nothing."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
