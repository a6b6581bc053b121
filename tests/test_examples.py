"""Every example runs, as its users run it, and ends in a figure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(example), "--out", str(tmp_path)],
        env=os.environ | {"MPLBACKEND": "Agg"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{example.stem}.png").read_bytes()[:4] == b"\x89PNG"


def test_there_are_examples():
    assert len(EXAMPLES) >= 5
