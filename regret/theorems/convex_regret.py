r"""What the regret theorem says about convex losses themselves, at the horizons whose comparator was computed.

.. math::
    \sum_{s \le t} f_s(x_s) - f_s(u) \;\le\; \sum_{s \le t} \langle g_s, x_s - u\rangle \;\le\;
    \frac{D_t^2}{2\eta} \operatorname{Tr} H_t + \eta\,(\operatorname{Tr} H_t - d\sqrt\varepsilon)
    + \frac1\eta \sum_{s \le t} \delta_s,

the first step by convexity, and nothing else needs it. Convexity cannot be seen on a run; its consequence, the first
inequality at the comparator, can, and a run that breaks it is refused.

Source: derived here (docs/proofs/regret.md#convex-losses).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from problems.domains import Box
from regret.adversaries import HardSequence, PythonLoss
from regret.play import play
from regret.theorems import runs
from regret.theorems.budget import rounding_budget
from regret.theorems.structured_regret import StructuredRegret
from regret.trace import Trace
from structures import Diagonal
from structures.arrays import Array, namespace
from theory.theorem import Assumption, Check, Example

__all__ = ["ConvexRegret"]


def _subgradients(run: Trace) -> Check:
    if run.loss_regret is None or run.loss_regret_lower is None or run.loss_grid is None:
        return Check(
            None, 0.0, "no regret of the losses: the adversary's losses are linear, or their sum has no comparator"
        )
    linear = run.regret[run.loss_grid - 1]
    room = float(np.min(linear - run.loss_regret_lower))
    reason = f"the linear regret exceeds that of the losses by at least {room:.3g}"
    return Check(room >= 0, room, reason)


SUBGRADIENTS = Assumption(
    "subgradients",
    r"f_t \text{ convex},\ g_t \in \partial f_t(x_t): \quad f_t(u) \ge f_t(x_t) + \langle g_t, u - x_t\rangle",
    _subgradients,
)


class ConvexRegret(StructuredRegret):
    id = "convex-regret"
    title = "Regret of adaptive regularization on convex losses"
    statement = (
        r"\sum_{s \le t} f_s(x_s) - f_s(u) \le \frac{D_t^2}{2\eta} \operatorname{Tr} H_t + "
        r"\eta\,(\operatorname{Tr} H_t - d\sqrt\varepsilon) + \frac1\eta \sum_{s \le t} \delta_s "
        r"\qquad \text{for convex } f_s,\ u \in \mathcal X"
    )
    subject = "adaptive regularization with a well-structured set on convex losses, a grid of horizons"
    assumptions = (SUBGRADIENTS, *StructuredRegret.assumptions)
    axes = ("grid", "seed")

    def measured(self, run: Trace) -> np.ndarray:
        return _known(run, run.loss_regret)

    def measured_lower(self, run: Trace) -> np.ndarray:
        return _known(run, run.loss_regret_lower)

    def bound(self, run: Trace) -> np.ndarray:
        return super().bound(run)[_grid(run)]

    def budget(self, run: Trace) -> np.ndarray:
        return rounding_budget(run, super().bound(run))[_grid(run)]

    def trivial(self, run: Trace) -> np.ndarray | None:
        """The widths bound the linear regret, hence that of the losses."""
        return None if run.width_sum is None else run.width_sum[_grid(run)]

    def examples(self) -> Iterable[Example]:
        yield Example("hard sequence, as losses", _hard, near_tight=True)
        yield Example("distances from moving targets", partial(_targets, _distance, _distance_slope))

    def controls(self) -> Iterator[Example]:
        concave = partial(_targets, lambda t, x: -namespace(x).sum(x * x, axis=-1), lambda t, x: -2.0 * x)
        yield Example("a concave loss", concave, expect=("HYPOTHESIS_FAILED",), breaks="subgradients")
        yield from runs.misuse(
            "a gradient of a hundredth of its length", partial(_targets, _distance, _short_slope), "subgradients"
        )
        yield Example(
            "linear losses without values",
            partial(runs.signs, "AdaGrad", 20),
            expect=("INCONCLUSIVE",),
            breaks="subgradients",
        )


def _known(run: Trace, series: np.ndarray | None) -> np.ndarray:  # (L, B)
    # NaN where nothing was measured: the verdict is INCONCLUSIVE, with the reason.
    return np.full((1, run.batch), np.nan) if series is None else series


def _grid(run: Trace) -> np.ndarray:
    return np.zeros(1, dtype=int) if run.loss_grid is None else run.loss_grid - 1


def _hard() -> Trace:
    structure, domain, pattern = runs.MATCHED["AdaGrad"]
    game = HardSequence(pattern, 600)
    rows = game.sampler(np.random.default_rng(0))(600)
    losses = PythonLoss((4,), lambda t, x: x @ rows[t], lambda t, x: np.broadcast_to(rows[t], x.shape))
    return play(runs.tuned(structure, domain), losses, 600, x0=game.x0, comparator=game.comparator)


Loss = Callable[[int, Array], Array]


def _targets(value: Loss, slope: Loss) -> Trace:
    learner = runs.tuned(Diagonal((3,)), Box(1.0))
    return play(learner, PythonLoss((3,), value, slope), 100, comparator=np.full(3, 0.5))


def _target(t: int) -> float:
    """Three times at the comparator, then far on one side."""
    return 0.5 if t % 4 else -1.0


def _distance(t: int, x: Array) -> Array:  # (B, d) -> (B,)
    return namespace(x).sum(namespace(x).abs(x - _target(t)), axis=-1)


def _distance_slope(t: int, x: Array) -> Array:
    return namespace(x).sign(x - _target(t))


def _short_slope(t: int, x: Array) -> Array:
    return 0.01 * _distance_slope(t, x)
