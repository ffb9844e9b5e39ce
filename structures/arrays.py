r"""Arrays of any namespace: one place for namespace, device, dtype, input checks and tolerances.

Everything in `structures`, `problems` and `regret` is written against the Array API standard: array in, the same kind of
array out, on the same device. A creation function therefore always receives ``**like(x)``, and constants that live on the
host (an orthogonal matrix, a data set) enter through `asarray_like` only.

A *coordinate* is an array or a tuple of coordinates (direct sums); `tree_map` and `tree_leaves` treat both alike.

Source: Array API standard 2024.12, <https://data-apis.org/array-api/latest/>.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from math import isfinite, prod
from typing import Any

import array_api_compat
import numpy as np

__all__ = [
    "Array",
    "Coordinates",
    "all_finite",
    "asarray_like",
    "dtype_name",
    "eye",
    "like",
    "own",
    "positive_sizes",
    "namespace",
    "require_finite",
    "require_shape",
    "sym",
    "to_numpy",
    "tolerance",
    "tree_leaves",
    "tree_map",
    "widen",
]

Array = Any  # an array of any Array API namespace; the standard has no common base class to name
Coordinates = Any  # an Array, or a tuple of Coordinates


def namespace(*arrays: Array) -> Any:
    """The Array API namespace that `arrays` share (numpy, torch and array_api_strict are tested)."""
    if len(arrays) != 1:
        return array_api_compat.array_namespace(*arrays)
    kind = type(arrays[0])
    if kind not in _NAMESPACES:
        _NAMESPACES[kind] = array_api_compat.array_namespace(arrays[0])
    return _NAMESPACES[kind]


_NAMESPACES: dict[type, Any] = {}  # found once per array type: a step on small arrays asks for it fifty times


def like(x: Array) -> dict[str, Any]:
    """``dtype`` and ``device`` of `x`, as keyword arguments of a creation function."""
    return {"dtype": x.dtype, "device": x.device}


def asarray_like(a: Any, x: Array) -> Array:
    """`a` (host data: numbers, lists, NumPy arrays) in the namespace, dtype and device of `x`."""
    if _is_strict(x):
        return namespace(x).asarray(np.asarray(a).tolist(), **like(x))
    frozen = isinstance(a, np.ndarray) and not a.flags.writeable  # torch warns when it shares such memory
    return namespace(x).asarray(a, copy=True if frozen else None, **like(x))


def own(x: Array) -> Array:
    """A copy of `x` that shares neither memory nor an autograd graph with it."""
    if array_api_compat.is_torch_array(x):
        return x.detach().clone()
    return namespace(x).asarray(x, copy=True)


def _is_strict(x: Array) -> bool:
    return type(x).__module__.startswith("array_api_strict")


def to_numpy(x: Any) -> np.ndarray:
    """`x` as a NumPy array on the host. An explicit transfer: for results and oracles, never inside a step."""
    if isinstance(x, np.ndarray | np.generic | float | int):
        return np.asarray(x)
    if _is_strict(x):
        from array_api_strict import Device

        return np.asarray(x.to_device(Device("CPU_DEVICE")))
    if array_api_compat.is_torch_array(x):
        return (x.float() if dtype_name(x) == "bfloat16" else x).detach().cpu().numpy()  # NumPy has no bfloat16
    return np.asarray(x)


def dtype_name(x: Array) -> str:
    """The dtype of `x` without its namespace: ``"float64"``, ``"float32"``, ``"bfloat16"``."""
    return _name_of_dtype(type(x.dtype), x.dtype)


@cache
def _name_of_dtype(kind: type, dtype: Any) -> str:  # `kind` keeps dtypes of two libraries from being compared
    return str(dtype).rsplit(".", 1)[-1].strip("'>")


def widen(x: Array) -> Array:
    """`x` in at least single precision: no LAPACK has eigendecompositions of half precisions."""
    xp = namespace(x)
    return xp.astype(x, xp.float32) if dtype_name(x) in {"float16", "bfloat16"} else x


def tolerance(x: Array, n: int = 1, cond: float = 1.0) -> float:
    """The one source of tolerances, ``16 · eps · n · cond``.

    `x` fixes the precision (eps of its dtype), `n` is the length of the longest sum behind the compared number, and
    `cond` its condition number: how much a relative error of the data grows on the way.
    """
    return 16.0 * float(namespace(x).finfo(x.dtype).eps) * n * cond


def sym(A: Array) -> Array:  # (..., d, d)
    """The symmetric part (A + Aᵀ)/2, halved first so that entries near the overflow threshold survive."""
    half = A * 0.5
    return half + namespace(A).matrix_transpose(half)


def eye(d: int, x: Array) -> Array:
    """The d×d identity beside `x`: same namespace, dtype and device."""
    return namespace(x).eye(d, **like(x))


def tree_map(f: Callable[..., Any], *coordinates: Coordinates) -> Coordinates:
    """`f` on every array of coordinates of one shape: ``tree_map(lambda a, b: a + b, c1, c2)`` adds them."""
    if isinstance(coordinates[0], tuple):
        return tuple(tree_map(f, *parts) for parts in zip(*coordinates, strict=True))
    return f(*coordinates)


def tree_leaves(coordinates: Coordinates) -> list[Array]:
    """The arrays inside `coordinates`, in order."""
    if isinstance(coordinates, tuple):
        return [leaf for part in coordinates for leaf in tree_leaves(part)]
    return [coordinates]


def positive_sizes(name: str, shape: Any) -> tuple[int, ...]:
    """The `shape` that `name` is given, as a tuple. Raises TypeError unless it holds integers, ValueError unless all ≥ 1."""
    try:
        sizes = tuple(operator.index(n) for n in shape)
    except TypeError as error:
        raise TypeError(f"{name} needs a shape: a tuple of integers such as (2, 3), got {shape!r}.") from error
    if not sizes or min(sizes) < 1:
        raise ValueError(f"{name} needs a shape of positive sizes, got {shape!r}.")
    return sizes


def require_shape(name: str, x: Array, trailing: tuple[int, ...]) -> None:
    """Raise ValueError unless the last axes of `x` are `trailing` and no batch axis is empty."""
    shape = tuple(x.shape)
    lead = len(shape) - len(trailing)
    if lead < 0 or shape[lead:] != tuple(trailing):
        raise ValueError(
            f"{name} has shape {shape}, but its last axes must be {tuple(trailing)}: reshape it, "
            f"or build the structure for the shape that you have."
        )
    if prod(shape[:lead]) == 0:
        raise ValueError(f"{name} has shape {shape}: an empty batch has nothing to compute; pass at least one element.")


def all_finite(x: Array) -> bool:
    """Whether no entry of `x` is NaN or infinite."""
    xp = namespace(x)
    # No sum loses a NaN or an infinity, and torch adds thirty times as fast as it asks; a finite array may overflow, though.
    if array_api_compat.is_torch_array(x) and not x.is_complex() and isfinite(float(x.detach().sum())):
        return True
    return bool(xp.all(xp.isfinite(x)))


def require_finite(name: str, x: Array) -> None:
    """Raise ValueError naming the first non-finite entry of `x` and how many there are."""
    if all_finite(x):
        return
    bad = np.argwhere(~to_numpy(namespace(x).isfinite(x)))
    index = tuple(int(i) for i in bad[0])
    value = to_numpy(x)[index] if index else to_numpy(x)
    raise ValueError(
        f"{name} is not finite: entry {index} is {value} ({len(bad)} of {prod(x.shape)} entries are NaN or inf). "
        f"Find where it comes from: a learning rate too large, a loss outside its domain, or an overflow."
    )
