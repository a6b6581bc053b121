"""From which size on Strassen-Winograd beats GEMM: defaults, calibration, the file of results."""

import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from threadpoolctl import threadpool_info

from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_bool, check_integer
from ._matmul import multiply, workspace_elements

MIN_CROSSOVER = 512  # a smaller one would be an error of measurement
CALIBRATION_SIZES = (1024, 1536, 2048, 3072, 4096, 6144, 8192)
MAX_RATIO = 0.98  # a level pays where it takes at most this fraction of GEMM's time
DEFAULT_FACTORS = {"float64": 1536, "float32": 2048}  # the default: this times (threads + 1)

Sizes = dict[tuple[str, int], int]  # (dtype name, threads) -> crossover

_calibrated: Sizes = {}  # the results of this process


def crossover() -> dict[str, Any]:
    """The crossover that ``matmul(levels="auto")`` uses on this machine.

    Returns
    -------
    dict
        ``"float64"`` and ``"float32"`` : dict of int to int
            From a number of threads to the size n from which one level on n x n matrices beats
            GEMM. Other shapes count by a harmonic mean of their sizes, and each further level
            asks for twice the size.
        ``"source"`` : str
            "default", "calibrated" (by this process), or the path of the file that
            `calibrate` saved.

    See Also
    --------
    calibrate : Measure the crossover.

    Notes
    -----
    The defaults are conservative: additions are bound by memory bandwidth, which grows more
    slowly with the threads than the speed of GEMM. `calibrate` replaces them by measurements.

    Examples
    --------
    >>> from kroncy.linalg import crossover
    >>> sorted(crossover())
    ['float32', 'float64', 'source']
    """
    saved = {} if _calibrated else _load()
    table: dict[str, Any] = {
        name: {1: _default(name, 1), 2: _default(name, 2)} for name in DEFAULT_FACTORS
    }
    for (name, threads), size in (_calibrated or saved).items():
        table[name][threads] = size
    table["source"] = "calibrated" if _calibrated else str(cache_file()) if saved else "default"
    return table


def crossover_size(dtype: DTypeLike, n_threads: int) -> int:
    """Size from which one level pays for `dtype` with `n_threads`."""
    key = (np.dtype(dtype).name, n_threads)
    return (_calibrated or _load()).get(key) or _default(*key)


def calibrate(
    *, n_threads: int | None = None, max_size: int = 4096, repeats: int = 5, save: bool = False
) -> dict[str, Any]:
    """Measure the crossover on this machine and use it from now on in this process.

    One level and GEMM take turns on square matrices of growing size until the level wins by 2 %.
    Where it never does, the crossover is extrapolated: the time of the additions is in proportion
    to 1/n, and the product that is saved is worth 1/8.

    Parameters
    ----------
    n_threads : int or None, default=None
        Threads to measure with, besides one. None: the cores that OpenMP and the affinity allow.
    max_size : int, default=4096
        Rows and columns of the largest matrix to try, 1024 to 8192.
    repeats : int, default=5
        Timings at each size; their median counts.
    save : bool, default=False
        Write the result to the user's cache directory, where later processes find it.

    Returns
    -------
    dict
        As returned by `crossover`.

    Raises
    ------
    TypeError
        An argument is not of the type stated.
    ValueError
        An argument is out of range.
    OSError
        The cache directory cannot be written.

    See Also
    --------
    crossover : The crossover in use.
    matmul : The product whose ``levels="auto"`` depends on it.

    Notes
    -----
    With ``max_size=4096`` it takes about a minute, on a machine that does nothing else.

    Examples
    --------
    >>> from kroncy.linalg import calibrate
    >>> calibrate(save=True)  # doctest: +SKIP
    {'float64': {1: 3072, 2: 4096}, 'float32': {1: 4096, 2: 6144}, 'source': 'calibrated'}
    """
    n_threads = resolve_threads(n_threads)
    max_size = check_integer(
        max_size, "max_size", minimum=CALIBRATION_SIZES[0], maximum=CALIBRATION_SIZES[-1]
    )
    repeats = check_integer(repeats, "repeats", minimum=1)
    save = check_bool(save, "save")
    measured = {
        (name, threads): _measure(name, threads, max_size, repeats)
        for name in DEFAULT_FACTORS
        for threads in sorted({1, n_threads})
    }
    sizes = {**(_calibrated or _load()), **measured}
    if save:
        _save(sizes)
    _calibrated.update(sizes)
    return crossover()


def cache_file() -> Path:
    """Where `calibrate` saves: the user's cache directory, as the system names it."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder, "kroncy", "crossover.json")


def _default(name: str, n_threads: int) -> int:
    return DEFAULT_FACTORS[name] * (n_threads + 1)


def _measure(name: str, n_threads: int, max_size: int, repeats: int) -> int:
    """Smallest size at which one level wins, or the extrapolation."""
    for n in (n for n in CALIBRATION_SIZES if n <= max_size):
        ratio = time_ratio(n, n, n, 1, name, n_threads, repeats)
        if ratio <= MAX_RATIO:
            return n
    # ratio = 7/8 + c/n, to be solved for ratio = MAX_RATIO.
    return int(np.ceil((ratio - 0.875) * n / (MAX_RATIO - 0.875)))


def time_ratio(
    m: int, k: int, n: int, levels: int, dtype: Any, n_threads: int, repeats: int
) -> float:
    """Median time of `levels` levels over the median time of GEMM, the two taking turns."""
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), dtype=dtype), rng.random((k, n), dtype=dtype)
    c = np.zeros((m, n), dtype)
    work = np.zeros(workspace_elements(m, k, n, levels) + 1, dtype)
    times: dict[int, list[float]] = {0: [], levels: []}
    for _ in range(repeats):
        for level in times:
            # GEMM runs on the threads of BLAS, the levels on ours.
            with blas_threads(1 if level else n_threads):
                start = time.perf_counter()
                multiply(a, b, c, level, work, n_threads if level else 0)
                times[level].append(time.perf_counter() - start)
    return float(np.median(times[levels]) / np.median(times[0]))


def _machine() -> str:
    """What a measurement depends on: machines may share a cache directory."""
    blas = sorted(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
    return ", ".join([*blas, f"{os.cpu_count()} cores"])


@cache
def _load() -> Sizes:
    """Results of this machine in the cache file; none if it is absent or damaged."""
    path = cache_file()
    try:
        entries = json.loads(path.read_text())
        sizes = {
            (name, int(threads)): check_integer(size, "size", minimum=MIN_CROSSOVER)
            for name, row in entries.get(_machine(), {}).items()
            for threads, size in row.items()
        }
        if any(name not in DEFAULT_FACTORS for name, _ in sizes):
            raise ValueError("unknown dtype")
        return sizes
    except OSError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        warnings.warn(f"{path} is damaged ({error}); run calibrate(save=True)", stacklevel=2)
        return {}


def _save(sizes: Mapping[tuple[str, int], int]) -> None:
    """Add `sizes` to the cache file; readers see the old file or the new one, never a part."""
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        entries = json.loads(path.read_text())
        if not isinstance(entries, dict):
            entries = {}
    except (OSError, ValueError):
        entries = {}
    table: dict[str, dict[str, int]] = {}
    for (name, threads), size in sorted(sizes.items()):
        table.setdefault(name, {})[str(threads)] = size
    entries[_machine()] = table
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=path.name, delete=False
    ) as stream:
        json.dump(entries, stream, indent=1)
    try:
        os.replace(stream.name, path)
    except OSError:
        os.unlink(stream.name)
        raise
    _load.cache_clear()
