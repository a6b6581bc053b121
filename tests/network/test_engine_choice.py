"""Engine and memory of a training, decided before it is made."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerSGD
from kroncy.network.planning import plan_network
from kroncy.network.settings import NetworkSettings


def test_state_and_z0_count_together():
    rng = np.random.default_rng(7)
    data = KroneckerData([rng.standard_normal((40, 60)), rng.standard_normal((40, 50))])
    options = {
        "n_hidden": 512, "threshold": 1.0, "start": "gaussian", "engine": "lazy", "compress": False,
    }
    settings = NetworkSettings(**options)
    plan = plan_network(data, settings)
    assert plan.settings.engine == "lazy"
    making = plan.start.nbytes
    assert 0 < making < plan.nbytes
    KroneckerSGD(data, np.zeros(40), memory_limit=plan.nbytes + making, **options)
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(data, np.zeros(40), memory_limit=plan.nbytes + making - 1, **options)


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
def test_snapshots_of_the_caller_count(engine):
    rows = KroneckerData.power(np.random.default_rng(7).standard_normal((40, 20)))
    settings = NetworkSettings(
        512, 1.0, start="gaussian", engine=engine, compress=False, dtype="float64",
        memory_limit=2**30,
    )
    taken = [
        plan_network(rows, replace(settings, n_snapshots=count)).nbytes for count in range(3)
    ]
    sgd = KroneckerSGD(
        rows, np.ones(40), n_hidden=512, threshold=1.0, engine=engine, dtype="float64"
    )
    state = sgd.run(1).snapshot().network
    arrays = [*state.coefficients.values(), *state.engine_arrays.values(), state.fired_bits]
    counted = taken[1] - taken[0]
    assert counted == taken[2] - taken[1]
    assert 0.7 < counted / sum(array.nbytes for array in arrays) < 1.3


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e12, 1e30])
def test_rows_whose_norms_the_dtype_cannot_hold_are_refused(scale):
    rows = np.random.default_rng(0).normal(size=(20, 3)) * scale
    data = KroneckerData.power(rows, normalize=False)
    with pytest.raises(ValueError, match="largest squared norm"), warnings.catch_warnings():
        warnings.simplefilter("error")
        KroneckerSGD(data, np.ones(20), n_hidden=16)


def test_some_zero_rows_are_all_right():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    rows[::2] = 0
    data = KroneckerData.power(rows, normalize=False)
    sgd = KroneckerSGD(data, np.arange(20.0), n_hidden=16, antithetic=True, random_state=0).run(2)
    assert np.all(sgd.outputs()[::2] == 0)
