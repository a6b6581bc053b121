"""How this process was started, as the environment tells: by which launcher, with which limits."""

import math
import os

TIMEOUT = 300.0  # seconds
# What launchers set to the number of ranks: MPICH and Intel MPI, Open MPI, SLURM.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS")


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
        text = os.environ.get(name, "1")
        if text.isdecimal() and int(text) > 1:
            raise ValueError(
                f"a launcher started {text} processes ({name}), but MPI says that each of them is "
                "alone, so that each would train by itself: the launcher belongs to another MPI "
                "than the one that mpi4py found; start with the mpiexec of that MPI, or run "
                f"without {name} for a single process"
            )
    if os.environ.get("PMIX_RANK", "0") not in ("", "0"):
        raise ValueError(
            f"a launcher started this process as rank {os.environ['PMIX_RANK']} (PMIX_RANK), but "
            "MPI says that it is alone: the launcher belongs to another MPI than the one that "
            "mpi4py found; start with the mpiexec of that MPI"
        )
