"""The benchmark scripts that the docs quote still find what they import."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "benchmarks" / "scripts"
RUN = [p for p in sorted(SCRIPTS.glob("*.py")) if "ArgumentParser(" in p.read_text()]


@pytest.mark.parametrize("script", RUN, ids=lambda path: path.stem)
def test_script_starts(script, tmp_path):
    if script.stem == "torch_sgd":
        pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, str(script), "--help"], cwd=tmp_path, capture_output=True, text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {script.name}")


def test_there_are_scripts():
    assert len(RUN) >= 10
