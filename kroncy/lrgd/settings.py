"""Settings: the arguments of `minimize`, checked before any work."""

import difflib
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._base.callbacks import check_callback
from .._base.validation import check_choice, check_integer, check_real
from .._base.workers import check_workers
from .arguments import (
    Functions,
    ValueAndGradient,
    as_generator,
    check_bounds,
    check_display,
    check_functions,
    check_limit,
    check_max_evaluations,
    check_numbers,
    check_start,
)
from .box import Box
from .directions import principal_directions, row_norms
from .journal import Checkpoint, Journal, checksum, generator_from, generator_state

METHODS = ("sketch", "lrgd", "iterated", "adaptive", "gradient-span")
LOW_RANK_METHODS = ("lrgd", "iterated", "adaptive")  # as published
START_METHODS = ("sketch", "lrgd", "gradient-span")  # that can begin in given directions
BOUNDED_METHODS = ("sketch", "gradient-span")
DIFFERENCES = {"2-point": "forward", "3-point": "central", "cs": "complex"}  # SciPy's names
NOT_OPTIONS = ("fun", "x0", "args", "options")


@dataclass
class Settings:
    """What `minimize` was asked for."""

    x: np.ndarray
    box: Box | None
    functions: Functions
    method: str
    rank: int | None
    max_rank: int | None
    step: Any
    refresh: str
    noise: Any
    gtol: float
    ftol: float
    xtol: float
    max_evaluations: int | None
    maxtime: float | None
    maxiter: int | None
    start_rows: np.ndarray | None  # (r, p), orthonormal: directions to begin in
    start_hessian: np.ndarray | None  # (r, r), along them
    n_probe: int
    restarts: int
    callback: Callable[..., object] | None
    workers: int | Callable
    n_threads: int | None
    rng: np.random.Generator
    journal: Journal
    disp: bool


