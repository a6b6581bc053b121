"""Guard: what one thread changes while others read, and who has to wait or is refused."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

_guards: "WeakSet[Guard]" = WeakSet()


class Guard:
    """Many threads that read, or one that changes, an object.

    A long job, such as a training, *claims* the object: from then on another thread that wants to
    change it is refused.  Only while the job changes something (a part of an epoch) do readers
    wait; in between they go on.  A thread may enter again what it has entered, so that a callback
    can read, step and restore.

    A copy, pickled or not, is a guard of its own, and so is that of a process made by fork(): only
    what the thread that forked has entered is still entered there.

    Examples
    --------
    >>> from kroncy._base.guard import Guard
    >>> guard = Guard()
    >>> with guard.claim("run"):
    ...     with guard.change("run"):
    ...         pass
    ...     with guard.read():
    ...         pass
    """

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._once = threading.Lock()
        self._readers: dict[int, int] = {}  # thread -> how often it has entered
        self._claims: list[str] = []  # of the owner, outermost first
        self._owner: int | None = None
        self._changes = 0  # that the owner has entered
        self._wants = False  # the owner waits until nobody reads
        self._waiting = 0  # readers that wait
        self._admitted = 0  # of these, who comes before the next change
        self._torn = ""  # what was changing in another thread when this process was forked
        _guards.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Guard, ()

    @contextmanager
    def claim(self, what: str) -> Iterator[None]:
        """Exclude other claims and changes; `what` names the job for those that are refused.

        Raises
        ------
        RuntimeError
            Another thread has a claim.
        """
        with self._entered() as me:
            if self._claims and self._owner != me:
                raise RuntimeError(
                    f"{what}: {self._claims[0]} is running in another thread, and one thread at a "
                    "time may change an object; wait for its end, or use a copy"
                )
            self._owner = me
            self._claims.append(what)
        try:
            yield
        finally:
            with self._condition:
                self._claims.pop()
                if not self._claims:
                    self._owner = None

    @contextmanager
    def change(self, what: str) -> Iterator[None]:
        """Claim, wait until no other thread reads, and let none begin.

        Raises
        ------
        RuntimeError
            Another thread has a claim.
        """
        with self.claim(what):
            with self._condition:
                self._wants = True
                try:
                    self._condition.wait_for(self._is_quiet)
                    self._changes += 1
                finally:
                    self._wants = False
                    self._condition.notify_all()
            try:
                yield
            finally:
                with self._condition:
                    self._changes -= 1
                    self._admitted = 0 if self._changes else self._waiting
                    self._condition.notify_all()

    @contextmanager
    def read(self) -> Iterator[None]:
        """Wait until no other thread changes; several threads may read at once."""
        with self._entered() as me:
            if self._owner != me and me not in self._readers:
                self._waiting += 1
                try:
                    self._condition.wait_for(self._is_open)
                finally:
                    self._waiting -= 1
                    self._admitted = max(0, self._admitted - 1)
                    self._condition.notify_all()
            self._readers[me] = self._readers.get(me, 0) + 1
        try:
            yield
        finally:
            with self._condition:
                self._readers[me] -= 1
                if not self._readers[me]:
                    del self._readers[me]
                    self._condition.notify_all()

    @contextmanager
    def once(self) -> Iterator[None]:
        """One thread at a time, among readers, for what the first of them makes for all."""
        with self._entered():
            lock = self._once
        with lock:
            yield

    def _is_quiet(self) -> bool:
        others = self._readers.keys() - {self._owner}
        return self._changes > 0 or not (others or self._admitted)

    def _is_open(self) -> bool:
        return not self._changes and (not self._wants or self._admitted > 0)

    @contextmanager
    def _entered(self) -> Iterator[int]:
        """The lock; the calling thread."""
        with self._condition:
            if self._torn:
                raise RuntimeError(
                    f"this process was forked while {self._torn} was running in another thread, "
                    "which left a half changed copy here; fork before or after"
                )
            yield threading.get_ident()

    def after_fork(self) -> None:
        """In a child of fork(): forget the threads that it does not have."""
        me = threading.get_ident()
        mine = self._owner == me
        torn = "" if mine or not self._changes else self._claims[0]
        readers, claims, changes = self._readers.get(me, 0), self._claims, self._changes
        self.__init__()  # type: ignore[misc]
        self._torn = torn
        if readers:
            self._readers[me] = readers
        if mine:
            self._owner, self._claims, self._changes = me, claims, changes


def guard_of(owner: Any) -> Guard:
    """The guard of an object whose constructor makes none, such as an estimator."""
    own = vars(owner)
    return own["_guard"] if "_guard" in own else own.setdefault("_guard", Guard())


def _after_fork() -> None:
    for guard in list(_guards):
        guard.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
