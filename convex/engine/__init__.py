"""The compiled solver of finite sums: arrays in, arrays and a certified duality gap out."""

from convex.engine.minimise import minimise
from convex.engine.options import Options
from convex.engine.solution import Record, Solution

__all__ = ["Options", "Record", "Solution", "minimise"]
