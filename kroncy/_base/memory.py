"""Memory budgets: refuse what cannot fit, with the estimate, before anything is allocated."""

import os


def available_memory():
    """Bytes this process can still take: free memory of the machine or of its control group."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    free = int(line.split()[1]) * 1024
    except (OSError, ValueError, AttributeError):
        free = 2**33
    try:
        with open("/sys/fs/cgroup/memory.max") as limit, open(
            "/sys/fs/cgroup/memory.current"
        ) as used:
            free = min(free, int(limit.read()) - int(used.read()))
    except (OSError, ValueError):
        pass
    return max(free, 0)


def format_bytes(n):
    """`n` bytes as people write them: ``format_bytes(3_500_000_000)`` is ``'3.5 GB'``."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB", "EB"):
        if n < 1000:
            return f"{n:.0f} bytes" if unit == "bytes" else f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} ZB"


def require_memory(n_bytes, what, *, limit=None, remedy=""):
    """Raise MemoryError when `n_bytes` for `what` exceed `limit` or what the machine has left.

    `limit` None means the memory available now; an int is the user's own bound in bytes.
    """
    free = available_memory()
    bound = free if limit is None else min(limit, free)
    if n_bytes > bound:
        source = "memory_limit" if limit is not None and limit <= free else "available memory"
        message = f"{what} needs {format_bytes(n_bytes)}; {source} is {format_bytes(bound)}"
        raise MemoryError(f"{message}. {remedy}" if remedy else message)
