"""save and load: fitted models in one .npz file, without pickle.

Members of the archive, each a plain array:

    header     JSON: format name, version, class of the model, note of the writer
    checksum   SHA-256 over every other member: name, dtype, shape and bytes
    meta       JSON: parameters and scalar attributes
    NAME...    the arrays of the model

A reader accepts its own major version only; a minor version adds members that it may ignore.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .estimators.networks import KroneckerClassifier, KroneckerRegressor
from .training.trainer import KroneckerSGD

FORMAT = "kroncy model"
VERSION = (2, 0)
MODELS = {cls.__name__: cls for cls in (KroneckerRegressor, KroneckerClassifier, KroneckerSGD)}


def save(model, path):
    """Write a fitted model to `path`, whole or not at all.

    Parameters
    ----------
    model : KroneckerRegressor, KroneckerClassifier or KroneckerSGD
        An estimator must be fitted.
    path : str or path-like
        The file is replaced only when the new one is complete.  No suffix is added.

    Raises
    ------
    TypeError
        `model` is of another class, or one of its parameters has no plain form (a
        ``RandomState`` instance).
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.
    OSError
        The file cannot be written.

    Notes
    -----
    W(0) is not stored, nor are the pre-activations it gives: they are generated again when needed.
    The file holds the factors, the coefficients C and the state of the random number generator, so
    that a loaded `KroneckerSGD` goes on exactly as the saved one would have.

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


def load(path):
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    KroneckerRegressor, KroneckerClassifier or KroneckerSGD
        Of a training that was cut short (a checkpoint of ``kroncy train``), the best state so far.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, damaged or changed, was not written by kroncy, or has a format of
        another major version.

    Notes
    -----
    Nothing in the file is executed.  The checksum finds accidents, not forgers.
    """
    return read_model(path)[0]


def write_model(model, path, note=None, *, running=False):
    """`save` with a JSON `note` beside the model; `running`: keep what going on would need."""
    name = type(model).__name__
    if MODELS.get(name) is not type(model):
        raise TypeError(f"model must be one of {', '.join(MODELS)}, got {name}")
    if isinstance(model, KroneckerSGD):
        meta, arrays = model.get_state()
    else:
        check_is_fitted(model)
        meta, arrays = _estimator_state(model, running)
    header = {"format": FORMAT, "version": VERSION, "model": name, "note": note}
    members = {"header": _from_json(header), "meta": _from_json(meta)}
    members |= {f"array.{key}": np.asarray(array) for key, array in arrays.items()}
    members["checksum"] = np.frombuffer(_digest(members), dtype=np.uint8)
    _replace_file(Path(path), members)


def read_model(path, *, running=False):
    """``(model, note)``; `running`: the state that training goes on from, not the best one."""
    members = _read_members(path)
    header = _to_json(members["header"])
    model_class = MODELS[header["model"]]
    state = _to_json(members["meta"]), _below("array.", members)
    if model_class is KroneckerSGD:
        return KroneckerSGD.from_state(*state), header["note"]
    return _estimator_from_state(model_class, *state, running), header["note"]


def _estimator_state(model, running):
    """``(meta, arrays)``; `running` adds the last state of the trainer if the best is older."""
    arrays, attributes, texts = {}, {}, []
    for name in _state_names(model):
        value = getattr(model, name)
        if not isinstance(value, np.ndarray):
            attributes[name] = value
            continue
        if value.dtype == object:
            if not all(isinstance(item, str) for item in value.flat):
                raise TypeError(f"{name} holds objects other than strings and cannot be saved")
            texts.append(name)
            value = value.astype(str)
        arrays[f"attribute.{name}"] = value
    meta = {"parameters": model.get_params(deep=False), "attributes": attributes, "texts": texts}
    trainer, last = model.trainer_, None
    if running and model._best is not None and model.validation_scores_[-1] < model._best_score:
        meta["last"], later = _copied_state(trainer)
        last = trainer.snapshot()
        trainer.restore(model._best)
    meta["trainer"], best = _copied_state(trainer)
    arrays |= {f"trainer.{key}": array for key, array in best.items()}
    if last is not None:
        trainer.restore(last)
        # What both states share, the data above all, is stored once.
        arrays |= {f"last.{k}": a for k, a in later.items() if not np.array_equal(a, best.get(k))}
    return meta, arrays


def _copied_state(trainer):
    """State whose arrays training will not overwrite; the data never changes."""
    meta, arrays = trainer.get_state()
    return meta, {k: a if k.startswith("data_") else a.copy() for k, a in arrays.items()}


def _state_names(model):
    """Attributes to keep: the fitted ones but the trainer, and the books of the training."""
    private = (
        "_seed", "_fingerprint", "_best_score", "_stale", "_target", "_weight", "_y_mean",
        "_y_scale",
    )
    fitted = [name for name in vars(model) if name.endswith("_") and name != "trainer_"]
    return sorted([*fitted, *(name for name in private if hasattr(model, name))])


def _estimator_from_state(model_class, meta, arrays, running):
    parameters = meta["parameters"]
    if isinstance(parameters["layout"], list):
        parameters["layout"] = tuple(parameters["layout"])
    model = model_class(**parameters)
    vars(model).update(meta["attributes"], _best=None)
    for name, array in _below("attribute.", arrays).items():
        setattr(model, name, array.astype(object) if name in meta["texts"] else array)
    best = _below("trainer.", arrays)
    model.trainer_ = KroneckerSGD.from_state(meta["trainer"], best, n_threads=model.n_threads)
    if running and "last" in meta:
        model._best = model.trainer_.snapshot()
        last = best | _below("last.", arrays)
        model.trainer_ = KroneckerSGD.from_state(meta["last"], last, n_threads=model.n_threads)
    return model


def _below(prefix, arrays):
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def check_writable(path, what="output"):
    """Raise OSError now if a file cannot be created at `path` later."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{what} {path} is a folder; name a file")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(f"{what} {path} cannot be written: {error.strerror or error}") from None


