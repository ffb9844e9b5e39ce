r"""``play``: the only online loop. A learner meets an adversary, and what theorems speak about is measured on the way.

.. math::
    x_1 \to g_1 \to x_2 \to g_2 \to \cdots \to g_T \to x_{T+1}, \qquad
    R_t = \sum_{s \le t} \langle g_s, x_s - u\rangle .

One pass, with memory for a few iterates and for the (T, B) numbers of the trace. The same seed gives the same trace, bit for
bit; element b of a batch plays the same game as a run of its own with ``first=b, batch=1``.

Source: the protocol of online convex optimization, Orabona, A modern introduction to online learning, ch. 1.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from regret.adversaries.base import Adversary
from regret.learners.base import Learner, require_start
from regret.meters.base import Meter, Recorder, Step
from regret.meters.convex_loss import ConvexLoss, default_grid
from regret.meters.geometry import AdaptiveNorm, Average, Distances, Feasibility, Scalars, Width
from regret.meters.history import History
from regret.meters.linear_regret import DiscountedRegret, DomainRegret, FixedRegret
from regret.progress import progress_bar
from regret.trace import Trace
from structures.arrays import Array, asarray_like, dtype_name, like, namespace, own, require_finite, to_numpy

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["play"]


def play(
    learner: Learner,
    adversary: Adversary,
    horizon: int,
    batch: int | None = None,  # 1, or what x0 or the adversary's arrays say
    seed: int = 0,
    x0: Array | None = None,  # (*shape) or (B, *shape); default: the domain's canonical point, or 0
    comparator: Array | None = None,  # (*shape) or (B, *shape); default: the best point of the domain in hindsight
    *,
    keep_history: bool = False,
    loss_grid: Sequence[int] | None = None,  # horizons at which convex losses get a comparator; default: about ten
    progress: bool | None = None,  # a progress bar; default: for long games on a terminal
    first: int = 0,  # index of the first batch element
) -> Trace:
    """Play a game of `horizon` steps and measure it.

    Namespace, dtype and device are those of `x0`, else of the adversary's arrays, else float64 NumPy. Regret is that of the
    linearised losses, against `comparator` or against the best point of the learner's domain at every horizon.

    Raises ValueError for a horizon or batch < 1, a seed < 0, shapes that do not fit, a horizon longer than the adversary
    can play, and for neither a domain nor a comparator; TypeError for something else than a learner and an adversary, and
    for arrays in half precision. A gradient that is not finite ends the game with an error that names the step, the
    batch element and the entry.
    """
    horizon, seed, first = _count("horizon", horizon, 1), _count("seed", seed, 0), _count("first", first, 0)
    _check_match(learner, adversary, horizon)
    x = _start(learner, adversary, batch, x0, first)
    u = _comparator(learner, comparator, x)
    grid = _grid(loss_grid, horizon)
    meters = _meters(learner, x, u, grid, horizon, keep_history)
    stream = adversary.start(x.shape[0], seed, x, first)
    state, recorder = learner.init(x), Recorder(meters, horizon, x)
    with progress_bar(horizon, progress) as bar:
        for t in range(horizon):
            x_t = state["x"]
            G = stream.gradient(t, x_t)
            state, metric = learner.advance(state, G)
            # The recorder looks at blocks of steps, by when a stream may have used its buffer for the next gradient.
            if recorder.add(Step(t, x_t, own(G), state, metric, stream)):
                bar.update(t + 1)
    if loss_grid is not None and "loss" not in recorder.series:
        raise ValueError(
            "loss_grid is for convex losses: this adversary's are linear, and their regret is exact anyway."
        )
    entries: dict[str, Any] = {}
    for meter in meters:
        meter.finish(state["x"])
        entries |= meter.fields(recorder.series)
    return Trace(
        learner=learner, seed=seed, first=first, meta=_labels(adversary, x),
        first_iterate=to_numpy(x), last_iterate=to_numpy(state["x"]), **_of_comparator(u, learner), **entries,
    )  # fmt: skip


def _meters(
    learner: Learner, x: Array, u: Array | None, grid: tuple[int, ...], horizon: int, keep_history: bool
) -> list[Meter]:
    """What is measured, given what the learner and the comparator are."""
    domain: Domain | None = learner.domain
    meters: list[Meter] = [Scalars(learner), Average(x), Feasibility(domain, x), ConvexLoss(grid, x, u, domain)]
    if u is not None:
        meters += [FixedRegret(u), Distances(learner, u)]
    elif domain is not None:
        meters += [DomainRegret(domain, x)]
    if domain is not None:
        meters += [Width(domain)]
    beta = getattr(learner, "beta", 1.0)
    if beta < 1:
        meters += [DiscountedRegret(beta, x, domain if u is None else None)]
    structure = getattr(learner, "structure", None)
    if structure is not None and "adaptive_norm" not in learner.scalars:
        meters += [AdaptiveNorm(structure, of_learner=_is_bare(learner))]
    return [*meters, History(x, horizon)] if keep_history else meters


def _is_bare(learner: Learner) -> bool:
    """Whether the learner's own Tr H_t is |||g_{1:t}|||: sums without ε."""
    return getattr(learner, "eps", None) == 0 and getattr(learner, "accumulate", None) == "cumulative"


