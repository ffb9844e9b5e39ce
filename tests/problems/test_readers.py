"""Data files: what is well-formed is read as it stands, what is broken is named by file and line."""

import bz2
import gzip
import os
import threading

import numpy as np
import pytest
from scipy import sparse

from problems.readers import ReadError, read, read_csv

LINES = "# a comment\n1 qid:3 1:0.5 7:2 # another\n-1 2:1e-3\n\n+1 3:1 7:2\n"
DENSE = [[0.5, 0, 0, 0, 0, 0, 2], [0, 1e-3, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 2]]


@pytest.fixture
def write(tmp_path):
    """Write text or bytes under a name; gives the path."""

    def written(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)], ids=["plain", "gz", "bz2"]
)
def test_svmlight_with_comments_and_query_ids_is_read_plain_or_packed(write, suffix, pack):
    data = read(write(f"data.svm{suffix}", pack(LINES.encode())))
    np.testing.assert_array_equal(data.X.toarray(), DENSE)
    assert data.y.tolist() == [1, -1, 1] and data.y.dtype == np.int64


def test_indices_out_of_order_or_repeated_are_put_in_order_and_added(write):
    data = read(write("data.svm", "1 7:1 3:2 3:1\n-1 1:1\n"))
    np.testing.assert_array_equal(data.X.toarray(), [[0, 0, 3, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0]])


def test_indices_count_from_zero_where_one_of_them_is_zero(write):
    assert read(write("data.svm", "1 0:5\n2 3:1\n")).X.shape == (2, 4)
    assert read(write("data.svm", "1 1:5\n2 3:1\n")).X.shape == (2, 3)


def test_n_features_widens_and_never_cuts(write):
    path = write("data.svm", LINES)
    assert read(path, n_features=9).X.shape == (3, 9)
    with pytest.raises(ReadError, match=r"7 features, more than n_features=3"):
        read(path, n_features=3)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("1 1:2\n1 3:\n", r":2: the value of feature 3 is missing"),  # cut off after the colon
        ("1 1:2\n1 3", r":2: expected index:value, found '3'"),  # cut off before it
        ("1 1:2\nx 3:1\n", r":2: the label is 'x', not a number"),
        ("1 1:2\n\n1 a:1\n", r":3: expected index:value, found 'a:1'"),
        ("1 -3:2\n", r":1: expected index:value, found '-3:2'"),
        ("1,2 1:3\n", r":1: the label is '1,2', not a number"),
        ("1 99999999999999999999:1\n", r":1: expected index:value"),
        ("1 1:2 qid:3\n", r":1: expected index:value, found 'qid:3'"),
        ("# nothing\n", r"no row in it"),
        ("", r"no row in it"),
    ],
)
def test_a_broken_svmlight_line_is_named(write, content, complaint):
    path = write("data.svm", content)
    with pytest.raises(ReadError, match=complaint) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", ["data.svm.gz", "data.svm.bz2", "data.csv.gz", "data.csv.bz2"])
