"""The array libraries, precisions and devices that one code path must serve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from structures.arrays import asarray_like


@dataclass(frozen=True)
class Backend:
    library: str  # "numpy", "torch" or "strict"
    dtype: str  # "float64" or "float32"

    def __str__(self) -> str:
        return f"{self.library}-{self.dtype}"

    @cached_property
    def like(self) -> Any:
        """A zero of this library, precision and device, to build other arrays beside."""
        if self.library == "numpy":
            return np.zeros((), dtype=self.dtype)
        if self.library == "torch":
            import torch

            return torch.zeros((), dtype=getattr(torch, self.dtype))
        import array_api_strict as strict

        # A device that is not the default: a creation function without device= fails at once.
        return strict.zeros((), dtype=getattr(strict, self.dtype), device=strict.Device("device1"))

    @property
    def scales(self) -> dict[str, float]:
        """Gradient scales whose squares are still normal numbers, with room for sums."""
        exponent = 150 if self.dtype == "float64" else 15
        return {"tiny": 10.0**-exponent, "huge": 10.0**exponent}

    def array(self, a: Any) -> Any:
        """Host data in this library."""
        return asarray_like(np.asarray(a, dtype=float), self.like)


BACKENDS = [Backend(library, dtype) for library in ("numpy", "torch", "strict") for dtype in ("float64", "float32")]
FLOAT64 = [backend for backend in BACKENDS if backend.dtype == "float64"]
