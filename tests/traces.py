"""Comparing finished games."""

import numpy as np


def series(trace):
    """Every (T, B) array of a trace."""
    return trace._series()


def same(one, other):
    """Whether two traces are equal bit for bit, up to what element numbers they carry."""
    a, b = series(one), series(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=True) for k in a)
