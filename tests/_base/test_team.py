"""The team by itself: a program in C around _team_kernel.c."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from kroncy._base._team import share_from

# The installed package has no C files.
BASE = Path(__file__).parents[2] / "kroncy" / "_base"
DRIVER = Path(__file__).with_name("team_driver.c")


def compiler():
    """The C compiler, or None."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    return shutil.which(command.split()[-1])


@pytest.fixture(scope="module", params=["plain", "openmp", "watched"])
def program(request, tmp_path_factory):
    """The driver, without and with OpenMP's numbers, and under ThreadSanitizer."""
    assert compiler() is not None
    flags = {
        "plain": [], "openmp": ["-fopenmp"], "watched": ["-fopenmp", "-g", "-fsanitize=thread"],
    }
    folder = tmp_path_factory.mktemp("team")
    empty, out = folder / "empty.c", folder / "driver"
    empty.write_text("int main(void) { return 0; }\n")
    if built(empty, flags=flags[request.param], out=folder / "empty").returncode:
        assert request.param != "plain"
        pytest.skip(f"{compiler()} does not support {flags[request.param]}")
    made = built(
        DRIVER, BASE / "_team_kernel.c",
        flags=["-Wall", "-Werror", f"-I{BASE}", *flags[request.param]], out=out,
    )
    assert made.returncode == 0, made.stderr
    return request.param, out


def built(*sources, flags, out):
    """How the compiler ended."""
    command = [compiler(), "-std=gnu11", "-O2", *flags, *map(str, sources), "-pthread", "-o", out]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def ran(program, case):
    kind, path = program
    command = ["setarch", "-R", str(path)] if kind == "watched" else [str(path)]
    done = subprocess.run([*command, case], capture_output=True, text=True, timeout=300)
    if kind == "watched" and "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer does not run on this kernel")
    return done


@pytest.mark.compiler
@pytest.mark.parametrize(
    "case", ["every_index_once", "one_thread_a_number", "nested", "many_callers", "after_fork",
             "little_work", "helpers_end"]
)
def test_the_team(program, case):
    done = ran(program, case)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "passed"


def test_thresholds_are_exchanged():
    before = share_from(3, 4)
    try:
        assert share_from(5, 6) == (3, 4)
    finally:
        assert share_from(*before) == (5, 6)
