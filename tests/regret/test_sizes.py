"""A shape is a tuple of positive integers, and what is not one is refused in words."""

import numpy as np
import pytest

from problems.domains import Box
from regret import OnlineGradientDescent, RandomSigns, TwoSidedShampoo
from structures import BlockDiagonal, Diagonal, Layerwise, LeftKronecker, Scalar
from structures.arrays import positive_sizes

MAKERS = [
    Diagonal, LeftKronecker, lambda shape: Layerwise([shape]), lambda shape: BlockDiagonal([shape]), RandomSigns,
    Box(1.0).on, lambda shape: OnlineGradientDescent(shape, 0.1), lambda shape: TwoSidedShampoo(shape, 0.1),
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", [5, None, (2.5, 2), "ab"], ids=str)
def test_what_is_no_tuple_of_integers_is_refused_and_never_rounded(make, shape):
    with pytest.raises(TypeError, match=r"a tuple of integers such as \(2, 3\)"):
        make(shape)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", [(), (0, 2), (-1, 2)], ids=str)
def test_sizes_are_positive(make, shape):
    with pytest.raises(ValueError, match="positive sizes"):
        make(shape)


def test_integers_of_any_library_are_sizes():
    assert positive_sizes("it", np.array([2, 3])) == (2, 3)
    assert Scalar([np.int64(2), 3]).shape == (2, 3)  # pyright: ignore[reportArgumentType]
