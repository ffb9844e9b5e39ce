r"""What the compiled solver may add to the published algorithm, one switch each.

.. math:: \text{published} = \text{DASVRDA with adaptive restart, i.i.d. } q_i \propto L_i, \text{ the published constants}

Each addition was measured, and can be measured again by its switch. With all of them off the solver is the reference
one step by step on the same rows.

Source: derived here; the published algorithm is murata2017doubly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral
from typing import Literal

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Switches of `minimise`; the defaults are the fast ones."""

    grow_step: bool = (
        True  # the step grows while a computable form of the stage lemma holds, and halves when it does not
    )
    contiguous: bool = True  # batches of consecutive rows after one shuffle where the L_i are about equal
    importance: Literal["chunks", "iid", "uniform"] = "chunks"  # how rows are drawn where they are not
    restart: Literal["function", "gradient"] | None = "function"
    sharp_constants: bool = True  # the stage lemma with its free parameter optimised
    exact_intercept: bool = True  # the intercept is minimised over at every snapshot
    working_set: bool = True  # l1 > 0 and many features: solve on few of them, certify on all
    finish: bool = True  # second-order or coordinate steps end what DASVRDA began
    batch: int | None = None  # rows of a mini-batch; None: about sqrt(n)

    def __post_init__(self) -> None:
        """Refuse what is not a switch.

        Raises:
            ValueError: a switch that is not True or False, an unknown name, or a batch that is not an integer of at least 1.

        """
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise ValueError(f"{field.name} is True or False, not {value!r}")
        if self.importance not in ("chunks", "iid", "uniform"):
            raise ValueError(f"importance is 'chunks', 'iid' or 'uniform', not {self.importance!r}")
        if self.restart not in ("function", "gradient", None):
            raise ValueError(f"restart is 'function', 'gradient' or None, not {self.restart!r}")
        whole = isinstance(self.batch, Integral) and not isinstance(self.batch, bool)
        if self.batch is not None and not (whole and self.batch >= 1):
            raise ValueError(f"a batch is None or an integer of at least one row, not {self.batch!r}")

    @classmethod
    def published(
        cls, batch: int | None = None, restart: Literal["function", "gradient"] | None = "gradient"
    ) -> Options:
        """The published algorithm: i.i.d. importance sampling with replacement, its constants, its adaptive restart."""
        return cls(
            grow_step=False,
            contiguous=False,
            importance="iid",
            restart=restart,
            sharp_constants=False,
            exact_intercept=False,
            working_set=False,
            finish=False,
            batch=batch,
        )
