import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import kroncy
from kroncy._base.version import __version__


def test_the_configuration_is_printed_and_returned(capsys):
    config = kroncy.show_config()
    printed = capsys.readouterr().out
    assert config["version"] == __version__ and __version__ in printed
    assert config["threads"] >= 1 and isinstance(config["openmp"], bool)
    assert config["simd"] in printed
    assert all(blas["library"] in printed for blas in config["blas"])
    assert set(config["blas"][0]) == {"library", "version", "kernel", "threads"}
    assert kroncy.show_config(mode="dicts") == config
    assert not capsys.readouterr().out


def test_a_process_made_by_fork_says_so():
    code = """
import os, kroncy
print(kroncy.show_config(mode="dicts")["forked"], flush=True)
if os.fork() == 0:
    config = kroncy.show_config()
    print(config["forked"], config["threads"], flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("False\n") and done.stdout.endswith("True 1\n")
    assert "one thread, since this process was made by fork()" in done.stdout


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match="mode must be one of 'stdout', 'dicts', got 'json'"):
        kroncy.show_config("json")


def test_a_build_in_place_has_no_metadata_to_read(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert kroncy.show_config("dicts")["version"] == __version__


def test_the_build_reads_the_version_without_importing_kroncy():
    source = Path(kroncy.__file__).with_name("_base") / "version.py"
    names = {}
    exec(compile(source.read_text(), source, "exec"), {"__builtins__": {}}, names)
    assert names == {"__version__": __version__} | {"__doc__": names["__doc__"]}


def test_the_include_folder_holds_the_header():
    assert Path(kroncy.get_include(), "kroncy.h").is_file()


def test_the_foundations_import_nothing_else_of_kroncy():
    program = (
        "import sys, types; package = types.ModuleType('kroncy'); "
        f"package.__path__ = [{str(Path(kroncy.__file__).parent)!r}]; "
        "sys.modules['kroncy'] = package; import kroncy._base.config; "
        "print(*(name for name in sys.modules if name.startswith('kroncy.')))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert all(name.startswith("kroncy._base") for name in done.stdout.split())
