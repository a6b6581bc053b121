"""save and load: fitted models in one .npz file, without pickle.

Members of the archive, each a plain array:

    header     JSON: name and version of the format, class of the model, note of the writer
    checksum   SHA-256 over every other member: name, dtype, shape and bytes
    meta       JSON: parameters and scalar attributes
    array.*    the arrays of the model

Files of another major version are rejected.  A minor version only adds members that a reader may
ignore.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ._base.archive import Archive
from ._base.files import open_output
from ._base.validation import saved_state
from ._base.version import __version__
from .estimators.classifier import KroneckerClassifier
from .estimators.ensemble import KroneckerEnsemble
from .estimators.limit_kernel import LimitKernelRegressor
from .estimators.regressor import KroneckerRegressor
from .estimators.ridge import KroneckerRidge, KroneckerRidgeClassifier
from .parallel.mpi import as_communicator
from .training.trainer import KroneckerSGD

FORMAT = "kroncy model"
PREFIX = "array."
VERSION = (1, 0)
Model = (
    KroneckerRegressor | KroneckerClassifier | KroneckerEnsemble | KroneckerRidge
    | KroneckerRidgeClassifier | KroneckerSGD | LimitKernelRegressor
)  # fmt: skip
MODELS = {cls.__name__: cls for cls in get_args(Model)}


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to a file.

    Parameters
    ----------
    model : estimator or KroneckerSGD
        The model: a regressor, classifier, ensemble, ridge estimator or trainer.  An estimator must
        be fitted.
    path : str or path-like
        Name of the file; no suffix is added.  An existing file is replaced only when the new one
        is complete, and its permissions are kept.  A symbolic link stays, and the file that it
        names is replaced.  A pipe or a device is written to.

    Raises
    ------
    TypeError
        `model` is of another class, or one of its parameters has no JSON form, such as a
        ``RandomState`` instance.
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.
    OSError
        The file cannot be written.

    See Also
    --------
    load : Read the file.

    Notes
    -----
    The file contains the samples, the coefficients C and the state of the random number generator.
    The initial weights and pre-activations are not stored; they are generated again when they are
    needed.  A loaded `KroneckerSGD` continues exactly as the saved one would have.

    Examples
    --------
    >>> import tempfile, numpy as np, kroncy
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> model = kroncy.KroneckerRegressor(64, n_threads=1, random_state=0)
    >>> model = model.fit(X, X[:, 0] * X[:, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kroncy.save(model, folder + "/model.npz")
    ...     same = kroncy.load(folder + "/model.npz")
    >>> bool(np.array_equal(same.predict(X), model.predict(X)))
    True
    """
    write_model(model, path)


def load(path: str | os.PathLike[str], *, comm: Any = None) -> Model:
    """Read a model that `save` or ``kroncy train`` wrote.

    Parameters
    ----------
    path : str or path-like
        Name of the file.  A pipe, such as /dev/stdin, is read into memory.
    comm : mpi4py.MPI.Comm, optional
        Processes that use the model together, any number of them: of networks, not of ridge
        regressions.  Each rank reads the file and takes its part.  Default: this process alone.

    Returns
    -------
    estimator or KroneckerSGD
        The fitted model.  From the checkpoint of an unfinished ``kroncy train`` it is the best
        state so far.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, damaged, modified or forged, was not written by kroncy, or has
        another format version.  The message names the file and says what is wrong with it.
    MemoryError
        The model does not fit the memory; the message says what it would take.

    See Also
    --------
    save : Write the file.

    Notes
    -----
    Nothing in the file is executed.  The checksum detects damage, not forgery: whoever can write
    the file can change what the model predicts.  Its values are therefore checked against each
    other as well, so that no file makes the process fail.
    """
    return read_model(path, comm=comm)[0]


def write_model(
    model: Model, path: str | os.PathLike[str], note: Any = None, *, resumable: bool = False
) -> None:
    """`save` with a JSON `note`; if `resumable`, with all that an unfinished training needs.

    Of several ranks rank 0 writes; the others wait until it has.
    """
    name = type(model).__name__
    if MODELS.get(name) is not type(model):
        raise TypeError(f"model must be one of {', '.join(MODELS)}, got {name}")
    ranks = as_communicator(getattr(model, "comm", None))
    with ranks.call("save"):
        options = {} if isinstance(model, KroneckerSGD) else {"resumable": resumable}
        with ranks.on_first():
            meta, arrays = model.get_state(**options)
        header = {"format": FORMAT, "version": VERSION, "model": name, "note": note}
        members: dict[str, Any] = {"header": _json_to_bytes(header), "meta": _json_to_bytes(meta)}
        members |= {f"{PREFIX}{key}": np.asarray(array) for key, array in arrays.items()}
        with ranks.same_error():
            if ranks.rank == 0:
                _write_members(members, path)


