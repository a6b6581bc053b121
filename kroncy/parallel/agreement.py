"""What must be the same on every rank, compared before the first iteration."""

import hashlib
import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

from .._base._runtime import openmp_max_threads
from .._base.threads import available_cores
from .._base.version import __version__
from .communicator import Communicator, on_every_rank

VERSIONS = {
    "kroncy": __version__, "numpy": np.__version__, "scipy": scipy.__version__,
    "python": platform.python_version(),
}  # fmt: skip


def require_agreement(comm: Communicator, values: Mapping[str, Any]) -> None:
    """ValueError on every rank unless they have the same versions and values, named in the message.

    Parameters
    ----------
    comm : Communicator
    values : dict
        Argument -> plain value, array, mapping of these, or object with a ``get_state`` that
        returns such a mapping of values and one of arrays, as a `KroneckerData` has.
    """
    if comm.size == 1:
        return
    mine = {f"version of {name}": version for name, version in VERSIONS.items()}
    mine |= {name: _describe(value) for name, value in values.items()}
    everyone = comm.gather_objects(mine)
    for name in mine:
        for rank, theirs in enumerate(everyone):
            if not isinstance(theirs, dict) or name not in theirs:
                raise on_every_rank(ValueError(
                    "all ranks must call the same methods in the same order: "
                    f"rank {rank} of {comm.size} calls another one than rank {comm.rank}"
                ))
        value = everyone[0][name]
        for rank, theirs in enumerate(everyone):
            if theirs[name] != value:
                raise on_every_rank(ValueError(
                    f"{name} must be the same on every rank: rank 0 of {comm.size} has {value}, "
                    f"rank {rank} has {theirs[name]}"
                ))


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


def _describe(value: Any) -> str:
    """A text that is the same for the same value."""
    if value is None or isinstance(value, (bool, int, float, str, np.generic)):
        return repr(value)
    if hasattr(value, "get_state"):
        return f"{type(value).__name__} {_hash(value.get_state())}"
    if isinstance(value, Mapping):
        return f"mapping {_hash(value)}"
    try:
        array = np.asarray(value)
    except ValueError:
        return type(value).__name__
    if array.dtype == object and array.ndim == 0:
        return type(value).__name__
    if array.dtype == object:
        return f"{type(value).__name__} {_hash(array.tolist())}"
    return f"array of shape {array.shape}, {array.dtype} {_hash(array)}"


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
    elif isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    else:
        digest.update(repr(value).encode())
