"""Memory budgets: refuse what cannot fit, with the estimate, before anything is allocated."""

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

FALLBACK = 2**33  # bytes assumed free where the system does not tell
UNLIMITED = 2**60  # a control group with a limit of so many bytes has none

# Control groups of version 2 and of version 1, by their name in /proc/self/cgroup: where they are
# mounted, their files with the limit and with the bytes in use, and their lines of memory.stat that
# count the page cache (in version 1 with that of the groups below, like the bytes in use).
CONTROL_GROUPS = {
    "": (
        "/sys/fs/cgroup", "memory.max", "memory.current", ("inactive_file", "active_file")
    ),
    "memory": (
        "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
}  # fmt: skip


def available_memory() -> int:
    """Bytes that this process can still allocate: free in the machine and in its control groups."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free = 1024 * _read_fields("/proc/meminfo").get("MemAvailable:", free // 1024)
    except (OSError, ValueError, AttributeError):
        free = FALLBACK
    return max(min([free, *_free_in_groups()]), 0)


def _free_in_groups() -> Iterator[int]:
    """Bytes below the limit of each control group that has one, from this process's to the root.

    A group counts page cache as in use, but the system drops it when memory is needed.
    """
    paths = _group_paths()
    for name, (mount, limit_file, used_file, cache_fields) in CONTROL_GROUPS.items():
        own = PurePosixPath(mount + paths.get(name, ""))
        for group in (own, *own.parents):
            if not group.is_relative_to(mount):
                break
            try:
                limit = int(_read(f"{group}/{limit_file}"))
                if limit < UNLIMITED:
                    used = int(_read(f"{group}/{used_file}"))
                    yield limit - used + _page_cache(f"{group}/memory.stat", cache_fields)
            except (OSError, ValueError):
                pass  # the group is not visible here, or it has no limit


def _page_cache(path: str, fields: tuple[str, ...]) -> int:
    try:
        found = _read_fields(path)
    except (OSError, ValueError):
        return 0
    return sum(found.get(field, 0) for field in fields)


def _group_paths() -> dict[str, str]:
    """Path of this process's control group, below the mount, by the name of its controller."""
    try:
        lines = _read("/proc/self/cgroup").splitlines()
    except OSError:
        return {}
    fields = (line.split(":", 2) for line in lines)
    return {name: path for _, names, path in fields for name in names.split(",")}


def _read_fields(path: str) -> dict[str, int]:
    """A file with a name and a number on each line."""
    fields = (line.split() for line in _read(path).splitlines())
    return {name: int(number) for name, number, *_ in fields}


def _read(path: str) -> str:
    with open(path) as stream:
        return stream.read()


def format_bytes(n_bytes: float) -> str:
    """Three digits and a decimal unit: ``format_bytes(3_500_000_000)`` is ``'3.5 GB'``."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB", "EB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} ZB"


def require_memory(
    n_bytes: float, what: str, *, limit: int | None = None, held: int = 0, remedy: str = ""
) -> None:
    """Raise MemoryError where `n_bytes` exceed the budget.

    Parameters
    ----------
    n_bytes : int
        Bytes about to be allocated.
    what : str
        What they are for; the message begins with it.
    limit : int or None
        The user's budget in bytes; None is the memory available now, which also bounds an int.
    held : int
        Bytes of `limit` that are in use already.
    remedy : str
        A sentence at the end of the message that says what to change.

    Raises
    ------
    MemoryError
        `n_bytes` exceed `limit` or the memory available.
    """
    free = available_memory()
    own = limit is not None and limit - held <= free
    if n_bytes > (limit - held if own else free):
        source, budget = ("memory_limit", limit) if own else ("available memory", free)
        message = f"{what} needs {format_bytes(n_bytes)}; {source} is {format_bytes(budget)}"
        if own and held:
            message += f", of which {format_bytes(held)} are in use"
        raise MemoryError(f"{message}. {remedy}" if remedy else message)
