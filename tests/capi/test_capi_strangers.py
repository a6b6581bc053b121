"""Other people's projects, built outside the source tree against the kroncy installed."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from reference_capi import HEADER

ROOT = Path(__file__).parents[2]
CFLAGS = shlex.split(os.environ.get("CFLAGS", ""))
pytestmark = pytest.mark.compiler


def run(*command, cwd, **variables):
    """Standard output; a failure fails the test and shows what was printed."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, env=os.environ | variables
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def python(code, *arguments, cwd, path=None):
    paths = [str(path)] if path else []
    paths += [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    variables = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    return run(sys.executable, "-P", "-c", code, *map(str, arguments), cwd=cwd, **variables)


BUILD = """
import sys
from pathlib import Path
from zipfile import ZipFile
from setuptools import build_meta
import kroncy
print(kroncy.get_include())
folder = sys.argv[1]
wheel = build_meta.build_wheel(folder)
ZipFile(Path(folder, wheel)).extractall(folder)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Both examples, built by the hook that pip calls and installed: where to find each."""
    work = tmp_path_factory.mktemp("examples")
    builds = {}
    for name in ("c_extension", "cython_extension"):
        shutil.copytree(ROOT / "examples" / name, work / name)
        # Optimised code is not what is tested: half of the time goes there.
        flags = {"CFLAGS": " ".join(["-O0", "-g0", *CFLAGS])}
        builds[name] = subprocess.Popen(
            [sys.executable, "-P", "-c", BUILD, str(work / "installed")], cwd=work / name,
            env=os.environ | flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
    for build in builds.values():
        out, errors = build.communicate(timeout=300)
        assert build.returncode == 0, f"{out}\n{errors}"
        assert Path(out.splitlines()[0]) == HEADER.parent
    return work / "installed"


def test_c_extension(installed, tmp_path):
    rows = np.random.default_rng(0).standard_normal((7, 500))
    rows.tofile(tmp_path / "rows")
    found = python(
        """
import json, sys
import kroncy_c_example as example
buffer = open(sys.argv[1], "rb").read()
first, last = example.train(30)
print(json.dumps([first, last, [example.count_above(buffer, 7, 0.5, n) for n in (1, 4, 16)]]))
try:
    example.count_above(buffer, 7, float("nan"), 2)
except RuntimeError as error:
    print(error)
""",
        tmp_path / "rows", cwd=tmp_path, path=installed,
    ).splitlines()
    first, last, counts = json.loads(found[0])
    assert last < 0.3 * first
    assert counts == [(rows > 0.5).sum(axis=1).tolist()] * 3
    assert "NaN" in found[1]


def test_cython_extension(installed, tmp_path):
    rows = np.random.default_rng(1).standard_normal((50, 300))
    rows.tofile(tmp_path / "rows")
    found = python(
        """
import json, sys
import numpy as np
from kroncy_cython_example import Rows
rows = Rows(np.fromfile(sys.argv[1]).reshape(50, 300))
print(json.dumps([rows.count_above(0.5, n) for n in (1, 2, 4)]))
for bad in (lambda: rows.count_above(float("nan"), 2), lambda: Rows(np.full((2, 2), np.inf))):
    try:
        bad()
    except ValueError as error:
        print(error)
""",
        tmp_path / "rows", cwd=tmp_path, path=installed,
    ).splitlines()
    assert json.loads(found[0]) == [(rows > 0.5).sum(axis=1).tolist()] * 3
    assert len(found) == 3


def compiler(language="C"):
    cxx = language == "C++"
    command = os.environ.get("CXX" if cxx else "CC") or sysconfig.get_config_var(
        "CXX" if cxx else "CC"
    )
    return shlex.split(command)


def build(folder, header, name="consumer"):
    """The C file of that name as a module in `folder`, with this text for kroncy.h."""
    folder.mkdir()
    (folder / "kroncy.h").write_text(header)
    target = folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    run(*compiler(), *CFLAGS, "-std=c11", "-O1", "-shared", "-fPIC", "-pthread", "-Wall", "-Wextra",
        "-Werror", f"-I{folder}", f"-isystem{sysconfig.get_path('include')}",
        str(Path(__file__).with_name(f"{name}.c")), "-o", str(target), cwd=folder)
    return folder


@pytest.mark.parametrize(
    "language", [("C", "-std=c11", "c"), ("C++", "-std=c++17", "c++")], ids=lambda x: x[0]
)
def test_header_is_plain_and_clean(language, tmp_path):
    language, standard, kind = language
    assert "cython" not in HEADER.read_text().lower()
    source = tmp_path / "source"
    source.write_text("#include <kroncy.h>\nint use(void) { return kroncy_import(); }\n")
    run(*compiler(language), "-x", kind, standard, "-Wall", "-Wextra", "-pedantic", "-Werror",
        "-fsyntax-only", f"-I{HEADER.parent}",
        f"-isystem{sysconfig.get_path('include')}", str(source), cwd=tmp_path)


def test_versions(tmp_path):
    """Consumers built against an older and a newer table, and for other ABIs."""
    header = HEADER.read_text()
    last = "} kroncy_c_api;"
    before, after = header.split("    /* ---- Low-rank")
    versions = {
        "same": header,
        "older": before + last + after.split(last)[1],
        "newer": header.replace(last, f"    int (*tree_min)(kroncy_tree *tree);\n{last}"),
        "abi0": header.replace("ABI_VERSION 1", "ABI_VERSION 0"),
        "abi2": header.replace("ABI_VERSION 1", "ABI_VERSION 2"),
    }
    folders = [build(tmp_path / name, text) for name, text in versions.items()]
    found = json.loads(python(
        """
import importlib.util, json, sys
from pathlib import Path
found = {}
for folder in map(Path, sys.argv[1:]):
    spec = importlib.util.spec_from_file_location("consumer", next(folder.glob("consumer*")))
    try:
        module = importlib.util.module_from_spec(spec)
        found[folder.name] = module.check()
    except ImportError as error:
        found[folder.name] = str(error)
print(json.dumps(found))
""",
        *folders, cwd=tmp_path,
    ))
    assert found["same"] == found["older"] == 3
    assert "newer kroncy" in found["newer"] and "pip install --upgrade" in found["newer"]
    assert "built for ABI 0" in found["abi0"] and "rebuild the extension" in found["abi0"]
    assert "built for ABI 2" in found["abi2"] and "pip install --upgrade" in found["abi2"]


def test_interpreter_ends_with_live_handles(tmp_path):
    """A thread goes on asking a tree, a trainer is freed when the interpreter is gone."""
    out = python(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np
import reference_capi as capi
import consumer
rng = np.random.default_rng(0)
kept = capi.trainer_of([rng.random((9, 2)), rng.random((9, 3))], None, rng.random(9), n_hidden=64)
capi.create("coefficients_create_f32", 10, 10)
capi.tree_of(np.ones((3, 4)))
consumer.haunt(kept.value)
""",
        cwd=tmp_path, path=build(tmp_path / "consumer", HEADER.read_text()),
    )
    assert out == "the Python interpreter is not running\n"


def test_an_extension_that_forks_by_itself(tmp_path):
    """With fork() in C: the child computes what the parent did, and the parent goes on."""
    out = python(
        "import forking; print([forking.fork_and_work(known) for known in (False, True)])",
        cwd=tmp_path, path=build(tmp_path / "forking", HEADER.read_text(), "forking"),
    )
    assert out == "[0, 0]\n"
