r"""Inverse roots of a statistic that grows by :math:`GG^\top`: exact, or by series of matrix products.

.. math:: P \approx L^{-1/4}, \qquad L' = \beta_2 L + (1-\beta_2)\, GG^\top

``"eigh"`` keeps L and takes its root; ``"jorge"`` and ``"sandwich"`` keep P alone. The rules on torch tensors are in
`optimizers.roots.rules`, imported when an optimizer is made: the functions beside it do without torch.

Source: each file names its paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizers.roots.rules import Rule

__all__ = ["ROOTS", "root_rule"]

ROOTS = ("eigh", "sandwich", "jorge")


def root_rule(name: str) -> Rule:
    """The rule of this name. Raises ValueError, naming those there are, for another."""
    if name not in ROOTS:
        raise ValueError(f"root must be one of {', '.join(map(repr, ROOTS))}, got {name!r}.")
    from optimizers.roots.rules import RULES

    return RULES[name]
