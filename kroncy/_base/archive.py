"""Reading .npz archives that may be damaged or forged: no member is trusted, none is executed."""

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from .memory import format_bytes, require_memory

SIGNATURE = b"PK\x03\x04"  # of the first member of a zip archive
SUFFIX = ".npy"
PIPE_BYTES = 2**20  # that are read at once
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class Archive:
    """An open .npz archive, a context manager.

    Parameters
    ----------
    path : str or path-like
        Name of the file.  A pipe is read into memory.

    Attributes
    ----------
    names : tuple of str
        Members, without the suffix .npy.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        It is not an archive, a name occurs twice, or a member is not named as an array.
    MemoryError
        What a pipe delivers does not fit the memory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._stream: IO[bytes] = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
        try:
            start = self._stream.read(len(SIGNATURE))
            if start != SIGNATURE:
                raise ValueError("it is no .npz archive")
            if not self._stream.seekable():  # the directory is at the end
                with self._stream as pipe:
                    self._stream = _in_memory(pipe, start, path)
            with _parsing("its directory"):
                self._zip = zipfile.ZipFile(self._stream)
            self._members = self._directory()
        except BaseException:
            self._stream.close()
            raise
        self.names = tuple(self._members)

    def _directory(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = info.filename.removesuffix(SUFFIX)
            if name == info.filename:
                raise ValueError(f"its member {name!r} is no array of NumPy")
            if name in members:
                raise ValueError(f"its member {name!r} occurs twice")
            members[name] = info
        return members

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, name: str) -> NDArray:
        """One member.

        Raises
        ------
        ValueError
            There is none of that name, it is not an array, or its bytes are damaged.
        MemoryError
            It does not fit the memory; the message says what it would take.
        """
        if name not in self._members:
            raise ValueError(f"its member {name!r} is missing")
        require_memory(self._members[name].file_size, f"the member {name!r}")
        return self._read(name)

    def _read(self, name: str) -> NDArray:
        info = self._members[name]
        with _parsing(f"its member {name!r}"), self._zip.open(info) as stream:
            _check_array_header(stream, info.file_size)
            stream.seek(0)
            array = np.lib.format.read_array(stream, allow_pickle=False)
            if stream.read(1):  # also has zipfile compare its checksum
                raise ValueError("bytes follow the array")
            return array

    def read_all(self) -> dict[str, NDArray]:
        """All members by name; MemoryError, with the estimate, before any is read."""
        total = sum(info.file_size for info in self._members.values())
        require_memory(total, f"{len(self.names)} arrays")
        return {name: self._read(name) for name in self.names}


def _in_memory(pipe: IO[bytes], start: bytes, path: str | os.PathLike[str]) -> IO[bytes]:
    """All that a pipe delivers after `start`, and this; MemoryError before it fills the memory."""
    content = io.BytesIO()
    part = start
    while part:
        content.write(part)
        held = f"{os.fspath(path)} is a pipe, of which {format_bytes(content.tell())} are in memory"
        require_memory(PIPE_BYTES, f"{held}: what follows", remedy="Name a regular file")
        part = pipe.read(PIPE_BYTES)
    return content


@contextmanager
def _parsing(what: str) -> Iterator[None]:
    """Turn whatever a parser raises on damaged bytes into a ValueError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything
        raise ValueError(f"{what} is damaged: {error}") from error


def _check_array_header(stream: IO[bytes], size: int) -> None:
    """ValueError unless the array that the header announces is what follows, and no objects."""
    version = np.lib.format.read_magic(stream)
    if version not in READERS:
        raise ValueError(f"version {version} of the format of arrays is not known")
    shape, _, dtype = READERS[version](stream)
    if dtype.hasobject:
        raise ValueError("it contains Python objects")
    n_bytes = dtype.itemsize
    for length in shape:  # Python's integers do not overflow
        n_bytes *= length
    if min(shape, default=0) < 0 or n_bytes != size - stream.tell():
        raise ValueError(f"shape {shape} and dtype {dtype} are not those of its bytes")
