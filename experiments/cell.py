r"""One run, executed where joblib puts it: one thread, result or traceback written here, a small report sent back."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from experiments.plan import Planned
from experiments.provenance import provenance
from experiments.spec import Progress, quiet
from experiments.store import Store

__all__ = ["CellReport", "execute_cell", "one_thread"]


@dataclass(frozen=True)
class CellReport:
    """What travels back from a worker: arrays never do."""

    experiment: str
    key: str
    seconds: float
    error: str | None = None  # one line; the traceback lies in the store

    @property
    def ok(self) -> bool:
        """Whether the run finished and was stored."""
        return self.error is None


def execute_cell(
    run: Planned,
    store: Store,
    git: Mapping[str, Any] | None,
    progress: Progress = quiet,
) -> CellReport:
    """Execute one run and store it, or record its failure; raises only what is not the run's own (an interrupt)."""
    began = time.perf_counter()
    try:
        with one_thread(run.experiment.requires):
            result = run.experiment.execute(run.spec, progress)
            record = provenance(run.spec, run.sources, time.perf_counter() - began, git)
        store.save(run.spec, result, record)
    # A library that calls sys.exit fails its run, not the sweep.
    except (Exception, SystemExit) as error:
        seconds = time.perf_counter() - began
        line = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
        store.fail(run.spec, line, traceback.format_exc(), provenance(run.spec, run.sources, seconds, git))
        return CellReport(run.experiment.id, run.spec.key, seconds, line)
    return CellReport(run.experiment.id, run.spec.key, time.perf_counter() - began)


@contextmanager
def one_thread(requires: tuple[str, ...] = ()) -> Iterator[None]:
    """Limit linear algebra to one thread: reductions then add in one order, and cells do not fight for cores.

    `requires` are imported first, because a library that is loaded later escapes the limit.
    """
    from threadpoolctl import threadpool_limits

    for name in requires:
        importlib.import_module(name)
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(1):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