def _replace_file(path, members):
    """Write next to `path`, then rename: a reader never meets half a file."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            np.savez(stream, **members)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _read_members(path):
    """All members of the archive at `path`, or ValueError saying what is wrong with it."""
    with open(path, "rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            raise ValueError(f"{path} is not a model file of kroncy, or it is damaged")
        stream.seek(0)
        try:
            with np.load(stream, allow_pickle=False) as archive:
                # The header first: a file of another version may hold what cannot be read here.
                header = archive["header"] if "header" in archive.files else np.empty(0)
                problem = _header_problem(_to_json(header), path)
                members = {} if problem else {key: archive[key] for key in archive.files}
        except Exception as error:  # damaged bytes make NumPy's parsers raise almost anything
            raise ValueError(
                f"{path} is truncated or damaged, restore it or train again ({error})"
            ) from None
    if problem:
        raise ValueError(problem)
    stored = members.pop("checksum", np.empty(0, dtype=np.uint8))
    if stored.tobytes() != _digest(members):
        raise ValueError(f"{path} was changed after it was written: its checksum does not match")
    return members


def _header_problem(header, path):
    """What keeps this kroncy from reading on, or None."""
    known = isinstance(header, dict) and header.get("format") == FORMAT
    if not known or not {"version", "model"} <= header.keys():
        return f"{path} is not a model file of kroncy"
    major, minor = header["version"]
    if major != VERSION[0]:
        advice = "upgrade kroncy to read it" if major > VERSION[0] else "train it again"
        return f"{path} has format version {major}.{minor}; this kroncy reads 1.x: {advice}"
    if header["model"] not in MODELS:
        return f"{path} holds a {header['model']!r}, which this kroncy does not know"
    return None


def _digest(members):
    digest = hashlib.sha256()
    for key in sorted(members):
        array = np.ascontiguousarray(members[key])
        digest.update(f"{key} {array.dtype.str} {members[key].shape} ".encode())
        digest.update(array.data if array.size else b"")
    return digest.digest()


def _from_json(value):
    """JSON as an array of bytes; NumPy scalars become Python's."""
    text = json.dumps(value, default=_plain)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _to_json(array):
    try:
        return json.loads(bytes(array))
    except ValueError:
        return None


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a model with {value!r} cannot be saved: set that parameter to a plain value")
