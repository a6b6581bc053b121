"""Files of cells: separators, decimal commas, compression, numbers, letters with accents."""

import gzip
import os
import threading
import unicodedata

import numpy as np
import pytest

from kroncy.cli.csv import Notation, Reader

GUESS = Notation(None, ".")


def rows_of(tmp_path, text, notation=GUESS):
    path = tmp_path / "T.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = Reader(str(path), notation)
    return [reader.header, *(cells for _, cells in reader)]


def numbers_of(tmp_path, text, notation=GUESS):
    path = tmp_path / "T.csv"
    path.write_text(text)
    reader = Reader(str(path), notation)
    return [reader.numbers(line, reader.names[1:], cells[1:]).tolist() for line, cells in reader]


@pytest.mark.parametrize(
    ("mark", "words"), [(",", ""), (";", "separated by semicolons"), ("\t", "separated by tabs")]
)
def test_separators_are_recognised_and_told(tmp_path, capsys, mark, words):
    text = f'id{mark}"a{mark}b"{mark}c\r\nx{mark}1{mark}"2\n3"\r\n'
    expected = [["id", f"a{mark}b", "c"], ["x", "1", "2\n3"]]
    assert rows_of(tmp_path, text) == expected
    out = capsys.readouterr().out
    assert out == (f"{tmp_path / 'T.csv'}: {words}\n" if words else "")
    assert rows_of(tmp_path, text, Notation(mark, ".")) == expected
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("id;a\nx;0,5\n", ";"),  # not every line has a comma
        ("id,a;b\nx,1\n", ","),
        ("id,a\nx,1;2\n", ","),
        ("id\ta,b\nx\t0,5\ny\t7\n", "\t"),
        ("id,a\n" + "x,1\n" * 100 + "x;1\n", ","),  # the last line is an error
    ],
)
def test_every_line_counts(tmp_path, capsys, text, mark):
    path = tmp_path / "T.csv"
    path.write_text(text)
    assert Reader(str(path), GUESS).header == text.split("\n")[0].split(mark)


def test_a_quotation_may_end_after_the_sample(tmp_path):
    text = 'id;a\n"x' + "\n" * 200 + '";1\n'
    assert rows_of(tmp_path, text)[1][1] == "1"


@pytest.mark.parametrize("text", ["id;b,c\nx;0,5\ny;1,5\n", "id,b;c\nx,1;2\n", "a\tb,c\nd\te,f\n"])
def test_ambiguous_separators_are_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"may be separated by .* or by .*--separator"):
        rows_of(tmp_path, text)
    assert len(rows_of(tmp_path, text, Notation(",", "."))[0]) == 2


def test_other_separators_can_be_given(tmp_path):
    assert rows_of(tmp_path, "id|a\nx|1,5;2\n", Notation("|", ".")) == [["id", "a"], ["x", "1,5;2"]]


def test_decimal_commas_are_explained_and_can_be_given(tmp_path):
    text = "id;a;b\nx;7;0,5\ny;-1,25e3;,5\n"
    message = (
        "T.csv, line 2, column 'b': '0,5' is not a number; the file is separated by semicolons: "
        "if it has decimal commas, add --separator ';' --decimal ','"
    )
    with pytest.raises(ValueError) as caught:
        numbers_of(tmp_path, text)
    assert str(caught.value).endswith(message)
    expected = [[7.0, 0.5], [-1250.0, 0.5]]
    for separator in (";", None):
        assert numbers_of(tmp_path, text, Notation(separator, ",")) == expected
    assert numbers_of(tmp_path, 'id,a\nx,"0,5"\n', Notation(None, ",")) == [[0.5]]
    with pytest.raises(ValueError, match=r"'1\.5' has a decimal point, but --decimal ',' was"):
        numbers_of(tmp_path, "id;a\nx;1.5\n", Notation(None, ","))
    for text in ("1.234,5", "1,234,5"):
        with pytest.raises(ValueError, match=f"'{text}' is not a number$"):
            numbers_of(tmp_path, f"id;a\nx;{text}\n", Notation(None, ","))


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1", 1), ("-1.5", -1.5), ("+.5", 0.5), ("5.", 5), ("1e3", 1000), ("1.5E-3", 0.0015)],
)
def test_numbers(tmp_path, cell, value):
    assert numbers_of(tmp_path, f"id,a,b\nx,{cell},2\n") == [[value, 2.0]]


@pytest.mark.parametrize(
    "cell",
    ["3_5", "1__0", "_1", "\uff13", "\u0663", "0x10", "1e", "e5", ".", "1 2", "\u22125", "tall"],
)
def test_what_is_no_number(tmp_path, cell):
    with pytest.raises(ValueError, match=f"line 2, column 'a': '{cell}' is not a number"):
        numbers_of(tmp_path, f"id,b,a,c\nx,1,{cell},2\n")


@pytest.mark.parametrize("cell", ["nan", "-inf", "Infinity", "1e999"])
def test_numbers_are_finite(tmp_path, cell):
    with pytest.raises(ValueError, match=f"column 'a': '{cell}' is not a finite number"):
        numbers_of(tmp_path, f"id,a\nx,{cell}\n")


def test_compressed_files(tmp_path):
    lines = b"".join(b"y%d;2\n" % k for k in range(10**4))
    whole = gzip.compress(b"\xef\xbb\xbfid;a\nx;1\n" + lines)
    assert rows_of(tmp_path, whole)[:2] == [["id", "a"], ["x", "1"]]
    for content in (whole[:-3], whole[: len(whole) // 2], whole[:2], whole[:-8] + bytes(8)):
        with pytest.raises(ValueError, match=r"T\.csv.*: the compressed data are damaged"):
            rows_of(tmp_path, content)


def test_a_pipe_can_be_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = gzip.compress(b"id;a\nx;1\n")
    threading.Thread(target=lambda: pipe.write_bytes(content), daemon=True).start()
    assert list(Reader(str(pipe), GUESS)) == [(2, ["x", "1"])]


def test_names_are_in_composed_form(tmp_path):
    composed = "\u00e9"
    decomposed = unicodedata.normalize("NFD", composed)
    path = tmp_path / "T.csv"
    path.write_text(f"id,{decomposed}\nx,1\n", encoding="utf-8")
    assert Reader(str(path), GUESS).names == ["id", composed]
    path.write_text(f"id,{decomposed},{composed}\nx,1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="two columns have this name"):
        Reader(str(path), GUESS)


def test_values_are_exact(tmp_path):
    values = np.random.default_rng(0).normal(size=(20, 3)) * 10.0 ** np.arange(-200, 200, 150)
    lines = "".join(f"x{i},{','.join(map(repr, row))}\n" for i, row in enumerate(values.tolist()))
    assert numbers_of(tmp_path, "id,a,b,c\n" + lines) == values.tolist()
