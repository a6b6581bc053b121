"""Network: one way to build it, read in public, and no trust in what a file says."""

import copy

import numpy as np
import pytest
import scipy.sparse
from reference import DenseSGD, dense_rows

from kroncy import KroneckerData, KroneckerSGD
from kroncy.init.gaussian import GaussianInit
from kroncy.init.gram import GramInit
from kroncy.network import bitsets
from kroncy.network.network import Network
from kroncy.network.settings import NetworkSettings

RNG = np.random.default_rng(0)
N, M = 30, 200
DATA = KroneckerData([RNG.normal(size=(N, 4)), RNG.normal(size=(N, 3))])
OTHER = KroneckerData([RNG.normal(size=(9, 4)), RNG.normal(size=(9, 3))])
SIGNS = RNG.choice([-1.0, 1.0], size=(M, 2))


def network(n_outputs=2, **options):
    settings = NetworkSettings(**({"n_hidden": M, "threshold": 0.6, "dtype": "float64"} | options))
    return Network(DATA, SIGNS[:, :n_outputs], settings)


def trained(n_outputs=1, **options):
    y = RNG.normal(size=(N, n_outputs))
    given = {"n_hidden": M, "batch_size": 7, "random_state": 0, "skip": 0.2, "weight_decay": 1e-3}
    return KroneckerSGD(DATA, y, **(given | options)).run(2)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_new_network_is_that_of_its_weights(n_outputs):
    net = network(n_outputs, start="gaussian")
    w0 = net.initial_weights(np.arange(M))
    x = dense_rows(DATA.factors, DATA.indices)
    twin = DenseSGD(x, None, w0, SIGNS[:, :n_outputs], 0.6, "squared", 1.0)
    z, f = twin.outputs(np.arange(N))
    np.testing.assert_allclose(net.preactivations(), z, atol=1e-12)
    np.testing.assert_allclose(net.outputs(), np.squeeze(f), atol=1e-12)
    np.testing.assert_array_equal(net.fired().toarray(), net.preactivations() > 0.6)
    outputs, bits = net.initial_reading()
    np.testing.assert_allclose(outputs, net.outputs(), atol=1e-12)
    np.testing.assert_array_equal(bits, net.fired_bits())
    assert net.coefficients.nnz == 0 and net.start_scale == 1
    np.testing.assert_array_equal(net.signs, np.squeeze(SIGNS[:, :n_outputs]))


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
def test_primitives_of_solvers_make_a_step_of_sgd(engine):
    """read_batch and descend are together what run_batches does to a batch."""
    y = RNG.normal(size=(N, 2))
    one, two = network(engine=engine, start="gaussian"), network(engine=engine, start="gaussian")
    rows = np.array([3, 17, 4, 20])
    one.run_batches(rows, 4, y, loss="squared", learning_rate=0.7)
    batch = two.read_batch(rows)
    np.testing.assert_array_equal(batch.fired_bits, two.recorded_bits(rows))
    assert two.descend(batch, batch.outputs - y[rows], 0.7 / 4)
    np.testing.assert_array_equal(one.outputs(), two.outputs())
    np.testing.assert_array_equal(two.try_batch(rows), two.outputs(rows))
    assert (one.coefficients != two.coefficients).nnz == 0


def test_reading_fired_sets_does_not_record_them():
    sgd = trained()
    net = sgd.network
    recorded = net.recorded_bits()
    now = net.fired_bits()
    np.testing.assert_array_equal(net.recorded_bits(), recorded)
    np.testing.assert_array_equal(bitsets.unpack(now, M), net.fired().toarray())
    assert not np.array_equal(now, recorded)  # the last step moved other samples too
    np.testing.assert_array_equal(net.fired_bits([4, 4]), now[[4, 4]])


def test_coefficients_may_be_replaced():
    sgd = trained(n_outputs=2, engine="lazy", dtype="float64")
    net = sgd.network
    other = network(2, threshold=sgd.threshold, seed=net.settings.seed, skip=0.2)
    assert net.start_scale < 1
    changed = net.coefficients * 2
    net.set_coefficients(changed.tocoo())
    np.testing.assert_allclose(net.coefficients.toarray(), changed.toarray(), rtol=1e-15)
    before = network(1, skip=0.0)
    before.set_coefficients(scipy.sparse.csr_array((M, N)))
    np.testing.assert_array_equal(before.outputs(), network(1).outputs())
    for bad in (changed[:5], changed * np.nan):
        with pytest.raises(ValueError, match="coefficients must"):
            other.set_coefficients(bad)
    for engine in ("explicit", "tree"):
        with pytest.raises(ValueError, match="engine='lazy' or 'pairs' only"):
            network(engine=engine, start="gaussian").set_coefficients(changed)


