"""show_config: what is on in this build, on this machine; get_include: where its header is."""

from pathlib import Path

from threadpoolctl import threadpool_info

from . import _runtime
from .threads import resolve_threads


def show_config(mode="stdout"):
    """Print, and return, what this build of kroncy uses on this machine.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default="stdout"
        "stdout" prints the configuration and returns it; "dicts" only returns it.

    Returns
    -------
    dict
        ``version``, ``openmp`` (bool), ``threads`` (int, the default), ``simd`` (str),
        ``debug`` (bool) and ``blas`` (a list with one dict for each BLAS library loaded).

    Examples
    --------
    >>> import kroncy
    >>> sorted(kroncy.show_config(mode="dicts"))
    ['blas', 'debug', 'openmp', 'simd', 'threads', 'version']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    from importlib.metadata import version

    config = {
        "version": version("kroncy"),
        "openmp": _runtime.has_openmp(),
        "threads": resolve_threads(None),
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
        print(f"OpenMP  {state}, {config['threads']} thread(s) by default")
        print(f"SIMD    {config['simd']}")
        for blas in config["blas"]:
            print(f"BLAS    {blas['library']} {blas['version']}, kernel {blas['kernel']}")
    return config


def get_include():
    """Folder that holds ``kroncy.h``, for C and Cython extensions that call kroncy.

    Returns
    -------
    str

    Examples
    --------
    >>> from pathlib import Path
    >>> import kroncy
    >>> Path(kroncy.get_include(), "kroncy.h").exists()
    True
    """
    return str(Path(__file__).parents[1] / "include")
