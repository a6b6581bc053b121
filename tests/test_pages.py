"""The Python programs of README.md and of the pages of docs/ run, each page in one namespace."""

import re
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# A block after the name of a file shows that file, which is no program by itself.
BLOCK = re.compile(r"(^`[\w/.]+`:\n\n)?^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def programs(text):
    """(number of lines before it, program) of each block of Python."""
    for match in BLOCK.finditer(text):
        if not match[1]:
            yield text[: match.start(2)].count("\n"), match[2]


def run(path):
    names = {}
    for lines, program in programs(path.read_text()):
        # Line numbers of the page in tracebacks.
        exec(compile("\n" * lines + program, str(path), "exec"), names)


WITH_PROGRAMS = [path for path in PAGES if list(programs(path.read_text()))]


@pytest.mark.parametrize("path", WITH_PROGRAMS, ids=lambda path: path.stem)
def test_the_programs_of_a_page_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    run(path)


def test_programs_are_found():
    assert {"README", "first-model", "lrgd", "matmul"} <= {path.stem for path in WITH_PROGRAMS}
    text = "```python\na = 1\n```\nand\n`x/setup.py`:\n\n```python\nb = 1\n```\n```c\nc\n```\n"
    assert list(programs(text)) == [(1, "a = 1\n")]


def test_a_program_that_fails_is_reported_with_its_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("one\n\n```python\nx = 1\nraise KeyError(x)\n```\n")
    with pytest.raises(KeyError) as failure:
        run(page)
    assert failure.traceback[-1].lineno == 4
