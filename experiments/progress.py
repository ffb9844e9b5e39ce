"""Progress bars on stderr: one over the runs of a sweep and, when runs follow each other, one inside the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from experiments.cell import CellReport
from experiments.spec import Progress, quiet

__all__ = ["bar", "inner"]


@contextmanager
def bar(
    total: int,  # runs
    enabled: bool,
) -> Iterator[Callable[[CellReport], None]]:
    """A bar over runs; the yielded function counts one finished run.  Silent when stderr is not a terminal."""
    from tqdm import tqdm

    failed = 0
    with tqdm(total=total, unit="run", disable=None if enabled else True) as line:

        def show(report: CellReport) -> None:
            nonlocal failed
            failed += not report.ok
            line.set_postfix_str(f"{report.experiment}{f', {failed} failed' if failed else ''}", refresh=False)
            line.update()

        yield show


def inner(enabled: bool) -> Progress:
    """The progress that a run is given: a second bar below the first, or nothing."""
    return _InnerBar() if enabled else quiet


class _InnerBar:
    """Opens at a run's first call, closes at its last, or when the next run begins after one that failed."""

    def __init__(self) -> None:
        self._line = None

    def __call__(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._line is not None and done < self._line.n:
            self._close()
        if self._line is None:
            self._line = tqdm(total=total, leave=False, position=1, disable=None)
        self._line.update(done - self._line.n)
        if done >= total:
            self._close()

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None