def _write_members(members: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """All members and their checksum, in a file that is replaced in one step."""
    members["checksum"] = np.frombuffer(digest(members), dtype=np.uint8)
    with open_output(path, "path") as stream:
        np.savez(stream, **members)


def read_model(
    path: str | os.PathLike[str], *, resume: bool = False, comm: Any = None
) -> tuple[Any, Any]:
    """``(model, note)``; with `resume`, an estimator is in its last state, to train it further."""
    ranks = as_communicator(comm)
    with ranks.call("load"):
        with ranks.same_error():
            members = _read_members(path)
        header, meta = (_bytes_to_json(members.pop(name)) for name in ("header", "meta"))
        cls = MODELS[header["model"]]
        options = {"comm": comm} | ({} if issubclass(cls, KroneckerSGD) else {"resume": resume})
        try:
            with saved_state("its state"):
                arrays = {_without_prefix(name): array for name, array in members.items()}
                return cls.from_state(meta, arrays, **options), header.get("note")
        except ValueError as error:
            raise ValueError(f"{path} cannot be loaded: {error}") from error


def model_name(path: str | os.PathLike[str]) -> str:
    """Name of the class of the model at `path`, which is not read."""
    with _model_file(path) as (_, header):
        return header["model"]


@contextmanager
def _model_file(path: str | os.PathLike[str]) -> Iterator[tuple[Archive, dict[str, Any]]]:
    """The archive at `path` and its header; what is wrong with either is a ValueError."""
    problem = None
    try:
        with Archive(path) as archive:
            # The header first: other members of another version may be unreadable.
            header = _bytes_to_json(archive.read("header"))
            problem = _header_problem(header)
            if problem is None:
                yield archive, header
    except ValueError as error:
        raise ValueError(
            f"{path} is not a model file of kroncy, or it is truncated or damaged; restore it from "
            f"a copy, or train the model again ({error})"
        ) from error
    if problem is not None:
        raise ValueError(f"{path} {problem}")


def _read_members(path: str | os.PathLike[str]) -> dict[str, NDArray]:
    """All members of the archive at `path` but the checksum, which they match."""
    with _model_file(path) as (archive, _):
        members = archive.read_all()
    stored = members.pop("checksum", np.empty(0, dtype=np.uint8))
    if stored.tobytes() != digest(members):
        raise ValueError(f"{path} was modified after it was written: its checksum does not match")
    if "meta" not in members:
        raise ValueError(f"{path} is not a model file of kroncy: its member 'meta' is missing")
    return members


def _header_problem(header: Any) -> str | None:
    """Why this version of kroncy cannot read the file, or None if it can."""
    known = isinstance(header, dict) and header.get("format") == FORMAT
    version = header.get("version") if known else None
    if not isinstance(version, list) or [type(number) for number in version] != [int, int]:
        return "is not a model file of kroncy"
    if not isinstance(header.get("model"), str):
        return "is not a model file of kroncy"
    major, minor = version
    is_newer = (major, minor) > VERSION
    if major != VERSION[0]:
        advice = "a newer one wrote the file; install a newer kroncy"
        if not is_newer:
            advice = "use the version of kroncy that wrote it, or train the model again"
        return (
            f"has format version {major}.{minor}, but kroncy {__version__} reads "
            f"{VERSION[0]}.x: {advice}"
        )
    if header["model"] not in MODELS:
        return (
            f"contains a {header['model']!r}, which is not a model of this kroncy"
            f"{': a newer one wrote the file' if is_newer else ''}"
        )
    return None


def _without_prefix(name: str) -> str:
    if not name.startswith(PREFIX):
        raise ValueError(f"its member {name!r} is none of a model")
    return name.removeprefix(PREFIX)


def digest(members: Mapping[str, NDArray]) -> bytes:
    """Checksum of the members of a file: their names, dtypes, shapes and bytes."""
    sha256 = hashlib.sha256()
    for key in sorted(members):
        array = np.ascontiguousarray(members[key])
        sha256.update(f"{key} {array.dtype.str} {members[key].shape} ".encode())
        sha256.update(array.reshape(-1).view(np.uint8).data if array.nbytes else b"")
    return sha256.digest()


def _json_to_bytes(value: Any) -> NDArray[np.uint8]:
    """JSON as an array of bytes; NumPy scalars are converted to Python's."""
    text = json.dumps(value, default=_to_python)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _bytes_to_json(array: NDArray) -> Any:
    """The value, or None if it is not JSON."""
    try:
        return json.loads(array.tobytes())
    except (ValueError, RecursionError):
        return None


def _to_python(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a model with {value!r} cannot be saved: set that parameter to a plain value")
