"""The trade-off figure says what the numbers say, whichever way they come out."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from experiments.plan import plan
from experiments.report.statement import prose
from experiments.results import Results
from experiments.runner import run
from experiments.spec import Experiment, Result, quiet
from experiments.store import Store
from paper_figures import regret_vs_bound, tradeoff
from paper_figures.files import draw, read_manifest
from paper_figures.tradeoff import Point, rank_correlation, verdict


def point(structure, product, excess):
    return Point(structure, True, False, product, (1.0, 1.0, 1.0), (excess, excess, excess))


def test_a_bound_that_orders_like_the_outcome_picks_the_winner():
    found = [point("Scalar", 1.0, 5.0), point("Diagonal", 2.0, 6.0), point("Full", 3.0, 7.0)]
    assert rank_correlation(found) == pytest.approx(1.0)
    assert verdict(found).startswith("the bound picks the winner, scalar; the rank correlation over 3")


def test_a_bound_that_orders_the_other_way_round_is_said_to():
    found = [point("Scalar", 1.0, 7.0), point("Diagonal", 2.0, 6.0), point("Full", 3.0, 5.0)]
    assert rank_correlation(found) == pytest.approx(-1.0)
    assert verdict(found).startswith("full matrix wins and the bound picks scalar, number 3 of the outcome")


def test_two_points_have_no_rank_correlation():
    assert math.isnan(rank_correlation([point("Scalar", 1.0, 1.0), point("Full", 2.0, 2.0)]))


@dataclass(frozen=True)
class Invented(Experiment):
    """Stored runs in the form of the real experiment, in a hundredth of its time."""

    id = "regret_vs_bound"
    title = "Invented"
    claim = "None."

    def runs(self, scale):
        plays = (("Scalar", "common"), ("Diagonal", "own"), ("Diagonal", "common"), ("Circulant", "common"))
        return [
            self.spec(dataset=data, structure=name, domain=domain)
            for data in ("digits", "breast_cancer")
            for name, domain in plays
        ]

    def execute(self, spec, progress=quiet):
        rng = np.random.default_rng(int(spec.key[:8], 16))
        bound = np.cumsum(rng.uniform(1, 2, (12, 3)), axis=0)
        own = spec.params["domain"] == "own" or spec.params["structure"] == "Scalar"
        arrays = {
            "bound": bound,
            "regret": bound * rng.uniform(0.1, 0.9, (12, 3)),
            "adaptive_norm": bound,
            "excess": bound,
        }
        return Result(arrays, {"own_ball": own, "diameter": rng.uniform(1, 3), "domain": "L2Ball"})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    store, suite = Store(tmp_path_factory.mktemp("results")), {"regret_vs_bound": Invented()}
    run(plan(suite.values(), store, "ci"), store, jobs=1)
    return Results.read(store, ("regret_vs_bound",), "ci", suite=suite)


def test_both_figures_can_be_drawn_from_stored_runs_and_their_tables_hold_every_number(results, tmp_path):
    for module in (regret_vs_bound, tradeoff):
        draw(module.draw, results, "ci", tmp_path)
    assert set(read_manifest(tmp_path)["figures"]) == {"regret_vs_bound", "tradeoff"}
    curves = (tmp_path / "regret_vs_bound.csv").read_text().splitlines()
    assert len(curves) == 1 + 2 * 3 * 12  # a header, then data sets, structures, horizons
    assert len((tmp_path / "tradeoff.csv").read_text().splitlines()) == 1 + len(results)


def test_the_caption_speaks_about_both_data_sets_and_both_kinds_of_domain(results):
    said = tradeoff.draw.full_caption(results, "ci")
    assert prose(said).count("rank correlation") == 4
    assert "On digits" in said and "On breast cancer" in said
