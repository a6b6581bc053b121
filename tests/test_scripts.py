"""The benchmark scripts that the docs quote still find what they import."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "benchmarks" / "scripts"
RUN = [p for p in sorted(SCRIPTS.glob("*.py")) if "ArgumentParser(" in p.read_text()]


@pytest.mark.parametrize("script", RUN, ids=lambda path: path.stem)
def test_script_starts(script, tmp_path):
    done = subprocess.run(
        [sys.executable, str(script), "--help"], cwd=tmp_path, capture_output=True, text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {script.name}")


def test_there_are_scripts():
    assert len(RUN) >= 10


def test_scripts_are_listed():
    text = (SCRIPTS.parent / "README.md").read_text()
    listed = set(re.findall(r"`(\w+\.py)`", text.partition("## Scripts")[2]))
    assert listed == {path.name for path in SCRIPTS.glob("*.py")}


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = """<script src="https://a.example/x/jquery-3.3.1.min.js" integrity="sha256-a+/="
crossorigin="anonymous" onerror="failed()"></script><script src="own.js"></script>
<link rel="stylesheet" href="https://b.example/css/bootstrap.min.css" integrity="b">
<a href="https://c.example/asv/">asv</a>
"""


def test_the_dashboard_asks_no_other_host(tmp_path):
    asked = []

    def fetch(package, folder):
        asked.append(package)
        return {"dist/jquery.min.js": b"j", "dist/css/bootstrap.min.css": b"c",
                "dist/fonts/glyphicons-halflings-regular.woff": b"f"}

    (tmp_path / "index.html").write_text(PAGE)
    assets = script("vendor_assets")
    assert len(assets.vendor(tmp_path, fetch)) == 2
    text = (tmp_path / "index.html").read_text()
    assert '<script src="vendor/jquery-3.3.1.min.js" onerror="failed()"></script>' in text
    assert '<link rel="stylesheet" href="vendor/bootstrap.min.css">' in text
    assert text.count("https://") == 1 and "integrity" not in text
    assert (tmp_path / "vendor" / "jquery-3.3.1.min.js").read_bytes() == b"j"
    assert (tmp_path / "fonts" / "glyphicons-halflings-regular.woff").read_bytes() == b"f"
    assert sorted(asked) == ["bootstrap@3.1.1", "jquery@3.3.1"]
    with pytest.raises(ValueError, match=r"asks for other\.js"):
        assets.localised('<script src="https://a.example/other.js"></script>')
