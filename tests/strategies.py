"""Hard inputs for the laws: dyadic grids, on which ties and exact rank deficiency happen, and awkward spectra.

Entries come from a generator that hypothesis seeds: a dense matrix of draws would cost more than the law that it is for.
"""

from __future__ import annotations

import numpy as np
from backends import Backend
from hypothesis import strategies as st

from structures.base import Structure
from structures.full import Full
from structures.lemmas.equivariance import reflection
from structures.lemmas.instance import Instance, moved
from structures.registry import all_structures

STRUCTURES = all_structures()
REFLECTIONS = {K: reflection(K) for K in STRUCTURES}


def structures() -> st.SearchStrategy[Structure]:
    """Any example of any well-structured class."""
    return st.sampled_from(STRUCTURES)


@st.composite
def generators(draw: st.DrawFn) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@st.composite
def grids(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Quarters between -2 and 2, all, half or few of them nonzero: products and short sums of them are exact."""
    rng = draw(generators())
    return rng.integers(-8, 9, shape) / 4.0 * (rng.random(shape) < draw(st.sampled_from([1.0, 0.5, 0.1])))


@st.composite
def psd(draw: st.DrawFn, d: int) -> np.ndarray:
    """G Gᵀ of a dyadic G of any rank, or a rotated spectrum with zeros, repetitions and a condition number of 1e12."""
    if draw(st.booleans()):
        G = draw(grids((d, draw(st.integers(0, d)))))
        return G @ G.T
    rng = draw(generators())
    values = rng.choice([0.0, 1e-12, 1e-6, 1.0, 1.0, 4.0], d)
    values[0] = rng.choice([0.0, 1.0])
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    A = (Q * values) @ Q.T
    return 0.5 * (A + A.T)


@st.composite
def instances(draw: st.DrawFn, structure: Structure, backend: Backend) -> Instance:
    """One matrix instance of a structure, at a scale near 1 or at either end of the precision's range."""
    scale = draw(st.sampled_from([1.0, 1.0, 3e-3, *backend.scales.values()]))
    d, T = structure.dim, draw(st.integers(1, 3))
    M, increment, S = draw(psd(d)), draw(psd(d)), draw(grids((d, d)))
    x, y, *rows = draw(grids((2 + 2 * T, 1, *structure.shape)))
    damping = 10.0 ** -draw(st.integers(0, 6 if backend.dtype == "float64" else 1))
    run = Instance(
        structure,
        M=scale * (scale * M[None]),
        N=scale * (scale * (M + increment)[None]),
        S=(S + S.T)[None],
        X=scale * x,
        Y=scale * y,
        gradients=scale * np.stack(rows[:T]),
        points=scale * np.stack(rows[T:]),
        eps=np.asarray([scale * (scale * damping)]),
        finer=Full(structure.shape),
        Q=REFLECTIONS[structure],
    )
    return moved(run, backend.like)