def test_a_truncated_or_foreign_archive_is_named(write, name):
    pack = gzip.compress if name.endswith(".gz") else bz2.compress
    whole = pack(("1 1:2\n" if "svm" in name else "1,2\n").encode() * 5000)
    for content in (whole[: len(whole) // 2], b"not packed at all"):
        with pytest.raises(ReadError, match=rf"{name}: broken after line \d+: "):
            read(write(name, content))


@pytest.mark.parametrize(
    ("content", "options", "X", "y", "names"),
    [
        ("1,2,0\n3,4,1\n", {}, [[1, 2], [3, 4]], [0, 1], None),
        ("a,b,kind\n1,2,u\n3,4,v\n", {}, [[1, 2], [3, 4]], ["u", "v"], ("a", "b")),
        ("1;2;0\n3;4;1.5\n", {"label_column": 0}, [[2, 0], [4, 1.5]], [1, 3], None),
        ("a\tb\ty\n1\t2\t1\n\n3\t4\t0\n", {"label_column": "a"}, [[2, 1], [4, 0]], [1, 3], ("b", "y")),
        ("\ufeff1,2,0.5\n", {"label_column": "-1"}, [[1, 2]], [0.5], None),  # a byte order mark is not a header
        ('a,b,y\n1,2,"u, v"\n', {}, [[1, 2]], ["u, v"], ("a", "b")),
    ],
)
def test_tables_with_and_without_header_and_with_any_label_column(write, content, options, X, y, names):
    data = read(write("data.csv", content), **options)
    assert data.X.tolist() == X and data.y.tolist() == y and data.names == names
    assert data.X.dtype == np.float64


@pytest.mark.parametrize(
    ("content", "options", "complaint"),
    [
        ("a,b,y\n1,2,u\n3,q,v\n", {}, r":3: column 1 \(the first is 0\) is 'q', not a number"),
        ("a,b,y\n1,2,u\n3,v\n", {}, r":3: expected 3 columns, found 2"),
        ('a,b,y\n1,2,"u\nv"\n3,,v\n', {}, r":4: column 1 \(the first is 0\) is '', not a number"),
        ("1,2\n", {"label_column": 7}, r":1: label column 7 is outside of the 2 columns"),
        ("1,2\n", {"label_column": "price"}, r":1: there is no column 'price'; the first line has '1', '2'"),
        ("a,b\n", {}, r"no row under the header"),
        ("5\n", {}, r":1: one column only"),
        ("", {}, r"no row in it"),
        (b"1,2\n\xff\xfe,3\n", {}, r"not UTF-8 text: invalid start byte"),
    ],
)
def test_a_broken_table_line_is_named(write, content, options, complaint):
    path = write("data.csv", content)
    with pytest.raises(ReadError, match=complaint):
        read(path, **options)


def test_npz_holds_a_dense_or_a_sparse_matrix_with_labels(tmp_path):
    X, y = sparse.random(5, 4, 0.5, format="csr", random_state=0), np.arange(5)
    np.savez(tmp_path / "sparse.npz", data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)
    np.savez(tmp_path / "dense.npz", X=X.toarray().astype(np.float32), y=y)
    np.testing.assert_array_equal(read(tmp_path / "sparse.npz").X.toarray(), X.toarray())
    dense = read(tmp_path / "dense.npz")
    assert dense.X.dtype == np.float32 and dense.y.tolist() == y.tolist()


def test_a_broken_or_incomplete_npz_is_named(tmp_path):
    X, y = np.eye(3), np.arange(3)
    whole, path = tmp_path / "whole.npz", tmp_path / "data.npz"
    np.savez(whole, X=X, y=y)
    path.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ReadError, match=r"data.npz: not a readable npz archive"):
        read(path)
    cases = [
        ({"X": X}, r"expected arrays X and y, or .*; found X"),
        ({"X": X, "y": y[:2]}, r"X must be \(n, d\) and y \(n,\); found \(3, 3\) and \(2,\)"),
        ({"X": np.array([object()]), "y": y}, r"not a readable npz archive"),
        ({"data": y, "indices": y + 9, "indptr": np.arange(4), "shape": (3, 3), "y": y}, r"not consistent"),
        (
            {"data": y, "indices": y, "indptr": np.arange(4), "shape": (3, 3), "format": "coo", "y": y},
            r"save it as CSR",
        ),
    ]
    for arrays, complaint in cases:
        np.savez(path, **arrays)
        with pytest.raises(ReadError, match=complaint):
            read(path)


def test_options_that_mean_nothing_for_a_format_are_refused(write, tmp_path):
    np.savez(tmp_path / "data.npz", X=np.eye(2), y=[0, 1])
    with pytest.raises(ReadError, match="n_features is for svmlight"):
        read(tmp_path / "data.npz", n_features=3)
    with pytest.raises(ReadError, match="label_column is for"):
        read(write("data.svm", LINES), label_column=0)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    for name in ("none.svm", "none.csv", "none.npz", "none.svm.gz"):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / name)


