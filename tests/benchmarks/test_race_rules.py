"""The rules of the race: who reaches a target with what, who is stopped, and who minimises another function."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from toy_solvers import Toy

from benchmarks import ablation, finite_sum
from benchmarks.race.clock import paired, repeats
from benchmarks.race.contest import verdict
from benchmarks.race.data import PENALTIES, problems
from benchmarks.race.peers import PEERS
from benchmarks.race.problem import Problem
from benchmarks.race.reference import optimum
from benchmarks.race.remote import Stopped, Workers
from benchmarks.race.search import search
from benchmarks.race.worker import Measured

TARGETS = (1e-4, 1e-8, 1e-10)


def measured(value: float, seconds: float = 0.01) -> Measured:
    return Measured(seconds, seconds, 1, value, 1, None)


def test_the_loosest_setting_that_meets_each_target_is_found() -> None:
    found = search(lambda tolerance: measured(1.0 + 0.99 * tolerance), TARGETS, optimum=1.0)
    assert [found.reached[target].tolerance for target in TARGETS] == pytest.approx([1e-4, 1e-8, 1e-10])
    between = search(lambda tolerance: measured(1.0 + 0.3 * tolerance), TARGETS, optimum=1.0)
    assert [between.reached[target].tolerance for target in TARGETS] == pytest.approx([10**-3.5, 10**-7.5, 10**-9.5])
    assert verdict(found) == verdict(between) == "ok"


def test_a_solver_that_minimises_something_else_has_the_wrong_optimum() -> None:
    found = search(lambda tolerance: measured(1.0 + max(tolerance, 1e-6)), TARGETS, optimum=1.0)
    assert set(found.reached) == {1e-4}
    assert verdict(found) == "wrong optimum"
    assert found.best == pytest.approx(1e-6)


def test_tolerances_that_leave_a_solver_at_zero_do_not_count_against_it() -> None:
    def run(tolerance: float) -> Measured:
        started = tolerance < 3e-7
        return replace(measured(1.0 + tolerance if started else 2.0), nonzeros=int(started))

    found = search(run, TARGETS, optimum=1.0)
    assert verdict(found) == "ok"
    stuck = search(lambda tolerance: replace(run(tolerance), nonzeros=1), TARGETS, optimum=1.0)
    assert verdict(stuck) == "wrong optimum"  # seven decades at the same point, not the start


def test_results_that_get_worse_for_a_while_do_not_end_the_search() -> None:
    worse = {1e-4: 4e-10, 1e-5: 3e-7, 1e-6: 5e-9, 1e-7: 4e-9, 1e-8: 2e-9}
    values = {round(np.log10(key)): value for key, value in worse.items()}
    found = search(
        lambda tolerance: measured(1.0 + values.get(round(np.log10(tolerance)), min(tolerance, 1.0) ** 1.3)),
        TARGETS,
        optimum=1.0,
    )
    assert found.ended == "reached every target"


def test_a_solver_that_is_stopped_keeps_what_it_reached() -> None:
    def run(tolerance: float) -> Measured:
        if tolerance < 1e-5:
            raise Stopped("time limit of 2 s")
        return measured(1.0 + 0.5 * tolerance)

    found = search(run, TARGETS, optimum=1.0)
    assert set(found.reached) == {1e-4}
    assert verdict(found) == "time limit"


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    mine, theirs = iter([1.0, 2.0, 1.0, 1.0, 1.0]), iter([3.0, 6.0, 3.0, 30.0, 3.0])
    pairs = paired(
        (lambda runs: measured(0.0, next(mine)), 0.05), {"peer": (lambda runs: measured(0.0, next(theirs)), 0.05)}, 5
    )
    assert pairs["peer"].ratios == [3.0, 3.0, 3.0, 30.0, 3.0]
    assert pairs["peer"].cpu_ratio == 3.0


def test_slow_pairs_are_repeated_less() -> None:
    assert [repeats(seconds, 5) for seconds in (0.001, 0.15, 0.25, 1.0, 10.0)] == [5, 5, 3, 2, 1]


def breast_cancer(penalty: str) -> Problem:
    ((_, found),) = problems(("breast_cancer",), None, (penalty,))
    assert not isinstance(found, str)
    return found[0]


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.present], ids=lambda peer: peer.name)
def test_every_peer_is_given_our_objective(peer) -> None:
    """At a tight tolerance it comes to P*; given half of the penalty it does not."""
    penalty = "l2" if "l2" in peer.penalties else "elastic net" if "elastic net" in peer.penalties else "l1"
    problem = breast_cancer(penalty)
    best = optimum(problem).value
    near = 1e-4 if peer.name == "snapml dual" else 1e-8  # its dual variables are clipped: it stays at 1.1e-5 here
    w = peer.ready(problem)(1e-6).w
    assert (problem.objective(w) - best) / best <= near
    other = replace(problem, l1=0.5 * problem.l1, l2=0.5 * problem.l2)
    assert (problem.objective(peer.ready(other)(1e-6).w) - best) / best > 10 * near


def test_a_run_that_does_not_end_raises_or_dies_is_stopped_and_the_next_one_runs() -> None:
    problem = Problem("toy", "l2", np.eye(3), np.array([1.0, -1.0, 1.0]), 0.0, 0.1)
    sleeps, raises, dies, works = (Toy(name, PENALTIES) for name in ("sleeps", "raises", "dies", "works"))
    with Workers() as workers:
        for solver, reason in ((sleeps, "time limit"), (raises, "no such penalty"), (dies, "exit code 3")):
            with pytest.raises(Stopped, match=reason):
                workers[solver].run(solver, problem, 1e-3, 1, limit=0.5)
        answer = workers[works].run(works, problem, 1e-3, 2, limit=30.0)
        assert answer.value == pytest.approx(np.log(2.0))
        assert answer.runs == 2


def test_a_quick_race_writes_numbers_and_prints_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "race.json"
    finite_sum.main(["--quick", "--penalties", "l2,l1", "--against", "liblinear", "--json", str(file)])
    printed = capsys.readouterr().out
    results = json.loads(file.read_text())
    assert {facts["data"] for facts in results["problems"]} == {"breast_cancer", "digits"}
    ours = [cell for cell in results["cells"] if cell["solver"] == "ours"]
    assert len(ours) == 12
    assert all(cell["reached"] and cell["seconds"] > 0.0 for cell in ours)
    peers = [cell for cell in results["cells"] if cell["solver"] == "sklearn liblinear"]
    assert all(cell["ratio"] > 0.0 and cell["suboptimality"] <= cell["target"] for cell in peers)
    assert "| breast_cancer, l2 |" in printed
    assert "| sklearn liblinear |" in printed
    finite_sum.main(["--show", str(file)])
    assert capsys.readouterr().out == printed
    assert set(results["machine"]) == {
        "processor",
        "cores",
        "threads_used",
        "system",
        "python",
        "versions",
    }  # no host, no path
    assert str(Path.cwd()) not in file.read_text()


def test_the_ablation_switches_off_one_thing_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from convex.engine import Options

    default = asdict(Options())
    found = {engine.name: asdict(engine.options) for engine in ablation.variants()}
    changed = {name: {key for key in default if values[key] != default[key]} for name, values in found.items()}
    assert changed["without grow_step"] == {"grow_step"}
    assert changed["without finish"] == {"finish"}
    assert found["published"] == asdict(Options.published())
    assert all(len(keys) == 1 for name, keys in changed.items() if name not in ("published", "rows one by one"))
    file = tmp_path / "ablation.json"
    ablation.main(
        ["--only", "breast_cancer", "--repeats", "1", "--limit", "1", "--target", "1e-4", "--json", str(file)]
    )
    assert "| breast_cancer, elastic net |" in capsys.readouterr().out
    assert json.loads(file.read_text())["settings"]["targets"] == [1e-4]
