"""The page says what the store holds, needs nothing but itself, and a browser shows it whole, on a telephone too."""

import base64
import platform
import re

import pytest
from browser import CHROMIUM, look_at
from toy_experiment import AtMost, Broken, Raising, Toy

from experiments.plan import plan
from experiments.report import write_report
from experiments.results import Results
from experiments.runner import run
from experiments.store import Store
from experiments.verification import catalogue
from paper_figures.base import figure
from paper_figures.files import draw
from paper_figures.table import Table

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the page with")


@figure("walks", needs=("toy",), title="Walks", caption="The walks $|x_t|$ <one per seed>.", alt="four wandering lines")
def walks(results, fig):
    axes = fig.add_subplot()
    for stored in results:
        axes.plot(stored.arrays["walk"])
    return Table({"seed": [stored.params["seed"] for stored in results]})


class Long(AtMost):
    id = "long"
    title = "A formula that is wider than a telephone"
    statement = (
        r"\text{For every } T \ge 1,\qquad \sum_{t=1}^{T} \langle g_t, x_t - x^\star\rangle \le \Bigl(\frac{D^2}{2\eta}"
        r"+ \eta\Bigr) |||g_{1:T}|||_{\mathcal H} + \frac{D^2}{2\eta} d \sqrt{\varepsilon} + a + b + c + e + f + g + h"
        r"\text{ with } D = \max_{t \le T} \|x_t - x^\star\|_{\mathcal H}."
    )


THEOREMS = (AtMost(), Long())


def filled(root, theorems=THEOREMS, **toy):
    store, suite = Store(root), {"toy": Toy(**toy)}
    run(plan(suite.values(), store, "ci"), store, jobs=1)
    store.write_catalogue(catalogue(theorems))
    return store, suite


def page_of(store, suite, theorems=THEOREMS):
    return write_report(store, "ci", store.root / "report", store.root / "figures", suite, theorems)


@pytest.fixture(scope="module")
def store_and_suite(tmp_path_factory):
    store, suite = filled(tmp_path_factory.mktemp("results"))
    draw(walks, Results.read(store, ("toy",), "ci", suite=suite), "ci", store.root / "figures")
    return store, suite


@pytest.fixture(scope="module")
def page(store_and_suite):
    return page_of(*store_and_suite)


@pytest.fixture(scope="module")
def html(page):
    return page.read_text(encoding="utf-8")


def test_the_page_loads_nothing_from_elsewhere(html):
    loaded = re.findall(r"""(?:src|url)\s*[=(]\s*["']?([^"')\s>]+)""", html)
    loaded += re.findall(r'<link[^>]*href="([^"]*)"', html)
    assert len(loaded) >= 4  # an icon, two fonts, a picture
    assert all(address.startswith("data:") for address in loaded)
    assert "<script" not in html


def test_the_same_store_gives_the_same_page(page, html, store_and_suite):
    assert page_of(*store_and_suite).read_text(encoding="utf-8") == html


def test_every_theorem_is_there_with_statement_source_assumptions_verdicts_and_the_way_to_run_it_again(html):
    for theorem in THEOREMS:
        card = html.split(f'id="theorem-{theorem.id}"')[1].split("</article>")[0]
        for text in (theorem.title, theorem.source.locator, "honest", "<math", "held in 1 instance", "dishonest"):
            assert text in card
        assert '1<span class="of"> of 1' in card
        assert "python -m experiments verify --scale ci" in card
        assert "does not apply" in card  # the control was refused


def test_the_summary_counts_instances_and_says_what_a_run_can_show(html):
    summary = html.split('id="summary"')[1].split("</section>")[0]
    assert "A run verifies an instance" in html
    assert "Every verdict came out as it must" in summary
    assert re.search(r"Controls caught</dt><dd>2<span class=\"of\"> of 2", summary)


def test_every_run_of_an_experiment_is_there_with_its_time(html, store_and_suite):
    store, suite = store_and_suite
    card = html.split('id="experiment-toy"')[1].split("</article>")[0]
    assert suite["toy"].claim in card
    assert all(planned.spec.key[:10] in card for planned in plan(suite.values(), store, "ci"))


