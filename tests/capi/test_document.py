"""The commands of docs/c-api.md, run as they are written, in a clone and a clean shell."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Of this run of the tests, not of a user's shell.
OURS = re.compile("PYTHON|KRONCY_|VIRTUAL_ENV$|OMP_|C?FLAGS|CXX|COVERAGE")


def commands(document):
    """The lines after a dollar sign in the blocks of a shell session."""
    blocks = re.findall(r"^```console\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def clean_environment():
    """The variables of this process without those of the tests; the Python below its venv first."""
    variables = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    base = Path(sys._base_executable).parent
    path = [str(base), *variables["PATH"].split(os.pathsep)]
    own = {str(Path(sys.prefix, "bin"))} - {str(base)}
    return variables | {"PATH": os.pathsep.join(entry for entry in path if entry not in own)}


def unwanted(folder, names):
    """What a clone would not have, but for what was built before: the commands are tried."""
    ours = shutil.ignore_patterns(".*", "docs", "demo-output", "dist")(folder, names)
    in_place = shutil.ignore_patterns("*.so")(folder, names)
    return ours if "build" in Path(folder).relative_to(ROOT).parts[:1] else ours | in_place


@pytest.mark.compiler
@pytest.mark.network
def test_the_examples_are_built_by_the_commands_of_the_document(tmp_path):
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=unwanted)
    # Newer than the Cython that pip installs for the build, so that nothing is compiled again.
    now = time.time()
    built = {"kroncy/**/*.c": 3600, "build/**/*.o": 7200, "build/**/*.so": 9000}
    for pattern, seconds in built.items():
        for path in clone.glob(pattern):
            os.utime(path, (now + seconds, now + seconds))
    lines = commands((ROOT / "docs" / "c-api.md").read_text())
    done = subprocess.run(
        ["bash", "-e"], input="\n".join(lines), cwd=clone, env=clean_environment(),
        capture_output=True, text=True, timeout=1500,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    loss, counts = done.stdout.splitlines()[-2:]
    first, last = map(float, loss.strip("()").split(","))
    assert last < 0.3 * first
    assert counts == "[1, 1, 1]"


def test_only_commands_are_taken():
    text = "```console\n$ one\nwhat it prints\n$ two && three\n```\n```c\n$ four\n```\n"
    assert commands(text) == ["one", "two && three"]
