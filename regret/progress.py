r"""A progress bar for long games, silent everywhere else.

Source: derived here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]

SHORT = 5000  # steps that are over before a bar is read


class _Bar:
    """Shows how many steps are done; does nothing without a display."""

    def __init__(self, display: object = None) -> None:
        self._display = display

    def update(self, done: int) -> None:
        """`done` steps of the game are over."""
        if self._display is not None:
            self._display.update(done - self._display.n)  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def progress_bar(horizon: int, wanted: bool | None) -> Iterator[_Bar]:
    """A bar over `horizon` steps. `wanted` None: only for long games with a terminal, and only if tqdm is installed."""
    if wanted is False or (wanted is None and (horizon < SHORT or not sys.stderr.isatty())):
        yield _Bar()
        return
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        if wanted:
            raise
        yield _Bar()
        return
    with tqdm(total=horizon, unit="step") as display:
        yield _Bar(display)
