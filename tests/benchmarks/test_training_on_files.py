"""Files become tasks or are refused with a reason, every method trains on them, and a stopped measurement goes on."""

import gzip
import json
import lzma
import os
import struct

import numpy as np
import pytest
import torch

from benchmarks import optimizer_claims, optimizer_training
from benchmarks.trained import kfac, protocol
from benchmarks.trained.clock import milliseconds
from benchmarks.trained.files import cifar_records, idx, tasks_in
from benchmarks.trained.methods import METHODS, trained
from benchmarks.trained.protocol import Plan
from benchmarks.trained.resume import Ledger
from benchmarks.trained.table import markdown
from experiments.suite.optimizer_files import seconds_to, summary, target_of


def as_idx(values):
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def pictures(n, *shape):
    """Pictures whose label is the band that is bright."""
    rng = np.random.default_rng(n)
    labels = rng.integers(0, 10, n, dtype=np.uint8)
    images = rng.integers(0, 60, (n, *shape), dtype=np.uint8)
    band = shape[-2] // 10
    for image, label in zip(images, labels, strict=True):
        image[..., band * label : band * (label + 1), :] += 150
    return images, labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small files in the layouts of the real ones, in subfolders, compressed and not."""
    root = tmp_path_factory.mktemp("data")
    (root / "deep").mkdir()
    for part, n in (("train", 240), ("t10k", 40)):
        images, labels = pictures(n, 28, 28)
        with gzip.open(root / "deep" / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(as_idx(images))
        (root / f"{part}-labels-idx1-ubyte").write_bytes(as_idx(labels))
    for name, n in (("train_few.bin.xz", 240), ("test_batch.bin", 20)):
        images, labels = pictures(n, 3, 32, 32)
        records = np.concatenate([labels[:, None], images.reshape(n, -1)], axis=1).tobytes()
        (root / name).write_bytes(lzma.compress(records) if name.endswith(".xz") else records)
    (root / "short.txt").write_text("not this one")
    (root / "some.txt").write_text("to be, or not to be, that is the question. " * 600)
    return root


@pytest.fixture(scope="module")
def tasks(folder):
    return tasks_in(folder)


# ---- files


def test_files_become_tasks_whatever_their_compression_and_folder(tasks):
    task = tasks["MNIST MLP"]
    assert [part[0].shape for part in (task.learn, task.choose, task.report)] == [
        (210, 1, 28, 28), (30, 1, 28, 28), (40, 1, 28, 28),
    ]  # fmt: skip
    assert 0.0 <= float(task.learn[0].min()) < float(task.learn[0].max()) <= 1.0
    bright = task.report[0][:, 0].mean(2).argmax(1) // 2  # bands of 28 // 10 rows
    assert torch.equal(bright, task.report[1])  # labels have stayed with their pictures
    task = tasks["CIFAR-10 CNN"]
    assert task.learn[0].shape[1:] == (3, 32, 32)
    assert torch.equal(task.report[0].mean((1, 3)).argmax(1) // 3, task.report[1])
    assert task.model(0)(task.report[0][:2]).shape == (2, 10)
    assert tasks["text"].learn[0].shape[1] == 32
    assert torch.equal(tasks["text"].learn[0][:, 1:], tasks["text"].learn[1][:, :-1])  # the target is the next one


def test_pictures_to_report_on_are_not_among_those_to_learn_from(tasks):
    task = tasks["MNIST MLP"]
    rows = [{tuple(row) for row in part[0].flatten(1).tolist()} for part in (task.learn, task.choose, task.report)]
    assert len(rows[0] | rows[1] | rows[2]) == 280


def test_what_is_absent_is_named(tmp_path, folder):
    assert all("no folder" in str(found) for found in tasks_in(None).values())
    found = tasks_in(tmp_path)
    assert "train-images-idx3-ubyte" in str(found["MNIST MLP"])
    assert "binary version" in str(found["CIFAR-10 CNN"])
    assert "*.txt" in str(found["text"])


def test_broken_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not an idx file"):
        idx(b"\x1f\x8b\x08\x00")
    with pytest.raises(ValueError, match="announces the shape"):
        idx(struct.pack(">HBBI", 0, 8, 1, 5) + b"abc")
    with pytest.raises(ValueError, match="3073"):
        cifar_records(bytes(3072))
    with pytest.raises(ValueError, match="3073"):
        cifar_records(b"")
    images, labels = cifar_records(bytes([7, *range(256)] + [0] * (3072 - 256)))
    assert labels.tolist() == [7]
    assert images[0, 0, 1, 2] == 34
    for part in ("train", "t10k"):
        images, labels = pictures(8, 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(as_idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(as_idx(labels[:7]))
    with pytest.raises(ValueError, match="8 pictures and 7 labels"):
        tasks_in(tmp_path)
    assert optimizer_training.main(["--data", str(tmp_path)]) == 2


# ---- methods


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_on_every_kind_of_file(tasks, method):
    if method == "K-FAC" and kfac.missing():
        pytest.skip(str(kfac.missing()))
    for name, task in tasks.items():
        lr = 1e-3 if method == "AGD" else 1e-2 if method in ("AdamW", "K-FAC") or "Shampoo" in method else 1e-1
        run = trained(task, method, lr, 0, 4)
        assert len(run.history.losses) == 4 * task.steps
        assert not run.history.diverged
        assert run.history.losses[-1] < run.history.losses[0], name
        assert run.bytes > 0
        assert run.history.seconds == sorted(run.history.seconds)


def test_kfac_is_its_formula_with_factors_that_are_averaged(tasks):
    if kfac.missing():
        pytest.skip(str(kfac.missing()))
    task = tasks["MNIST MLP"]
    model, found = task.model(0), kfac.KFAC(seed=0, refresh=1)
    x, y, ids = next(iter(task.batches(0, 0)))
    history = {}
    for step in range(2):
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        weight, bias = model[1].weight.grad.clone(), model[1].bias.grad.clone()
        found(model, None, step, (x, y, ids))
        history[step] = {kind: found.factors[kind]["model.1"] for kind in found.factors}
        A, B = (history[step][kind].double() for kind in ("input_covariances", "gradient_covariances"))
        pi = ((A.trace() / len(A)) / (B.trace() / len(B))) ** 0.5
        A, B = A + pi * 0.1 * torch.eye(len(A)), B + 0.1 / pi * torch.eye(len(B))
        G = torch.cat([weight, bias[:, None]], 1).double()
        expected = torch.linalg.solve(B, torch.linalg.solve(A, G.T).T)
        got = torch.cat([model[1].weight.grad, model[1].bias.grad[:, None]], 1).double()
        # single precision times the condition number of the damped factors, of at most 1e3 each
        assert float((got - expected).norm() / expected.norm()) < 1e-3
    inputs = [history[step]["input_covariances"] for step in range(2)]
    torch.testing.assert_close(*inputs)  # the same batch: its average with itself
    assert not torch.equal(*(history[step]["gradient_covariances"] for step in range(2)))  # labels are drawn anew


def test_parameters_without_factors_take_a_tenth_of_the_sign_of_a_steady_gradient():
    found, p = kfac.KFAC(seed=0), torch.nn.Parameter(torch.zeros(2))
    for step in range(1, 4):
        p.grad = torch.tensor([3.0, -0.2])
        found.divide([p], step)
        torch.testing.assert_close(p.grad, torch.tensor([0.1, -0.1]))
    p.grad = torch.tensor([6.0, -0.2])
    found.divide([p], 4)
    assert p.grad[0] > 0.15  # a larger one is larger
    assert found.state_bytes() == 8


def test_who_is_not_installed_is_left_out_with_the_reason(tasks, monkeypatch):
    monkeypatch.setattr(protocol, "absent", lambda method: "not installed (curvlinops)" if method == "K-FAC" else None)
    monkeypatch.setattr(protocol, "milliseconds", lambda task, methods: {})
    ledger = Ledger(None)
    protocol.measure(tasks["CIFAR-10 CNN"], Plan(1, 1, 1, "decades"), ("SGD", "K-FAC"), 1, ledger)
    assert "- K-FAC: not installed (curvlinops)" in markdown(ledger.data)
    assert set(ledger.data["tasks"]["CIFAR-10 CNN"]["methods"]) == {"SGD"}


# ---- the protocol


def short_plans(monkeypatch):
    monkeypatch.setattr(protocol, "milliseconds", lambda task, methods: dict.fromkeys(methods, 1.0))
    monkeypatch.setattr(optimizer_training, "PLANS", dict.fromkeys(optimizer_training.PLANS, Plan(1, 2, 1, "decades")))


def test_what_is_there_is_not_done_again_and_the_rest_is_added(folder, tmp_path, monkeypatch, capsys):
    short_plans(monkeypatch)
    file = tmp_path / "new" / "some.json"
    options = ["--data", str(folder), "--json", str(file), "--tasks", "CIFAR", "--methods", "SGD;AdamW", "--seeds"]
    calls = []

    def counted(task, method, lr, seed, epochs, checks=1):
        calls.append((method, seed))
        return trained(task, method, lr, seed, epochs, checks)

    monkeypatch.setattr(protocol, "trained", counted)
    assert optimizer_training.main([*options, "1"]) == 0
    assert calls.count(("SGD", protocol.TUNING_SEED)) == 3
    first = file.read_text()
    calls.clear()
    assert optimizer_training.main([*options, "1"]) == 0
    assert calls == []
    assert file.read_text() == first
    assert optimizer_training.main([*options, "2"]) == 0
    assert calls == [("SGD", 1), ("AdamW", 1)]
    runs = json.loads(file.read_text())["tasks"]["CIFAR-10 CNN"]["methods"]["SGD"]["runs"]
    assert runs["0"] == json.loads(first)["tasks"]["CIFAR-10 CNN"]["methods"]["SGD"]["runs"]["0"]
    assert optimizer_training.main(["--show", str(file)]) == 0
    assert "| AdamW |" in capsys.readouterr().out


def test_a_run_that_stops_keeps_what_was_done(folder, tmp_path, monkeypatch):
    short_plans(monkeypatch)
    file = tmp_path / "some.json"
    options = ["--data", str(folder), "--json", str(file), "--tasks", "CIFAR", "--methods", "SGD", "--seeds", "2"]

    def stopping(task, method, lr, seed, epochs, checks=1):
        if seed == 1:
            raise KeyboardInterrupt
        return trained(task, method, lr, seed, epochs, checks)

    with monkeypatch.context() as patch:
        patch.setattr(protocol, "trained", stopping)
        with pytest.raises(KeyboardInterrupt):
            optimizer_training.main(options)
    row = json.loads(file.read_text())["tasks"]["CIFAR-10 CNN"]["methods"]["SGD"]
    assert list(row["runs"]) == ["0"]
    assert optimizer_training.main(options) == 0
    again = json.loads(file.read_text())["tasks"]["CIFAR-10 CNN"]["methods"]["SGD"]
    assert list(again["runs"]) == ["0", "1"]
    assert again["runs"]["0"] == row["runs"]["0"]


def test_two_protocols_do_not_share_a_file(folder, tmp_path, monkeypatch, capsys):
    short_plans(monkeypatch)
    file = tmp_path / "some.json"
    options = ["--data", str(folder), "--json", str(file), "--tasks", "CIFAR", "--methods", "SGD", "--seeds", "1"]
    assert optimizer_training.main(options) == 0
    before = file.read_text()
    monkeypatch.setattr(optimizer_training, "PLANS", {"CIFAR-10 CNN": Plan(1, 3, 1, "decades")})
    assert optimizer_training.main(options) == 2
    assert "other settings (epochs, steps)" in capsys.readouterr().err
    assert file.read_text() == before
    assert optimizer_training.main(["--methods", "Adagrad"]) == 2


def test_a_write_that_fails_leaves_the_file_whole(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "a.json")
    ledger.save()
    before = (tmp_path / "a.json").read_text()
    ledger.data["more"] = 1

    def broken(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="no space"):
        ledger.save()
    assert (tmp_path / "a.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_every_method_has_its_turn_on_the_clock_and_dearer_steps_take_longer(tasks):
    found = milliseconds(tasks["MNIST MLP"], ("SGD", "Shampoo"), rounds=1)
    assert set(found) == {"SGD", "Shampoo"}
    assert 0.0 < found["SGD"] < found["Shampoo"]  # by the root of a 784 × 784 matrix


def run_of(seconds, held_out, loss):
    return {
        "seconds": seconds, "held_out": held_out, "loss": loss, "accuracy": 0.5, "steps": [10, 20], "train": [], "bytes": 800,
    }  # fmt: skip


def test_the_target_is_adamws_and_the_time_is_that_of_the_first_check_at_it():
    runs = {
        "AdamW": {"0": run_of([1.0, 2.0], [0.9, 0.5], 0.6), "1": run_of([1.0, 3.0], [0.8, 0.4], 0.5)},
        "other": {"0": run_of([0.5, 1.0], [0.45, 0.3], 0.4), "1": run_of([0.6, 1.0], [0.43, None], None)},
        "slow": {"0": run_of([0.5, 1.0], [0.9, 0.46], 0.4)},
        "gone": {"0": run_of([], [], None) | {"steps": []}, "1": run_of([0.5, 1.0], [0.4, 0.3], 0.4)},
    }
    entry = {
        "settings": {"parameters": 100},
        "methods": {name: {"lr": 0.1, "at_edge": False, "runs": found} for name, found in runs.items()},
    }
    assert target_of(entry) == pytest.approx(0.45)
    assert seconds_to(list(runs["other"].values()), 0.45) == pytest.approx(0.55)
    assert seconds_to(list(runs["other"].values()), 0.2) is None
    rows = {row["method"]: row for row in summary(entry)}
    assert rows["AdamW"]["seconds_to"] == pytest.approx(2.5)  # its own median is there at the end, not before
    assert rows["other"]["loss"] is None  # a seed diverged: no median is told
    assert rows["other"]["low"] == 0.4
    assert rows["slow"]["seconds_to"] is None
    assert rows["gone"]["seconds_to"] is None
    assert rows["AdamW"]["ms"] == pytest.approx(1e3 * 3.0 / 20)  # of the second halves
    entry["clock"] = {"AdamW": 300.0}  # in turns it takes twice as long
    row = {row["method"]: row for row in summary(entry)}["AdamW"]
    assert (row["ms"], row["seconds_to"]) == (pytest.approx(300.0), pytest.approx(5.0))
    assert rows["AdamW"]["bytes"] == 8.0


# ---- the claims


def test_the_claims_are_measured_once_and_shown(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(optimizer_claims, "STREAMED", dict.fromkeys(optimizer_claims.STREAMED, (4, 0.1)))
    monkeypatch.setattr(optimizer_claims, "SHARED", dict.fromkeys(optimizer_claims.SHARED, (1, 3)))
    monkeypatch.setattr(optimizer_claims, "DAMPINGS", (1.0,))
    monkeypatch.setattr(optimizer_claims, "GRID", "decades")
    file = tmp_path / "claims.json"
    options = ["--data", str(folder), "--json", str(file), "--seeds", "1", "--tasks", "CIFAR"]
    assert optimizer_claims.main(options) == 0
    first = file.read_text()
    data = json.loads(first)["tasks"]
    row = data["roots, CIFAR-10 CNN, convolution 2, inputs"]["methods"]["sandwich, ridge"]
    assert row["size"] == 144
    assert 0.0 < row["least_cosine_late"] <= row["median_cosine_late"] <= 1.0 + 1e-6
    shared = data["sharing, CIFAR-10 CNN"]["methods"]
    assert set(shared) == {"SGD", "fresh, 1", "table, 1", "position, 1", "scalar, 1"}
    assert np.shape(shared["fresh, 1"]["cosine"]) == (1, 4, 2)
    monkeypatch.setattr(optimizer_claims, "compared", None)
    monkeypatch.setattr(optimizer_claims, "followed", None)
    assert optimizer_claims.main(options) == 0
    assert file.read_text() == first
    assert "convolution 3, outputs (64×64" in capsys.readouterr().out
