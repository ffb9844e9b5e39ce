r"""Two decorators for compiled functions: numba where it is installed, the plain function where it is not.

.. math:: \text{numba:}\quad f \mapsto \text{machine code}(f), \qquad \text{no numba:}\quad f \mapsto f

Machine code is kept on the disk beside the sources (or where ``NUMBA_CACHE_DIR`` says), so that it is compiled once.
Without numba the same functions run as Python on scalars; what loops over data has a vectorised NumPy form beside it
(`HAS_NUMBA` decides).

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

__all__ = ["HAS_NUMBA", "kernel", "summing"]

try:
    import numba
except ImportError:
    numba = None

HAS_NUMBA = numba is not None


# The data's types at the first call decide; nobody calls these from C, so no wrapper is made for that (a tenth of the time).
ALWAYS: MappingProxyType[str, Any] = MappingProxyType(
    {"cache": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile for the types of the first call, without the interpreter lock, cached on the disk."""
    return function if numba is None else numba.njit(**ALWAYS)(function)


def summing(function: Callable[..., Any]) -> Any:
    """The same, where sums may be taken in any order and products fused into them: what dot products need to use whole vectors.

    Nothing is assumed about infinities, nan or signed zeros. Machine code fixes the order: the same bits every time.
    """
    if numba is None:
        return function
    return numba.njit(**ALWAYS, fastmath={"reassoc", "contract"})(function)
