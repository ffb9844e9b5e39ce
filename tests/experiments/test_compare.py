"""`python -m experiments compare` prints the table of `compare_structures`, the choice and the runs, and says what is wrong."""

import bz2
import csv
import gzip
import json

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from convex.smoothness import choose_structure, compare_structures
from experiments.cli import main
from problems.smooth import from_arrays


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Two overlapping classes in an svmlight file; gives (path, X, y)."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4)).round(3) * np.array([1.0, 1.0, 3.0, 10.0])
    y = np.where(X[:, 0] + rng.standard_normal(40) > 0, 1, -1)
    path = tmp_path_factory.mktemp("compare") / "data.svm"
    dump_svmlight_file(X, y, str(path), zero_based=False)
    return path, X, y


@pytest.fixture
def call(capsys):
    """Run the verb; gives (status, stdout, stderr)."""

    def run(*argv):
        try:
            status = main(["compare", *map(str, argv)])
        except SystemExit as stop:
            status = stop.code
        return (status, *capsys.readouterr())

    return run


def test_what_is_printed_is_what_the_library_says_of_the_arrays(call, problem):
    path, X, y = problem
    status, out, err = call(path, "--alpha", "0.01", "--minibatch", "2", "--horizon", "50", "--seed", "3")
    f = from_arrays(X, y, "logistic", alpha=0.01, minibatch=2)
    assert status == 0 and err == ""
    assert repr(compare_structures(f, np.zeros(4), horizon=50)) in out
    assert repr(choose_structure(f, x0=np.zeros(4), horizon=50, seed=3)) in out
    assert "predicted: " in out and "40 rows, 4 features" in out and "2 random samples a step" in out


def test_packed_files_csv_and_npz_give_the_same_table(call, problem, tmp_path):
    path, X, y = problem
    raw = path.read_bytes()
    (tmp_path / "a.svm.bz2").write_bytes(bz2.compress(raw))
    (tmp_path / "a.svm.gz").write_bytes(gzip.compress(raw))
    np.savetxt(tmp_path / "a.csv", np.c_[y, X], delimiter=",", fmt="%.17g")
    np.savez(tmp_path / "a.npz", X=X, y=y)
    tables = []
    for name, extra in (("a.svm.bz2", ()), ("a.svm.gz", ()), ("a.csv", ("--label-column", "0")), ("a.npz", ())):
        status, out, _ = call(tmp_path / name, *extra)
        assert status == 0
        # Full is certified by an iteration for sparse data and dense data alike: six digits of it are printed at most.
        tables.append([line for line in out.splitlines() if line.startswith(("Scalar", "Diagonal", "Full"))])
    assert all(table == tables[0] for table in tables) and len(tables[0]) == 6


@pytest.mark.parametrize("loss", ["softmax", "squared_error", "huber"])
def test_every_loss_runs(call, problem, loss):
    status, out, err = call(problem[0], "--loss", loss, "--alpha", "0.1", "--radius", "100")
    assert status == 0 and err == "" and f"loss {loss}" in out and "in the ball of radius 100" in out


def test_where_the_noise_has_no_bound_nothing_is_predicted(call, problem):
    status, out, _ = call(problem[0], "--loss", "squared_error")
    assert status == 0 and "predicted: nothing" in out and "--radius" in out


def test_runs_are_of_the_same_start_and_grid_and_the_outcome_is_held_against_the_prediction(call, problem, tmp_path):
    target = tmp_path / "table.json"
    status, out, _ = call(problem[0], "--run", "20", "--seeds", "2", "--output", target)
    found = json.loads(target.read_text())
    assert status == 0 and "measured: " in out and "number" in out
    assert found["predicted"] in out and found["chosen"] in out and found["run"] == {"steps": 20, "seeds": 2}
    rows = {row["structure"]: row for row in found["structures"]}
    assert set(rows) == {"Scalar", "Diagonal", "Full", "Circulant"}
    for row in rows.values():
        assert 0 <= row["last_lowest"] <= row["last_mean"] <= row["last_highest"]
        assert np.log10(row["rate"] / row["D"]) * 2 == pytest.approx(round(np.log10(row["rate"] / row["D"]) * 2))
    winner = min(rows, key=lambda name: rows[name]["last_mean"])
    assert f"measured: {winner} ends lowest" in out


def test_the_csv_has_a_line_for_each_structure_and_the_json_no_infinity(call, problem, tmp_path):
    for name in ("t.csv", "t.json"):
        assert call(problem[0], "--loss", "squared_error", "--output", tmp_path / name)[0] == 0
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["bound"] for row in rows] == ["inf"] * 4
    found = json.loads((tmp_path / "t.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert [row["bound"] for row in found["structures"]] == [None] * 4 and found["predicted"] is None


def test_a_memory_limit_leaves_structures_out(call, problem):
    out = call(problem[0], "--memory-limit", "4")[1]
    assert "Diagonal" in out and "Full" not in out


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--alpha", "-1"], "must be a finite number of at least 0, got -1"),
        (["--horizon", "0"], "must be an integer of at least 1, got 0"),
        (["--loss", "hinge"], "invalid choice: 'hinge'"),
        (["--epsilon", "2"], "--epsilon is for --loss huber"),
        (["--radius", "1e-6"], "the minimiser has norm"),
        (["--memory-limit", "0"], "must be an integer of at least 1"),
        (["--n-features", "2"], "data.svm: it has 4 features, more than n_features=2"),
        (["--output", "table.txt"], "must end in .csv or .json"),
        (["--output", "/no/such/folder/table.csv"], "its folder must exist"),
    ],
)
def test_wrong_use_is_exit_status_2_and_says_what_is_allowed(call, problem, argv, complaint):
    status, out, err = call(problem[0], *argv)
    assert status == 2 and out == "" and complaint in err and err.startswith("usage: python -m experiments compare")


