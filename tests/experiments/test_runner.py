"""A sweep computes what is missing, stores each run where it was computed, and survives what can befall it."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
import toy_sweep
from threadpoolctl import threadpool_info, threadpool_limits
from toy_experiment import Toy

from experiments import runner
from experiments.plan import State, pending, plan
from experiments.spec import Result
from experiments.store import Store

PATIENCE = 60  # seconds until a test gives up on a process of its own; nothing is measured


def sweep(toy, store, jobs=1, **choice):
    return runner.run(pending(plan([toy], store, "ci"), **choice), store, jobs=jobs)


def executions(log: Path) -> Counter:
    return Counter(log.read_text().split()) if log.exists() else Counter()


def fingerprint(store: Store) -> dict[Path, tuple[int, int]]:
    """Inode and modification time of every stored file and folder."""
    paths = [p for key in sorted(store.keys()) for p in (store.path(key), *store.path(key).iterdir())]
    return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in paths}


def states(toy, store):
    return [run.state for run in plan([toy], store, "ci")]


def start(store: Store, log: Path, *arguments: str) -> subprocess.Popen:
    """The toy sweep's command line in a process group of its own."""
    script = Path(toy_sweep.__file__)
    path = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(script), str(log), *arguments, "--results", str(store.root), "--scale", "ci"]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(count: int, store: Store, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(list(store.keys())) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the sweep does not advance"
        time.sleep(0.01)


def test_a_sweep_computes_each_run_once_and_the_next_one_computes_nothing(tmp_path):
    toy, store = Toy(log=tmp_path / "log"), Store(tmp_path / "results")
    assert states(toy, store) == [State.MISSING] * 4
    assert sweep(toy, store).done == 4
    before = fingerprint(store)
    assert states(toy, store) == [State.FRESH] * 4
    assert sweep(toy, store).done == 0
    assert fingerprint(store) == before and set(executions(toy.log).values()) == {1}


def test_force_repeats_what_is_fresh(tmp_path):
    toy, store = Toy(log=tmp_path / "log"), Store(tmp_path / "results")
    sweep(toy, store)
    before = fingerprint(store)
    assert sweep(toy, store, force=True).done == 4
    assert not set(fingerprint(store).items()) & set(before.items())
    assert set(executions(toy.log).values()) == {2}


def test_stale_runs_are_kept_until_asked_for(tmp_path):
    toy, store = Toy(), Store(tmp_path / "results")
    old = toy.runs("ci")[1]
    sweep(toy, store)
    store.save(old, Result(), {"sources": "digest of other sources"})
    assert states(toy, store) == [State.FRESH, State.STALE, State.FRESH, State.FRESH]
    assert sweep(toy, store).done == 0
    assert sweep(toy, store, stale=True).done == 1
    assert states(toy, store) == [State.FRESH] * 4


def test_the_same_seed_gives_the_same_bytes_serial_and_parallel(tmp_path):
    toy, one, two = Toy(), Store(tmp_path / "serial"), Store(tmp_path / "parallel")
    assert sweep(toy, one, jobs=1).ok and sweep(toy, two, jobs=2).ok
    written = set()
    for key in sorted(one.keys()):
        for name in ("spec.json", "result.npz", "summary.json", "verdicts.json"):
            assert (one.path(key) / name).read_bytes() == (two.path(key) / name).read_bytes()
        written.add((one.path(key) / "result.npz").read_bytes())
    assert len(written) == 4  # other seeds, other bytes


def test_a_failed_run_is_recorded_never_cached_and_tried_again(tmp_path):
    store, log = Store(tmp_path / "results"), tmp_path / "log"
    outcome = sweep(Toy(log=log, failing=(2,)), store)
    failed = Toy().runs("ci")[2]
    assert (outcome.done, len(outcome.failed), outcome.ok) == (3, 1, False)
    assert "the walk of seed 2 left the plane" in store.failure(failed.key).error
    assert "in execute" in store.failure(failed.key).traceback and store.failure(failed.key).spec == failed
    assert not store.has(failed.key) and states(Toy(), store).count(State.FAILED) == 1
    assert sweep(Toy(log=log), store).done == 1  # mended
    assert states(Toy(), store) == [State.FRESH] * 4 and store.failure(failed.key) is None
    assert executions(log)[failed.key] == 2 and executions(log).total() == 5


def test_a_failed_recomputation_keeps_the_older_result(tmp_path):
    store = Store(tmp_path / "results")
    sweep(Toy(), store)
    before = fingerprint(store)
    sweep(Toy(failing=(0,)), store, force=True)
    key = Toy().runs("ci")[0].key
    assert states(Toy(), store)[0] is State.FAILED and store.has(key)
    kept = {p: v for p, v in fingerprint(store).items() if key in str(p)}
    assert kept and kept.items() <= before.items()


def test_sys_exit_inside_a_run_fails_the_run_alone(tmp_path):
    class Exiting(Toy):
        def execute(self, spec, progress=None):
            return sys.exit("no licence") if spec.params["seed"] == 1 else super().execute(spec)

    store = Store(tmp_path / "results")
    outcome = sweep(Exiting(), store)
    assert outcome.done == 3 and "no licence" in outcome.failed[0].error


def test_a_dead_worker_is_reported_and_what_is_finished_is_kept(tmp_path):
    store = Store(tmp_path / "results")
    sweep(Toy(cells=2), store)
    before = fingerprint(store)
    outcome = sweep(Toy(cells=6, killing=(4,)), store, jobs=2)
    assert outcome.broken is not None and "TerminatedWorkerError" in outcome.broken and not outcome.ok
    assert before.items() <= fingerprint(store).items()
    assert outcome.done + outcome.left == 4 and outcome.left >= 1
    assert outcome.done == len(list(store.keys())) - 2
    assert sweep(Toy(cells=6), store).ok and states(Toy(cells=6), store) == [State.FRESH] * 6


@pytest.mark.skipif(os.name == "nt", reason="kill -9 of a process group is POSIX")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_killed_in_the_middle_loses_nothing_and_repeats_nothing(tmp_path, jobs):
    store, log, cells = Store(tmp_path / "results"), tmp_path / "log", 10
    process = start(store, log, str(cells), "0.1", "run", "--jobs", str(jobs))
    wait_for(3, store, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept, first = fingerprint(store), executions(log)
    finished = set(store.keys())
    assert 3 <= len(finished) < cells

    again = start(store, log, str(cells), "0", "run", "--jobs", "1")
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, err
    assert f"{cells - len(finished)} to compute" in out.decode()
    assert kept.items() <= fingerprint(store).items()  # the same inodes and times: untouched
    second = executions(log) - first
    assert set(second) == {spec.key for spec in Toy(cells=cells).runs("ci")} - finished
    assert set(second.values()) == {1} and all(first[key] == 1 for key in finished)
    assert len(list(store.keys())) == cells and list((store.root / "tmp").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="interrupting a process group is POSIX")
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_resume(tmp_path):
    store, log = Store(tmp_path / "results"), tmp_path / "log"
    process = start(store, log, "50", "0.1", "run", "--jobs", "2")
    wait_for(2, store, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and b"the same command resumes" in err
    finished = len(list(store.keys()))
    assert 2 <= finished < 50 and f"{finished} finished runs are kept" in err.decode()
    assert not (store.root / "failed").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM is POSIX")
def test_a_sweep_that_is_terminated_takes_its_workers_with_it(tmp_path):
    store, log = Store(tmp_path / "results"), tmp_path / "log"
    process = start(store, log, "50", "0.1", "run", "--jobs", "2")
    wait_for(2, store, process)
    process.terminate()  # the parent alone, as a job scheduler does
    _, err = process.communicate(timeout=PATIENCE)  # returns when the last worker has let go of the pipe
    assert process.returncode == 130 and b"the same command resumes" in err
    assert 2 <= len(list(store.keys())) < 50


def test_the_callers_joblib_backend_runs_the_cells(tmp_path):
    used = []

    class Spy(joblib.parallel.ThreadingBackend):
        def submit(self, *arguments, **keywords):
            used.append(1)
            return super().submit(*arguments, **keywords)

    joblib.register_parallel_backend("spy", Spy)
    store = Store(tmp_path / "results")
    with joblib.parallel_config(backend="spy", n_jobs=2):
        assert sweep(Toy(), store, jobs=None).done == 4
    assert len(used) == 4


def test_a_backend_that_cannot_stream_fills_the_store_too(tmp_path):
    class Plain(joblib.parallel.ThreadingBackend):
        supports_return_generator = False

    joblib.register_parallel_backend("plain", Plain)
    store = Store(tmp_path / "results")
    with joblib.parallel_config(backend="plain", n_jobs=2):
        assert sweep(Toy(), store, jobs=None).done == 4
    assert states(Toy(), store) == [State.FRESH] * 4


def test_cells_compute_with_one_thread_and_the_limit_ends_with_the_sweep(tmp_path):
    class Counting(Toy):
        def execute(self, spec, progress=None):
            return Result({"threads": np.array([pool["num_threads"] for pool in threadpool_info()])})

    store = Store(tmp_path / "results")
    with threadpool_limits(2):  # whatever the environment says, there is something to limit
        before = threadpool_info()
        assert 2 in {pool["num_threads"] for pool in before}  # some packages bring a pool that never has more than one
        sweep(Counting(cells=1), store)
        after = threadpool_info()
    run = store.load(next(store.keys()))
    assert set(run.arrays["threads"].tolist()) == {1}
    assert {pool["num_threads"] for pool in run.provenance["threads"]} == {1}
    assert after == before


def test_exclusive_runs_come_last_and_alone(tmp_path):
    class Timed(Toy):
        id = "timed"
        exclusive = True

        def execute(self, spec, progress=None):
            return Result(summary={"stored before": len(list(store.keys()))})

    store = Store(tmp_path / "results")
    todo = pending(plan([Timed(cells=2), Toy(cells=3)], store, "ci"))
    with joblib.parallel_config(backend="threading"):
        assert runner.run(todo, store, jobs=2).done == 5
    timed = [store.load(run.spec.key).summary["stored before"] for run in todo if run.experiment.id == "timed"]
    assert timed == [3, 4]


def test_a_sweep_clears_what_a_killed_one_left_half_written(tmp_path):
    store = Store(tmp_path / "results")
    left = store.root / "tmp" / "left" / "run"
    left.mkdir(parents=True)
    (left / "spec.json").write_text("{")
    assert states(Toy(), store) == [State.MISSING] * 4 and list(store.keys()) == []
    assert sweep(Toy(), store).done == 4 and list((store.root / "tmp").iterdir()) == []


def test_a_missing_requirement_fails_the_run_by_its_name(tmp_path):
    class Needy(Toy):
        requires = ("no_such_module",)

    (report,) = sweep(Needy(cells=1), Store(tmp_path / "results")).failed
    assert "no_such_module" in report.error


def test_a_torch_that_a_run_requires_computes_with_one_thread(tmp_path):
    torch = pytest.importorskip("torch")

    class Torchy(Toy):
        requires = ("torch",)

        def execute(self, spec, progress=None):
            return Result(summary={"threads": torch.get_num_threads()})

    store, before = Store(tmp_path / "results"), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert sweep(Torchy(cells=1), store).ok and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    run = store.load(next(store.keys()))
    assert run.summary["threads"] == 1 and "torch" in run.provenance["versions"]