def test_bound_rows_follow_the_coefficients():
    sgd = trained()
    bound = sgd.bind(OTHER)
    assert len(bound) == 9 and bound.preactivations().shape == (9, M)
    before = bound.outputs()
    np.testing.assert_array_equal(before, sgd.predict(OTHER))
    sgd.run(1)
    np.testing.assert_array_equal(bound.outputs(), sgd.predict(OTHER))
    assert not np.array_equal(bound.outputs(), before)


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
def test_threads_may_be_set_and_change_nothing(engine):
    sgd = trained(n_threads=2, engine=engine)
    twin = copy.deepcopy(sgd)
    for n_threads in (1, 5):
        sgd.network.n_threads = n_threads
        assert sgd.n_threads == n_threads
        np.testing.assert_array_equal(sgd.outputs(), twin.outputs())
        np.testing.assert_array_equal(sgd.run(1).outputs(), twin.run(1).outputs())
    assert sgd.counters == twin.counters
    with pytest.raises(ValueError, match="n_threads must be >= 1"):
        sgd.network.n_threads = 0
    assert sgd.n_threads == 5


@pytest.mark.parametrize("engine", ["lazy", "explicit"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_weights_are_those_of_a_network_on_the_first_samples(engine, n_outputs):
    options = {"engine": engine, "start": "gaussian", "compress": False, "n_hidden": M}
    some = KroneckerSGD(
        DATA.take(np.arange(20)), np.ones((20, n_outputs)), random_state=0, skip=0.1, **options
    ).run(2)
    more = KroneckerSGD(DATA, np.ones((N, n_outputs)), random_state=0, skip=0.1, **options)
    more.continue_from(some)
    assert more.history == some.history and more.n_iterations == some.n_iterations
    np.testing.assert_allclose(more.outputs(np.arange(20)), some.outputs(), atol=1e-6)
    np.testing.assert_allclose(more.predict(OTHER), some.predict(OTHER), atol=1e-6)
    more.run(1)


def test_a_state_builds_the_network_again_without_z0():
    net = trained(n_outputs=2).network
    meta, arrays = net.get_state()
    again = Network.from_state(meta, arrays)
    np.testing.assert_array_equal(again.predict(OTHER), net.predict(OTHER))
    assert again.counters == net.counters and again.settings.seed == net.settings.seed
    np.testing.assert_array_equal(again.recorded_bits(), net.recorded_bits())
    again.prepare()
    again.prepare()
    np.testing.assert_array_equal(again.outputs(), net.outputs())


@pytest.mark.parametrize("start", [GaussianInit, GramInit])
def test_the_initial_reading_of_a_saved_state_draws_z0_for_all_later_ones(start, monkeypatch):
    net = trained(start="gram" if start is GramInit else "gaussian", engine="lazy").network
    again = Network.from_state(*net.get_state())
    draws, z0 = [], start.z0
    monkeypatch.setattr(start, "z0", lambda init: draws.append(init) or z0(init))
    outputs, bits = again.initial_reading()
    np.testing.assert_array_equal(again.outputs(), net.outputs())
    np.testing.assert_array_equal(again.fired_bits(), net.fired_bits())
    assert len(draws) == 1
    before, bits_before = net.initial_reading()
    np.testing.assert_array_equal(outputs, before)
    np.testing.assert_array_equal(bits, bits_before)


# -- What a file may say --------------------------------------------------------------------------


def put(name, change):
    """A forger of one array."""

    def forge(meta, arrays):
        arrays[name] = change(arrays[name].copy())

    return forge


def written(position, value):
    def change(array):
        array[position] = value
        return array

    return change


def meta_put(value, *path):
    def forge(meta, arrays):
        for key in path[:-1]:
            meta = meta[key]
        meta[path[-1]] = value

    return forge


def drop(*path):
    def forge(meta, arrays):
        target = arrays if path[0] == "arrays" else meta
        for key in path[1:-1]:
            target = target[key]
        del target[path[-1]]

    return forge


def two_columns_swapped(meta, arrays):
    row = int(np.argmax(np.diff(arrays["c_indptr"]) > 1))
    begin = arrays["c_indptr"][row]
    arrays["c_indices"][[begin, begin + 1]] = arrays["c_indices"][[begin + 1, begin]]


FORGED = {
    "indptr does not start at 0": put("c_indptr", written(0, 1)),
    "indptr falls": put("c_indptr", written(3, 10**6)),
    "indptr too short": put("c_indptr", lambda a: a[:-1]),
    "indptr ends elsewhere": put("c_values", lambda a: a[:-1]),
    "indptr of floats": put("c_indptr", lambda a: a.astype(float)),
    "index too large": put("c_indices", written(0, N)),
    "index negative": put("c_indices", written(0, -1)),
    "indices as int64": put("c_indices", lambda a: a.astype(np.int64)),
    "columns out of order": two_columns_swapped,
    "values of another dtype": put("c_values", lambda a: a.astype(np.float64)),
    "a value that is not finite": put("c_values", written(0, np.nan)),
    "pattern of other samples": put("pattern_bits", lambda a: a[:-1]),
    "pattern of further neurons": put("pattern_bits", written((0, -1), 2**63)),
    "pattern of another kind": put("pattern_bits", lambda a: a.view(np.int64)),
    "shared values too short": put("shared_values", lambda a: a[:-1]),
    "shared values infinite": put("shared_values", written(2, np.inf)),
    "fired sets of fewer neurons": put("fired_bits", lambda a: a[:, :-1]),
    "fired sets in another order": put("fired_bits", np.asfortranarray),
    "skip of another shape": put("skip_coefficients", lambda a: a[:, 0]),
    "signs of other neurons": put("signs", lambda a: a[:-2]),
    "signs that are no signs": put("signs", written((0, 0), 0.5)),
    "signs of two outputs": put("signs", lambda a: np.hstack([a, a])),
    "no signs": put("signs", lambda a: a[:, :0]),
    "other normals": put("stream_check", lambda a: a + 1),
    "no coefficients": drop("arrays", "c_values"),
    "no fired sets": drop("arrays", "fired_bits"),
    "no scales": drop("meta", "scales"),
    "no seed": drop("meta", "settings", "seed"),
    "scale 0": meta_put([0.0, 1.0], "scales"),
    "scale negative": meta_put([-1.0, 1.0], "scales"),
    "scale not finite": meta_put([float("nan"), 1.0], "scales"),
    "scale of text": meta_put(["1", 1.0], "scales"),
    "one scale": meta_put([1.0], "scales"),
    "start_scale above 1": meta_put([1.0, 2.0], "scales"),
    "counter negative": meta_put(-1, "counters", "samples"),
    "counter too large": meta_put(2**64, "counters", "samples"),
    "counter missing": drop("meta", "counters", "gram_entries"),
    "counters of another kind": meta_put([], "counters"),
    "more neurons": meta_put(2 * M, "settings", "n_hidden"),
    "as many neurons as fit nowhere": meta_put(10**15, "settings", "n_hidden"),
    "neurons of text": meta_put("200", "settings", "n_hidden"),
    "threshold not finite": meta_put(float("inf"), "settings", "threshold"),
    "another dtype": meta_put("float64", "settings", "dtype"),
    "no dtype": meta_put("object", "settings", "dtype"),
    "another engine": meta_put("explicit", "settings", "engine"),
    "no engine": meta_put(None, "settings", "engine"),
    "seed too large": meta_put(2**64, "settings", "seed"),
    "settings of another kind": meta_put(3, "settings"),
    "no data": meta_put({}, "data"),
}


def assert_refused(build, forge, state):
    meta, arrays = state
    arrays = {name: array.copy() for name, array in arrays.items()}
    forge(meta, arrays)
    with pytest.raises(ValueError):
        build(meta, arrays)


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_states_are_refused(forge):
    assert_refused(Network.from_state, forge, trained(start="gaussian").network.get_state())


@pytest.mark.parametrize(
    ("engine", "forge"),
    [
        ("explicit", put("weights", lambda a: a[:, :-1])),
        ("explicit", put("weights", written((0, 0), np.inf))),
        ("explicit", put("skip_weights", lambda a: a.astype(np.float64))),
        ("explicit", drop("arrays", "weights")),
        ("tree", put("tree_values", lambda a: a.T.copy())),
        ("tree", put("tree_values", written((0, 0), np.nan))),
        ("tree", put("tree_scale", written(0, 0.0))),
        ("tree", put("tree_scale", lambda a: a[:0])),
        ("tree", drop("meta", "counters", "tree_nodes_read")),
    ],
)
def test_forged_arrays_of_an_engine_are_refused(engine, forge):
    net = trained(engine=engine, start="gaussian").network
    assert_refused(Network.from_state, forge, net.get_state())


def test_a_forged_compression_of_kernels_is_refused():
    kernels = [np.eye(12), np.eye(12)]
    data = KroneckerData.from_kernels(kernels, RNG.integers(12, size=(2, N)))
    net = KroneckerSGD(data, np.ones(N), n_hidden=16, random_state=0).network

    def forge(meta, arrays):
        arrays |= {"basis0": np.eye(12)[:, :3], "basis_numbers": np.zeros(2, dtype=np.int64)}

    assert_refused(Network.from_state, forge, net.get_state())


@pytest.mark.parametrize("n_threads", [0, -1, 2.5, "2"])
def test_forged_threads_are_refused(n_threads):
    meta, arrays = trained().network.get_state()
    with pytest.raises(ValueError, match="n_threads"):
        Network.from_state(meta | {"n_threads": n_threads}, arrays)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_hidden": 0}, ValueError, "n_hidden must be >= 1"),
        ({"n_hidden": 201, "antithetic": True}, ValueError, "n_hidden must be even"),
        ({"threshold": None}, TypeError, "threshold must be a real number"),
        ({"seed": -1}, ValueError, "seed must be >= 0"),
        ({"start": "warm"}, ValueError, "start must be one of"),
        ({"engine": "fast"}, ValueError, "engine must be one of"),
        ({"compress": 3}, TypeError, "compress must be"),
        ({"n_threads": 0}, ValueError, "n_threads must be >= 1"),
        ({"memory_limit": 0}, ValueError, "memory_limit must be >= 1"),
    ],
)
def test_settings_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        NetworkSettings(**({"n_hidden": M, "threshold": 1.0} | options))
