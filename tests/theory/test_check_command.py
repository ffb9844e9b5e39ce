"""``python -m theory.check`` needs the standard library only, teaches its use, and trusts nothing that it reads."""

import ast
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from theory import check as checker
from theory.certificate import FORMAT, psd

ROOT = Path(checker.__file__).resolve().parents[1]

VALID = {
    "format": checker.FORMAT,
    "claim": "psd",
    "inputs": {"A": [["0x1p+1", -1], [-1, "1/2"]]},
    "witness": {"L": [[1], ["-1/2"]], "D": [2]},
}


def command(*arguments, stdin=None):
    """Run the checker in a fresh interpreter without site-packages."""
    return subprocess.run(
        [sys.executable, "-S", "-W", "error", "-m", "theory.check", *map(str, arguments)],
        cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def changed(**fields):
    return {**VALID, **fields}


def test_a_valid_file_exits_with_zero_and_says_what_it_proves(tmp_path):
    path = psd([[2, 1], [1, 2]]).save(tmp_path / "proof.json")
    result = command(path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "valid" in result.stdout and "A (2 x 2) is positive semidefinite" in result.stdout


def test_an_invalid_file_exits_with_one_and_a_valid_one_beside_it_does_not_hide_it(tmp_path, capsys):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(VALID))
    bad.write_text(json.dumps(changed(claim="not-psd", witness={"x": [1, 0]})))
    assert checker.main([str(good)]) == 0
    assert checker.main([str(bad), str(good)]) == 1
    assert "is not negative" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--no-such-option"]])
def test_wrong_use_exits_with_two(arguments):
    result = command(*arguments)
    assert result.returncode == 2 and "usage" in result.stderr


def test_a_file_that_is_missing_or_not_json_exits_with_two(tmp_path, capsys):
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    assert checker.main([str(text)]) == 2
    assert checker.main([str(tmp_path / "nowhere.json")]) == 2
    assert "nowhere.json" in capsys.readouterr().err


def test_the_standard_input_is_read_for_a_dash():
    assert command("-", stdin=json.dumps(VALID)).returncode == 0
    assert command("-", stdin="{").returncode == 2


def test_help_teaches_every_claim_and_its_example_is_valid():
    text = command("--help").stdout
    assert all(claim in text for claim in checker.RULES) and "exit status" in text
    example = text[text.index('{"format"') : text.index("Numbers are exact")]
    assert checker.check(json.loads(example)) == "A (2 x 2) is positive semidefinite"


@pytest.mark.parametrize("name", ["check", "check_numbers", "check_regret", "check_smoothness"])
def test_the_checker_shares_no_code_with_the_producer(name):
    tree = ast.parse(Path(checker.__file__).with_name(f"{name}.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    foreign = {module for module in imported if module.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= {"theory.check_numbers", "theory.check_regret", "theory.check_smoothness"}  # its own other parts
    assert checker.FORMAT == FORMAT


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "JSON object"),
        (changed(format="theory-certificate/0"), "format"),
        (changed(claim="true"), "claim"),
        (changed(claim=[]), r"the claim is \[\], this checker knows psd"),
        (changed(claim={}), r"the claim is \{\}, this checker knows psd"),
        (changed(claim=None), "the claim is None"),
        (changed(format=[]), r"the format is \[\]"),
        (changed(witness=[]), "witness is not a JSON object"),
        (changed(claim="inequality", inputs={"terms": [{"name": [], "value": 1}], "bound": 2}, witness={}), "name"),
        (changed(inputs=3), "inputs is not"),
        (changed(inputs={}), "A is not"),
        (changed(inputs={"A": []}), "A is not"),
        (changed(inputs={"A": [[1, 2], [3]]}), "entries"),
        (changed(inputs={"A": [[1, 2], [3, 4]]}), "symmetric"),
        (changed(inputs={"A": [[1, 2]]}), "square"),
        (changed(inputs={"A": [[0.1]]}), "not exact"),
        (changed(inputs={"A": [["0.1"]]}), "neither"),
        (changed(inputs={"A": [["nan"]]}), "neither"),
        (changed(inputs={"A": [[True]]}), "not exact"),
        (changed(inputs={"A": [[None]]}), "not exact"),
        (changed(inputs={"A": [["1/0"]]}), "denominator"),
        (changed(inputs={"A": [["1/-2"]]}), "denominator"),
        (changed(inputs={"A": [["1/2/3"]]}), "neither"),
        (changed(inputs={"A": [["0x1p+999999"]]}), "range"),
        (changed(inputs={"A": [["0x1p+99999999999"]]}), "neither"),
        (changed(inputs={"A": [["9" * 5000]]}), "hexadecimal"),
        (changed(witness={}), "D is not"),
        (changed(witness={"L": [[1]], "D": [2]}), "rows"),
        (changed(witness={"L": [[1, 0], [0, 1]], "D": [2]}), "entries"),
        (changed(inputs={"A": [[-1]]}, witness={"L": [[1]], "D": [-1]}), "negative entry"),
        (changed(witness={"L": [[1], ["-1/3"]], "D": [2]}), "differs"),
        (changed(claim="inequality", inputs={"terms": [1], "bound": 0}, witness={}), "term"),
        (changed(claim="inequality", inputs={"terms": [{"name": "a", "value": 1}], "bound": 0}, witness={}), "above"),
        (changed(claim="inequality", inputs={"terms": [{"name": "a", "value": 1}]}, witness={}), "bound"),
        (changed(claim="inequality", inputs={"terms": [], "bound": 0}, witness={}), "non-empty"),
        (changed(claim="all", inputs={"parts": []}), "non-empty"),
        (changed(claim="all", inputs={"parts": [{}]}), "format"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused_with_the_reason(document, words):
    with pytest.raises(checker.CertificateError, match=words):
        checker.check(document)


def test_a_key_that_occurs_twice_is_refused(tmp_path, capsys):
    path = tmp_path / "double.json"
    path.write_text(json.dumps(VALID).replace('"claim"', '"claim": "all", "claim"'))
    assert checker.main([str(path)]) == 1
    assert "twice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1.8p+1", Fraction(3)),
        ("-0x0.8p0", Fraction(-1, 2)),
        ("+3", Fraction(3)),
        ("0x10/0x3", Fraction(16, 3)),
        ("0x1p-1074", Fraction(1, 2**1074)),
        ("0x1.fffffffffffff8p0", 2 - Fraction(1, 2**53)),  # 54 significant bits, more than a double has
    ],
)
def test_numbers_are_read_exactly_and_never_rounded(text, value):
    assert checker.number(text, "x") == value