def _check_match(learner: Learner, adversary: Adversary, horizon: int) -> None:
    if not isinstance(learner, Learner):
        raise TypeError(f"the learner must be one, such as AdaptiveRegularization(structure, lr=...); got {learner!r}.")
    if not isinstance(adversary, Adversary):
        raise TypeError(
            f"the adversary must be one, such as RandomSigns(shape), or FixedSequence(gradients) around an array of "
            f"yours; got a {type(adversary).__name__}."
        )
    if adversary.shape is not None and adversary.shape != learner.shape:
        raise ValueError(f"the learner's parameter has shape {learner.shape}, the adversary's {adversary.shape}.")
    if adversary.length is not None and horizon > adversary.length:
        raise ValueError(f"horizon={horizon}, but this adversary has {adversary.length} steps: {adversary!r}.")


def _start(learner: Learner, adversary: Adversary, batch: int | None, x0: Array | None, first: int) -> Array:
    """x_1 for every element, checked."""
    shape = learner.shape
    if x0 is None:
        size = _count("batch", (adversary.elements(shape) or 1) if batch is None else batch, 1)
        beside = _beside(adversary)
        domain: Domain | None = learner.domain
        if domain is not None:
            return require_start(domain.start(shape, size, beside), shape)
        return namespace(beside).zeros((size, *shape), **like(beside))
    x = np.asarray(x0, dtype=np.float64) if isinstance(x0, list | tuple | int | float) else own(x0)
    _require_precision("x0", x)
    return require_start(_batched("x0", x, shape, batch or adversary.elements(shape)), shape)


def _beside(adversary: Adversary) -> Array:
    """One number of the namespace, dtype and device that a game without x0 is played in."""
    prototype = adversary.prototype
    if prototype is None:
        return np.zeros((), dtype=np.float64)
    _require_precision("the adversary's array", prototype)
    return namespace(prototype).zeros((), **like(prototype))


def _require_precision(name: str, x: Array) -> None:
    """Sums of squares stop growing after a few hundred steps in half precision, so that no bound could be judged."""
    if dtype_name(x) in {"float16", "bfloat16"}:
        raise TypeError(f"{name} is {dtype_name(x)}: games are played in float64 or float32, so convert it first.")


def _batched(name: str, x: Array, shape: tuple[int, ...], batch: int | None) -> Array:  # -> (B, *shape)
    """`x` with a batch axis: copied for every element when it comes without one."""
    own = tuple(x.shape)
    if own == shape:
        return namespace(x).broadcast_to(x, (_count("batch", batch or 1, 1), *shape))
    if own[1:] != shape or (batch is not None and own[0] != batch):
        expected = f"{shape} or ({'batch' if batch is None else batch}, {', '.join(map(str, shape))})"
        raise ValueError(f"{name} has shape {own}, expected {expected}.")
    return x


def _comparator(learner: Learner, comparator: Array | None, x: Array) -> Array | None:  # -> (B, *shape)
    """The comparator beside `x`, or None for the best of the domain."""
    if comparator is None:
        if learner.domain is None:
            raise ValueError(
                "an unconstrained learner needs a comparator, because the best linear loss over the whole space is -∞: "
                "pass comparator=, or give the learner a domain."
            )
        return None
    fitting = asarray_like(comparator, x)
    require_finite("comparator", fitting)
    return namespace(x).asarray(_batched("comparator", fitting, learner.shape, x.shape[0]), copy=True)


def _of_comparator(u: Array | None, learner: Learner) -> dict[str, Any]:
    if u is None:
        return {}
    domain: Domain | None = learner.domain
    outside = np.zeros(u.shape[0]) if domain is None else to_numpy(domain.infeasibility(u)).astype(np.float64)
    return {"comparator": to_numpy(u), "comparator_infeasibility": outside}


def _grid(loss_grid: Sequence[int] | None, horizon: int) -> tuple[int, ...]:
    """The horizons of the convex comparators, increasing."""
    if loss_grid is None:
        return default_grid(horizon)
    grid = tuple(sorted({_count("loss_grid", t, 1) for t in loss_grid}))
    if not grid or grid[-1] > horizon:
        raise ValueError(f"loss_grid must be horizons from 1 to {horizon}, got {loss_grid!r}.")
    return grid


def _labels(adversary: Adversary, x: Array) -> dict[str, Any]:
    """What the trace says about a game beyond its numbers."""
    return {
        "adversary": repr(adversary),
        "oblivious": adversary.oblivious,
        "namespace": namespace(x).__name__.rsplit(".", 1)[-1],
        "dtype": dtype_name(x),
        "device": str(x.device),
    }


def _count(name: str, value: Any, least: int) -> int:
    """`value` as an integer ≥ least; raises ValueError or TypeError otherwise."""
    wrong = f"{name} must be an integer ≥ {least}, got {value!r}."
    try:
        number = operator.index(value)
    except TypeError as error:
        raise TypeError(wrong) from error
    if number < least:
        raise ValueError(wrong)
    return number
