r"""More structure means a smaller norm of the parameter and larger norms of the gradients: the trade-off of the theory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from structures.arrays import namespace, tolerance
from structures.axis_scalar import RowScalar
from structures.diagonal import Diagonal
from structures.full import Full
from structures.lemmas.assumptions import NESTED, WELL_STRUCTURED
from structures.lemmas.dual_vector import dual_error, unit
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, misuse
from structures.lemmas.nesting import nested, pairs
from structures.lemmas.sequence import adaptive_error
from theory.theorem import Example, Kind

__all__ = ["NestedNorms"]


class NestedNorms(Law):
    id = "nested-norms"
    title = "More structure: smaller parameters, larger gradients"
    kind = Kind.PATHWISE
    source = derived("l9")
    statement = (
        r"J_1 \subseteq J_2 \implies \|x\|_{\mathcal H_1} \le \|x\|_{\mathcal H_2}, \quad "
        r"\|y\|_{\mathcal H_2,*} \le \|y\|_{\mathcal H_1,*}, \quad |||g|||_{\mathcal H_2} \le |||g|||_{\mathcal H_1}"
    )
    subject = "two nested structures on one parameter"
    assumptions = (NESTED, WELL_STRUCTURED)

    def sides(self, run: Instance) -> Sides:
        (coarse, fine), xp = run.pair, namespace(run.X)
        x, y = (coarse.unflatten(unit(coarse, A)[0]) for A in (run.X, run.Y))
        largest = xp.max(xp.abs(coarse.flatten(run.gradients)), axis=(0, -1))
        g = coarse.flatten(run.gradients) / xp.where(largest > 0, largest, xp.ones_like(largest))[..., None]
        g = coarse.unflatten(g)
        measured = xp.stack([coarse.norm(x), fine.dual_norm(y), fine.adaptive_norm(g)], axis=-1)
        bound = xp.stack([fine.norm(x), coarse.dual_norm(y), coarse.adaptive_norm(g)], axis=-1)
        budget = xp.stack(
            [
                0.0 * measured[..., 0] + tolerance(x, coarse.dim),
                dual_error(coarse, y) + dual_error(fine, y),
                adaptive_error(coarse, g) + adaptive_error(fine, g),
            ],
            axis=-1,
        )
        return Sides(measured, bound, budget)

    def examples(self) -> Iterable[Example]:
        for coarse, fine in pairs():
            yield Example(f"{coarse} in {fine}", partial(nested, coarse, fine))
        yield Example("rows of nearly one size", _nearly_equal, near_tight=True)

    def controls(self) -> Iterable[Example]:
        yield from misuse("the order is turned round", nested(Full((2, 2)), Diagonal((2, 2))), "nested")


def _nearly_equal() -> Instance:
    run = make_instance(RowScalar((2, 3)), ("generic",))
    signs = np.asarray([[1.0, -1.0, 1.1], [0.9, 1.0, -1.05]])
    return replace(run, finer=Diagonal((2, 3)), X=signs[None], Y=signs[None], gradients=signs[None, None])
