"""show_config: what this build uses on this machine.  get_include: where its C header is."""

from pathlib import Path
from typing import Any, Literal

from threadpoolctl import threadpool_info

from . import _runtime
from .threads import resolve_threads
from .validation import check_choice
from .version import __version__


def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any]:
    """Print and return what this build of kroncy uses on this machine.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default="stdout"
        "stdout" prints the configuration and returns it; "dicts" only returns it.

    Returns
    -------
    dict
        ``version`` : str
            The version of kroncy.
        ``openmp`` : bool
            Whether the kernels were compiled with OpenMP. Without it everything is serial.
        ``threads`` : int
            Threads that ``n_threads=None`` stands for.
        ``forked`` : bool
            Whether this process was made by ``fork()`` after kroncy was loaded.
        ``simd`` : str
            Instruction set that the kernels use on this processor.
        ``debug`` : bool
            Whether the kernels were compiled with bounds checks and without optimisation.
        ``blas`` : list of dict
            One dict for each BLAS library loaded: ``library``, ``version``, ``kernel`` (str) and
            ``threads`` (int).

    Raises
    ------
    ValueError
        `mode` is neither "stdout" nor "dicts".

    See Also
    --------
    get_include : Folder of the C header.

    Notes
    -----
    Threads do not survive a fork.  A process that was made by ``fork()``, such as a child
    of multiprocessing's "fork", computes with one thread whatever `n_threads` says, and with the
    same results; models and trees of the parent work there.  Only what another thread was changing
    at the moment of the fork is refused.  Processes made by "spawn", "forkserver" or joblib's loky
    use threads as any other.

    Examples
    --------
    >>> import kroncy
    >>> sorted(kroncy.show_config(mode="dicts"))
    ['blas', 'debug', 'forked', 'openmp', 'simd', 'threads', 'version']
    """
    check_choice(mode, "mode", ("stdout", "dicts"))
    config: dict[str, Any] = {
        "version": __version__,
        "openmp": _runtime.has_openmp(),
        "threads": resolve_threads(None),
        "forked": _runtime.is_forked(),
        "simd": _runtime.simd_level(),
        "debug": _runtime.is_debug_build(),
        "blas": [
            {
                "library": pool["internal_api"],
                "version": pool["version"],
                "kernel": pool.get("architecture", "unknown"),
                "threads": pool["num_threads"],
            }
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ],
    }
    if mode == "stdout":
        print(f"kroncy  {config['version']}{'  (debug build)' if config['debug'] else ''}")
        state = "on" if config["openmp"] else "off"
        threads = f"{config['threads']} thread(s) by default"
        if config["forked"]:
            threads = "one thread, since this process was made by fork()"
        print(f"OpenMP  {state}, {threads}")
        print(f"SIMD    {config['simd']}")
        for blas in config["blas"]:
            print(f"BLAS    {blas['library']} {blas['version']}, kernel {blas['kernel']}")
    return config


def get_include() -> str:
    """Folder that holds ``kroncy.h``, for C and Cython extensions that call kroncy.

    Returns
    -------
    str
        Absolute path, for the ``include_dirs`` of an extension.

    See Also
    --------
    show_config : What this build uses on this machine.

    Examples
    --------
    >>> from pathlib import Path
    >>> import kroncy
    >>> Path(kroncy.get_include(), "kroncy.h").exists()
    True
    """
    return str(Path(__file__).parents[1] / "include")
