"""Which z(0) is planned, and that the plan says what making it takes."""

import tracemalloc

import numpy as np
import pytest
from reference_init import example

from kroncy import KroneckerData, KroneckerSGD
from kroncy.data.compression import find_compression
from kroncy.init.gaussian import GaussianInit
from kroncy.init.gram import GramInit
from kroncy.init.plan import choose_compression, plan_init
from kroncy.init.streams import Streams


def test_auto_takes_the_cheaper_by_operations():
    rng = np.random.default_rng(5)
    wide = KroneckerData([rng.standard_normal((20, 2000)), rng.standard_normal((20, 2000))])
    narrow = example("pairs", rng)
    for data, kind in ((wide, "gram"), (narrow, "gaussian")):
        plans = {name: plan_init(data, 64, name) for name in ("auto", "gaussian", "gram")}
        assert plans["auto"] == plans[kind] and plans["auto"].kind == kind
        cheapest = min(plan.multiply_adds for plan in plans.values())
        assert plans["auto"].multiply_adds == cheapest
        assert KroneckerSGD(data, np.zeros(len(data)), n_hidden=64).start == kind


def test_a_plan_cannot_be_changed():
    plan = plan_init(example("pairs", np.random.default_rng(0)), 8, "gaussian")
    with pytest.raises(AttributeError):
        plan.kind = "gram"
    with pytest.raises(AttributeError):
        plan.panels.n_samples = 3


def test_kernels_are_planned_as_gram():
    data = KroneckerData.from_kernels([np.eye(3), np.eye(2)], [[0, 1, 2], [0, 1, 0]])
    plan = plan_init(data, 8, "auto")
    assert plan.kind == "gram"
    assert isinstance(plan.make(Streams(0, 8, False, data.dtype, 1)), GramInit)
    with pytest.raises(ValueError, match="needs factors"):
        KroneckerSGD(data, np.zeros(3), n_hidden=8, start="gaussian")


def test_a_compressed_plan_has_rows_in_coordinates():
    rng = np.random.default_rng(1)
    data = KroneckerData([rng.standard_normal((8, 90)), rng.standard_normal((8, 80))])
    compression = find_compression(data)
    plan = plan_init(data, 16, "gaussian", compression)
    assert plan.rows.n_features == 64 and plan.compression is compression
    assert plan.panels.length == 64
    assert plan.multiply_adds < plan_init(data, 16, "gaussian").multiply_adds
    init = plan.make(Streams(0, 16, False, data.dtype, 1))
    assert isinstance(init, GaussianInit) and init.in_coordinates
    assert choose_compression(data, 10**4, may_be_gram=False, epoch=0).ranks == (8, 8)
    assert choose_compression(data, 1, may_be_gram=False, epoch=0) is None  # the QR would not pay


@pytest.mark.parametrize("kind", ["gaussian", "gram"])
@pytest.mark.parametrize("shape", ["pairs", "rows"])
def test_making_z0_takes_no_less_and_little_more_than_planned(kind, shape):
    rng = np.random.default_rng(2)
    if shape == "rows":
        data = KroneckerData([rng.standard_normal((300, 30)), rng.standard_normal((300, 20))])
    else:
        pairs = [rng.integers(0, 60, 900), rng.integers(0, 50, 900)]
        data = KroneckerData([rng.standard_normal((60, 30)), rng.standard_normal((50, 20))], pairs)
    streams = Streams(0, 64, False, np.float64, 1)
    plan = plan_init(data, 64, kind)
    result = 64 * len(data) * 8
    init = plan.make(streams, budget=plan.nbytes)
    tracemalloc.start()
    plan.make(streams, budget=plan.nbytes).z0()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    drawing = result + plan.nbytes + plan.root_nbytes
    assert peak <= max(plan.factorising_nbytes, drawing) + 2**17
    np.testing.assert_allclose(init.z0(), plan.make(streams).z0(), atol=1e-10)
    with pytest.raises(MemoryError, match="memory_limit"):
        plan.make(streams, budget=10).z0()


def test_z0_that_does_not_fit_is_refused_with_the_estimate():
    data = KroneckerData([np.ones((2, 10**4)), np.ones((2, 10**4))])
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(
            data, np.zeros(2), n_hidden=64, start="gaussian", engine="lazy", memory_limit=10**6,
            compress=False,
        )
