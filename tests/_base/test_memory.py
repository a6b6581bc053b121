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
