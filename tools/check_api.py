"""Whether the public API is documented and annotated: numpydoc's checks, and complete annotations.

    python tools/check_api.py

Public is what can be reached without an underscore from the modules below; kroncy must be
installed.  Ends with 1 where something is missing.
"""

import importlib
import inspect
import sys

from numpydoc.validate import validate

FOLDERS = ("kernels", "linalg", "lrgd", "ntk", "datasets", "plot")
MODULES = ["kroncy", *(f"kroncy.{name}" for name in FOLDERS)]
# Of numpydoc's checks not: where text begins (GL01, GL02), an extended summary (ES01), "See Also"
# and examples for every method (SA, EX), a name beside a type in Returns (RT02), and a first word
# in s (SS05), which takes plurals for verbs.
CHECKS = {
    "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10", "SS01", "SS02", "SS03", "SS04", "SS06",
    "PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR08", "PR09", "PR10",
    "RT01", "RT03", "RT04", "RT05", "YD01",
}  # fmt: skip


def is_public(name):
    """Whether a name has no underscore before it."""
    return not name.startswith("_")


def is_ours(found):
    """Whether a class or function was made in kroncy, not in a library."""
    return (getattr(found, "__module__", None) or "").startswith("kroncy")


def module_members(module):
    """Public classes and functions of a module, by name."""
    names = getattr(module, "__all__", None) or filter(is_public, vars(module))
    for name in names:
        found = getattr(module, name)
        if (inspect.isclass(found) or inspect.isroutine(found)) and is_ours(found):
            yield name, found


def class_members(of):
    """Public methods and properties that kroncy's own classes define, by name."""
    for name in filter(is_public, dir(of)):
        owner = next(base for base in of.__mro__ if name in vars(base))
        found = inspect.getattr_static(of, name)
        if isinstance(found, (classmethod, staticmethod)):
            found = found.__func__
        found = inspect.unwrap(found)  # of a method that scikit-learn shows where it is available
        is_method = inspect.isroutine(found) and is_ours(found)
        if is_ours(owner) and (is_method or isinstance(found, property)):
            yield name, found


def public_api():
    """(dotted name, object) of everything public, each once, under its shortest name."""
    seen = set()
    for path in MODULES:
        for name, found in module_members(importlib.import_module(path)):
            if id(found) in seen:
                continue
            seen.add(id(found))
            yield f"{path}.{name}", found
            if inspect.isclass(found):
                for member, inner in class_members(found):
                    yield f"{path}.{name}.{member}", inner


def missing_annotations(found):
    """Names of parameters without an annotation, and "return"."""
    if isinstance(found, property):
        found = found.fget
    function = found.__init__ if inspect.isclass(found) else found
    if inspect.isclass(found) and not inspect.isfunction(function):
        return  # Python's own constructor
    signature = inspect.signature(function)
    for name, parameter in signature.parameters.items():
        if name not in ("self", "cls") and parameter.annotation is parameter.empty:
            yield name
    if signature.return_annotation is signature.empty:
        yield "return"


def problems(name, found):
    """Lines about one public object."""
    for code, message in validate(name)["errors"]:
        if code in CHECKS:
            yield f"{name}: {code} {' '.join(message.split())}"
    if missing := list(missing_annotations(found)):
        yield f"{name}: no annotation of {', '.join(missing)}"


def main():
    """Print each problem; how many, or 0."""
    api = list(public_api())
    lines = [line for name, found in api for line in problems(name, found)]
    print("\n".join(lines))
    return f"{len(lines)} problems in {len(api)} public objects" if lines else 0


if __name__ == "__main__":
    sys.exit(main())
