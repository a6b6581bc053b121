import concurrent.futures
import multiprocessing
import os
import time

import joblib
import pytest

from kroncy._base.workers import Workers, check_workers


def square(x):
    return x * x


def process_of(x):
    time.sleep(0.002)
    return os.getpid()


def is_other():
    return multiprocessing.parent_process() is not None


def die(x):
    if is_other():
        os._exit(3)
    time.sleep(0.002)


def fail(x):
    time.sleep(0.002)
    if is_other() or x == 40:
        raise ValueError(f"{x} is bad")
    return x


def repeated(mapped, points, enough):
    """What the function gives for the points, once `enough` is true of it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = list(mapped.map_points(points))
        if enough(found):
            return found
    raise TimeoutError


def test_processes_and_maps_give_the_same():
    points = list(range(11))
    expected = [square(x) for x in points]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for workers in (2, map, pool.map):
            with Workers(workers, square) as mapped:
                assert list(mapped.map_points(points)) == expected
                assert list(mapped.map_points(points[:1])) == expected[:1]
    with Workers(1, square) as mapped:
        assert mapped.map_points is None


def test_all_workers_take_part_and_this_process_is_one_of_them():
    with Workers(3, process_of) as mapped:
        assert mapped.map_points([0]) == [os.getpid()]
        found = repeated(mapped, range(12), lambda found: len(set(found)) == 3)
        assert found.count(os.getpid()) >= 2  # the last of a few points is never another's
        assert found[-1] == os.getpid()


def take_part():
    with Workers(2, process_of) as mapped:
        return len(set(repeated(mapped, range(4), lambda found: len(set(found)) == 2)))


def test_they_take_part_within_a_worker_of_loky():
    assert joblib.Parallel(n_jobs=2, timeout=120)([joblib.delayed(take_part)()]) == [2]


@pytest.mark.parametrize("workers", [-1, 2])
def test_a_process_that_may_start_none_is_told(monkeypatch, workers):
    monkeypatch.setattr("kroncy._base.workers.available_cores", lambda: 2)
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    assert check_workers(1) == 1
    with pytest.raises(ValueError, match=f"workers={workers} would start processes"):
        check_workers(workers)


def test_nobody_waits_for_processes_that_have_not_begun():
    with Workers(2, process_of) as mapped:
        assert mapped.map_points(range(4)) == 4 * [os.getpid()]


def test_a_process_that_dies_is_an_error():
    with Workers(2, die) as mapped, pytest.raises(RuntimeError, match="worker process died"):
        repeated(mapped, range(4), lambda found: False)


def test_errors_of_the_function_arrive():
    with Workers(2, fail) as mapped:
        with pytest.raises(ValueError, match="40 is bad"):  # of this process, or of the other
            repeated(mapped, [40, 41], lambda found: False)
        with pytest.raises(ValueError, match=r"[0-7] is bad"):
            repeated(mapped, range(8), lambda found: False)


def fail_once_begun(x):
    time.sleep(0.002)
    if x < 0 and is_other():
        raise ValueError(f"{x} is bad")
    return x


def test_an_error_is_that_of_its_own_points():
    with Workers(2, fail_once_begun) as mapped:
        for _ in range(3):
            with pytest.raises(ValueError, match="is bad"):
                repeated(mapped, range(-8, 0), lambda found: False)
            assert mapped.map_points(range(8)) == list(range(8))


def test_arguments_are_sent_with_the_function():
    for workers in (2, map):
        with Workers(workers, pow, (3,)) as mapped:
            assert list(mapped.map_points([1, 2])) == [1, 8]


@pytest.mark.parametrize(
    ("workers", "error", "message"),
    [(0, ValueError, "got 0"), (-2, ValueError, "workers must be >= -1"),
     (1.5, TypeError, "workers must be an integer"), ("two", TypeError, "workers must be"),
     (10**9, MemoryError, r"workers=1000000000: loading NumPy in each needs 16 PB")],
)
def test_bad_workers_are_named(workers, error, message):
    with pytest.raises(error, match=message):
        check_workers(workers)


def test_all_cores():
    assert check_workers(-1) == len(os.sched_getaffinity(0))


def test_all_cores_without_an_affinity_mask(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert check_workers(-1) == os.cpu_count()


def test_what_cannot_be_pickled_is_refused_before_any_work():
    with pytest.raises(TypeError, match="top level of a module"):
        Workers(2, lambda x: x)
