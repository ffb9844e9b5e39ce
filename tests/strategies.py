"""Hard inputs for the laws: dyadic grids, on which ties and exact rank deficiency happen, and awkward spectra."""

from __future__ import annotations

import numpy as np
from backends import Backend
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from structures.base import Structure
from structures.full import Full
from structures.lemmas.equivariance import reflection
from structures.lemmas.instance import Instance, moved
from structures.registry import all_structures

STRUCTURES = all_structures()


def structures() -> st.SearchStrategy[Structure]:
    """Any example of any well-structured class."""
    return st.sampled_from(STRUCTURES)


def grid(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Quarters between -2 and 2: products and short sums of them are exact."""
    return hnp.arrays(float, shape, elements=st.integers(-8, 8).map(lambda k: k / 4.0), fill=st.just(0.0))


@st.composite
def psd(draw: st.DrawFn, d: int) -> np.ndarray:
    """G Gᵀ of a dyadic G of any rank, or a rotated spectrum with zeros, repetitions and a condition number of 1e12."""
    if draw(st.booleans()):
        G = draw(grid((d, draw(st.integers(0, d)))))
        return G @ G.T
    values = draw(hnp.arrays(float, (d,), elements=st.sampled_from([0.0, 1e-12, 1e-6, 1.0, 1.0, 4.0])))
    v = draw(grid((d,)))
    size = float(v @ v)
    reflection = np.eye(d) - (2.0 / size if size else 0.0) * np.outer(v, v)
    A = (reflection * values) @ reflection.T
    return 0.5 * (A + A.T)


@st.composite
def instances(draw: st.DrawFn, structure: Structure, backend: Backend) -> Instance:
    """One matrix instance of a structure, at a scale near 1 or at either end of the precision's range."""
    scale = draw(st.sampled_from([1.0, 1.0, 3e-3, *backend.scales.values()]))
    d, T = structure.dim, draw(st.integers(1, 3))
    M, increment, S = draw(psd(d)), draw(psd(d)), draw(grid((d, d)))
    damping = 10.0 ** -draw(st.integers(0, 6 if backend.dtype == "float64" else 1))
    run = Instance(
        structure,
        M=scale * (scale * M[None]),
        N=scale * (scale * (M + increment)[None]),
        S=(S + S.T)[None],
        X=scale * draw(grid((1, *structure.shape))),
        Y=scale * draw(grid((1, *structure.shape))),
        gradients=scale * draw(grid((T, 1, *structure.shape))),
        points=scale * draw(grid((T, 1, *structure.shape))),
        eps=np.asarray([scale * (scale * damping)]),
        finer=Full(structure.shape),
        Q=reflection(structure),
    )
    return moved(run, backend.like)
