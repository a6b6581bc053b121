"""What the package brings for other extensions and for type checkers."""

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import kroncy

ROOT = Path(__file__).parents[2]
PACKAGE = resources.files("kroncy")


def compiled_modules():
    found = [p for p in Path(str(PACKAGE)).rglob("*") if p.name.endswith((".so", ".pyd"))]
    return [p.relative_to(str(PACKAGE)).with_name(p.name.split(".")[0]) for p in found]


def test_every_source_has_its_module():
    sources = {p.relative_to(ROOT / "kroncy").with_suffix("") for p in ROOT.glob("kroncy/**/*.pyx")}
    assert sources and sources <= set(compiled_modules())


def test_header_pxd_stubs_and_marker_are_installed():
    assert Path(kroncy.get_include()) == Path(str(PACKAGE), "include")
    needed = ["include/kroncy.h", "capi.pxd", "__init__.pxd", "py.typed"]
    needed += [f"{module.as_posix()}.pyi" for module in compiled_modules()]
    needed += [p.relative_to(ROOT / "kroncy").as_posix() for p in ROOT.glob("kroncy/**/*.pxd")]
    missing = [name for name in needed if not PACKAGE.joinpath(*name.split("/")).is_file()]
    assert not missing


CONFIGURATION = """[mypy]
[mypy-numpy.*,scipy.*,sklearn.*,kroncy.*]
follow_imports = skip
"""

ALLOWED = r"""
# Cython's own.
.*\.__(pyx_capi|test|reduce_cython|setstate_cython)__
# The signature of a fused function with keyword-only arguments comes out shifted.
kroncy\.linalg\._chunks\.multiply_chunks
"""


def test_stubs_describe_the_compiled_modules(tmp_path):
    """mypy's stubtest: names, arguments and defaults of every compiled module."""
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    (tmp_path / "allowed").write_text(ALLOWED)
    modules = [".".join(("kroncy", *module.parts)) for module in compiled_modules()]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mypy.stubtest", "--concise", "--ignore-disjoint-bases",
         "--ignore-unused-allowlist", "--allowlist", "allowed", "--mypy-config-file", "mypy.ini",
         *modules],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


EXAMPLES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("c_extension", "cython_extension")
    for path in (ROOT / "examples" / folder).iterdir()
    if path.suffix in (".c", ".pyx", ".py", ".toml")
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_document_shows_the_files_that_are_built(name):
    """docs/c-api.md holds each example file whole, after its name."""
    document = (ROOT / "docs" / "c-api.md").read_text()
    shown = re.search(rf"^`{re.escape(name)}`:\n\n```\w+\n(.*?)^```$", document, re.S | re.M)
    assert shown, f"{name} is not in docs/c-api.md"
    assert shown.group(1) == (ROOT / name).read_text(), "python docs/include_examples.py renews it"
