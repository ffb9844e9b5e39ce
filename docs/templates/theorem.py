r"""Template: the trace of the preconditioner grows at most like the root of the gradients' energy.

.. math:: \operatorname{Tr} H_T \le \sqrt{d\,\operatorname{Tr} M_T}, \qquad M_T = \varepsilon I + \sum_t g_t g_t^\top.

Proof: Cauchy-Schwarz for eigenvalues, :math:`\operatorname{Tr} H \le \sqrt d\,\|H\|_F`, and :math:`\|P_{\mathcal H}(M)\|_F^2 =
\operatorname{Tr} E(M) = \operatorname{Tr} M`.

Source: derived here, as a template.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from regret import AdaptiveRegularization, FixedSequence, Trace, play
from structures import Diagonal, LeftKronecker, Structure
from structures.arrays import tolerance
from theory.citation import Citation
from theory.theorem import Assumption, Check, Example, Kind, Theorem

__all__ = ["TraceGrowth"]


def _is_cumulative(trace: Trace) -> Check:
    ok = trace.learner.accumulate == "cumulative"
    return Check(ok, 1.0 if ok else -1.0, f"the learner accumulates by {trace.learner.accumulate!r}")


class TraceGrowth(Theorem):
    """Tr H_T ≤ sqrt(d Tr M_T)."""

    id = "trace-growth"
    title = "The trace of the preconditioner"
    kind = Kind.PATHWISE
    source = Citation("derived", "docs/templates/theorem.py", "derived")
    statement = r"\operatorname{Tr} H_T \le \sqrt{d \, \operatorname{Tr} M_T}"
    subject = "adaptive regularization with any well-structured set"
    assumptions = (Assumption("cumulative", r"M_t = M_{t-1} + g_t g_t^\top", _is_cumulative),)

    def measured(self, trace: Trace) -> np.ndarray:  # (T, B)
        return trace.trace_root

    def bound(self, trace: Trace) -> np.ndarray:  # (T, B)
        d, energy = trace.structure.dim, np.cumsum(trace.scalars["gradient_norm"] ** 2, axis=0)
        return np.sqrt(d * (d * trace.learner.eps + energy))

    def budget(self, trace: Trace) -> np.ndarray:  # (T, B)
        return tolerance(self.bound(trace), trace.horizon * trace.structure.dim) * self.bound(trace)

    def examples(self) -> Iterable[Example]:
        # Gradients of equal size in every direction would make all eigenvalues equal, and Cauchy-Schwarz an equality.
        rounds = np.tile(np.diag([1.0, 1.0, 1.0, 0.9]), (8, 1))
        yield Example("one-hot rounds", lambda: _game(Diagonal((4,)), rounds), near_tight=True)
        yield Example("random", lambda: _game(LeftKronecker((2, 3)), np.random.default_rng(0).normal(size=(20, 2, 3))))

    def controls(self) -> Iterable[Example]:
        # A weighted sum forgets, so that the energy of all gradients says too much: still true, but not this theorem.
        yield Example(
            "forgetting", lambda: _game(Diagonal((4,)), np.tile(np.eye(4), (8, 1)), accumulate="weighted", beta=0.9),
            breaks="cumulative", expect=("HYPOTHESIS_FAILED",),
        )  # fmt: skip


def _game(structure: Structure, gradients: np.ndarray, **kwargs: Any) -> Trace:
    learner = AdaptiveRegularization(structure, lr=0.1, eps=0.0, **kwargs)
    origin = np.zeros((1, *structure.shape))
    return play(learner, FixedSequence(gradients), horizon=len(gradients), x0=origin, comparator=origin)
