"""`python -m experiments solve` says how close it came, in words and in its exit status, and writes whole files only."""

import json
import os
import stat

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from experiments.cli import main


@pytest.fixture
def problem(tmp_path):
    """Two overlapping classes in a svmlight file; gives (path, X, y)."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)).round(3)
    y = np.where(X[:, 0] + rng.standard_normal(60) > 0, 1, -1)
    dump_svmlight_file(X, y, str(tmp_path / "data.svm"), zero_based=False)
    return tmp_path / "data.svm", X, y


@pytest.fixture
def call(capsys):
    """Run the verb; gives (status, stdout, stderr)."""

    def run(*argv):
        try:
            status = main(["solve", *map(str, argv)])
        except SystemExit as stop:
            status = stop.code
        return (status, *capsys.readouterr())

    return run


def field(out: str, name: str) -> str:
    return next(line[len(name) :].strip() for line in out.splitlines() if line.startswith(name))


def objective(X, y, w, b, l1, l2):
    return float(np.logaddexp(0, -y * (X @ w + b)).mean() + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w)


def test_the_printed_objective_is_that_of_the_written_coefficients(call, problem, tmp_path):
    path, X, y = problem
    status, out, err = call(path, "--alpha", "1e-2", "--l1-ratio", "0.5", "--output", tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as model:
        w, b, classes, meta = model["coef"][0], model["intercept"][0], model["classes"], json.loads(str(model["meta"]))
    assert status == 0 and err == "" and classes.tolist() == [-1, 1]
    found = objective(X, y, w, b, 5e-3, 5e-3)
    # 15 digits are printed, and the two sums are taken in different orders.
    assert abs(float(field(out, "objective")) - found) < 1e-13 and abs(meta["objective"] - found) < 1e-13
    assert (
        meta["converged"] and 0 <= meta["dual_gap"] <= 1e-6 and meta["shape"] == [60, 4] and meta["file"] == "data.svm"
    )
    assert "(tol 1e-06 reached)" in field(out, "duality gap")
    assert field(out, "non-zeros") == f"{np.count_nonzero(w)} of 4 coefficients"
    assert field(out, "data").startswith("60 rows, 4 features") and field(out, "classes") == "-1, 1"


def test_the_values_stand_in_one_column(call, problem):
    lines = call(problem[0])[1].splitlines()
    assert {line.index(line[13:].lstrip()[:3], 13) for line in lines} == {14}
    assert [line.split("  ")[0] for line in lines] == [
        "data",
        "classes",
        "problem",
        "objective",
        "duality gap",
        "non-zeros",
        "passes",
        "seconds",
    ]


def test_a_gap_that_is_not_reached_is_exit_status_1_with_advice(call, problem, tmp_path):
    status, out, err = call(problem[0], "--max-iter", "1", "--tol", "1e-12", "--output", tmp_path / "model.npz")
    assert status == 1 and "NOT reached" in field(out, "duality gap") and "Raise max_iter (now 1)" in err
    with np.load(tmp_path / "model.npz") as model:  # what was reached is kept, and says that it is not converged
        assert not json.loads(str(model["meta"]))["converged"]


def test_the_same_seed_writes_the_same_coefficients(call, problem, tmp_path):
    for name in ("a", "b"):
        assert call(problem[0], "--seed", "3", "--output", tmp_path / f"{name}.npz")[0] == 0
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        np.testing.assert_array_equal(a["coef"], b["coef"])


def test_tables_give_names_and_words_as_classes(call, tmp_path):
    rng = np.random.default_rng(1)
    rows = [
        f"{name},{x + k:.3f},{rng.standard_normal():.3f}"
        for k, name in enumerate("uvw")
        for x in rng.standard_normal(9)
    ]
    (tmp_path / "data.csv").write_text("\n".join(["kind,size,age", *rows]))
    status, out, _ = call(tmp_path / "data.csv", "--label-column", "kind", "--output", tmp_path / "model.npz")
    assert status == 0 and field(out, "classes") == "u, v, w"
    with np.load(tmp_path / "model.npz") as model:
        assert model["coef"].shape == (3, 2) and model["classes"].tolist() == ["u", "v", "w"]
        assert json.loads(str(model["meta"]))["features"] == ["size", "age"]


@pytest.mark.parametrize("loss", ["squared_hinge", "modified_huber", "multinomial", "squared_error", "huber"])
def test_every_loss_runs(call, problem, loss):
    status, out, _ = call(problem[0], "--loss", loss, "--alpha", "0.1", "--n-features", "6", "--no-intercept")
    assert status == 0 and "6 features" in field(out, "data") and "no intercept" in field(out, "problem")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--alpha", "-1"], "must be a finite number of at least 0, got -1"),
        (["--alpha", "nan"], "must be a finite number of at least 0, got nan"),
        (["--l1-ratio", "1.5"], "must be a number between 0 and 1, got 1.5"),
        (["--tol", "0"], "must be a finite number above 0, got 0"),
        (["--max-iter", "0"], "must be an integer of at least 1, got 0"),
        (["--seed", "-1"], "must be an integer from 0 to"),
        (["--loss", "hinge"], "invalid choice: 'hinge'"),
        (["--n-features", "2"], "data.svm: it has 4 features, more than n_features=2"),
        (["--label-column", "0"], "label_column is for .csv and .tsv files"),
        (["--output", "/no/such/folder/model.npz"], "its folder must exist"),
    ],
)
def test_wrong_use_is_exit_status_2_and_says_what_is_allowed(call, problem, argv, complaint):
    status, out, err = call(problem[0], *argv)
    assert status == 2 and out == "" and complaint in err and err.startswith("usage: python -m experiments solve")


def test_files_that_are_missing_broken_or_unfit_are_exit_status_2(call, tmp_path):
    cases = {
        "cut.svm": ("1 1:2\n-1 2:", "cut.svm:2: the value of feature 2 is missing"),
        "one.svm": ("1 1:2\n1 2:3\n", "got 1 class"),
        "nan.svm": ("1 1:nan\n-1 2:3\n", "Input X contains NaN"),
        "real.svm": ("0.5 1:1\n1.5 2:3\n", "Unknown label type"),
    }
    for name, (content, complaint) in cases.items():
        (tmp_path / name).write_text(content)
        status, _, err = call(tmp_path / name)
        assert status == 2 and complaint in err and name in err
    status, _, err = call(tmp_path / "none.svm")
    assert status == 2 and "cannot read" in err and "No such file" in err
    (tmp_path / "words.csv").write_text("1,a\n2,b\n")
    assert call(tmp_path / "words.csv", "--loss", "huber")[0] == 2


def test_an_output_that_cannot_be_written_leaves_what_was_there(call, problem, tmp_path, monkeypatch):
    def fails(path, data):
        path.write_bytes(data[:10])
        raise OSError("disk full")

    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "model.npz"
    target.write_bytes(b"the old one")
    monkeypatch.setattr("experiments.files.write_synced", fails)
    status, _, err = call(problem[0], "--output", target)
    assert status == 1 and "disk full" in err
    assert [path.name for path in target.parent.iterdir()] == ["model.npz"] and target.read_bytes() == b"the old one"


def test_help_teaches_with_examples(call):
    status, out, _ = call("--help")
    assert (
        status == 0 and "examples:" in out and "--l1-ratio 0.5" in out and "duality gap" in out and "exit status" in out
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--loss", "huber", "--balanced"), "--balanced weighs classes"),
        (("--epsilon", "2"), "--epsilon is for --loss huber"),
        (("--header",), "header is for .csv"),
    ],
)
def test_an_option_that_says_nothing_here_is_refused(call, problem, options, complaint):
    status, _, err = call(problem[0], *options)
    assert status == 2 and complaint in err


def test_an_output_that_is_no_file_is_left_alone(call, problem, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    status, _, err = call(problem[0], "--output", pipe)
    assert status == 2 and "must name a file" in err and stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_output_that_is_a_link_replaces_what_it_points_to(call, problem, tmp_path):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "model.npz", tmp_path / "there" / "real.npz"
    target.write_bytes(b"old")
    link.symlink_to(target)
    assert call(problem[0], "--output", link)[0] == 0
    assert link.is_symlink() and np.load(target)["coef"].shape == (1, 4)


def test_a_model_that_does_not_fit_into_memory_is_wrong_use(call, tmp_path):
    path = tmp_path / "wide.svm"
    path.write_text("1 4000000000000000:1\n-1 2:1\n")
    status, _, err = call(path)
    assert status == 2 and "4000000000000000 features" in err and "Traceback" not in err


def test_the_header_that_was_taken_is_reported(call, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("0,1,2\n1,2,0\n3,4,1\n5,1,0\n")
    assert "line 1 is a header" in call(path)[1]
    assert "4 rows" in call(path, "--no-header")[1]


def test_one_wrong_index_is_refused_before_memory_is_gone(call, tmp_path, monkeypatch):
    """10^9 features would be 8 GB a vector: promised freely, they end the process without a word."""
    path = tmp_path / "wrong.svm"
    path.write_text("1 1:1 1000000000:1\n-1 1:2\n1 3:4\n")
    monkeypatch.setattr("experiments.memory.memory", lambda: 64 * 2**30)
    monkeypatch.setattr("convex.estimators.DASVRDAClassifier.fit", lambda *_: pytest.fail("the fit began"))
    status, out, err = call(path)
    assert status == 2 and out == "" and "1000000000 features; is an index wrong?" in err
    assert "the machine has 64 GiB" in err and "Traceback" not in err


def test_a_file_that_fits_is_not_refused_for_its_memory(call, problem, monkeypatch):
    monkeypatch.setattr("experiments.memory.memory", lambda: 16 * 8 * 4)
    assert call(problem[0])[0] == 0
    monkeypatch.setattr("experiments.memory.memory", lambda: 16 * 8 * 4 - 1)
    assert call(problem[0])[0] == 2
    monkeypatch.setattr("experiments.memory.memory", lambda: None)
    assert call(problem[0])[0] == 0
