"""What must be the same on every rank, and is compared before anything is computed."""

import os

import numpy as np
import pytest
from thread_ranks import run_ranks

from kroncy import KroneckerData, KroneckerSGD
from kroncy.parallel import agreement
from kroncy.parallel.agreement import require_agreement, require_cores

X = np.random.default_rng(0).standard_normal((20, 3))


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


PAIRS = KroneckerData([X, X[:7]], [np.arange(20), np.arange(20) % 7])
OTHER_X = changed(X, (3, 2), 0.5)
REAL = np.zeros((300, 50), np.float32)  # more than are compared at a time


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_hidden": [600, 700]}, "n_hidden .* rank 0 of 2 has 600, rank 1 has 700"),
        ({"dtype": ["float32", "float64"]}, "dtype .*'float32', rank 1 has 'float64'"),
        ({"skip": [0, 0.1]}, "skip .*0, rank 1 has 0.1"),
        ({"y": [X, OTHER_X]},
         rf"y .*rank 0 of 2 has {X[3, 2]} at \[3, 2\], rank 1 has 0.5 there, .*"
         r"an array of shape \(20, 3\), float64"),
        ({"y": [REAL, changed(REAL, (-1, -1), 2)]},
         r"y .*0\.0 at \[299, 49\], rank 1 has 2\.0 there"),
        ({"y": [REAL, changed(REAL, (0, 1), np.nan)]},
         r"y .*0\.0 at \[0, 1\], rank 1 has nan there"),
        ({"y": [X[::2], OTHER_X[1::2]]}, r"at \[0, 0\]"),
        ({"y": [X[0], -X[0]]}, rf"y .*{X[0, 0]} at \[0\], rank 1 has {-X[0, 0]} there"),
        ({"y": [np.zeros(()), np.ones(())]}, r"y .*0\.0 at \[\], rank 1 has 1\.0 there"),
        ({"y": [X, X.astype(np.float32)]},
         r"y .*0 of 2 has an array of shape \(20, 3\), float64, rank 1 .*\(20, 3\), float32\n"),
        ({"y": [X.tolist(), X[:5].tolist()]}, "y .*20, 3.*5, 3"),
        ({"y": [["a", "b"], ["a", "c"]]}, r"y .*'b' at \[1\], rank 1 has 'c' there"),
        ({"y": [np.array(["a", None]), np.array(["b", None])]}, r"'a' at \[0\], rank 1 has 'b'"),
        ({"y": [[1, [2]], [1, 2]]}, "y .*object, rank 1 has an array .*int64"),
        ({"y": [[1, [2]], [1, [3]]]}, r"y .*\[2\] at \[1\], rank 1 has \[3\] there"),
        ({"meta": [{"a": [1, 2]}, {"a": [1, 3]}]}, r"a of meta .*2 at \[1\], rank 1 has 3 there"),
        ({"meta": [{"a": 1}, {"a": 1, "b": 2}]}, "b of meta .*0 of 2 has nothing, rank 1 has 2"),
        ({"data": [KroneckerData.power(X), KroneckerData.power(OTHER_X)]},
         r"factor 0 of data .* at \[3, \d\], rank 1"),
        ({"data": [PAIRS, KroneckerData([X, X[:7]], [np.arange(20), (np.arange(20) + 1) % 7])]},
         r"indices 1 of data .*0 at \[0\], rank 1 has 1 there"),
        ({"data": [PAIRS, KroneckerData([X, X[:7]], [np.arange(9), np.arange(9) % 7])]},
         r"indices 0 of data .*shape \(20,\), int\d+, rank 1 has .*\(9,\)"),
        ({"data": [PAIRS, X]}, "data .*'a KroneckerData', rank 1 has an array"),
        ({"state": [np.random.RandomState(0), np.random.RandomState(1)]}, "part 1 of state .*0 at"),
        ({"state": [np.random.default_rng(0), np.random.default_rng(1)]}, "inc of state of state"),
        ({"layout": ["power", [2, 1]]}, "layout .*'power'"),
    ],
)
def test_what_differs_is_named_on_every_rank(values, message):
    def run(comm):
        with pytest.raises(ValueError, match=message) as caught:
            require_agreement(comm, {name: pair[comm.rank] for name, pair in values.items()})
        require_agreement(comm, {name: pair[0] for name, pair in values.items()})
        return str(caught.value)

    assert len(set(run_ranks(2, run))) == 1


def test_ranks_that_have_something_else_altogether_take_part_in_the_search():
    given = [X, X, OTHER_X, X[:3], "none"]

    def run(comm):
        with pytest.raises(ValueError, match=r"rank 2 has 0\.5 there") as caught:
            require_agreement(comm, {"y": given[comm.rank]})
        return str(caught.value)

    assert len(set(run_ranks(5, run))) == 1


def test_another_version_on_one_rank_is_named():
    def run(comm):
        if comm.rank:
            texts = {f"version of {name}": repr(text) for name, text in agreement.VERSIONS.items()}
            comm.gather_objects((list(texts), texts | {"version of kroncy": "9.9"}))
        else:
            require_agreement(comm, {})

    with pytest.raises(ValueError, match=r"version of kroncy must be the same .*rank 1 has 9\.9"):
        run_ranks(2, run)


def test_a_rank_bound_to_fewer_cores_than_its_threads_is_refused(monkeypatch):
    monkeypatch.setattr(agreement, "available_cores", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    with pytest.raises(ValueError, match=r"n_threads=4 would share 1 core: .*--bind-to none"):
        run_ranks(2, lambda comm: require_cores(comm, 4 if comm.rank else 1))
    run_ranks(2, lambda comm: require_cores(comm, 1))
    run_ranks(1, lambda comm: require_cores(comm, 4))  # not of several ranks: as ever


def test_a_trainer_compares_all_arguments_but_threads():
    data = KroneckerData.power(X)

    def run(comm):
        KroneckerSGD(data, X[:, 0], n_hidden=600, n_threads=1 + comm.rank, comm=comm)
        with pytest.raises(ValueError, match="learning_rate must be the same on every rank"):
            KroneckerSGD(data, X[:, 0], n_hidden=600, learning_rate=1.0 + comm.rank, comm=comm)

    run_ranks(2, run)
