"""The signatures that other people's extensions were built against stay what they are.

`python tests/capi/test_signatures.py` pins functions that were added; nothing unpins one.
"""

import ctypes as ct
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import reference_capi
from reference_capi import HEADER, constants, members

import kroncy.capi

PINNED = Path(__file__).with_name("signatures.json")
PXD = HEADER.parents[1] / "capi.pxd"
CYTHON = re.compile(r"^cdef (const char \*|int )kroncy_(\w+)\(([^)]*)\) ([a-z ]+)$", re.MULTILINE)


def signatures(header, pxd):
    """All that a consumer depends on, as plain values; the order of the table included."""
    text = reference_capi.without_comments(header)
    options = text[text.index("size_t struct_size;\n    int64_t n_hidden") :]
    fields = [line.strip() for line in options[: options.index("}")].splitlines() if line.strip()]
    return {
        "abi_version": int(re.search(r"#define KRONCY_ABI_VERSION (\d+)", header).group(1)),
        "constants": constants(header),
        "types": re.findall(r"^typedef (?!struct \{).*;$", text, re.MULTILINE),
        "options": [field.rstrip(";") for field in fields],
        # A C function never sets a Python exception: its int is a status.
        "table": [f"{result} {name}({', '.join(args)})" for name, result, args in members(header)],
        "cython": [
            f"{result.strip()} kroncy_{name}({' '.join(arguments.split())}) {convention}"
            for result, name, arguments, convention in CYTHON.findall(pxd)
        ],
    }


def broken(pinned, now):
    """What a consumer built against `pinned` would no longer find in `now`."""
    problems = []
    if now["abi_version"] != pinned["abi_version"]:
        problems.append(f"ABI {pinned['abi_version']} became {now['abi_version']}")
    for name, value in pinned["constants"].items():
        if now["constants"].get(name) != value:
            problems.append(f"{name} = {value} became {now['constants'].get(name)}")
    for part in ("options", "table"):  # places in a struct: append-only
        for place, entry in enumerate(pinned[part]):
            found = now[part][place] if place < len(now[part]) else None
            if found != entry:
                problems.append(f"{part}: {entry!r} became {found!r}")
    for part in ("types", "cython"):
        problems += [f"{part}: {e!r} is gone" for e in pinned[part] if e not in now[part]]
    return problems


def current():
    return HEADER.read_text(), PXD.read_text()


def test_nothing_that_was_exported_has_changed():
    assert not broken(json.loads(PINNED.read_text()), signatures(*current()))


def test_a_change_is_noticed_and_an_addition_is_not():
    header, pxd = current()
    pinned = signatures(header, pxd)

    def after(old, new, text=header):
        assert text.count(old) >= 1
        text = text.replace(old, new, 1)
        return broken(pinned, signatures(*((text, pxd) if old in header else (header, text))))

    last = "} kroncy_c_api;"
    assert not after(last, f"    int (*tree_min)(kroncy_tree *tree, double *value);\n{last}")
    assert not after("    KRONCY_OK = 0,", "    KRONCY_OK = 0,\n    KRONCY_NEW = -99,")
    assert not broken(pinned, signatures(header, pxd + "cdef int kroncy_tree_min() noexcept nogil"))
    query = "int (*tree_query)(kroncy_tree *tree, int64_t i, double threshold"
    assert after(query, query.replace("double", "float"))
    assert after(query, query.replace("int64_t", "int"))
    assert after("    int (*tree_free)", "    int (*tree_new)(int a);\n    int (*tree_free)")
    assert after("    int (*tree_free)(kroncy_tree *tree);", "")
    assert after("KRONCY_BUSY = -10", "KRONCY_BUSY = -11")
    assert after("#define KRONCY_ABI_VERSION 1", "#define KRONCY_ABI_VERSION 2")
    assert after("    double skip;", "    float skip;")
    assert after("int n, double *x, void *user_data);", "int n, const double *x, void *user_data);")
    free = "cdef int kroncy_tree_free(kroncy_tree *tree) noexcept nogil"
    for changed in (" except -1 nogil", " noexcept"):
        other = pxd.replace(free, free.replace(" noexcept nogil", changed))
        assert broken(pinned, signatures(header, other))


def capsule_signature(result, arguments):
    """The text by which Cython checks a cimport: types only, const after its type."""
    types = []
    for argument in [result, *arguments]:
        kind = argument if argument.endswith("*") else re.sub(r"\w+$", "", argument).strip()
        kind = kind or argument
        types.append(re.sub(r"^const (\w+)", r"\1 const", kind))
    space = "" if types[0].endswith("*") else " "
    return f"{types[0]}{space}({', '.join(types[1:]) or 'void'})"


def test_header_pxd_and_compiled_module_agree():
    get = ct.pythonapi.PyCapsule_GetName
    get.restype, get.argtypes = ct.c_char_p, [ct.py_object]
    compiled = {
        name: get(capsule).decode() for name, capsule in kroncy.capi.__pyx_capi__.items()
    }
    header, pxd = current()
    table = members(header)
    assert compiled == {
        f"kroncy_{name}": capsule_signature(result, arguments)
        for name, result, arguments in table
    }
    declared = signatures(header, pxd)["cython"]
    assert declared == [
        f"{result} kroncy_{name}({', '.join(arguments)}) noexcept nogil"
        for name, result, arguments in table
    ]
    macros = re.findall(r"#define kroncy_(\w+) \(kroncy_api->(\w+)\)", header)
    assert macros == [(name, name) for name, *_ in table]
    assert not any("__pyx" in signature for signature in compiled.values())


def test_table_is_complete():
    api = reference_capi.api
    assert api.struct_size == ct.sizeof(type(api))
    assert api.abi_version == signatures(*current())["abi_version"]
    for name, *_ in members(HEADER.read_text()):
        assert ct.cast(getattr(api, name), ct.c_void_p).value, name


if __name__ == "__main__":
    now = signatures(*current())
    if PINNED.exists():
        problems = broken(json.loads(PINNED.read_text()), now)
        if problems:
            sys.exit("\n".join(["refused:", *problems]))
    PINNED.write_text(json.dumps(now, indent=1) + "\n")