def test_a_figure_carries_its_picture_its_numbers_and_its_caption(html, store_and_suite):
    store, _ = store_and_suite
    card = html.split('id="figure-walks"')[1].split("</article>")[0]
    for media, kind in (("image/png", "png"), ("text/csv;charset=utf-8", "csv")):
        inside = re.search(rf"data:{re.escape(media)};base64,([^\"]+)", card)[1]
        assert base64.b64decode(inside) == (store.root / "figures" / f"walks.{kind}").read_bytes()
    assert "&lt;one per seed&gt;" in card  # prose is escaped
    assert "<math" in card
    assert 'alt="four wandering lines"' in card
    assert "python -m paper_figures walks --scale ci" in card


def test_a_figure_of_another_scale_is_named_and_not_shown(store_and_suite, tmp_path):
    store, suite = store_and_suite
    other = write_report(store, "laptop", tmp_path, store.root / "figures", suite, ()).read_text(encoding="utf-8")
    assert "<img" not in other
    assert "Drawn at another scale, hence not shown here: walks" in other


def test_the_page_names_the_kind_of_machine_and_not_the_machine(html):
    assert platform.platform() in html
    assert platform.node() not in re.sub(r"base64,[^\"')]+", "", html)


def test_what_went_wrong_is_said_at_the_top_and_at_its_place(tmp_path):
    theorems = (AtMost(), Broken(), Raising())
    store, suite = filled(tmp_path, theorems=theorems, failing=(2,), violated=(0,))
    html = page_of(store, suite, theorems).read_text(encoding="utf-8")
    summary = html.split('id="summary"')[1].split("</section>")[0]
    assert "4 verdicts did not come out as they must" in summary  # a run's, Broken's two, Raising's example
    assert "1 run failed" in summary
    assert "Every verdict came out" not in html
    assert "the walk of seed 2 left the plane" in html
    assert "no such instance" in html
    assert html.index('class="card" id="theorem-broken"') < html.index('class="card" id="theorem-at-most"')


def test_verdicts_of_a_theorem_that_is_gone_are_not_silently_dropped(html):
    assert re.search(r"no longer registered were left out: walk-range", html)


def test_an_empty_store_gives_a_page_that_says_where_to_begin(tmp_path):
    html = page_of(Store(tmp_path), {"toy": Toy()}).read_text(encoding="utf-8")
    assert "Nothing has been judged yet" in html
    assert "python -m experiments run --scale ci" in html
    assert "python -m paper_figures --scale ci" in html


def test_a_statement_that_cannot_be_converted_is_shown_as_latex(tmp_path):
    class Strange(AtMost):
        id = "strange"
        statement = r"\unheardof{x} < 1"

    html = page_of(Store(tmp_path), {}, (Strange(),)).read_text(encoding="utf-8")
    assert r'<code class="latex">\unheardof{x} &lt; 1</code>' in html


@needs_browser
@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_finds_nothing_wrong(page, tmp_path, width):
    seen = look_at(page, tmp_path, width)
    assert seen.width == width
    assert seen.images == 1
    assert seen.problems() == []


@needs_browser
@pytest.mark.parametrize(
    ("find", "replace", "word"),
    [
        ("data:image/png;base64,", "data:image/png;base64,AAAA", "broken image"),
        ("</main>", "<script>undefinedFunction()</script></main>", "console"),
        ("</main>", "<script>console.error('noise')</script></main>", "console"),
        ("</main>", "<div style='width:900px'>wide</div></main>", "wider than the screen"),
        ("<math", "<span hidden data-math", "formulas"),
    ],
    ids=["broken-image", "script-error", "console-error", "overflow", "no-mathml"],
)
def test_a_browser_finds_what_is_wrong(html, tmp_path, find, replace, word):
    spoilt = tmp_path / "spoilt.html"
    assert find in html
    spoilt.write_text(html.replace(find, replace), encoding="utf-8")
    assert [problem for problem in look_at(spoilt, tmp_path).problems() if word in problem]
