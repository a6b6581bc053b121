"""The process around a command: its streams, signals and warnings, and its exit status."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any

from ..parallel.launch import EVERYWHERE, is_silent
from .options import in_options

INTERRUPTED = 128 + signal.SIGINT


class Termination(KeyboardInterrupt):
    """SIGTERM or SIGHUP: stops a command as Ctrl-C does, so that it leaves no temporary files."""

    def __init__(self, number: int) -> None:
        super().__init__("terminated")
        self.status = 128 + number


def exit_status(command: Callable[[], None]) -> int:
    """Run a command; print its warnings and what it raises on standard error."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _print_warning  # type: ignore[assignment]
            command()
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        _print_error(str(interrupt) or "interrupted")
        return getattr(interrupt, "status", INTERRUPTED)
    except BrokenPipeError:
        return 1  # the reader of standard output has gone, as `head` does
    except (OSError, ValueError, TypeError, MemoryError, FloatingPointError, ImportError) as error:
        if not (is_silent() and EVERYWHERE in getattr(error, "__notes__", ())):  # rank 0 tells
            _print_error(_in_words(error))
        return 1
    return 0


def _in_words(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _print_warning(message: Warning | str, *_: Any) -> None:
    _print_error(f"warning: {in_options(str(message))}")


def _print_error(text: str) -> None:
    with suppress(OSError):  # standard error may have no reader
        print(f"kroncy: {text}", file=sys.stderr, flush=True)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Standard output and standard error that are open and take every character.

    A character that their encoding lacks is written as its code.  What cannot be written in the end
    is discarded: an error has told so before, or nobody reads.
    """
    before = {}
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            before[stream] = stream.errors
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in before.items():
            try:
                stream.reconfigure(errors=errors)  # flushes
            except OSError:
                _discard(stream)


def _discard(stream: IO[str]) -> None:
    """Let what is left in a stream that cannot be written vanish, instead of failing at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
    stream.flush()


@contextmanager
def end_by_exception() -> Iterator[None]:
    """Signals that end a process raise `Termination`, unless it handles or ignores them."""

    def end(number: int, _: FrameType | None) -> None:
        raise Termination(number)

    with _handlers({signal.SIGTERM: end, signal.SIGHUP: end}, instead_of=signal.SIG_DFL):
        yield


@contextmanager
def end_at_interrupt() -> Iterator[None]:
    """Ctrl-C ends the process at once: for imports, which take long and need no cleaning up."""

    def end(*_: Any) -> None:
        with suppress(OSError):
            os.write(2, b"kroncy: interrupted\n")
        os._exit(INTERRUPTED)

    with _handlers({signal.SIGINT: end}, instead_of=signal.default_int_handler):
        yield


@contextmanager
def _handlers(handlers: dict[int, Any], instead_of: Any) -> Iterator[None]:
    """Handle signals for a while, where nobody has changed how they are handled."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    mine = [
        number
        for number in handlers
        if in_main_thread and signal.getsignal(number) == instead_of
    ]
    for number in mine:
        signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, instead_of)
