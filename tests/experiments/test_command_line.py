"""The command line says what it did in words and in its exit status: 0 well, 1 violated or failed, 2 wrong use."""

import json

import pytest
from toy_experiment import AtMost, Broken, Toy

from experiments import cli
from experiments.cli import main
from experiments.store import Store
from experiments.suite import by_id, experiments_in, load_suite


@pytest.fixture
def call(tmp_path, capsys):
    """Run the command line on a suite in a store of its own; gives (status, stdout, stderr)."""

    def run(*argv, toy=None, theorems=()):
        status = main([*argv, "--results", str(tmp_path / "results")], by_id([toy or Toy()]), theorems)
        return (status, *capsys.readouterr())

    return run


def wrong_use(call, capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        call(*argv)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_list_shows_every_experiment_with_its_claim(call):
    status, out, _ = call("list")
    assert status == 0 and "toy" in out and Toy.claim in out


def test_run_then_run_again_computes_nothing(call):
    status, out, _ = call("run", "--scale", "ci", "--jobs", "1")
    assert status == 0 and "4 to compute" in out and "4 runs computed" in out
    status, out, _ = call("run", "toy", "--scale", "ci", "--jobs", "1")
    assert status == 0 and "4 runs planned" in out and "0 to compute" in out


def test_a_failed_run_is_exit_status_1_and_status_shows_it(call):
    status, _, err = call("run", "--scale", "ci", "--jobs", "1", toy=Toy(failing=(1,)))
    assert status == 1 and "FAILED toy" in err and "left the plane" in err
    status, out, _ = call("status", "--scale", "ci")
    assert status == 1 and out.splitlines()[2].split() == ["toy", "3", "0", "0", "1"]
    assert call("verify", "--scale", "ci", "--jobs", "1")[0] == 1


def test_a_violated_theorem_is_exit_status_1_each_time(call):
    toy = Toy(violated=(2,))
    for verb in ("run", "run", "verify"):
        status, _, err = call(verb, "--scale", "ci", "--jobs", "1", toy=toy)
        assert status == 1 and "BAD walk-range in toy" in err


def test_a_declared_misuse_that_is_caught_is_well(call):
    toy = Toy(violated=(0, 1, 2, 3), misused=True)
    assert call("run", "--scale", "ci", "--jobs", "1", toy=toy)[0] == 0
    status, out, _ = call("verify", "--scale", "ci", "--jobs", "1", toy=toy)
    assert status == 0 and "toy (misuse)" in out and "VIOLATED 4" in out


def test_verify_prints_the_worst_ratio_and_judges_the_theorems(call, tmp_path):
    call("run", "--scale", "ci", "--jobs", "1")
    status, out, _ = call("verify", "--scale", "ci", "--jobs", "1", theorems=[AtMost()])
    assert status == 0 and "VERIFIED 4" in out and "0.53" in out and "at-most" in out
    assert json.loads((tmp_path / "results" / "catalogue.json").read_text())["theorems"][0]["id"] == "at-most"
    status, _, err = call("verify", "--scale", "ci", "--jobs", "1", theorems=[Broken()])
    assert status == 1 and "BAD broken, example 'too large': VIOLATED" in err and "BAD broken, control 'holds'" in err


def test_verify_says_when_planned_runs_are_not_there(call):
    status, out, _ = call("verify", "--scale", "ci", "--jobs", "1")
    assert status == 0 and "4 of 4 planned runs are not stored" in out


def test_an_unknown_experiment_is_wrong_use_and_close_names_are_offered(call, capsys):
    assert "did you mean toy?" in wrong_use(call, capsys, "run", "tow")
    assert "`python -m experiments list`" in wrong_use(call, capsys, "run", "zzzzzz")


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("dance",),
        ("run", "--jobs", "0"),
        ("run", "--jobs", "x"),
        ("run", "--jobs", "-2"),
        ("run", "--scale", "huge"),
    ],
)
def test_wrong_arguments_are_exit_status_2(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        main(argv, by_id([Toy()]), ())
    assert stop.value.code == 2 and "error:" in capsys.readouterr().err


def test_cuda_without_a_cuda_device_is_wrong_use(call, capsys, monkeypatch):
    monkeypatch.setattr(cli, "_cuda_available", lambda: False)
    assert "CUDA device" in wrong_use(call, capsys, "run", "--device", "cuda")
    monkeypatch.setattr(cli, "_cuda_available", lambda: True)
    assert "toy cannot run on cuda" in wrong_use(call, capsys, "run", "toy", "--device", "cuda")


def test_cuda_moves_the_experiments_that_support_it(call, tmp_path, monkeypatch):
    class Movable(Toy):
        devices = ("cpu", "cuda")

        def execute(self, spec, progress=None):
            raise RuntimeError(f"ran on {spec.device}")

    monkeypatch.setattr(cli, "_cuda_available", lambda: True)
    status, _, err = call("run", "--device", "cuda", "--scale", "ci", toy=Movable(cells=1))
    assert status == 1 and "ran on cuda" in err
    failure = Store(tmp_path / "results").failure(Toy().runs("ci")[0].on("cuda").key)
    assert "ran on cuda" in failure.error


@pytest.mark.parametrize("argv", [("--help",), ("run", "--help"), ("verify", "--help")])
def test_help_is_exit_status_0(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv, {}, ())
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "python -m experiments" in out


def test_the_suite_is_found_without_a_list_and_ids_are_unique():
    suite = load_suite()
    assert list(suite) == sorted(suite) and all(suite[name].id == name for name in suite)
    with pytest.raises(ValueError, match="two experiments have the id 'toy'"):
        by_id([Toy(), Toy()])

    class Shouting(Toy):
        id = "TOY!"

    with pytest.raises(ValueError, match="lower case"):
        by_id([Shouting()])


def test_discovery_takes_the_classes_a_module_defines_and_leaves_what_it_imports():
    import toy_experiment
    import toy_sweep

    assert [type(e).__name__ for e in experiments_in(toy_experiment)] == ["Toy"]
    assert list(experiments_in(toy_sweep)) == []
