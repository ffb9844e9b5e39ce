"""Figures come from stored runs, are equal byte for byte, say what their bands span, and name what is missing."""

import hashlib
import json
import re
from types import ModuleType

import pytest
from toy_experiment import Toy

import paper_figures
from experiments.plan import plan
from experiments.report.statement import prose
from experiments.results import Results
from experiments.runner import run
from experiments.store import Store
from paper_figures.__main__ import main
from paper_figures.base import SIZES, figure, load_figures
from paper_figures.files import digest_of, draw, read_manifest
from paper_figures.style import house_style, label, look
from paper_figures.table import Table
from structures.registry import classes


def draw_walks(results, fig):
    axes = fig.add_subplot()
    for stored in results:
        axes.plot(stored.arrays["walk"], label=f"$x_{{{stored.params['seed']}}}$")
    axes.legend()
    return Table({"seed": results.values("seed"), "end": results.column("end")})


def draw_band(results, fig):
    fig.add_subplot().fill_between([0, 1], [0, 0], [1, 2])
    return Table({"x": [0, 1]})


def draw_bars(results, fig):
    fig.add_subplot().errorbar([0, 1], [0, 1], yerr=[0.1, 0.1])
    return Table({"x": [0, 1]})


walks = figure("walks", needs=("toy",), caption="The walks.")(draw_walks)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("results"))
    run(plan([Toy()], store, "ci"), store, jobs=1)
    return store


@pytest.fixture(scope="module")
def results(store):
    return Results.read(store, ("toy",), "ci", suite={"toy": Toy()})


def cli(store, out, *names, figures=(walks,)):
    places = ["--results", str(store.root), "--out", str(out), "--scale", "ci"]
    return main([*names, *places], {spec.name: spec for spec in figures}, {"toy": Toy()})


def test_drawing_twice_gives_equal_bytes(results, tmp_path):
    once, again = (draw(walks, results, "ci", tmp_path / name)["files"] for name in ("once", "again"))
    assert once == again
    assert set(once) == {"pdf", "png", "csv"}


def test_another_result_gives_another_picture(store, results, tmp_path):
    fewer = Results(results.runs[:2])
    files = [draw(walks, r, "ci", tmp_path)["files"] for r in (results, fewer)]
    assert all(files[0][kind] != files[1][kind] for kind in files[0])
    assert digest_of(results) != digest_of(fewer)


def test_the_manifest_holds_the_keys_of_the_runs_and_the_digests_of_the_files(results, tmp_path):
    draw(walks, results, "ci", tmp_path)
    entry = read_manifest(tmp_path)["figures"]["walks"]
    assert entry["runs"] == sorted(results.keys)
    for file in entry["files"].values():
        assert hashlib.sha256((tmp_path / file["name"]).read_bytes()).hexdigest() == file["sha256"]


def test_the_manifest_keeps_the_other_figures_and_nothing_half_written_is_left(results, tmp_path):
    other = figure("others", needs=("toy",), caption="The same.")(draw_walks)
    for spec in (walks, other, walks):
        draw(spec, results, "ci", tmp_path)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {
        "manifest.json",
        *(f"{name}.{kind}" for name in ("walks", "others") for kind in ("pdf", "png", "csv")),
    }
    assert set(json.loads((tmp_path / "manifest.json").read_text())["figures"]) == {"walks", "others"}


def test_fonts_in_a_pdf_are_truetype_and_the_check_can_fail(results, tmp_path):
    draw(walks, results, "ci", tmp_path)
    pdf = (tmp_path / "walks.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/TrueType" in pdf or b"/CIDFontType2" in pdf
    assert b"/CreationDate" not in pdf

    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"pdf.fonttype": 3}):
        plain = Figure()
        plain.text(0, 0, "type 3 is the default")
        plain.savefig(tmp_path / "plain.pdf")
    assert b"/Type3" in (tmp_path / "plain.pdf").read_bytes()


def test_the_house_style_leaves_no_setting_behind():
    from matplotlib import rcParams

    before = dict(rcParams)
    with house_style():
        assert rcParams["pdf.fonttype"] == 42
    assert dict(rcParams) == before


@pytest.mark.parametrize("drawing", [draw_band, draw_bars])
def test_a_band_or_a_bar_without_a_word_on_what_it_spans_is_refused(results, tmp_path, drawing):
    silent = figure("silent", needs=("toy",), caption="A band.")(drawing)
    with pytest.raises(ValueError, match="interval"):
        draw(silent, results, "ci", tmp_path)
    assert not (tmp_path / "manifest.json").exists()
    said = figure("said", needs=("toy",), caption="A band.", interval="Bands span the seeds.")(drawing)
    assert "Bands span the seeds." in draw(said, results, "ci", tmp_path)["caption"]


