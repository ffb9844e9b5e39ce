"""A structure that stays with the dense defaults has to tell its rank, and nothing else about its spectrum."""

import numpy as np
import pytest

from structures import LeftKronecker
from structures.arrays import Array, eye, namespace
from structures.base import Structure
from structures.jordan import jordan_check


class Multiples(Structure):
    """Multiples of the identity, written as d×d matrices: one eigenvalue, which a dense factor keeps d times."""

    @property
    def rank(self) -> int:
        return 1

    def project(self, M: Array) -> Array:
        S = self._symmetric(M)
        return namespace(S).linalg.trace(S)[..., None, None] / self.dim * eye(self.dim, S)

    def dense(self, c: Array) -> Array:
        return c


@pytest.mark.parametrize("K", [Multiples((3,)), Multiples((2, 2))], ids=str)
def test_a_dense_factor_keeps_d_eigenvalues_whatever_the_rank_is(K):
    factor = K.factor(K.identity(np.zeros(K.shape)))
    assert factor.values.shape[-1] == K.spectrum_size == len(factor.weights) == K.dim
    assert jordan_check(K).ok and K.rank == 1


def test_a_factor_of_its_own_keeps_as_many_as_the_rank():
    assert LeftKronecker((2, 3)).spectrum_size == LeftKronecker((2, 3)).rank == 2
