"""The house rules: imports point downwards, files and folders stay small, private means private."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import kroncy

TESTS = Path(__file__).parent
ROOT = TESTS.parent / "kroncy"
# A folder imports from those before it; those of one level may import one another, not in a circle.
LEVELS = [
    {"_base"}, {"linalg"}, {"data"}, {"trees"}, {"init"}, {"pairs"}, {"network"}, {"training"},
    {"ntk"}, {"lrgd"}, {"kernels"}, {"estimators"}, {"datasets"},
    {"cli", "plot", "persistence", "capi"}, {"kroncy"},
]  # fmt: skip
LEVEL = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}
ALONE = {"trees": {"trees", "_base"}, "lrgd": {"lrgd", "_base"}}  # useful without any network
PARTS = {"_capi": "capi", "include": "capi",
         "__init__": "kroncy", "__main__": "kroncy", "_public": "kroncy"}
SOURCES = (".py", ".pyx", ".pxd")
MOST_LINES = 450
MOST_SHARE = 0.25
# Public in Python, in spite of the underscore: of named tuples, and of the module os.
DOCUMENTED = {"_asdict", "_fields", "_field_defaults", "_make", "_replace", "_exit"}


# -- Reading sources ------------------------------------------------------------------------------


def read_package(root):
    """Relative path -> text of each file written by hand: of C, the kernels."""
    return {
        path.relative_to(root): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.suffix in (*SOURCES, ".pyi", ".h") or path.name.endswith("_kernel.c")
    }


def folder_of(path):
    """The folder of kroncy that a file (a path) or a module (parts of its name) belongs to."""
    first = (path.parts if isinstance(path, Path) else path)[0].partition(".")[0]
    return PARTS.get(first, first)


def bare(text):
    """Cython source without comments and texts."""
    quoted = r'("""|\'\'\').*?\1|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(
        rf"{quoted}|#[^\n]*", lambda m: "\n" * m[0].count("\n") or "''", text, flags=re.S
    )


CYTHON_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+c?import[ \t]+(\([^)]*\)|[^\n]+)|c?import[ \t]+([^\n]+))",
    re.MULTILINE,
)


def cython_imports(text):
    """(source, names) of each import or cimport, over one line or several."""
    joined = re.sub(r"\\\n", " ", bare(text))
    for source, names, modules in CYTHON_IMPORT.findall(joined):
        if source:
            yield source, re.findall(r"(\w+|\*)(?:[ \t]+as[ \t]+\w+)?", names)
        for module in re.findall(r"([\w.]+)(?:[ \t]+as[ \t]+\w+)?", modules):
            yield module, []