def test_a_figure_returns_the_table_of_its_numbers(results, tmp_path):
    tableless = figure("tableless", needs=("toy",), caption="No table.")(lambda results, fig: None)
    with pytest.raises(TypeError, match="must return a Table"):
        draw(tableless, results, "ci", tmp_path)


def test_a_table_reads_back_and_its_columns_have_one_length():
    import numpy as np

    table = Table({"name": ["a,b", "c"], "x": np.asarray([0.1, 1e-300])})
    assert table.csv() == 'name,x\n"a,b",0.1\nc,1e-300\n'
    assert Table.of_rows(("name", "x"), [("a,b", 0.1), ("c", 1e-300)]).csv() == table.csv()
    with pytest.raises(ValueError, match="one length"):
        Table({"x": [1], "y": [1, 2]})
    with pytest.raises(ValueError, match="no columns"):
        Table({})


@pytest.mark.parametrize(
    "wrong",
    [{"name": "Bad Name"}, {"needs": ()}, {"needs": "toy"}, {"size": "poster"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_declaration_is_refused(wrong):
    name = wrong.pop("name", "fine")
    with pytest.raises(ValueError, match=r"figure"):
        figure(name, **{"needs": ("toy",), "caption": "", **wrong})


def test_a_figure_is_called_like_its_file(monkeypatch, tmp_path):
    package = ModuleType("figures_of_a_test")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(__import__("sys").modules, package.__name__, package)
    body = "from paper_figures.base import figure\n@figure({!r}, needs=('toy',), caption='')\ndef draw(results, fig): ...\n"
    (tmp_path / "right.py").write_text(body.format("right"))
    (tmp_path / "importer.py").write_text("from figures_of_a_test.right import draw\n")
    assert list(load_figures(package)) == ["right"]
    (tmp_path / "wrong.py").write_text(body.format("other"))
    with pytest.raises(ValueError, match=r"call the file other\.py"):
        load_figures(package)


def test_every_figure_of_the_project_needs_known_experiments_and_says_how_to_draw_it_again():
    from experiments.suite import load_suite

    suite = load_suite()
    for spec in load_figures(paper_figures).values():
        assert set(spec.needs) <= set(suite), spec.name
        assert f"python -m paper_figures {spec.name} --scale laptop" in spec.commands("laptop")
        assert spec.alt and spec.title and spec.caption
        assert not isinstance(spec.caption, str) or prose(spec.caption)  # its formulas become MathML


def test_a_caption_says_how_to_run_again_and_what_the_interval_is_and_may_read_the_results(results):
    said = figure("said", needs=("toy",), caption="Walks.", interval="Bars span the seeds.")(draw_walks)
    assert said.full_caption(results, "ci") == (
        "Walks. Bars span the seeds. Run again: `python -m experiments run toy --scale ci && "
        "python -m paper_figures said --scale ci`."
    )
    counted = figure("counted", needs=("toy",), caption=lambda results: f"{len(results)} walks.")(draw_walks)
    assert counted.full_caption(results, "ci").startswith("4 walks. No interval is drawn.")


def test_the_command_line_draws_and_says_where(store, tmp_path, capsys):
    assert cli(store, tmp_path, "walks") == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "walks.pdf") in said
    assert "1 of 1 figures drawn" in said
    assert (tmp_path / "manifest.json").exists()


def test_missing_runs_are_exit_status_1_and_name_the_command_that_computes_them(tmp_path, capsys):
    assert cli(Store(tmp_path / "empty"), tmp_path) == 1
    error = capsys.readouterr().err
    assert "4 of 4 runs" in error
    assert "python -m experiments run toy --scale ci" in error


def test_a_figure_that_fails_is_exit_status_1_and_the_others_are_drawn(store, tmp_path, capsys):
    failing = figure("failing", needs=("toy",), caption="")(lambda results, fig: results.one(seed=99))
    status = cli(store, tmp_path, figures=(failing, walks))
    said = capsys.readouterr()
    assert status == 1
    assert "FAILED failing" in said.err and "expected one run" in said.err
    assert (tmp_path / "walks.png").exists()


def test_an_unknown_figure_is_exit_status_2_with_the_close_ones(store, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli(store, tmp_path, "walk")
    assert ended.value.code == 2
    assert "did you mean walks?" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"], {}, {})
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "exit status" in said and "python -m paper_figures --list" in said


def test_every_structure_has_a_look_and_a_label_of_its_own():
    names = [cls.__name__ for cls in classes() if cls.well_structured]
    looks = {name: (look(name).color, look(name).marker, str(look(name).linestyle)) for name in names}
    assert len(set(looks.values())) == len(names)
    assert len({label(name) for name in names}) == len(names)


def test_an_unknown_name_keeps_its_look():
    assert look("SomethingNew") == look("SomethingNew")
    assert re.fullmatch("#[0-9A-F]{6}", look("SomethingNew").color)


def test_sizes_fit_a_page():
    assert all(0 < width <= 7 and 0 < height <= 9 for width, height in SIZES.values())
