"""Where Strassen-Winograd begins to beat GEMM: defaults, measurement, the file that keeps it."""

import json
import os
import sys
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from kroncy._base.threads import blas_threads, resolve_threads
from kroncy._base.validation import check_bool, check_integer

from ._matmul import multiply, workspace_elements

LOWEST = 512  # no crossover below this is believed
_LADDER = (1024, 1536, 2048, 3072, 4096, 6144, 8192)
_GAIN = 0.98  # a level must take at most this fraction of GEMM's time
_CAREFUL = {"float64": 1536, "float32": 2048}  # defaults: this times the threads and one
_DTYPES = tuple(_CAREFUL)

_measured = {}  # (dtype name, threads) -> size, of this process


def crossover():
    """The crossover that ``matmul(levels="auto")`` uses on this machine.

    Returns
    -------
    dict
        ``"float64"`` and ``"float32"``: dicts from a number of threads to the size n from which
        one level on n x n matrices beats GEMM (other shapes count by a harmonic mean of their
        sizes, and each further level asks for twice the size). ``"source"``: "default",
        "calibrated", or the path of the file that `calibrate` saved.

    Notes
    -----
    The defaults are careful: additions are bound by memory bandwidth, which grows more slowly
    with the threads than GEMM does. `calibrate` replaces them by measurements.

    Examples
    --------
    >>> from kroncy.linalg import crossover
    >>> sorted(crossover())
    ['float32', 'float64', 'source']
    """
    saved = {} if _measured else _saved()
    table = {name: {1: _default(name, 1), 2: _default(name, 2)} for name in _DTYPES}
    for (name, threads), size in (_measured or saved).items():
        table[name][threads] = size
    source = "calibrated" if _measured else str(cache_file()) if saved else "default"
    return {**table, "source": source}


def crossover_size(dtype, n_threads):
    """Size from which a level pays for `dtype` with `n_threads`."""
    key = (np.dtype(dtype).name, n_threads)
    return (_measured or _saved()).get(key) or _default(*key)


def calibrate(*, n_threads=None, max_size=4096, repeats=5, save=False):
    """Measure the crossover on this machine and use it from now on in this process.

    One level and GEMM take turns on square matrices of growing size until the level wins by 2 %;
    where it never does, the crossover is extrapolated: the additions cost time in proportion to
    1/n, the product saved is worth 1/8.

    Parameters
    ----------
    n_threads : int, optional
        Threads to measure with, besides one. None: the cores that OpenMP and the affinity allow.
    max_size : int, default=4096
        Largest matrix to try, 1024 to 8192. With 4096 it takes about a minute.
    repeats : int, default=5
        Timings at each size, of which the median counts.
    save : bool, default=False
        Write the result to the user's cache directory, where later processes find it.

    Returns
    -------
    dict
        As `crossover`.

    Raises
    ------
    TypeError, ValueError
        Arguments out of range.
    OSError
        The cache directory cannot be written.
    """
    n_threads = resolve_threads(n_threads)
    max_size = check_integer(max_size, "max_size", minimum=_LADDER[0], maximum=_LADDER[-1])
    repeats = check_integer(repeats, "repeats", minimum=1)
    save = check_bool(save, "save")
    found = {
        (name, threads): _measure(name, threads, max_size, repeats)
        for name in _DTYPES
        for threads in sorted({1, n_threads})
    }
    kept = {**(_measured or _saved()), **found}
    if save:
        _save(kept)
    _measured.update(kept)
    return crossover()


def cache_file():
    """Where `calibrate` saves: the user's cache directory, as the system names it."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder, "kroncy", "crossover.json")


def _default(name, n_threads):
    return _CAREFUL[name] * (n_threads + 1)


def _measure(name, n_threads, max_size, repeats):
    """Smallest size of the ladder where one level wins, or the extrapolation."""
    for n in (n for n in _LADDER if n <= max_size):
        ratio = time_ratio(n, n, n, 1, name, n_threads, repeats)
        if ratio <= _GAIN:
            return n
    # ratio = 7/8 + c/n, to be solved for ratio = _GAIN.
    return int(np.ceil((ratio - 0.875) * n / (_GAIN - 0.875)))


def time_ratio(m, k, n, levels, dtype, n_threads, repeats):
    """Median time of `levels` levels over the median time of GEMM, taken in turns."""
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), dtype=dtype), rng.random((k, n), dtype=dtype)
    c = np.zeros((m, n), dtype)
    work = np.zeros(workspace_elements(m, k, n, levels) + 1, dtype)
    times = {0: [], levels: []}
    for _ in range(repeats):
        for level in times:
            # GEMM has the threads of BLAS, the levels have ours.
            with blas_threads(1 if level else n_threads):
                start = time.perf_counter()
                multiply(a, b, c, level, work, n_threads if level else 0)
                times[level].append(time.perf_counter() - start)
    return float(np.median(times[levels]) / np.median(times[0]))


def _machine():
    """What a measurement depends on: cache directories are shared between machines."""
    blas = sorted(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
    return ", ".join([*blas, f"{os.cpu_count()} cores"])


@cache
def _saved():
    """The measurements of this machine in the cache file; none if it is absent or damaged."""
    path = cache_file()
    try:
        entries = json.loads(path.read_text())
        found = {
            (name, int(threads)): check_integer(size, "size", minimum=LOWEST)
            for name, sizes in entries.get(_machine(), {}).items()
            for threads, size in sizes.items()
        }
        if any(name not in _DTYPES for name, _ in found):
            raise ValueError("unknown dtype")
        return found
    except OSError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        warnings.warn(f"{path} is damaged ({error}); run calibrate(save=True)", stacklevel=2)
        return {}


def _save(found):
    """Add `found` to the cache file; readers see the old file or the new one, never a part."""
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        entries = json.loads(path.read_text())
        if not isinstance(entries, dict):
            entries = {}
    except (OSError, ValueError):
        entries = {}
    table = {}
    for (name, threads), size in sorted(found.items()):
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
    _saved.cache_clear()
