import io

import pytest

from kroncy._base import memory
from kroncy._base.memory import available_memory, format_bytes, require_memory


def test_some_memory_is_available():
    assert 0 <= available_memory() < 2**60


def test_systems_that_do_not_tell_get_a_fallback(monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr("os.sysconf", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    assert available_memory() == memory.FALLBACK


# Files of a machine with 60 GB free, and of control groups of version 2 and 1.
MACHINE = {"/proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 60000000 kB\n"}
V2 = {
    "/proc/self/cgroup": "0::/job/step\n",
    "/sys/fs/cgroup/job/step/memory.max": "max\n",
    "/sys/fs/cgroup/job/memory.max": "8000000000\n",
    "/sys/fs/cgroup/job/memory.current": "7800000000\n",
    "/sys/fs/cgroup/job/memory.stat": (
        "anon 500000000\nfile 7300000000\ninactive_anon 9\nactive_anon 9\nshmem 100000000\n"
        "inactive_file 7000000000\nactive_file 200000000\n"
    ),
}
V1 = {
    "/proc/self/cgroup": "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n",
    "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "8000000000\n",
    "/sys/fs/cgroup/memory/job/memory.usage_in_bytes": "7800000000\n",
    "/sys/fs/cgroup/memory/job/memory.stat": (
        "inactive_file 5\nactive_file 5\n"  # without the groups below
        "total_inactive_file 7000000000\ntotal_active_file 200000000\n"
    ),
}


def at_root(files):
    """As in a container, which sees its own group as the root."""
    return {path.replace("/job/memory", "/memory"): text for path, text in files.items()}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 60_000_000 * 1024),
        (V2, 7_400_000_000),
        (at_root(V2), 7_400_000_000),
        (at_root(V2) | {"/proc/self/cgroup": None}, 7_400_000_000),
        (V2 | {"/sys/fs/cgroup/memory.max": "max\n"}, 7_400_000_000),
        (V2 | {"/sys/fs/cgroup/job/memory.stat": None}, 200_000_000),
        (V2 | {"/sys/fs/cgroup/job/memory.current": "8000000001\n",
               "/sys/fs/cgroup/job/memory.stat": "inactive_file 0\n"}, 0),
        (V1 | {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
         7_400_000_000),
        (at_root(V1), 7_400_000_000),
    ],
)  # fmt: skip
def test_page_cache_of_a_control_group_is_free(monkeypatch, files, free):
    found = MACHINE | files

    def fake_open(path):
        if found.get(path) is None:
            raise FileNotFoundError(path)
        return io.StringIO(found[path])

    monkeypatch.setattr(memory, "open", fake_open, raising=False)
    assert available_memory() == free


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (3_500_000_000, "3.5 GB"),
        (1.234e15, "1.23 PB"),
        (1e22, "10 ZB"),
    ],
)
def test_bytes_are_formatted(n_bytes, text):
    assert format_bytes(n_bytes) == text


def test_a_budget_is_enforced(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    require_memory(1000, "this")
    require_memory(500, "this", limit=500)
    with pytest.raises(MemoryError, match=r"^this needs 501 bytes; memory_limit is 500 bytes$"):
        require_memory(501, "this", limit=500)
    with pytest.raises(MemoryError, match=r"available memory is 1 kB\. Use less\.$"):
        require_memory(1001, "this", limit=10**9, remedy="Use less.")
