r"""The sweep: every pending run goes to joblib, each worker stores its own result, nothing large travels.

The backend is the caller's: under ``with joblib.parallel_config(backend="dask")`` the same sweep runs on a cluster
whose workers see the store's folder.  A sweep that dies at any instant loses only the runs that were in progress;
running again computes exactly what is not stored.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from experiments.cell import CellReport, execute_cell, one_thread
from experiments.plan import Planned, State
from experiments.progress import bar, inner
from experiments.provenance import commit
from experiments.store import Store

__all__ = ["Outcome", "run"]


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.  `broken` says why it could not go on; `left` runs were then not finished."""

    done: int = 0
    failed: tuple[CellReport, ...] = ()
    left: int = 0
    broken: str | None = None
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every run of the sweep was stored."""
        return not (self.failed or self.broken or self.interrupted)


def run(
    pending: Sequence[Planned],
    store: Store,
    jobs: int | None = None,  # workers; None leaves it to the caller's joblib configuration
    progress: bool = False,  # draw bars on stderr, if that is a terminal
) -> Outcome:
    """Execute the runs and store each as it finishes; exclusive ones come last, one at a time.

    Never raises for a failed run, a dead worker or Ctrl-C: the outcome says what happened and the store keeps what
    was finished.
    """
    store.clean()
    reports: list[CellReport] = []
    ending: dict[str, object] = {}
    try:
        stream = closing(_reports(pending, store, jobs, progress))
        with one_thread(), _renewed_workers(), bar(len(pending), progress) as show, stream as arriving:
            for report in arriving:
                reports.append(report)
                show(report)
    except KeyboardInterrupt:
        ending = {"interrupted": True}
    # A cell reports its own errors, so what arrives here is the machinery: a dead worker, an unpicklable experiment.
    except Exception as error:
        ending = {"broken": f"{type(error).__name__}: {error}"}
    return replace(_count(pending, reports, store), **ending)


@contextmanager
def _renewed_workers() -> Iterator[None]:
    """No warning when joblib renews a worker whose memory has grown, as it does where torch is imported; nothing is lost."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
        yield


def _reports(pending: Sequence[Planned], store: Store, jobs: int | None, progress: bool) -> Generator[CellReport]:
    git = commit()
    shared = [cell for cell in pending if not cell.experiment.exclusive]
    alone = [cell for cell in pending if cell.experiment.exclusive]
    for cells, workers in ((shared, jobs), (alone, 1)):
        if cells:
            yield from _parallel(cells, store, git, workers, progress)


def _parallel(
    cells: Sequence[Planned],
    store: Store,
    git: dict | None,
    jobs: int | None,
    progress: bool,
) -> Generator[CellReport]:
    from joblib import delayed, effective_n_jobs

    watch = inner(progress and effective_n_jobs(jobs) == 1)
    tasks = [delayed(execute_cell)(cell, store, git, watch) for cell in cells]
    reports = iter(_stream(jobs, tasks))
    try:
        while (report := next(reports, None)) is not None:  # `yield from` would close the stream before _cancel does
            yield report
    finally:
        _cancel(reports)


def _cancel(reports: Iterator[CellReport]) -> None:
    """Stop the workers of an unfinished stream (Ctrl-C); joblib warns of cancelled tasks, which is what is wanted."""
    if isinstance(reports, Generator):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*tasks", category=UserWarning, module="joblib")
            reports.close()


def _stream(jobs: int | None, tasks: list) -> Iterable[CellReport]:
    from joblib import Parallel

    try:
        parallel = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")
    except ValueError:  # a backend that cannot stream, e.g. multiprocessing: the store fills all the same
        parallel = Parallel(n_jobs=jobs, batch_size=1)
    return parallel(tasks)


def _count(pending: Sequence[Planned], reports: Sequence[CellReport], store: Store) -> Outcome:
    failed = tuple(report for report in reports if not report.ok)
    reported = {report.key for report in reports}
    silent = [cell for cell in pending if cell.spec.key not in reported]
    # A worker may have stored its run and died, or been stopped, before its report arrived.
    stored = sum(_has_finished(cell, store) for cell in silent)
    return Outcome(done=len(reports) - len(failed) + stored, failed=failed, left=len(silent) - stored)


def _has_finished(cell: Planned, store: Store) -> bool:
    was_absent = cell.state in (State.MISSING, State.FAILED)
    return was_absent and store.has(cell.spec.key) and store.failure(cell.spec.key) is None
