"""What the files of the project say of one another is true."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import kroncy

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = ROOT / "packaging" / "conda-forge" / "recipe.yaml"
TESTED = ("plot", "test")


def requirements():
    """Every requirement of the package and of its suite."""
    extras = (PROJECT["optional-dependencies"][name] for name in TESTED)
    return [Requirement(text) for text in sum(extras, PROJECT["dependencies"])]


def test_the_oldest_versions_are_those_declared():
    declared = {r.name: r.specifier for r in requirements()}
    lines = (ROOT / "tools" / "oldest.txt").read_text().splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert set(tried) == set(declared)
    for name, version in tried.items():
        (bound,) = declared[name]
        assert bound.operator == ">=" and Version(bound.version) == Version(version), name


def test_every_file_tells_the_same_version():
    version = kroncy.show_config("dicts")["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f'version: "{version}"' in RECIPE.read_text()


def test_the_recipe_asks_for_what_the_package_asks_for():
    run = RECIPE.read_text().partition("\n  run:\n")[2].partition("\n\n")[0]
    for text in PROJECT["dependencies"]:
        requirement = Requirement(text)
        assert f"    - {requirement.name} {requirement.specifier}" in run.splitlines()


MENTION = re.compile(r"`make ([\w-]+)")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", "docs/releasing.md"])
def test_every_target_of_make_that_is_named_exists(name):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(MENTION.findall((ROOT / name).read_text()))
    assert named <= targets and targets >= {"test", "lint", "docs", "wheel"}
