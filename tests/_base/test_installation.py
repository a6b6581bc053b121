"""Python that was started in a source folder says so, whatever is imported first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kroncy


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A folder with kroncy as it lies in a clone: nothing is compiled."""
    folder = tmp_path_factory.mktemp("clone")
    package = Path(kroncy.__file__).parent
    unwanted = shutil.ignore_patterns("*.so", "*.pyd", "*.npz", "__pycache__")
    shutil.copytree(package, folder / "kroncy", ignore=unwanted)
    return folder


def last_line(sources, *arguments):
    """What a Python that starts in `sources` says at last; it must fail."""
    done = subprocess.run(
        [sys.executable, "-E", *arguments], cwd=sources, capture_output=True, text=True
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


STATEMENTS = {
    "the package": "import kroncy",
    "a name": "from kroncy import KroneckerData",
    "a module": "import kroncy.lrgd",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_a_source_folder_says_what_to_do(sources, statement):
    (sources / "setup.py").touch()
    found = last_line(sources, "-c", statement)
    assert found.startswith(f"ImportError: kroncy cannot be imported from {sources}")
    assert "source folder" in found and "Start Python in another folder" in found
    assert "python setup.py build_ext --inplace" in found


def test_the_command_line_says_the_same(sources):
    (sources / "setup.py").touch()
    assert "source folder" in last_line(sources, "-m", "kroncy", "--version")


def test_a_package_for_another_python_is_to_be_installed_again(sources):
    (sources / "setup.py").unlink(missing_ok=True)
    found = last_line(sources, "-c", "import kroncy")
    assert "Install kroncy again" in found and "source folder" not in found
    assert "Python {}.{}.".format(*sys.version_info) in found


def test_a_module_that_is_not_compiled_yet_is_told_too(sources):
    (sources / "setup.py").touch()
    package = Path(kroncy.__file__).parent
    compiled = [path for path in package.rglob("*.*") if path.suffix in (".so", ".pyd")]
    libraries = package.parent / "kroncy.libs"  # that a repaired wheel brings
    compiled += [libraries] if libraries.exists() else []
    links = [sources / path.relative_to(package.parent) for path in compiled]
    for path, link in zip(compiled, links, strict=True):
        if "_sparse." not in path.name:
            link.symlink_to(path)
    try:
        found = last_line(sources, "-c", "import kroncy; kroncy.KroneckerData")
        assert "its modules are not all compiled" in found
    finally:
        for link in links:
            link.unlink(missing_ok=True)
