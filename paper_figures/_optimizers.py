"""What the optimizers' figures share: one look for each method, medians with their ranges, smoothed curves."""

from __future__ import annotations

import numpy as np

from paper_figures.style import PALETTE, Look

__all__ = ["LOOKS", "short", "smoothed"]

DASHED, DOTTED = (0, (4, 1.5)), (0, (1, 1.2))

LOOKS = {
    "SGD": Look(PALETTE["grey"], "x"),
    "AdamW": Look(PALETTE["black"], "o"),
    "Adam": Look(PALETTE["black"], "o"),
    "AGD": Look(PALETTE["orange"], "s"),
    "AGD, no clip": Look(PALETTE["yellow"], "s", DOTTED),
    "Shampoo": Look(PALETTE["vermilion"], "D"),
    "Shampoo, each axis": Look(PALETTE["vermilion"], "d", DASHED),
    "OneSidedShampoo": Look(PALETTE["blue"], "<"),
    "Jorge": Look(PALETTE["green"], "P", DASHED),
    "Jorge, no ridge": Look(PALETTE["green"], "X", DOTTED),
    "Jorge, sandwich": Look(PALETTE["green"], "p"),
    "FNGD": Look(PALETTE["purple"], "*"),
    "FNGD, damping 0.1": Look(PALETTE["yellow"], "*"),
    "FNGD, scalar": Look(PALETTE["purple"], "v", DASHED),
    "FNGD, table": Look(PALETTE["purple"], "^", DOTTED),
    "K-FAC": Look(PALETTE["sky"], "h"),
}


def smoothed(
    curves: np.ndarray,  # (seeds, T)
    width: int,
) -> np.ndarray:  # (T - width + 1,)
    """The median over seeds of running means."""
    width = max(1, min(width, curves.shape[1]))
    kernel = np.full(width, 1.0 / width)
    return np.median([np.convolve(curve, kernel, "valid") for curve in curves], axis=0)


def short(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")
