r"""Every fast operation on coordinates agrees with the same operation on the dense matrix."""

from __future__ import annotations

from collections.abc import Iterable

from structures.arrays import Array, eye, namespace, tolerance, tree_map
from structures.base import Structure
from structures.lemmas.assumptions import DECLARED
from structures.lemmas.dual_vector import dual_error, unit
from structures.lemmas.instance import Instance, make_instance
from structures.lemmas.law import Law, Sides, derived, flat, misuse, project
from structures.lemmas.rounding import positive_or_one, row_norm
from structures.lemmas.sequence import adaptive_error, second_moment
from structures.not_structured import TextbookOneSided
from structures.roots import eigh, matrix_power
from theory.theorem import Example, Kind

__all__ = ["FastPath"]


class FastPath(Law):
    id = "fast-path"
    title = "Operations on coordinates agree with dense ones"
    kind = Kind.EXACT
    source = derived("fast-path")
    statement = (
        r"\text{outer, identity, apply, trace, power, factor and the norms of coordinates } c \text{ equal } "
        r"E(gg^\top),\ I,\ Cx,\ \operatorname{Tr} C,\ C^p,\ \langle x, C^p x\rangle \text{ of the matrix } C, "
        r"\lambda_{\max}(E(xx^\top))^{1/2},\ \operatorname{Tr} E(\textstyle\sum_t g_t g_t^\top)^{1/2}"
    )
    subject = "a structure's overrides against the dense defaults"
    assumptions = (DECLARED,)

    def sides(self, run: Instance) -> Sides:
        K, xp = run.structure, namespace(run.M)
        u, v = unit(K, run.X)[0], unit(K, run.Y)[0]
        eps = 1.0 / 16.0  # the statistic below has condition number at most 17, so negative powers keep their digits
        M = run.M / positive_or_one(row_norm(run.M))[..., None, None] + eps * eye(K.dim, run.M)
        y = K.unflatten(v)
        largest = positive_or_one(xp.max(xp.abs(K.flatten(run.gradients)), axis=(0, -1)))
        g = K.unflatten(K.flatten(run.gradients) / largest[..., None])
        sound = [*_operations(K, M, u), *_powers(K, M, u)]
        singular = [
            (K.dual_norm(y)[..., None], _trace_root(K, v[..., :, None] * v[..., None, :])),
            (K.adaptive_norm(g)[..., None], _trace_root(K, second_moment(K, g))),
        ]
        measured, bound = (xp.concat([pair[side] for pair in sound + singular], axis=-1) for side in (0, 1))
        rounding = K.dim * tolerance(M, K.dim, 17.0**2)  # c^{-1} has norm 16 and condition number 17
        halved = 2.0 * xp.stack([dual_error(K, y), adaptive_error(K, g)], axis=-1)  # roots lose half the digits
        return Sides(measured, bound, xp.concat([0.0 * measured[..., :-2] + rounding, halved], axis=-1))

    def controls(self) -> Iterable[Example]:
        yield from misuse("a statistic without 1/n", make_instance(TextbookOneSided((2, 3))), "declared")


def _trace_root(K: Structure, M: Array) -> Array:  # (B, d, d) -> (B, 1)
    """Tr E(M)^{1/2} through the dense matrix."""
    root = matrix_power(project(K, M), 0.5)
    return namespace(root).linalg.trace(root)[..., None]


def _operations(K: Structure, M: Array, u: Array) -> list[tuple[Array, Array]]:
    """What needs no eigenvalues."""
    xp = namespace(M)
    c = K.project(M)
    C = K.dense(c)
    x = K.unflatten(u)
    square = u[..., :, None] * u[..., None, :]
    doubled = K.dense(tree_map(lambda a: 2.0 * a, c))
    return [
        (flat(K.dense(K.outer(x))), flat(project(K, square))),
        (flat(K.dense(K.identity(u)) + 0.0 * C), flat(eye(K.dim, u) + 0.0 * C)),
        (K.flatten(K.apply(c, x)), (C @ u[..., None])[..., 0]),
        (K.trace(c)[..., None], xp.linalg.trace(C)[..., None]),
        (flat(doubled), flat(2.0 * C)),
        ((K.norm(x) ** 2)[..., None], eigh(project(K, square))[0][..., -1:]),
    ]


def _powers(K: Structure, M: Array, u: Array) -> list[tuple[Array, Array]]:
    """What a factor offers, on a well-conditioned statistic."""
    c = K.project(M)
    C = K.dense(c)
    x, factor = K.unflatten(u), K.factor(c)
    pairs = []
    for p in (0.5, -0.5, -1.0, 1.0):
        dense = matrix_power(C, p)
        xp = namespace(C)
        pairs += [
            (flat(K.dense(K.power(c, p))), flat(dense)),
            (flat(K.dense(factor.power(p))), flat(dense)),
            (K.flatten(factor.apply(p, x)), (dense @ u[..., None])[..., 0]),
            (factor.trace(p)[..., None], xp.linalg.trace(dense)[..., None]),
            (factor.quad(p, x)[..., None], xp.sum(u * (dense @ u[..., None])[..., 0], axis=-1, keepdims=True)),
        ]
    return [*pairs, (K.trace(K.root(c))[..., None], factor.trace(0.5)[..., None])]
