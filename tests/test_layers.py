"""Data moves one way: a folder imports only from folders before it, and no module in a circle."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1] / "kroncy"
ORDER = [
    "_base", "linalg", "data", "trees", "init", "network", "training", "ntk", "lrgd",
    "estimators", "datasets", "doors",
]
CIMPORT = re.compile(r"^\s*from (\.+[\w.]*) (?:c?import) +(.+)", re.MULTILINE)


def modules():
    """Source files of the package by dotted name; compiled modules by their .pyx or .pxd."""
    found = {}
    for path in [*ROOT.rglob("*.py"), *ROOT.rglob("*.pyx"), *ROOT.rglob("*.pxd")]:
        name = ".".join(("kroncy", *path.relative_to(ROOT).with_suffix("").parts))
        found.setdefault(name.removesuffix(".__init__"), []).append(path)
    return found


def imports(path, package):
    """Names of kroncy modules that `path`, inside `package`, imports relatively."""
    if path.suffix == ".py":
        nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
        pairs = [("." * n.level + (n.module or ""), [a.name for a in n.names]) for n in nodes]
    else:
        found = CIMPORT.findall(path.read_text())
        pairs = [(source, re.findall(r"\w+", names)) for source, names in found]
    for source, names in pairs:
        dots = len(source) - len(source.lstrip("."))
        if not dots:
            continue
        parts = package.split(".")[: len(package.split(".")) - dots + 1]
        base = ".".join([*parts, *filter(None, [source.lstrip(".")])])
        for name in names:
            yield f"{base}.{name}"
        yield base


def graph():
    found = modules()
    edges = {}
    for name, paths in found.items():
        for path in paths:
            is_package = path.stem == "__init__"
            package = name if is_package else name.rpartition(".")[0]
            targets = {t for t in imports(path, package) if t in found and t != name}
            # A package's own __init__ stands for its contents, not for a dependency.
            edges.setdefault(name, set()).update(t for t in targets if not package.startswith(t))
    return edges


def folder(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ORDER else "doors"


def test_every_module_is_seen():
    edges = graph()
    assert "kroncy.network._engine" in edges["kroncy.network._lazy"]
    assert "kroncy.data.kronecker_data" in edges["kroncy.training.trainer"]


def test_folders_import_only_from_folders_before_them():
    wrong = [
        f"{source} imports {target}"
        for source, targets in graph().items()
        for target in targets
        if ORDER.index(folder(target)) > ORDER.index(folder(source))
    ]
    assert not wrong


def test_no_module_imports_in_a_circle():
    edges = graph()
    done, path = set(), []

    def visit(module):
        assert module not in path, f"circle: {[*path[path.index(module):], module]}"
        if module in done:
            return
        path.append(module)
        for target in edges.get(module, ()):
            visit(target)
        path.pop()
        done.add(module)

    for module in edges:
        visit(module)


def test_files_read_in_one_sitting():
    long = {
        str(path.relative_to(ROOT)): count
        for paths in modules().values()
        for path in paths
        if (count := len(path.read_text().splitlines())) > 470
    }
    assert not long
