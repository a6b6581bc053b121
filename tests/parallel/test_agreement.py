"""What must be the same on every rank, and is compared before anything is computed."""

import os

import numpy as np
import pytest
from thread_ranks import run_ranks

from kroncy import KroneckerData, KroneckerSGD
from kroncy.parallel import agreement
from kroncy.parallel.agreement import require_agreement, require_cores

X = np.random.default_rng(0).standard_normal((20, 3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_hidden": [600, 700]}, "n_hidden .* rank 0 of 2 has 600, rank 1 has 700"),
        ({"dtype": ["float32", "float64"]}, "dtype .*'float32', rank 1 has 'float64'"),
        ({"skip": [0, 0.1]}, "skip .*0, rank 1 has 0.1"),
        ({"y": [X[:, 0], X[:, 1]]}, r"y .*array of shape \(20,\), float64"),
        ({"y": [X, X.astype(np.float32)]}, "y .*float64 .*float32"),
        ({"y": [X.tolist(), X[:5].tolist()]}, "y .*20, 3.*5, 3"),
        ({"y": [np.array(["a", None]), np.array(["b", None])]}, "y .*ndarray"),
        ({"y": [[1, [2]], [1, 2]]}, "y .*list"),
        ({"meta": [{"a": [1, 2]}, {"a": [1, 3]}]}, "meta .*mapping"),
        ({"data": [KroneckerData.power(X), KroneckerData.power(X[::-1])]}, "data .*KroneckerData"),
        ({"state": [np.random.RandomState(0), np.random.RandomState(1)]}, "state .*RandomState"),
        ({"layout": ["power", [2, 1]]}, "layout .*'power'"),
    ],
)
def test_what_differs_is_named_on_every_rank(values, message):
    def run(comm):
        with pytest.raises(ValueError, match=message):
            require_agreement(comm, {name: pair[comm.rank] for name, pair in values.items()})
        require_agreement(comm, {name: pair[0] for name, pair in values.items()})

    run_ranks(2, run)


def test_another_version_on_one_rank_is_named():
    def run(comm):
        if comm.rank:
            comm.gather_objects({"version of kroncy": "9.9"})
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