def python_imports(text):
    """(source, names) of each import, inside functions too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []


def module_name(path):
    """kroncy.x.y of a source file; the package for an __init__."""
    parts = path.with_suffix("").parts
    return ".".join(("kroncy", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def module_graph(package):
    """Module -> modules of kroncy that it imports."""
    sources = {path: text for path, text in package.items() if path.suffix in SOURCES}
    modules = {module_name(path) for path in sources}
    packages = {module_name(path) for path in sources if path.stem == "__init__"}
    edges = {module: set() for module in modules}
    for path, text in sources.items():
        name = module_name(path)
        here = name if name in packages else name.rpartition(".")[0]
        for source, names in (python_imports if path.suffix == ".py" else cython_imports)(text):
            dots = len(source) - len(source.lstrip("."))
            base = source
            if dots:
                parents = here.split(".")[: here.count(".") + 2 - dots]
                base = ".".join([*parents, *filter(None, [source.lstrip(".")])])
            inside = {f"{base}.{name}" for name in names}
            # `from . import module` names its own package, but only as the folder of the module.
            only_folder = f"{here}.".startswith(f"{base}.") and inside <= modules
            edges[name] |= (inside | (set() if only_folder else {base})) & modules - {name}
    return edges


# -- The rules: each gives a list of what breaks it -----------------------------------------------


def upward_imports(package):
    """Modules, and headers of C, that are taken from a folder above or beside."""
    pairs = [(m.split(".")[1:] or [m], t.split(".")[1:] or [t], f"{m} imports {t}")
             for m, targets in module_graph(package).items() for t in targets]
    headers = {path.name: path for path in package if path.suffix == ".h"}
    for path, text in package.items():
        for header in re.findall(r'(?:#\s*include|extern from) "(?:[\w./]*/)?(\w+\.h)"', text):
            if header in headers:
                pairs.append((path.parts, headers[header].parts, f"{path} includes {header}"))
    wrong = []
    for source, target, what in pairs:
        above, below = folder_of(source), folder_of(target)
        if LEVEL[below] > LEVEL[above] or below not in ALONE.get(above, {below}):
            wrong.append(what)
    return wrong


def import_circles(package):
    """Modules that import each other in a circle, one circle at most."""
    edges, done, path = module_graph(package), set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        path.append(module)
        for target in sorted(edges[module]):
            if circle := visit(target):
                return circle
        path.pop()
        done.add(module)
        return []

    return next(filter(None, map(visit, sorted(edges))), [])


def lines(text):
    return len(text.splitlines())


def long_files(package):
    return [f"{p}: {lines(t)} lines" for p, t in package.items() if lines(t) > MOST_LINES]


def large_folders(package):
    counts = Counter()
    for path, text in package.items():
        counts[folder_of(path)] += lines(text)
    most = MOST_SHARE * counts.total()
    return [f"{name}: {n} lines, over {most:.0f}" for name, n in counts.items() if n > most]


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED


def is_own(node):
    """self, cls, super() or type(self)."""
    if isinstance(node, ast.Call):
        is_type = isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1
        return (is_type and is_own(node.args[0])) or ast.unparse(node.func) == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_reads(package):
    """Places where a private attribute of another object is read or written."""
    found = []
    for path, text in package.items():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(text)):
                of, name = None, ""
                if isinstance(node, ast.Attribute):
                    of, name = node.value, node.attr
                elif isinstance(node, ast.Call) and len(node.args) > 1:
                    called = getattr(node.func, "id", "")
                    if called in ("getattr", "setattr", "hasattr", "delattr"):
                        of, name = node.args[0], getattr(node.args[1], "value", "")
                if of is not None and is_private(str(name)) and not is_own(of):
                    found.append(f"{path}:{node.lineno}: {ast.unparse(of)}.{name}")
        elif path.suffix in (".pyx", ".pxd"):
            code = CYTHON_IMPORT.sub(lambda m: "\n" * m[0].count("\n"), bare(text))
            for match in re.finditer(r"([\w.]+|\)|\])\s*\.\s*(_\w+)", code):
                of, name = match.groups()
                own = of in ("self", "cls") or code[: match.end(1)].endswith("super()")
                if is_private(name) and not own:
                    line = code[: match.start()].count("\n") + 1
                    found.append(f"{path}:{line}: {of}.{name}")
    return found


def packages_without_purpose(package):
    """Packages that have no __init__, or whose __init__ does not begin with one line of purpose."""
    folders = {path.parent for path in package if path.suffix in (".py", ".pyx")} - {Path()}
    wrong = []
    for folder in sorted(folders | {Path()}):
        text = package.get(folder / "__init__.py", "")
        first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        if not (first.endswith(".") and len(first.split()) >= 2):
            wrong.append(str(folder))
    return wrong


def unmirrored(package, tests):
    """Folders of the package without a folder of tests, and folders of tests without one of it."""
    of_package = {folder_of(path) for path in package if len(path.parts) > 1}
    of_tests = {path.parent.relative_to(tests).parts[0]
                for path in tests.rglob("test_*.py") if path.parent != tests}
    return sorted(of_package ^ (of_tests - {"usage"}))  # days of users, of no folder in particular


def unasked_regions(package):
    """Parallel regions that do not ask `kroncy_team`: they would never end after a fork."""
    found = []
    for path, text in package.items():
        if path.suffix in (".pyx", ".c", ".h"):
            source = bare(text) if path.suffix == ".pyx" else text
            found += [f"{path}: num_threads of {n}" for n in
                      re.findall(r"num_threads[=(](?!kroncy_team\()(\w+)", source)]
    return found


RULES = [unasked_regions, upward_imports, import_circles, long_files, large_folders, private_reads,
         packages_without_purpose]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule):
    if broken := rule(read_package(ROOT)):
        pytest.fail("\n".join(broken), pytrace=False)


def test_tests_mirror_the_package():
    assert not unmirrored(read_package(ROOT), TESTS)


def test_public_names_are_imported_when_they_are_used():
    assert dir(kroncy) == kroncy.__all__
    assert all(getattr(kroncy, name) is not None for name in kroncy.__all__)
    with pytest.raises(AttributeError, match="module 'kroncy' has no attribute 'numpy'"):
        kroncy.numpy  # noqa: B018
    code = "import kroncy, sys; assert 'numpy' not in sys.modules; from kroncy import *; save, lrgd"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


# -- Each rule can fail ---------------------------------------------------------------------------


def fake(texts):
    """A package of these files, and an __init__ in each folder."""
    found = {Path(name): text for name, text in texts.items()}
    for folder in {Path(), *(path.parent for path in found)}:
        found.setdefault(folder / "__init__.py", '"""A purpose."""\n')
    return found


UPWARD = {
    "relative": {"data/a.py": "from ..network.b import c", "network/b.py": ""},
    "of a package": {"data/a.py": "from .. import network", "network/b.py": ""},
    "absolute": {"data/a.py": "import kroncy.network.b as n", "network/b.py": ""},
    "absolute from": {"data/a.py": "from kroncy.network import b", "network/b.py": ""},
    "of the whole": {"data/a.py": "from kroncy import KroneckerSGD", "network/b.py": ""},
    "in a function": {
        "data/a.py": "def f():\n    if f:\n        from ..network import b",
        "network/b.py": "",
    },
    "cimport": {"data/a.pyx": "from ..network.b cimport c", "network/b.pxd": ""},
    "cimport over lines": {
        "data/a.pyx": "from ..network cimport (  # what\n    b,\n    c,\n)",
        "network/b.pxd": "",
    },
    "cimport continued": {
        "data/a.pyx": "from ..network \\\n    cimport b",
        "network/b.pxd": "",
    },
    "cimport of a module": {"data/a.pyx": "cimport kroncy.network.b", "network/b.pxd": ""},
    "import in Cython": {
        "data/a.pyx": "def f():\n    from ..network import b",
        "network/b.py": "",
    },
    "a header": {"data/a.c": '#include "_b.h"', "network/_b.h": ""},
    "a header in Cython": {
        "data/a.pyx": 'cdef extern from "_b.h":\n    pass',
        "network/_b.h": "",
    },
    "lrgd of init": {"lrgd/a.py": "from ..init.b import c", "init/b.py": ""},
}


@pytest.mark.parametrize("files", UPWARD.values(), ids=UPWARD)
def test_upward_imports_are_seen(files):
    assert upward_imports(fake(files))


def test_downward_imports_pass():
    files = {
        "network/a.py": "from ..data.b import c\nfrom . import d",
        "network/d.pyx": 'from .._base.e cimport f\n"""\nfrom ..training import g\n"""\n',
        "data/b.py": "from kroncy._base import e",
        "_base/e.pyx": "",
        "training/g.py": "",
    }
    assert not upward_imports(fake(files))
    assert module_graph(fake(files))["kroncy.network.a"] >= {"kroncy.data.b", "kroncy.network.d"}


def test_regions_that_do_not_ask_are_seen():
    asked = "for i in prange(len(x), num_threads=kroncy_team(n)):"
    assert not unasked_regions(fake({"data/a.pyx": asked}))
    assert unasked_regions(fake({"data/a.pyx": "for i in prange(len(x), num_threads=n):"}))
    assert unasked_regions(fake({"data/a_kernel.c": "#pragma omp parallel for num_threads(n)\n"}))


def test_circles_are_seen():
    files = {
        "data/a.py": "from .b import x",
        "data/b.pyx": "from .c cimport y",
        "data/c.pxd": "",
        "data/c.pyx": "def f():\n    from kroncy.data import a",
    }
    assert set(import_circles(fake(files))) == {f"kroncy.data.{name}" for name in "abc"}


def test_long_files_and_large_folders_are_seen():
    package = fake({"data/a.py": "x = 1\n" * 451, "init/b.py": "x = 1\n" * 450, "trees/_c.h": ""})
    assert len(long_files(package)) == 1
    assert len(large_folders(package)) == 2


READS = {
    "an attribute": "x._name",
    "a written one": "x._name = 1",
    "deeper": "self.trainer._engine",
    "of a call": "f()._name",
    "by text": "getattr(x, '_name')",
}


@pytest.mark.parametrize("text", READS.values(), ids=READS)
def test_private_reads_are_seen(text):
    assert private_reads(fake({"data/a.py": f"def g():\n    {text}\n"}))
    if "getattr" not in text:
        assert private_reads(fake({"data/a.pyx": f"cdef g():\n    {text}\n"}))


def test_own_private_attributes_pass():
    text = "from ._c import d\nx = (self._a, cls._b, super()._c, x.__len__, '''y._z''')  # x._n\n"
    more = "t._replace(a=1)\ntype(self)._d\n"
    assert not private_reads(fake({"data/a.py": text + more}))
    assert not private_reads(fake({"data/a.pyx": text + "from .._base._d cimport (\n    e,\n)\n"}))


def test_packages_without_purpose_are_seen():
    package = fake({"data/a.py": "", "init/b.py": ""})
    package[Path("data/__init__.py")] = "from .a import b"
    assert packages_without_purpose(package) == ["data"]


def test_unmirrored_folders_are_seen(tmp_path):
    for folder in ("data", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_a.py").touch()
    assert unmirrored(fake({"data/a.py": "", "init/b.py": ""}), tmp_path) == ["init", "other"]
