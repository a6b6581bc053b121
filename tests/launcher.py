"""Several processes, started by the mpiexec that the extra "test" installs."""

import os
import shutil
import subprocess
import sys
import sysconfig


def mpiexec(n_ranks, *arguments, timeout=None):
    """The finished process of a launch of Python; it ends by itself."""
    program = shutil.which("mpiexec", path=sysconfig.get_path("scripts")) or shutil.which("mpiexec")
    assert program, "mpiexec is missing: pip install kroncy[test] brings it"
    environment = os.environ | {
        "MPIEXEC_TIMEOUT": "100", "HYDRA_LAUNCHER": "fork", "MPIR_CVAR_POLLS_BEFORE_YIELD": "1",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    } | ({} if timeout is None else {"KRONCY_MPI_TIMEOUT": timeout})
    return subprocess.run(
        [program, "-n", str(n_ranks), sys.executable, "-P", *arguments],
        env=environment, capture_output=True, text=True, timeout=120,
    )