def merge_options(given: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments `given`, with those in its "options" in place of defaults."""
    options = given.pop("options")
    if options is None:
        return given
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a mapping of names to values, got {options!r}")
    for name, value in options.items():
        if name not in given or name in NOT_OPTIONS:
            close = difflib.get_close_matches(str(name), defaults, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"options: minimize has no option {name!r}{hint}")
        if given[name] is not defaults[name] and given[name] is not value:
            raise ValueError(f"{name} is given twice, as an argument and in options")
        given[name] = value
    return given


def check_settings(given: dict[str, Any]) -> Settings:
    """`Settings` of the arguments of `minimize`; TypeError or ValueError names a wrong one."""
    x = check_start(given["x0"])
    p = x.size
    method = check_choice(given["method"], "method", METHODS)
    check_choice(given["refresh"], "refresh", ("frozen", "sliding"))
    fun, jac, fd = _gradient(given["fun"], given["jac"], given["fd"])
    functions = check_functions(
        fun, given["args"], jac=jac, dirderiv=given["dirderiv"],
        fun_batch=given["fun_batch"], fd=fd, h=given["h"],
    )
    noise = given["noise"]
    if not (isinstance(noise, str) and noise == "auto"):
        noise = check_real(noise, "noise", minimum=0)
    rank = None if _is_auto(given["rank"]) else check_integer(given["rank"], "rank", minimum=1)
    if rank is not None and rank > p:
        raise ValueError(f"rank must be at most the {p} variables, got {rank}")
    max_rank = given["max_rank"]
    if max_rank is not None:
        max_rank = min(check_integer(max_rank, "max_rank", minimum=1), p)
    step = given["step"]
    if not _is_auto(step):
        step = check_real(step, "step", minimum=0, strict=True)
    gtol, ftol = given["gtol"], given["ftol"]
    if gtol is None:
        gtol = 1e-6 if method in LOW_RANK_METHODS else 0.0
    if given["tol"] is not None:
        ftol = check_real(given["tol"], "tol", minimum=0)
    maxtime = given["maxtime"]
    if maxtime is not None:
        maxtime = check_real(maxtime, "maxtime", minimum=0, strict=True, finite=False)
        maxtime = None if maxtime == np.inf else maxtime
    box = check_bounds(given["bounds"], p)
    x = x if box is None else box.clip(x)
    if box is not None and method not in BOUNDED_METHODS:
        raise ValueError(f"bounds are for the methods {', '.join(BOUNDED_METHODS)}, not {method}")
    rows, hessian = _start_directions(given["basis"], given["subspace"], p)
    if rows is not None and method not in START_METHODS:
        raise ValueError(
            f"basis and subspace are for the methods {', '.join(START_METHODS)}, not {method}"
        )
    check_callback(given["callback"], "callback")
    workers = check_workers(given["workers"])
    if workers != 1 and not functions.mappable:
        raise ValueError(
            "workers are for fun, a Python callable of one point: fun_batch gets all points at "
            "once, and a LowLevelCallable has n_threads"
        )
    settings = dict(
        x=x, box=box, functions=functions, method=method, rank=rank, max_rank=max_rank, step=step,
        refresh=given["refresh"], noise=noise, start_rows=rows, start_hessian=hessian,
        gtol=check_real(gtol, "gtol", minimum=0), ftol=check_real(ftol, "ftol", minimum=0),
        xtol=check_real(given["xtol"], "xtol", minimum=0), maxtime=maxtime,
        max_evaluations=check_max_evaluations(
            **{name: given[name] for name in ("max_evaluations", "maxfev", "maxfun")}
        ),
        maxiter=check_limit(given["maxiter"], "maxiter"),
        n_probe=check_integer(given["n_probe"], "n_probe", minimum=1),
        restarts=check_integer(given["restarts"], "restarts", minimum=0),
        callback=given["callback"], workers=workers, n_threads=given["n_threads"],
        disp=check_display(given["disp"]),
    )
    if given["random_state"] is not None and given["rng"] is not None:
        raise ValueError("rng and random_state name one generator: give one of them")
    seed = given["rng"] if given["random_state"] is None else given["random_state"]
    rng, journal = _journal(given["checkpoint"], given["resume"], method, x, seed)
    return Settings(**settings, rng=rng, journal=journal)


def _is_auto(value: object) -> bool:
    return isinstance(value, str) and value == "auto"


def _gradient(fun: Any, jac: Any, fd: str) -> tuple[Any, Callable | None, str]:
    """`fun`, `jac` and `fd`, where `jac` may be a bool or a name of differences, as in SciPy."""
    if jac is None or jac is False:
        return fun, None, fd
    if jac is True:
        if not callable(fun):
            raise TypeError(f"jac=True needs a callable fun that returns both, got {fun!r}")
        both = ValueAndGradient(fun)
        return both.value, both.gradient, fd
    if callable(jac):
        return fun, jac, fd
    if not isinstance(jac, str):
        raise TypeError(
            "jac must be callable, True (fun returns its value and its gradient), None, "
            f"'2-point', '3-point' or 'cs', got {type(jac).__name__}"
        )
    check_choice(jac, "jac", tuple(DIFFERENCES))
    if fd not in ("forward", DIFFERENCES[jac]):
        raise ValueError(f"jac={jac!r} asks for other differences than fd={fd!r}")
    return fun, None, DIFFERENCES[jac]


def _start_directions(
    basis: ArrayLike | None, subspace: Any, p: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Orthonormal rows that span `basis`, and second derivatives along them where known."""
    if basis is not None and subspace is not None:
        raise ValueError("basis and subspace say the same: give one of them")
    name, hessian = "basis", None
    if subspace is not None:
        if not isinstance(subspace, Mapping) or "basis" not in subspace:
            raise TypeError(
                "subspace must be a result of identify_subspace or minimize, with a basis, got "
                f"{type(subspace).__name__}"
            )
        name, basis, hessian = "subspace.basis", subspace["basis"], subspace.get("hessian")
    if basis is None:
        return None, None
    array = check_numbers(basis, name)
    if array.ndim != 2 or array.shape[0] != p:
        raise ValueError(f"{name} must have {p} rows, one for each variable, got {array.shape}")
    columns = np.ascontiguousarray(array.T, dtype=np.float64)
    if not np.all(np.isfinite(columns)):
        raise ValueError(f"{name} must be finite")
    if not len(columns):
        return None, None
    lengths = row_norms(columns)
    if not np.all(lengths > 0):
        raise ValueError(f"column {int(np.argmin(lengths))} of {name} is zero")
    rows, _ = principal_directions(columns / lengths[:, None])
    if hessian is not None:
        hessian = check_numbers(hessian, "subspace.hessian").astype(float)
        q = len(columns)
        if hessian.shape != (q, q) or not np.all(np.isfinite(hessian)):
            raise ValueError(f"subspace.hessian must be finite, of shape {(q, q)}")
        onto = rows @ columns.T  # of orthonormal columns
        hessian = onto @ hessian @ onto.T
    return rows, hessian


def _journal(
    checkpoint: Any, resume: Any, method: str, x: np.ndarray, seed: Any
) -> tuple[np.random.Generator, Journal]:
    """The generator of a run, and the journal that it writes and is answered from."""
    path = None if isinstance(checkpoint, (bool, np.bool_)) else checkpoint
    for name, value in (("checkpoint", path), ("resume", resume)):
        if not isinstance(value, (str, os.PathLike, Checkpoint, type(None))) or (
            name == "checkpoint" and isinstance(value, Checkpoint)
        ):
            raise TypeError(f"{name} must be the name of a file, got {value!r}")
    same = (
        path is not None and isinstance(resume, (str, os.PathLike))
        and os.path.exists(path) and os.path.exists(resume) and os.path.samefile(path, resume)
    )
    if path is not None and not same and os.path.isfile(path) and os.path.getsize(path):
        raise ValueError(
            f"checkpoint: {os.fspath(path)} exists; go on from it by resume=, or remove it"
        )
    header = {"method": method, "p": x.size, "x0": checksum(x)}
    if resume is None:
        rng = as_generator(seed)
        if checkpoint is False:
            return rng, Journal()
        return rng, Journal(Checkpoint(header | {"generator": generator_state(rng)}), path)
    found = resume if isinstance(resume, Checkpoint) else Checkpoint.load(resume)
    for name, what in (("method", "method"), ("p", "number of variables"), ("x0", "x0")):
        if found.header[name] != header[name]:
            raise ValueError(f"resume: the checkpoint is that of another {what}")
    rng = generator_from(found.header["generator"])
    if isinstance(seed, (int, np.integer)) and (
        generator_state(as_generator(int(seed))) != generator_state(rng)
    ):
        warnings.warn(
            f"random_state={seed} is not used: the checkpoint is that of a run with another, "
            "which goes on",
            RuntimeWarning, stacklevel=4,
        )
    return rng, Journal(found.copy(), path)
