"""A trace survives storage bit for bit, knows what made it, and shows itself in tables, verdicts and pictures."""

import json
import subprocess
import sys
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pytest

from problems.domains import Box, Domain, L2Ball, Product, Simplex, SpectralBall
from regret import (
    AdaptiveRegularization,
    GramFullMatrix,
    LinearRandom,
    OnlineGradientDescent,
    RandomSigns,
    Trace,
    TwoSidedShampoo,
    breast_cancer_stream,
    play,
)
from regret.description import construct, describe
from regret.learners import Learner
from structures import Diagonal, Full, LeftKronecker, Structure
from structures.registry import all_structures, controls
from theory import Assumption, Check, Citation, Kind, Theorem, VerdictKind

mpl.use("Agg")

BOXED = AdaptiveRegularization(Diagonal((3,)), lr=0.7, domain=Box(1.0))
LEARNERS = [
    BOXED,
    AdaptiveRegularization(Full((3,)), (0.1, 0.2), 0.1, L2Ball(2.0), "ema", 0.9),
    GramFullMatrix((3,), lr=0.2, eps=0.1, horizon=20),
    OnlineGradientDescent((3,), lr=0.3, domain=Simplex(), schedule="inverse_sqrt"),
]
DOMAINS = [
    L2Ball(1.5),
    Box(0.1).on((2, 3)),
    SpectralBall(2.0),
    Simplex(),
    Product([(L2Ball(1.0), (2, 2)), (Box(0.5), (3,))]),
]


def trace_of(learner, **options):
    domain = learner.domain
    return play(learner, RandomSigns(learner.shape), 20, 2, comparator=None if domain else np.zeros(3), **options)


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: type(learner).__name__)
@pytest.mark.parametrize("keep_history", [False, True])
def test_what_is_loaded_is_what_was_saved(learner, keep_history, tmp_path):
    trace = trace_of(learner, keep_history=keep_history, seed=3)
    trace.save(tmp_path / "deep" / "run.npz")
    loaded = Trace.load(tmp_path / "deep" / "run.npz")
    assert loaded.identical(trace)
    assert loaded.learner == learner
    assert loaded.domain == trace.domain
    assert loaded.structure == trace.structure
    assert (loaded.horizon, loaded.batch, loaded.seed, loaded.meta) == (20, 2, 3, trace.meta)
    assert np.array_equal(loaded.lr, trace.lr)
    assert (loaded.eps, loaded.accumulate, loaded.beta) == (trace.eps, trace.accumulate, trace.beta)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run.npz"]  # no temporary file stays


def test_a_trace_with_losses_survives_too(tmp_path):
    learner = AdaptiveRegularization(Diagonal((31,)), lr=0.3, domain=Box(1.0))
    trace = play(learner, breast_cancer_stream(), 30, 2)
    trace.save(tmp_path / "run.npz")
    assert Trace.load(tmp_path / "run.npz").identical(trace)
    assert trace.loss_regret.shape == (len(trace.loss_grid), 2)


