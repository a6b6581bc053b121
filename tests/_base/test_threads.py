import os
import threading

import pytest
from threadpoolctl import threadpool_info

from kroncy._base import threads
from kroncy._base.threads import (
    available_cores,
    blas_threads,
    resolve_threads,
    set_blas_threads,
)


def blas_counts():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_cores_without_an_affinity_mask(monkeypatch):
    assert 1 <= available_cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert available_cores() == os.cpu_count()


def test_threads_are_resolved(monkeypatch):
    monkeypatch.setattr(threads, "openmp_max_threads", lambda: 3)
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    monkeypatch.setattr(threads, "most_threads", lambda: 16)
    assert resolve_threads(None) == 2
    assert resolve_threads(7) == 7
    assert resolve_threads(10**9) == 16
    monkeypatch.setattr(threads, "is_forked", lambda: True)
    assert resolve_threads(None) == 1
    monkeypatch.setattr(threads, "most_threads", lambda: 1)  # as without OpenMP
    assert resolve_threads(None) == resolve_threads(7) == 1


@pytest.mark.parametrize(("n_threads", "error"), [(0, ValueError), (1.0, TypeError)])
def test_wrong_numbers_of_threads_are_named(n_threads, error):
    with pytest.raises(error, match="n_threads"):
        resolve_threads(n_threads)


def test_blas_is_limited_inside_the_block_only():
    before = blas_counts()
    with blas_threads(1):
        assert set(blas_counts()) == {1}
    assert blas_counts() == before
    with pytest.raises(KeyError), blas_threads(1):
        raise KeyError
    assert blas_counts() == before


def test_limits_of_several_threads_overlap_in_any_order():
    before = blas_counts()
    entered, leave = threading.Event(), threading.Event()

    def limit():
        with blas_threads(1):
            entered.set()
            leave.wait(20)

    other = threading.Thread(target=limit)
    with blas_threads(2):
        other.start()
        entered.wait(20)
        assert set(blas_counts()) == {1}
    assert set(blas_counts()) == {1}  # the other's limit holds on
    wanted = max(before)
    assert set_blas_threads(wanted) == wanted  # the number afterwards
    assert set(blas_counts()) == {1}
    leave.set()
    other.join(timeout=20)
    assert blas_counts() == before


def test_blas_threads_can_be_set_for_good():
    before = set_blas_threads(1)
    try:
        assert set(blas_counts()) == {1}
    finally:
        assert set_blas_threads(before) == 1
