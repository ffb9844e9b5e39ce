"""A citation renders from references.bib and never from memory."""

import pytest

from theory.citation import Citation, bibliography, parse


def test_every_entry_renders_with_authors_year_and_locator():
    for key in bibliography():
        text = Citation(key, "Theorem 7").text()
        assert text.endswith("Theorem 7") and "(" in text and "no year" not in text and "{" not in text


def test_a_known_paper_reads_as_expected():
    assert Citation("gupta2018shampoo", "Theorem 7").text() == (
        "Gupta, Koren, Singer (2018). Shampoo: Preconditioned Stochastic Tensor Optimization. "
        "International Conference on Machine Learning, arXiv 1802.09568. Theorem 7"
    )


def test_a_remembered_constant_says_so_and_a_seen_one_does_not():
    assert Citation("szarek1976khinchin", status="remembered").text().endswith("(remembered)")
    assert "seen" not in Citation("szarek1976khinchin").text()


def test_a_derived_result_points_to_its_proof():
    assert "docs/proofs/regret.md" in Citation("derived", "docs/proofs/regret.md", "derived").text()


def test_an_unknown_key_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match=r"nobody2099.*gupta2018shampoo"):
        Citation("nobody2099").text()


def test_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="status"):
        Citation("gupta2018shampoo", status="certain")


def test_braces_quotes_bare_values_and_line_breaks_are_read():
    text = '@article{a, title = {The {Szarek}\n constant}, year = 1976, note="x, y"}\n@misc{b,author={N, M}}'
    entries = dict(parse(text))
    assert entries["a"] == {"entrytype": "article", "title": "The Szarek constant", "year": "1976", "note": "x, y"}
    assert entries["b"]["author"] == "N, M"


@pytest.mark.parametrize("text", ["@misc{a, title = {never closed}", "@misc{a, title = }"])
def test_a_broken_entry_is_an_error(text):
    with pytest.raises(ValueError, match="closed|without a value"):
        dict(parse(text[:-1] if "closed" in text else text))


def test_a_key_that_occurs_twice_is_an_error(tmp_path):
    path = tmp_path / "double.bib"
    path.write_text("@misc{a, year = 1}\n@misc{a, year = 2}")
    with pytest.raises(ValueError, match="twice"):
        bibliography(path)
