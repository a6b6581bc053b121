"""What must be the same on every rank, compared before the first iteration."""

import hashlib
import itertools
import os
import platform
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .._base._runtime import openmp_max_threads
from .._base.threads import available_cores
from .._base.version import __version__
from .communicator import Communicator, on_every_rank

VERSIONS = {
    "kroncy": __version__, "numpy": np.__version__, "scipy": scipy.__version__,
    "python": platform.python_version(),
}  # fmt: skip
PLAIN = (type(None), bool, int, float, str, np.generic)
PARTS = {"table": "factor ", "index": "indices ", "labels": "labels of factor "}
HASHED = " with hash "  # before what stands for the values of an array
PIECES = 4096  # of an array that are compared at a time, to find where two differ


def require_agreement(comm: Communicator, values: Mapping[str, Any]) -> None:
    """ValueError on every rank unless they have the same versions and values.

    The message, the same on every rank, names what differs, and of arrays the first place.

    Parameters
    ----------
    comm : Communicator
    values : dict
        Argument -> plain value, array, mapping of these, or object with a ``get_state`` that
        returns such a mapping of values and one of arrays, as a `KroneckerData` has.
    """
    if comm.size == 1:
        return
    given = {f"version of {name}": version for name, version in VERSIONS.items()} | dict(values)
    leaves = dict(_leaves(given))
    everyone = comm.gather_objects(
        (list(given), {name: _describe(leaf) for name, leaf in leaves.items()}))
    for rank, theirs in enumerate(everyone):
        if not isinstance(theirs, tuple) or theirs[0] != everyone[0][0]:
            raise on_every_rank(ValueError(
                "all ranks must call the same methods in the same order: "
                f"rank {rank} of {comm.size} calls another one than rank 0"
            ))
    descriptions = [theirs for _, theirs in everyone]
    for name in dict.fromkeys(name for theirs in descriptions for name in theirs):
        here = [theirs.get(name, "nothing") for theirs in descriptions]
        for rank, there in enumerate(here):
            if there != here[0]:
                raise on_every_rank(ValueError(
                    f"{name} must be the same on every rank: "
                    f"{_difference(comm, rank, leaves.get(name), here)}"
                ))


def _difference(comm: Communicator, rank: int, leaf: Any, descriptions: list[str]) -> str:
    """How the leaf of that rank differs from the one of rank 0; all ranks call this."""
    outlines = [text.rpartition(HASHED)[0] for text in descriptions]
    if not outlines[0] or outlines[0] != outlines[rank]:
        first, other = (outlines[k] or descriptions[k] for k in (0, rank))
        return f"rank 0 of {comm.size} has {first}, rank {rank} has {other}"
    parts = np.empty(0) if leaf is None else _as_array(leaf)
    flat, shapes = parts.reshape(-1), comm.gather_objects(parts.shape)
    begin, end = 0, int(np.prod(shapes[0], dtype=int))
    while end - begin > 1:
        edges = np.linspace(begin, end, min(end - begin, PIECES) + 1).astype(int)
        marks = comm.gather_objects([_hash(flat[i:j]) for i, j in itertools.pairwise(edges)])
        place = next(i for i, mark in enumerate(marks[0]) if mark != marks[rank][i])
        begin, end = int(edges[place]), int(edges[place + 1])
    found = comm.gather_objects([_shown(value) for value in flat[begin:end]])
    at = [int(i) for i in np.unravel_index(begin, shapes[0])]
    return (
        f"rank 0 of {comm.size} has {found[0][0]} at {at}, rank {rank} has {found[rank][0]} "
        f"there, first of all, in {outlines[0]}"
    )


def require_cores(comm: Communicator, n_threads: int | None) -> None:
    """ValueError on every rank where one is bound to fewer cores than the threads it is to use."""
    if comm.size == 1:
        return
    wanted = openmp_max_threads() if n_threads is None else n_threads
    with comm.same_error():
        cores = available_cores()
        if cores < min(wanted, os.cpu_count() or 1):
            raise ValueError(
                f"n_threads={wanted} would share {cores} core{'s' * (cores > 1)}: the launcher "
                "binds the process to so many. Use n_threads="
                f"{cores}, or with Open MPI mpiexec --bind-to none, with Intel MPI I_MPI_PIN=0, "
                f"with SLURM --cpus-per-task={wanted}"
            )


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of what mappings, and objects with a state, are made of."""
    for name, value in values.items():
        if hasattr(value, "get_state"):
            state = value.get_state()
            parts = state if isinstance(state, tuple) else (state,)
        elif isinstance(value, np.random.Generator):
            parts = (value.bit_generator.state,)
        elif isinstance(value, Mapping):
            parts = (value,)
        else:
            yield name, value
            continue
        yield name, f"a {type(value).__name__}"
        for i, part in enumerate(parts):
            if isinstance(part, Mapping):
                named = {_named(key): part[key] for key in sorted(part, key=repr)}
            else:
                named = {f"part {i}": part}
            yield from _leaves({f"{key} of {name}": one for key, one in named.items()})


def _named(key: Any) -> str:
    """A key of a state in the words of `KroneckerData`."""
    return re.sub(r"^(table|index|labels)(?=\d)", lambda found: PARTS[found[0]], str(key))


def _describe(value: Any) -> str:
    """A text that is the same for the same value."""
    if isinstance(value, PLAIN):
        return repr(value)
    array = _as_array(value)
    if array.dtype == object and array.ndim == 0:
        return type(value).__name__
    return f"an array of shape {array.shape}, {array.dtype}{HASHED}{_hash(array)}"


def _as_array(value: Any) -> NDArray:
    """`value` as an array; of objects where its parts differ in length."""
    try:
        return np.asarray(value)
    except ValueError:
        if not isinstance(value, (list, tuple)):
            return np.array(None)
    array = np.empty(len(value), dtype=object)
    array[:] = value
    return array


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _hash(value: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)
    _update(digest, value)
    return digest.hexdigest()


def _update(digest: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for name in sorted(value, key=repr):
            digest.update(repr(name).encode())
            _update(digest, value[name])
    elif isinstance(value, (list, tuple)):
        digest.update(str(len(value)).encode())
        for part in value:
            _update(digest, part)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        _update(digest, value.tolist())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    else:
        digest.update(repr(value).encode())
