"""Memory budgets: refuse what cannot fit, with the estimate, before anything is allocated."""

import os

FALLBACK = 2**33  # bytes assumed free where the system does not tell


def available_memory() -> int:
    """Bytes that this process can still allocate: free in the machine and in its control group."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    free = int(line.split()[1]) * 1024
    except (OSError, ValueError, AttributeError):
        free = FALLBACK
    try:
        with open("/sys/fs/cgroup/memory.max") as limit, open(
            "/sys/fs/cgroup/memory.current"
        ) as used:
            free = min(free, int(limit.read()) - int(used.read()))
    except (OSError, ValueError):
        pass  # no control group, or one without a limit
    return max(free, 0)


def format_bytes(n_bytes: float) -> str:
    """Three digits and a decimal unit: ``format_bytes(3_500_000_000)`` is ``'3.5 GB'``."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB", "EB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} ZB"


def require_memory(
    n_bytes: float, what: str, *, limit: int | None = None, remedy: str = ""
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
    remedy : str
        A sentence at the end of the message that says what to change.

    Raises
    ------
    MemoryError
        `n_bytes` exceed `limit` or the memory available.
    """
    free = available_memory()
    budget = free if limit is None else min(limit, free)
    if n_bytes > budget:
        source = "memory_limit" if limit is not None and limit <= free else "available memory"
        message = f"{what} needs {format_bytes(n_bytes)}; {source} is {format_bytes(budget)}"
        raise MemoryError(f"{message}. {remedy}" if remedy else message)