def test_files_that_are_missing_broken_or_unfit_are_exit_status_2(call, tmp_path):
    cases = {
        "cut.svm": ("1 1:2\n-1 2:", "cut.svm:2: the value of feature 2 is missing"),
        "one.svm": ("1 1:2\n1 2:3\n", "two classes, got 1"),
        "three.svm": ("1 1:2\n2 2:3\n3 1:1\n", "use softmax"),
        "nan.svm": ("1 1:nan\n-1 2:3\n", "not finite"),
    }
    for name, (content, complaint) in cases.items():
        (tmp_path / name).write_text(content)
        status, _, err = call(tmp_path / name)
        assert status == 2 and complaint in err and name in err
    assert "No such file" in call(tmp_path / "none.svm")[2]
    (tmp_path / "words.csv").write_text("1,a\n2,b\n")
    status, _, err = call(tmp_path / "words.csv", "--loss", "huber")
    assert status == 2 and "words" in err


def test_classes_that_are_apart_have_no_minimiser_without_a_ridge(call, tmp_path):
    (tmp_path / "apart.svm").write_text("1 1:1\n1 1:2\n-1 1:-1\n-1 1:-3\n")
    status, _, err = call(tmp_path / "apart.svm", "--alpha", "0")
    assert status == 2 and "raise --alpha" in err


def test_an_output_that_cannot_be_written_leaves_what_was_there(call, problem, tmp_path, monkeypatch):
    def fails(path, data):
        raise OSError("disk full")

    target = tmp_path / "table.csv"
    target.write_text("the old one")
    monkeypatch.setattr("experiments.files.write_synced", fails)
    status, _, err = call(problem[0], "--output", target)
    assert status == 1 and "disk full" in err and target.read_text() == "the old one"


def test_help_teaches_with_examples(call):
    status, out, _ = call("--help")
    assert status == 0 and "examples:" in out and "compare_structures(from_arrays" in out and "exit status" in out


def test_an_index_that_no_memory_holds_is_refused_before_the_work(call, tmp_path, monkeypatch):
    """Memory that is promised freely would end the process without a word."""
    file = tmp_path / "wrong.svm"
    file.write_text("1 1:1 2000000000000:1\n2 1:2\n1 3:4\n")
    status, _, said = call(file)
    assert status == 2 and "is an index wrong?" in said
    monkeypatch.setattr("experiments.memory.memory", lambda: 64 * 2**30)
    file.write_text("1 1:1 1000000000:1\n2 1:2\n1 3:4\n")
    status, _, said = call(file)
    assert status == 2 and "1000000000 features; is an index wrong?" in said and "the machine has 64 GiB" in said
    file.write_text("1 1:1\n2 1:2\n1 1:4\n")
    status, _, said = call(file, "--minibatch", "100000000000")
    assert status == 2 and "--minibatch" in said


def test_a_start_that_is_the_minimiser_is_said_and_nothing_is_predicted(call, tmp_path):
    file = tmp_path / "zero.csv"
    file.write_text("0,1\n0,-1\n")
    status, out, _ = call(file, "--loss", "squared_error", "--radius", "1")
    assert status == 0 and "predicted" in out
    status, _, said = call(file, "--loss", "squared_error", "--run", "5")
    assert status == 2 and "the start is the minimiser" in said


def test_a_ridge_beyond_all_squares_gives_numbers(call, problem):
    status, out, err = call(problem[0], "--alpha", "1e300")
    assert status == 0 and err == "" and "nan" not in out


def test_words_say_what_a_bound_is_of_and_where_it_promises_less_than_the_start_has(call, problem):
    out = call(problem[0], "--horizon", "10")[1]
    assert "* bound: of E f(mean of the iterates) - min" in out and "promises less than the start has" in out
    assert "promises less" not in call(problem[0], "--horizon", "1000000000")[1]


def test_a_prediction_and_a_choice_that_differ_are_reconciled(call, problem):
    said = {name: call(problem[0], *argv)[1] for name, argv in (("one", ("--memory-limit", "1")), ("all", ()))}
    assert "the two differ" not in said["one"]  # of one structure there is nothing to differ about
    predicted = said["all"].split("predicted: ")[1].split(",")[0]
    chosen = said["all"].split("chosen: ")[1].split(";")[0]
    assert ("the two differ" in said["all"]) == (predicted != chosen)


def test_names_of_losses_and_structures_that_do_not_exist_are_refused_with_the_ones_that_do(call, problem):
    status, out, err = call(problem[0], "--loss", "least_squares")
    assert status == 2 and out == "" and "squared_error" in err
    X, y = np.eye(3), np.array([1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match=r"loss must be one of .*'logistic'.*got 'hinge'"):
        from_arrays(X, y, "hinge")
    assert from_arrays(X, y, "squared_error").value(np.zeros(3)) == from_arrays(X, y, "least_squares").value(
        np.zeros(3)
    )
    assert from_arrays(X, y, "log_loss").value(np.zeros(3)) == from_arrays(X, y, "logistic").value(np.zeros(3))
