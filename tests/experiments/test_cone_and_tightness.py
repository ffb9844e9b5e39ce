"""The two experiments at the edge of the regret theorem say what they claim, and their figures show it."""

import numpy as np
import pytest

from experiments.results import Results
from experiments.store import Store
from experiments.suite.cone import Cone, limit
from experiments.suite.tightness import GEOMETRIES, SEQUENCES, Tightness
from paper_figures.base import load_figures
from paper_figures.style import house_style

CONE, TIGHTNESS = Cone(), Tightness()


def stored(tmp_path_factory, experiment, specs) -> Results:
    store = Store(tmp_path_factory.mktemp(experiment.id) / "results")
    for spec in specs:
        store.save(spec, experiment.execute(spec), {})
    return Results(tuple(store.load(spec.key) for spec in specs))


@pytest.fixture(scope="module")
def cone(tmp_path_factory) -> Results:
    specs = [
        CONE.spec(set=s, dim=d, step=0.08, rate=0.3, eps=1e-6) for d in (1, 3) for s in ("MonotoneCone", "Diagonal")
    ]
    return stored(tmp_path_factory, CONE, specs)


@pytest.fixture(scope="module")
def tightness(tmp_path_factory) -> Results:
    hard = [
        TIGHTNESS.spec(geometry=g, sequence="hard", horizon=t, seeds=1, seed=0) for g in GEOMETRIES for t in (100, 300)
    ]
    others = [
        TIGHTNESS.spec(geometry=g, sequence=s, horizon=80, seeds=2, seed=0) for g in GEOMETRIES for s in SEQUENCES
    ]
    return stored(tmp_path_factory, TIGHTNESS, hard + others)


def test_the_cone_is_refused_violated_when_ignored_and_harmless_in_one_dimension(cone):
    kinds = [v["kind"] for v in cone.one(set="MonotoneCone", dim=3).verdicts]
    assert kinds == ["HYPOTHESIS_FAILED", "VIOLATED", "VERIFIED"]
    for verdict in cone.one(set="MonotoneCone", dim=3).verdicts:
        assert verdict["kind"] in verdict.get("expected", ["VERIFIED"])
    for run in (cone.one(set="MonotoneCone", dim=1), *cone.where(set="Diagonal")):
        assert [v["kind"] for v in run.verdicts] == ["VERIFIED", "VERIFIED"]


def test_the_ratio_exceeds_one_by_a_factor_that_the_limit_explains(cone):
    assert limit(1, 0.3) == pytest.approx(1.0)
    assert limit(2, 0.3) == pytest.approx(2.8 / (1 / 0.6 + 0.3))
    run = cone.one(set="MonotoneCone", dim=3)
    assert 1.4 < run.summary["ratio"] < run.summary["limit"]
    assert run.summary["ratio"] == pytest.approx(run.arrays["regret"][-1] / run.arrays["bound"][-1])


def test_what_breaks_is_the_sum_of_the_moving_norms(cone):
    run = cone.one(set="MonotoneCone", dim=3)
    assert run.arrays["moving"][-1] > 1.5 * run.arrays["moving_bound"][-1]
    good = cone.one(set="Diagonal", dim=3)
    assert np.all(good.arrays["moving"] <= good.arrays["moving_bound"] * (1 + 1e-9))  # sums of 1e3 terms


def test_the_hard_sequence_has_one_ratio_in_all_geometries_and_the_others_stay_below_a_half(tightness):
    for horizon, ratio in ((100, 0.767278), (300, 0.8559)):
        ends = [run.summary["ratio"] for run in tightness.where(sequence="hard", horizon=horizon)]
        assert ends == pytest.approx([ratio] * len(GEOMETRIES), abs=5e-4)  # the last digits depend on the drift steps
    for sequence in SEQUENCES:
        assert all(np.max(run.arrays["ratio"]) <= 0.5 for run in tightness.where(sequence=sequence))


def test_every_run_of_the_tightness_experiment_is_verified(tightness):
    assert {v["kind"] for v in tightness.verdicts("structured-regret")} == {"VERIFIED"}


@pytest.mark.parametrize("experiment", [CONE, TIGHTNESS])
def test_runs_are_distinct_and_scales_grow(experiment):
    sizes = [len(experiment.runs(scale)) for scale in ("ci", "laptop", "paper")]
    assert sizes == sorted(sizes)
    for scale in ("ci", "laptop", "paper"):
        keys = [spec.key for spec in experiment.runs(scale)]
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["cone", "tightness"])
def test_the_figure_draws_what_was_stored(name, cone, tightness):
    from matplotlib.figure import Figure

    results = {"cone": cone, "tightness": tightness}[name]
    with house_style():
        fig = Figure(figsize=(6.75, 2.6))
        table = load_figures()[name](results, fig)
        fig.canvas.draw()
    assert len(table) > 20
    column = "ratio" if name == "cone" else "largest"
    largest = max(table.columns[column])
    expected = 1.0 if name == "cone" else max(run.summary["ratio"] for run in results)
    assert largest > expected if name == "cone" else largest == pytest.approx(expected, rel=1e-5)
