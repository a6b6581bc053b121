"""mpi4py's communicators as `Communicator`s."""

from typing import Any

from .communicator import Communicator


def as_communicator(comm: Any) -> Communicator:
    """The ranks of `comm`: a communicator of mpi4py, or None for this process alone."""
    if comm is None:
        return Communicator()
    if isinstance(comm, Communicator):
        return comm
    raise TypeError(f"comm must be a communicator of mpi4py or None, got {type(comm).__name__}")
