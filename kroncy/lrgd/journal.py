"""What a run has evaluated, in order: a run that is given it goes on where that one ended.

A run is a function of its arguments, of the generator's state and of what the user's functions
return.  So nothing else is recorded.  A run that goes on begins at the start and is answered from
the record, which takes no evaluation, until the record ends; from there it evaluates.  This holds
for every method and between any two evaluations.  Each record bears a checksum of the points, so
that a run with other settings is never answered with the values of other points.
"""

import json
import os
import struct
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from .._base.files import open_output

MAGIC = b"kroncy lrgd checkpoint 1\n"
RECORD = struct.Struct("<cIQ")  # kind, checksum, numbers that follow
CHECK = struct.Struct("<I")  # CRC-32 of all that
HEADER, VALUES, ITERATION = b"h", b"v", b"i"
SECONDS = 1.0  # between two writes within an iteration
SAMPLE = 2**12  # numbers of an array of directions that its checksum reads


def checksum(x: np.ndarray, directions: np.ndarray | None = None, *others: np.ndarray) -> int:
    """CRC-32 of a point, some numbers of each direction, and other arrays."""
    result = zlib.crc32(x.tobytes())
    for array in others:
        result = zlib.crc32(array.tobytes(), result)
    if directions is not None:
        every = max(1, directions.size // SAMPLE)
        result = zlib.crc32(directions.reshape(-1)[::every].tobytes(), result)
    return result


@dataclass
class Checkpoint:
    """The evaluations of a run, from which `minimize` goes on.

    ``result.checkpoint`` where `minimize` is called with `checkpoint`, in a callback as at the
    end.  It can be pickled and copied.

    Parameters
    ----------
    header : dict
        Of what: method, variables, checksum of x0, state of the generator.
    records : list of tuple (bytes, int, numpy.ndarray)
        Kind, checksum of the points, and numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import kroncy.lrgd
    >>> bowl = lambda x: np.sum((x[:3] - 1) ** 4)
    >>> first = kroncy.lrgd.minimize(bowl, np.zeros(90), maxfev=60, checkpoint=True)
    >>> first.status, first.nfev
    (1, 60)
    >>> second = kroncy.lrgd.minimize(bowl, np.zeros(90), resume=first.checkpoint)
    >>> second.success
    True
    """

    header: dict[str, Any]
    records: list[tuple[bytes, int, np.ndarray]] = field(default_factory=list)

    @property
    def nit(self) -> int:
        """Iterations that were completed."""
        return sum(kind == ITERATION for kind, _, _ in self.records)

    def copy(self) -> "Checkpoint":
        """Another checkpoint of the same records.

        Returns
        -------
        Checkpoint
            Independent of this one.
        """
        return Checkpoint(dict(self.header), list(self.records))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the checkpoint to a file, which replaces an older one in one step.

        Parameters
        ----------
        path : str or path-like
            Name of the file.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        with open_output(path, "checkpoint") as stream:
            stream.write(MAGIC)
            header = json.dumps(self.header).encode()
            _write(stream, HEADER, 0, np.frombuffer(header, dtype=np.uint8))
            for record in self.records:
                _write(stream, *record)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Checkpoint":
        """Read a checkpoint from a file.

        What a process that was killed left incomplete at the end is dropped.

        Parameters
        ----------
        path : str or path-like
            Name of the file.

        Returns
        -------
        Checkpoint

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It is not a checkpoint.
        """
        data = Path(path).read_bytes()
        records = list(_read(data)) if data.startswith(MAGIC) else []
        try:
            kind, _, text = records[0]
            header = json.loads(text.tobytes())
            if kind != HEADER or set(header) != {"method", "p", "x0", "generator"}:
                raise ValueError
        except (IndexError, ValueError, TypeError):
            raise ValueError(f"{os.fspath(path)} is not a checkpoint of kroncy.lrgd") from None
        return cls(header, records[1:])


def _write(stream: IO[bytes], kind: bytes, mark: int, numbers: np.ndarray) -> None:
    record = RECORD.pack(kind, mark, numbers.size) + numbers.tobytes()
    stream.write(record + CHECK.pack(zlib.crc32(record)))


def _read(data: bytes) -> Any:
    """The records of a file, as far as they are whole."""
    at = len(MAGIC)
    while at + RECORD.size <= len(data):
        kind, mark, count = RECORD.unpack_from(data, at)
        dtype = np.dtype(np.uint8 if kind == HEADER else np.float64)
        end = at + RECORD.size + count * dtype.itemsize
        if end + CHECK.size > len(data):
            return
        if CHECK.unpack_from(data, end)[0] != zlib.crc32(data[at:end]):
            return
        yield kind, mark, np.frombuffer(data[at + RECORD.size : end], dtype=dtype)
        at = end + CHECK.size


class Journal:
    """Records what functions return, and answers from an earlier record.

    Parameters
    ----------
    checkpoint : Checkpoint or None
        What is recorded already, and where new records go; None records nothing.
    path : str or path-like or None
        File to which records are appended.

    Attributes
    ----------
    checkpoint : Checkpoint or None
        The record so far.
    """

    def __init__(
        self, checkpoint: Checkpoint | None = None, path: str | os.PathLike[str] | None = None
    ) -> None:
        self.checkpoint, self._path = checkpoint, path
        self._next = 0  # record to answer from
        self._mark, self._out, self._done, self._new = 0, np.empty(0), 0, 0
        self._stream: IO[bytes] | None = None
        self._written = 0 if checkpoint is None else len(checkpoint.records)
        self._time = time.monotonic()
        if checkpoint is not None and path is not None:
            checkpoint.save(path)
            self._stream = open(path, "ab")  # noqa: SIM115 (closed by stop)

    @property
    def active(self) -> bool:
        """Whether anything is recorded."""
        return self.checkpoint is not None

    @property
    def replaying(self) -> bool:
        """Whether records are left to answer from."""
        return self.checkpoint is not None and self._next < len(self.checkpoint.records)

    def open(self, mark: int, out: np.ndarray) -> int:
        """Begin a call that fills `out`, by what is recorded for it; how many numbers that was."""
        self._mark, self._out, self._done, self._new = mark, out, 0, 0
        while self.replaying and self._done < out.size:
            kind, recorded, numbers = self.checkpoint.records[self._next]  # type: ignore[union-attr]
            stop = self._done + numbers.size
            if (kind, recorded) != (VALUES, mark) or stop > out.size:
                self._discard()
                break
            out[self._done : stop] = numbers
            self._done = stop
            self._next += 1
        self._new = self._done
        return self._done

    def extend(self, numbers: Sequence[float] | np.ndarray) -> None:
        """Numbers that the call has got; written at once where evaluations are slow."""
        if self.checkpoint is None:
            self._done += len(numbers)
            return
        self._out[self._done : self._done + len(numbers)] = numbers
        self._done += len(numbers)
        if self._stream is not None and time.monotonic() - self._time > SECONDS:
            self._store()
            self.flush()

    def close(self) -> int:
        """End the call; how many numbers of it are there."""
        self._store()
        return self._done

    def answer(self, mark: int, count: int, call: Callable[[], np.ndarray]) -> np.ndarray:
        """What `call` returns, `count` numbers, or what is recorded for it."""
        if self.checkpoint is None:
            return call()
        out = np.empty(count)
        if self.open(mark, out) < count:
            self.extend(call())
            self.close()
        return out

    def repeats_iteration(self) -> bool:
        """Whether the iteration that ends now was completed and recorded before."""
        if self.replaying and self.checkpoint.records[self._next][0] == ITERATION:  # type: ignore[union-attr]
            self._next += 1
            return True
        return False

    def record_iteration(self) -> None:
        """Record that an iteration is complete, and write."""
        if self.checkpoint is not None:
            self._discard()
            self._append(ITERATION, 0, np.empty(0))
            self.flush()

    def flush(self) -> None:
        """Write what is recorded to the file."""
        if self._stream is not None and self.checkpoint is not None:
            for record in self.checkpoint.records[self._written :]:
                _write(self._stream, *record)
            self._written = len(self.checkpoint.records)
            self._stream.flush()
            self._time = time.monotonic()

    def stop(self) -> None:
        """Write, and close the file."""
        self.flush()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _store(self) -> None:
        if self.checkpoint is not None and self._done > self._new:
            self._append(VALUES, self._mark, self._out[self._new : self._done].copy())
            self._new = self._done

    def _append(self, kind: bytes, mark: int, numbers: np.ndarray) -> None:
        self.checkpoint.records.append((kind, mark, numbers))  # type: ignore[union-attr]
        self._next += 1

    def _discard(self) -> None:
        """Drop what is left to answer from: it belongs to other points than this run's."""
        if not self.replaying:
            return
        records = self.checkpoint.records  # type: ignore[union-attr]
        dropped = sum(numbers.size for _, _, numbers in records[self._next :])
        del records[self._next :]
        if self._stream is not None:
            self._stream.close()
            self.checkpoint.save(self._path)  # type: ignore[union-attr, arg-type]
            self._stream = open(self._path, "ab")  # type: ignore[arg-type]  # noqa: SIM115
            self._written = len(records)
        warnings.warn(
            f"the checkpoint ends {dropped} numbers early: from there on its points are not those "
            "of this run, because settings, functions or the rounding of this machine differ; "
            "evaluations are repeated",
            RuntimeWarning, stacklevel=2,
        )


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """The state of a generator in numbers, strings, lists and dicts."""
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        if isinstance(value, np.ndarray):
            return {"dtype": value.dtype.name, "values": value.tolist()}
        return value.item() if isinstance(value, np.generic) else value

    return plain(rng.bit_generator.state)


def generator_from(state: dict[str, Any]) -> np.random.Generator:
    """A generator of that state; ValueError where it is none."""
    def whole(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"dtype", "values"}:
            return np.array(value["values"], dtype=value["dtype"])
        if isinstance(value, dict):
            return {name: whole(item) for name, item in value.items()}
        return value

    try:
        kind = {
            name: getattr(np.random, name)
            for name in ("PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937")
        }[state["bit_generator"]]
        generator = np.random.Generator(kind())
        generator.bit_generator.state = whole(state)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError("the checkpoint holds no state of a generator of NumPy's") from None
    return generator