def test_a_pipe_is_read_once_and_whole(tmp_path):
    """The tolerant reader went on where the compiled one had stopped: rows were lost, and half a row was a label."""
    lines = [f"{i % 2} {'5:1 3:2' if i in (0, 1500) else '3:1 5:2'}" for i in range(2000)]
    plain = tmp_path / "plain.svm"
    plain.write_text("\n".join(lines) + "\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(plain.read_bytes(),))
    writer.start()
    there, here = read(pipe), read(plain)
    writer.join()
    assert there.X.shape == here.X.shape == (2000, 3 + 2)
    np.testing.assert_array_equal(there.y, here.y)
    np.testing.assert_array_equal(there.X.toarray(), here.X.toarray())


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"0,1,target\n1,2,0\n3,4,1\n", ("0", "1")),  # pandas: columns without names beside one with a name
        (b"0,1,2\n1,2,0\n3,4,1\n", ("0", "1")),  # pandas: no column has a name
        (b"7,8,label\n1,2,0\n3,4,1\n", ("7", "8")),
        (b"a,b,c\n1,2,x\n3,4,y\n", ("a", "b")),
    ],
)
def test_a_header_is_recognised_by_its_words_or_its_count(write, content, names):
    data = read_csv(write("data.csv", content))
    assert data.names == names and data.X.tolist() == [[1, 2], [3, 4]] and "line 1 is a header" in data.note


@pytest.mark.parametrize("content", [b"1,2,0\n3,4,1\n", b"0,2,1\n1,3,0\n", b"1,2,x\n3,4,y\n", b"5,1\n0,1\n"])
def test_a_row_of_numbers_is_no_header(write, content):
    data = read_csv(write("data.csv", content))
    assert data.names is None and len(data.y) == 2 and not data.note


def test_a_row_whose_features_happen_to_count_is_a_row_when_its_label_does_not(write):
    """A label of 1 in column 0, features 1 and 2: pandas would have written 0, 1, 2."""
    for first, rows in ((b"1", 3), (b"0", 2), (b"kind", 2)):
        data = read_csv(write("data.csv", first + b",1,2\n1,1,0\n2,3,4\n"), label_column=0)
        assert len(data.y) == rows and (data.names is None) == (rows == 3)


def test_who_knows_better_says_whether_there_is_a_header(write):
    content = b"0,1,2\n1,2,0\n3,4,1\n"
    assert len(read_csv(write("a.csv", content), header=False).y) == 3
    assert read_csv(write("b.csv", b"5,6,7\n1,2,0\n"), header=True).names == ("5", "6")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"1,,0\n2,3,1\n", "1: column 1 .* is '', not a number"),
        (b"1,2,0\n2,,1\n", "2: column 1 .* is '', not a number"),
        (b"1,2,0\n2,3,\n", "2: there is no label"),
        (b",a,target\n0,2,0\n1,3,1\n", "column 0 .* has no name in the header"),
    ],
)
def test_an_empty_cell_is_an_error(write, content, complaint):
    with pytest.raises(ReadError, match=complaint):
        read_csv(write("data.csv", content))


@pytest.mark.parametrize("name", ["a.svm.xz", "a.csv.zip", "a.parquet", "a.npy"])
def test_other_formats_are_named(write, name):
    with pytest.raises(ReadError, match="none of the formats"):
        read(write(name, b"1 1:2\n"))


def test_a_table_under_another_name_is_pointed_at(write):
    with pytest.raises(ReadError, match=r"ends in \.csv"):
        read(write("a.txt", b"1,2,3\n"))


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"X": np.zeros((2, 2), complex), "y": np.zeros(2)}, "real numbers, found dtype complex128"),
        ({"X": np.zeros((2, 2), "datetime64[s]"), "y": np.zeros(2)}, "found dtype datetime64"),
        ({"X": np.array([["1", "2"]]), "y": np.zeros(1)}, "found dtype <U1"),
        ({"X": np.zeros((2, 2)), "y": np.zeros(2, complex)}, "real numbers or words"),
        (
            {"data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 1]), "shape": np.array([1, 1]),
             "format": np.array(["csr", "csc"]), "y": np.zeros(1)}, "stored as",
        ),
    ],
)  # fmt: skip
def test_an_archive_of_something_else_is_refused(tmp_path, arrays, complaint):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ReadError, match=complaint):
        read(tmp_path / "a.npz")