def test_the_interpreters_own_reader_would_round():
    assert float.fromhex("0x1.fffffffffffff8p0") == 2.0


MALFORMED = (
    None,
    [],
    {},
    3,
    "x",
    "",
    True,
    [[]],
    [[1], [2, 3]],
    {"A": 1},
    -1,
    "1/0",
    1.5,
    [None],
    [[None]],
    [{}],
    {"a": {}},
)


@pytest.mark.parametrize("claim", checker.RULES)
def test_whatever_stands_where_an_object_is_expected_is_refused_with_words(claim):
    """No other error leaves the checker, so that the command says invalid and never shows a traceback."""
    keys = ("A", "B", "value", "terms", "parts", "bound", "matrices", "labels", "groups", "x")
    whole = [
        {"format": checker.FORMAT, "claim": claim, "inputs": b, "witness": w} for b in MALFORMED for w in MALFORMED
    ]
    parts = [{**whole[0], "inputs": {key: b}, "witness": {key: b}} for key in keys for b in MALFORMED]
    for document in [*MALFORMED, *whole, *parts]:
        with pytest.raises(checker.CertificateError, match=r"\w"):
            checker.check(document)


@pytest.mark.parametrize(
    "document", [[], {}, None, changed(claim=[]), changed(claim={}), changed(inputs=[]), changed(witness=3)]
)
def test_a_file_of_another_shape_is_invalid_with_status_one_and_no_traceback(document, tmp_path, capsys):
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document))
    assert checker.main([str(path)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"invalid  {path}: ") and said.err == ""