def test_one_trace_gives_one_file(tmp_path):
    for name in ("a", "b"):
        trace_of(BOXED).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_difference_in_the_last_bit_is_a_difference():
    one, other = trace_of(BOXED), trace_of(BOXED)
    other.regret[7, 1] = np.nextafter(other.regret[7, 1], np.inf)
    assert not one.identical(other)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "run.npz"
    trace = trace_of(BOXED)
    trace.save(path)
    before = path.read_bytes()
    trace.meta["adversary"] = object()  # no JSON
    with pytest.raises(TypeError):
        trace.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def test_a_stored_trace_is_read_without_pickle_and_needs_its_format(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, regret=np.zeros((1, 1)))
    with pytest.raises(ValueError, match="not a stored trace"):
        Trace.load(path)
    np.savez(path, json=np.frombuffer(json.dumps({"format": 99}).encode(), dtype=np.uint8))
    with pytest.raises(ValueError, match="format 99"):
        Trace.load(path)
    np.savez(path, json=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        Trace.load(path)


def test_a_stored_trace_is_read_by_a_process_that_has_imported_nothing_else(tmp_path):
    trace_of(BOXED).save(tmp_path / "run.npz")
    code = (
        "import sys; from regret.trace import Trace; t = Trace.load(sys.argv[1]);"
        "print(t.learner); print('torch' in sys.modules, 'matplotlib' in sys.modules, 'cvxpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run.npz")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [repr(BOXED), "False False False"]


class TestDescriptions:
    KINDS = (Learner, Structure, Domain)

    @pytest.mark.parametrize("K", [*all_structures(), *controls()], ids=repr)
    def test_every_structure_comes_back(self, K):
        there = construct(json.loads(json.dumps(describe(K))), self.KINDS)
        assert there == K
        assert type(there) is type(K)
        assert there.dim == K.dim
        x = np.arange(1.0, K.dim + 1).reshape(K.shape)
        assert np.array_equal(there.norm(x), K.norm(x))

    @pytest.mark.parametrize("domain", DOMAINS, ids=repr)
    def test_every_domain_comes_back(self, domain):
        there = construct(json.loads(json.dumps(describe(domain))), self.KINDS)
        assert there == domain
        assert there.size == domain.size

    def test_numbers_come_back_exactly(self):
        values = (0.1, 1e-320, float("inf"), 3, True, None, "name", ((1,), 2.5))
        assert construct(json.loads(json.dumps(describe(values), allow_nan=False)), ()) == values
        assert np.isnan(construct(describe(float("nan")), ()))
        array = np.array([[1.0, 0.1]], dtype=np.float32)
        back = construct(json.loads(json.dumps(describe(array))), ())
        assert back.dtype == np.float32
        assert np.array_equal(back, array)

    @pytest.mark.parametrize(
        "path", ["subprocess:Popen", "no.such.module:Thing", "structures.diagonal:nothing", "json:dumps"]
    )
    def test_nothing_but_known_kinds_is_built(self, path):
        with pytest.raises(ValueError, match="not a loaded dataclass"):
            construct({"class": path, "fields": {}}, self.KINDS)
        with pytest.raises(ValueError, match="not a loaded dataclass"):
            construct(describe(Diagonal((2,))), (Domain,))

    def test_other_fields_are_another_version(self):
        with pytest.raises(ValueError, match="with the version"):
            construct({"class": "structures.diagonal:Diagonal", "fields": {"size": 3}}, self.KINDS)

    def test_what_has_no_description_says_so(self):
        with pytest.raises(TypeError, match="a function cannot be described"):
            describe(lambda: None)


def test_a_table_has_a_row_for_each_horizon_and_element():
    trace = play(LEARNERS[2], LinearRandom((3,)), 20, 2, comparator=np.zeros(3), first=5)
    columns = trace.columns((1, 20))
    assert columns["horizon"].tolist() == [1, 1, 20, 20]
    assert columns["element"].tolist() == [5, 6, 5, 6]
    assert np.array_equal(columns["regret"], trace.regret[[0, 19]].reshape(-1))
    assert np.array_equal(columns["scalars/q"], trace.scalars["q"][[0, 19]].reshape(-1))
    assert {"distance", "distances/structure", "energy_before", "adaptive_norm"} <= set(columns)
    assert len(trace.columns()["horizon"]) == 40
    with pytest.raises(ValueError, match="from 1 to 20"):
        trace.columns((21,))


def test_a_table_is_a_frame_when_pandas_is_there(monkeypatch):
    trace = trace_of(BOXED)
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if not installed
    table = trace.to_table((20,))
    assert isinstance(table, dict)
    monkeypatch.undo()
    pandas = pytest.importorskip("pandas")
    frame = trace.to_table((20,))
    assert isinstance(frame, pandas.DataFrame)
    assert frame["regret"].tolist() == table["regret"].tolist()


def test_it_introduces_itself_briefly():
    trace = trace_of(BOXED)
    assert "T=20, B=2" in repr(trace)
    assert "RandomSigns" in repr(trace)
    page = trace._repr_html_()
    assert "best of the domain in hindsight" in page
    assert "&lt;" not in page.replace("&lt;Trace", "")
    assert len(page) < 1500


@dataclass
class Trivial(Theorem):
    """Regret is at most the trivial bound: true for every game in a domain."""

    id, title, kind, subject = "trivial-regret", "Trivial regret", Kind.PATHWISE, "any game in a domain"
    source, statement = Citation("orabona2019modern"), r"R_T \le \sum_t \max_{x, y} \langle g_t, x - y\rangle"
    share: float = 1.0
    assumptions = (
        Assumption(
            "feasible", "x_t in X", lambda run: Check(bool(np.all(run.infeasibility <= 1e-12)), 0.0, "distance")
        ),
    )

    def measured(self, run):
        return run.regret

    def measured_lower(self, run):
        return run.regret_lower

    def bound(self, run):
        return self.share * run.width_sum

    def budget(self, run):
        return 1e-12 * run.width_sum


def test_a_theorem_is_verified_on_it():
    trace = trace_of(BOXED)
    assert trace.verify(Trivial()).kind is VerdictKind.VERIFIED
    assert trace.verify(Trivial(share=1e-3)).kind is VerdictKind.VIOLATED
    outside = play(BOXED, RandomSigns((3,)), 20, x0=np.full(3, 5.0))
    assert outside.verify(Trivial()).kind is VerdictKind.HYPOTHESIS_FAILED
    assert "ignored" in outside.verify(Trivial(), ignoring=("feasible",)).evidence
    with pytest.raises(KeyError, match="no theorem is called"):
        trace.verify("no-such-theorem")
    with pytest.raises(TypeError, match="an object, not its class"):
        trace.verify(Trivial)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="kadison does not speak about a game, but about"):
        trace.verify("kadison")


def test_it_can_be_looked_at():
    import matplotlib.pyplot as plt

    axes = trace_of(BOXED).plot(theorem=Trivial())
    assert [line.get_label() for line in axes.lines] == ["regret", "bound"]
    assert np.array_equal(axes.lines[0].get_xdata(), np.arange(1, 21))
    assert trace_of(BOXED).plot(ax=axes) is axes
    plt.close("all")


def test_two_sided_shampoo_traces_carry_what_its_theorem_needs(tmp_path):
    trace = play(TwoSidedShampoo((2, 3), lr=0.2, eps=0.1), LinearRandom((2, 3)), 5, comparator=np.zeros((2, 3)))
    trace.save(tmp_path / "s.npz")
    loaded = Trace.load(tmp_path / "s.npz")
    assert loaded.identical(trace)
    assert {"trace_left", "trace_right", "top_left", "top_right"} <= set(loaded.scalars)
    assert loaded.structure is None
    assert loaded.adaptive_norm is None


def test_a_structure_of_a_notebook_can_be_loaded_while_it_is_defined(tmp_path):
    trace = play(AdaptiveRegularization(Mine((2, 3)), 0.2, domain=SpectralBall(1.0)), LinearRandom((2, 3)), 5)
    trace.save(tmp_path / "m.npz")
    assert Trace.load(tmp_path / "m.npz").structure == Mine((2, 3))


class Mine(LeftKronecker):
    """A structure that no room knows."""
