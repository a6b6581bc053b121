"""Output files: a regular file is replaced when the new one is complete, others are written to."""

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

MOST_LINKS = 40  # that Linux follows

AnyPath = str | os.PathLike[str]


@contextmanager
def open_output(path: AnyPath, what: str = "output") -> Iterator[IO[bytes]]:
    """A binary stream whose content is at `path` when the block ends without an exception.

    A regular file is replaced in one step, so that no reader sees half of one, and its permissions
    are kept, its owner where the system allows it.  A symbolic link stays: the file that it names
    is replaced.  A pipe, a device or an open descriptor such as /dev/stdout is written to.

    Raises
    ------
    OSError
        The file cannot be written.  The message begins with `what`, and nothing has changed.
    """
    check_writable(path, what)
    try:
        with _in_one_step(path) if is_replaceable(path) else _in_place(path) as stream:
            yield stream
    except OSError as error:
        if error.filename is not None:  # of another file: a failed write does not name its own
            raise
        raise _named(error, path, what) from None


@contextmanager
def _in_one_step(path: AnyPath) -> Iterator[IO[bytes]]:
    """A new file beside the old one, which it replaces at the end."""
    target = os.path.realpath(path)
    new = os.path.join(os.path.dirname(target), f".kroncy-{secrets.token_hex(8)}.tmp")
    try:
        with open(new, "xb") as stream:
            if os.path.exists(target):
                _copy_permissions(target, new)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(new)
        raise


@contextmanager
def _in_place(path: AnyPath) -> Iterator[IO[bytes]]:
    """A file of its own, whose content is copied at the end; a descriptor goes on where it is."""
    with tempfile.TemporaryFile() as stream:
        yield stream
        stream.seek(0)
        descriptor = _descriptor(path)
        with open(path if descriptor is None else os.dup(descriptor), "wb") as output:
            shutil.copyfileobj(stream, output)


def check_writable(path: AnyPath, what: str = "output") -> None:
    """Raise OSError if `path` cannot be written, before the work that produces the content."""
    if os.path.isdir(path):
        message = f"{what} {os.fspath(path)} is a directory; name a file"
        raise IsADirectoryError(errno.EISDIR, message)
    try:
        if is_replaceable(path):
            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
                pass
        else:
            os.stat(path)
        if os.path.exists(path) and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "it is write-protected")
    except OSError as error:
        raise _named(error, path, what) from None


def is_replaceable(path: AnyPath) -> bool:
    """Whether there is a regular file at `path`, or nothing yet.

    Not a pipe, a device, an open descriptor or a file that is mounted by itself.
    """
    if _descriptor(path) is not None or os.path.ismount(os.path.realpath(path)):
        return False
    return not os.path.exists(path) or stat.S_ISREG(os.stat(path).st_mode)


def is_standard_output(path: AnyPath) -> bool:
    """Whether `path` names the standard output of this process, as /dev/stdout does."""
    return _descriptor(path) == 1


def _descriptor(path: AnyPath) -> int | None:
    """The open descriptor that `path` names, for /dev/stdout, /dev/fd/3 and links to them."""
    at = os.fspath(path)
    for _ in range(MOST_LINKS):
        folder, name = os.path.split(at)
        folder = os.path.realpath(folder)
        if folder == f"/proc/{os.getpid()}/fd" and name.isdecimal():
            return int(name)
        at = os.path.join(folder, name)
        if not os.path.islink(at):
            break
        at = os.path.join(folder, os.readlink(at))
    return None


def _named(error: OSError, path: AnyPath, what: str) -> OSError:
    """The same error, of the same class, with a message that begins with the file."""
    reason = error.strerror or str(error)
    return OSError(error.errno, f"{what} {os.fspath(path)} cannot be written: {reason}")


def _copy_permissions(source: str, target: str) -> None:
    """Owner and group where the system allows it, then the mode and extended attributes."""
    status = os.stat(source)
    for user, group in ((-1, status.st_gid), (status.st_uid, -1)):
        with suppress(OSError):
            os.chown(target, user, group)
    with suppress(OSError):
        shutil.copystat(source, target)
