"""How this process was started, as the environment tells: by which launcher, with which limits."""

import math
import os

EVERYWHERE = "this was raised on every rank"  # a note of such an exception
TIMEOUT = 300.0  # seconds
# What launchers set to the number of ranks, and to the rank: MPICH and Intel MPI, Open MPI, SLURM.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS")
RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMIX_RANK")


def launched() -> bool:
    """Whether a launcher started this process as one of several ranks."""
    return any(_number(name) > 1 for name in SIZES) or _number("PMIX_RANK") > 0


def is_silent() -> bool:
    """Whether this process is one of several ranks and not the first: rank 0 talks."""
    return launched() and any(_number(name) > 0 for name in RANKS)


def _number(name: str) -> int:
    """An environment variable as a number; 0 if it is none."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0


def timeout_seconds() -> float:
    """KRONCY_MPI_TIMEOUT, the seconds after which a rank that does not answer ends the job."""
    text = os.environ.get("KRONCY_MPI_TIMEOUT", str(TIMEOUT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"KRONCY_MPI_TIMEOUT must be a number of seconds > 0, got {text!r}")
    return seconds


def check_launch(world_size: int) -> None:
    """ValueError if a launcher started several ranks and MPI knows of one: the wrong launcher."""
    if world_size > 1:
        return
    for name in SIZES:
        if _number(name) > 1:
            raise ValueError(
                f"a launcher started {_number(name)} processes ({name}), but MPI says that each of "
                "them is alone, so that each would train by itself: the launcher belongs to "
                "another MPI than the one that mpi4py found; start with the mpiexec of that MPI, "
                f"or run without {name} for a single process"
            )
    if _number("PMIX_RANK") > 0:
        raise ValueError(
            f"a launcher started this process as rank {os.environ['PMIX_RANK']} (PMIX_RANK), but "
            "MPI says that it is alone: the launcher belongs to another MPI than the one that "
            "mpi4py found; start with the mpiexec of that MPI"
        )
