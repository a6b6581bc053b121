"""The C API through ctypes, which calls it as C does: by pointer, and without the GIL."""

import ctypes as ct
import re
from pathlib import Path

import numpy as np

import kroncy
import kroncy.capi

HEADER = Path(kroncy.get_include(), "kroncy.h")
MEMBER = re.compile(r"(const char \*|int )\(\*(\w+)\)\(([^;]*)\);")
FUNCTION = ct.CFUNCTYPE(ct.c_double, ct.c_int, ct.POINTER(ct.c_double), ct.c_void_p)


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def members(header):
    """[(name, result, [argument, ...])] of the function table, in its order."""
    text = without_comments(header)
    table = text[text.index("int abi_version;") : text.index("} kroncy_c_api;")]
    found = []
    for result, name, arguments in MEMBER.findall(table):
        arguments = [" ".join(a.split()) for a in arguments.split(",")]
        found.append((name, result.strip(), [a for a in arguments if a != "void"]))
    return found


def constants(header):
    """Values of the KRONCY_ enumerators."""
    text = without_comments(header)
    return {name: int(value) for name, value in re.findall(r"(KRONCY_\w+) = (-?\d+)", text)}


CODES = constants(HEADER.read_text())


def _ctype(argument):
    if "*" in argument or "kroncy_function" in argument:
        return ct.c_void_p
    kind = argument.rsplit(" ", 1)[0]
    return {"int": ct.c_int, "int64_t": ct.c_int64, "double": ct.c_double}[kind]


class Options(ct.Structure):
    """kroncy_trainer_options."""

    _fields_ = [
        ("struct_size", ct.c_size_t),
        *((name, ct.c_int64) for name in ("n_hidden", "batch_size", "seed")),
        *((n, ct.c_double) for n in ("threshold", "learning_rate", "skip", "weight_decay")),
        *((n, ct.c_int) for n in ("loss", "engine", "start", "antithetic", "normalize")),
        ("n_threads", ct.c_int),
    ]


class _Table(ct.Structure):
    _fields_ = [
        ("abi_version", ct.c_int),
        ("struct_size", ct.c_size_t),
        *(
            (
                name,
                ct.CFUNCTYPE(
                    ct.c_int if result == "int" else ct.c_char_p, *map(_ctype, arguments)
                ),
            )
            for name, result, arguments in members(HEADER.read_text())
        ),
    ]


def _load():
    get = ct.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ct.c_void_p, [ct.py_object, ct.c_char_p]
    return _Table.from_address(get(kroncy.capi._C_API, b"kroncy.capi._C_API"))


api = _load()


def at(array):
    """Where an array begins, and the array kept alive with it; None stays NULL."""
    if array is None:
        return None
    pointer = ct.c_void_p(array.ctypes.data)
    pointer.array = array
    return pointer


def pointers(arrays):
    """A C array of pointers to arrays (the arrays must be kept alive)."""
    return (ct.c_void_p * len(arrays))(*(at(array) for array in arrays))


def ints(*values):
    return np.array(values, dtype=np.int64)


def create(name, *arguments):
    """A handle from a *_create function; AssertionError unless the status is 0."""
    handle = ct.c_void_p(1)
    status = getattr(api, name)(ct.addressof(handle), *arguments)
    assert status == 0, (api.strerror(status), api.message())
    return handle


def tree_of(values, n_threads=1):
    kind = "f64" if values.dtype == np.float64 else "f32"
    return create(f"tree_create_{kind}", *values.shape, at(values), n_threads)


def query(tree, i, threshold, capacity):
    """(status, number found, leaves)."""
    found, leaves = ct.c_int64(-1), np.full(max(capacity, 0), -7, dtype=np.int64)
    status = api.tree_query(tree, i, threshold, capacity, at(leaves), ct.addressof(found))
    return status, found.value, leaves


def factor_arguments(factors, indices):
    """The arguments that gram_rows and trainer_create share, and what keeps them alive."""
    rows, widths = ints(*map(len, factors)), ints(*(f.shape[1] for f in factors))
    left, right = pointers(factors), None if indices is None else pointers(indices)
    return (at(rows), at(widths), left, right), (rows, widths, factors, indices)


def trainer_of(factors, indices, y, **options):
    kind = "f64" if factors[0].dtype == np.float64 else "f32"
    chosen = Options(struct_size=ct.sizeof(Options))
    assert api.trainer_defaults(ct.addressof(chosen)) == 0
    for name, value in options.items():
        setattr(chosen, name, value)
    n_samples = len(y)
    arguments, _keep = factor_arguments(factors, indices)
    y = np.ascontiguousarray(y, dtype=np.float64).reshape(n_samples, -1)
    return create(
        f"trainer_create_{kind}", len(factors), n_samples, *arguments, y.shape[1], at(y),
        ct.addressof(chosen),
    )


def aligned(shape, dtype):
    """Zeros that begin on a cache line."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(n_bytes + 64, dtype=np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)
