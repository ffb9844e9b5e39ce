r"""What an adaptive method is: it asks for a gradient at one point, takes a step, and answers with another.

.. math:: s_{t+1} = \mathrm{step}\bigl(s_t,\; g_t(\mathrm{query}(s_t))\bigr), \qquad \text{answer}(s_T) .

A method is a frozen description; its memory is a state, a dict of arrays with a leading batch axis, on which seeds,
step sizes and instances ride. The recursions of the preconditioners are those of `regret.learners`: a method here
decides where the gradient is taken and what is done with the step.

Source: derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from regret.learners import Learner, State
from structures.arrays import Array

__all__ = ["Direct", "Method"]


class Method(ABC):
    """A first-order method for one parameter (subclasses are frozen dataclasses)."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""

    @abstractmethod
    def init(self, x0: Array) -> State:  # (B, *shape)
        """The state before the first gradient; x0 is copied."""

    @abstractmethod
    def step(self, state: State, G: Array) -> State:  # (B, *shape)
        """The next state, from a gradient at `query`. Pure. Raises for a gradient that does not fit or is not finite."""

    def query(self, state: State) -> Array:  # -> (B, *shape)
        """Where the next gradient is to be taken."""
        return state["x"]

    def answer(self, state: State) -> Array:  # -> (B, *shape)
        """The point that the method would return now."""
        return state["x"]


@dataclass(frozen=True)
class Direct(Method):
    """A learner that asks where it stands: stochastic AdaGrad in every structure, RMSprop, SGD, two-sided Shampoo."""

    core: Learner

    @property
    def shape(self) -> tuple[int, ...]:
        return self.core.shape

    def init(self, x0: Array) -> State:
        return self.core.init(x0)

    def step(self, state: State, G: Array) -> State:
        return self.core.step(state, G)
