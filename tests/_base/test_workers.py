import concurrent.futures
import os

import numpy as np
import pytest

from kroncy._base.workers import Workers, check_workers


def square(x):
    return x * x


def die(x):
    os._exit(3)


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


def test_a_process_that_dies_is_an_error():
    with Workers(2, die) as mapped, pytest.raises(RuntimeError, match="worker process died"):
        list(mapped.map_points([1, 2]))


def test_errors_of_the_function_arrive():
    with Workers(2, np.linalg.inv) as mapped, pytest.raises(np.linalg.LinAlgError):
        list(mapped.map_points([np.zeros((2, 2))]))


@pytest.mark.parametrize(
    ("workers", "error", "message"),
    [(0, ValueError, "got 0"), (-2, ValueError, "workers must be >= -1"),
     (1.5, TypeError, "workers must be an integer"), ("two", TypeError, "workers must be")],
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
