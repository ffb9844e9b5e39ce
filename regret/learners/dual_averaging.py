r"""Dual averaging (follow the regularized leader) with a structured preconditioner: the sum of all gradients decides.

.. math::
    x_{t+1} = \operatorname*{argmin}_{x \in \mathcal X} \langle S_t, x\rangle + \tfrac{1}{2\eta}\|x - x_1\|_{H_t}^2
            = \Pi_{\mathcal X}^{H_t}\bigl(x_1 - \eta H_t^{-1} S_t\bigr), \qquad S_t = \textstyle\sum_{s \le t} g_s,

with :math:`H_t = P_{\mathcal H}(\varepsilon I + \sum_{s \le t} g_s g_s^\top)`. Unlike adaptive regularization it forgets where it
has been clipped. On a ball around :math:`x_1 = 0` (scalar structure) or a box (diagonal), with η the radius in the norm of
the structure, its regret is at most :math:`D\,|||g_{1:T}|||_{\mathcal H}`: the constant is 1 where adaptive regularization
has :math:`\sqrt2`.

Source: Xiao 2010 (dual averaging) and McMahan, Streeter 2010 (adaptive regularizers), remembered; the constant is derived here,
docs/proofs/dual-averaging.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from regret.learners.adaptive import AdaptiveRegularization, FactorMetric, dropped
from regret.learners.base import Learner, Metric, State, inner, per_element, require_gradient
from structures.arrays import Array, like, namespace, tree_map
from structures.base import Structure

if TYPE_CHECKING:
    from problems.domains import Domain

__all__ = ["DualAveraging"]

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class DualAveraging(Learner):
    """x ← Π_X^{H}(x₁ - lr · H⁻¹ Σ g) with H = P_H of the accumulated gradients, the current one included.

    Arguments, errors and the scalars of a state are those of `AdaptiveRegularization`; ``dropped`` is ‖P S_t‖₂, what the
    pseudo-inverse does not see of the sum. x0 is the centre of the regularizer.
    """

    structure: Structure
    lr: float | tuple[float, ...]
    eps: float = 0.0
    domain: Domain | None = None
    shape: tuple[int, ...] = field(init=False, repr=False)

    scalars: ClassVar[tuple[str, ...]] = AdaptiveRegularization.scalars

    def __post_init__(self) -> None:
        checked = AdaptiveRegularization(self.structure, self.lr, self.eps, self.domain)
        for name in ("lr", "eps", "domain", "shape"):
            object.__setattr__(self, name, getattr(checked, name))

    def norms(self) -> dict[str, Callable[[Array], Array]]:
        return {"structure": self.structure.norm, **super().norms()}

    def init(self, x0: Array) -> State:  # (B, *shape)
        state = AdaptiveRegularization(self.structure, self.lr, self.eps, self.domain).init(x0)
        xp = namespace(state["x"])
        return {**state, "centre": xp.asarray(state["x"], copy=True), "sum": xp.zeros_like(state["x"])}

    def advance(self, state: State, G: Array) -> tuple[State, Metric]:  # (B, *shape)
        require_gradient(state, G)
        statistic = tree_map(lambda c, g: c + g, state["statistic"], self.structure.outer(G))
        factor, S = self.structure.metric(statistic), state["sum"] + G
        Y = state["centre"] - per_element(self.lr, G) * factor.apply(-HALF, S)
        if self.domain is None:
            X, gap = Y, namespace(Y).zeros(Y.shape[0], **like(Y))
        else:
            X, gap = self.domain.project(Y, factor, start=state["x"])
        new = {
            "x": X, "t": state["t"] + 1, "statistic": statistic, "sum": S,
            "centre": namespace(X).asarray(state["centre"], copy=True),
            "trace_root": factor.trace(HALF), "q": inner(G, factor.apply(-HALF, G)), "gap": gap,
            "dropped": dropped(factor, S),
        }  # fmt: skip
        return new, FactorMetric(factor)
