"""The store holds whole runs or nothing, and equal runs are equal files."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from toy_experiment import Toy

from experiments import files
from experiments.results import Results
from experiments.spec import Result, RunSpec
from experiments.store import Store
from experiments.suite import by_id

SPEC = RunSpec("toy", {"seed": 3, "dtype": "float64"})
ARRAYS = {"b": np.arange(6.0).reshape(2, 3), "a": np.array(7), "names": np.array(["x", "yz"])}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_a_stored_run_reads_back_exactly(store):
    verdict = {"kind": "VERIFIED", "theorem": "t", "ratio": float("inf")}
    store.save(SPEC, Result(ARRAYS, {"end": float("nan")}, [verdict]), {"sources": "d"})
    run = store.load(SPEC.key)
    assert run.spec == SPEC and run.key == SPEC.key and run.verdicts == [verdict] and run.provenance == {"sources": "d"}
    assert np.isnan(run.summary["end"]) and set(run.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(run.arrays[name], array, strict=True)


def test_equal_arrays_are_equal_bytes_whatever_their_order_and_layout(monkeypatch):
    before = files.npz_bytes(ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    again = {name: np.asarray(ARRAYS[name], order="F") for name in reversed(ARRAYS)}
    assert files.npz_bytes(again) == before
    assert files.npz_bytes({**ARRAYS, "a": np.array(8)}) != before


def test_a_run_that_is_not_there_is_a_key_error(store):
    assert not store.has(SPEC.key)
    with pytest.raises(KeyError, match="no run"):
        store.load(SPEC.key)


@pytest.mark.parametrize("member", ["spec.json", "result.npz", "summary.json", "verdicts.json", "provenance.json"])
def test_a_crash_before_the_rename_leaves_nothing_half_made(store, monkeypatch, member):
    write = files.write_synced

    def crash(path, data):
        write(path, data)
        if path.name == member:
            raise KeyboardInterrupt

    monkeypatch.setattr("experiments.store.write_synced", crash)
    with pytest.raises(KeyboardInterrupt):
        store.save(SPEC, Result(ARRAYS), {})
    assert not store.has(SPEC.key) and list(store.keys()) == []


def test_saving_again_replaces_the_run_and_forgets_its_failure(store):
    store.save(SPEC, Result(summary={"n": 1}), {})
    store.fail(SPEC, "ValueError: no", "Traceback ...", {})
    assert store.failure(SPEC.key).error == "ValueError: no"
    assert store.load(SPEC.key).summary == {"n": 1}  # a failure never touches an older result
    store.save(SPEC, Result(summary={"n": 2}), {})
    assert store.load(SPEC.key).summary == {"n": 2}
    assert store.failure(SPEC.key) is None
    assert list((store.root / "tmp").iterdir()) == []


def test_processes_that_store_the_same_run_at_once_leave_one_whole_run(store):
    def save(n):
        store.save(SPEC, Result(ARRAYS, {"n": n}), {})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(40)))
    assert list(store.keys()) == [SPEC.key] and store.load(SPEC.key).summary["n"] in range(40)
    assert len(list(store.path(SPEC.key).iterdir())) == 5 and list((store.root / "tmp").iterdir()) == []


def test_cleaning_never_disturbs_a_writer_at_work(store):
    with ThreadPoolExecutor(2) as pool:
        saving = pool.submit(lambda: [store.save(SPEC, Result(ARRAYS), {}) for _ in range(60)])
        while not saving.done():
            store.clean()
    assert len(saving.result()) == 60 and store.has(SPEC.key)


def test_cleaning_removes_what_dead_writers_left_and_spares_the_living(store):
    left = store.root / "tmp" / "left"
    (left / "run").mkdir(parents=True)
    with files.scratch(store.root) as living:
        assert store.clean() == 1
        assert not left.exists() and living.exists()
    assert not living.exists() and store.clean() == 0


def test_without_file_locks_only_old_folders_count_as_left_behind(store, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    left = store.root / "tmp" / "left"
    left.mkdir(parents=True)
    assert store.clean() == 0 and left.exists()
    os.utime(left, (0, 0))
    assert store.clean() == 1 and not left.exists()


def test_the_files_are_plain_json_and_an_npz_without_pickle(store):
    path = store.save(SPEC, Result(ARRAYS, {"end": float("inf")}), {"sources": "d"})
    for file in sorted(path.glob("*.json")):
        json.loads(file.read_text(), parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    with np.load(path / "result.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted(ARRAYS)


def test_results_are_the_stored_part_of_the_plan_and_can_be_queried(store):
    toy = Toy(cells=4)
    for spec in toy.runs("ci")[:3]:
        store.save(spec, toy.execute(spec), {})
    results = Results.read(store, ["toy"], "ci", suite=by_id([toy]))
    assert len(results) == 3 and not results.complete and results.missing == (toy.runs("ci")[3],)
    assert results.values("seed") == [0, 1, 2] and results.stack("walk").shape == (3, 50)
    assert results.one(seed=1).params["seed"] == 1 and results.where(seed=1, steps=50).keys == [toy.runs("ci")[1].key]
    assert len(results.where(lambda run: run.params["seed"] > 0)) == 2 and len(results.of("other")) == 0
    assert [values for values, _ in results.groups("seed")] == [(0,), (1,), (2,)]
    assert len(results[1:]) == 2 and len(results.verdicts("walk-range")) == 3 and len(results.column("end")) == 3
    with pytest.raises(LookupError, match="expected one run"):
        results.one(steps=50)
    with pytest.raises(KeyError, match="no experiment 'nothing'"):
        Results.read(store, ["nothing"], "ci", suite=by_id([toy]))
