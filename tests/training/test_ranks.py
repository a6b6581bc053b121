"""Training on several ranks: the bits of one process, for any number of ranks and threads."""

import numpy as np
import pytest
from thread_ranks import run_ranks

from kroncy import DivergenceError, KroneckerData, KroneckerSGD
from kroncy.network.network import Network

N, M = 120, 1100  # five blocks, the last not full
RNG = np.random.default_rng(0)
TABLES = RNG.standard_normal((14, 5)), RNG.standard_normal((12, 4))
DATA = KroneckerData(TABLES, [RNG.integers(len(table), size=N) for table in TABLES])
NEW = KroneckerData([RNG.standard_normal((9, 5)), RNG.standard_normal((9, 4))])
Y = RNG.standard_normal(N)
LABELS = RNG.integers(3, size=N)

CASES = {
    "lazy": {"engine": "lazy", "start": "gaussian"},
    "gram": {"start": "gram", "dtype": "float64", "batch_size": 50},
    "antithetic": {"antithetic": True, "start": "gaussian", "engine": "lazy", "skip": 0.2},
    "logistic": {"loss": "logistic", "average": True, "engine": "lazy", "weight_decay": 0.01},
    "pairs": {"engine": "pairs", "average": "epoch", "skip": 0.3, "order": "objects"},
    "softmax": {"loss": "softmax", "engine": "pairs", "start": "gram", "weight_decay": 0.01},
    "explicit": {"engine": "explicit", "average": True, "skip": 0.2, "compress": True},
    "tree": {"engine": "tree", "average": True, "skip": 0.2, "weight_decay": 0.01},
    "tree of classes": {"engine": "tree", "loss": "softmax", "dtype": "float64"},
    "gauss-newton": {"solver": "gauss-newton", "engine": "lazy"},
}  # fmt: skip


def make(comm=None, **options):
    targets = {"softmax": LABELS, "logistic": LABELS % 2}.get(options.get("loss"), Y)
    return KroneckerSGD(
        DATA, targets, comm=comm,
        **{"n_hidden": M, "random_state": 3, "n_threads": 2, "batch_size": 16} | options,
    )


def results(sgd):
    """All that a user can read, as arrays."""
    _, arrays = sgd.get_state()
    return arrays | {
        "outputs": sgd.outputs(), "c": sgd.coefficients.toarray(), "predictions": sgd.predict(NEW),
        "z": sgd.preactivations([3, 1]), "bound": sgd.bind(NEW).preactivations(),
        "fired": sgd.fired([0, 5]).toarray(), "bits": sgd.network.fired_bits(),
        "initial": sgd.network.initial_reading()[0], "rate": sgd.learning_rate,
        # The trees of fewer neurons have other nodes.
        "counters": [(k, v) for k, v in sgd.counters.items() if not k.startswith("tree_nodes")],
        "history": [{**record, "seconds": 0} for record in sgd.history],
    }


def assert_equal_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype, name


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_ranks_gives_the_bits_of_one_process(case):
    expected = results(make(**CASES[case]).run(2))

    def train(comm):
        return results(make(comm, n_threads=1 + comm.size % 2, **CASES[case]).run(2))

    for size in (2, 3, 4) if case in ("lazy", "pairs") else (2,):
        for found in run_ranks(size, train):
            assert_equal_bits(found, expected)


@pytest.mark.parametrize("engine", ["lazy", "pairs"])
def test_steps_that_empty_the_pattern_of_a_sample_on_one_rank_only(engine):
    """Long steps on few samples, repeats among them: shared values are discarded and begun anew."""

    def train(comm=None):
        sgd = make(comm, engine=engine, learning_rate=400.0, threshold=2.6, batch_size=4)
        for rows in ([0, 0, 1], [1, 2, 0, 3], [0], [2, 2], [3, 1, 0], np.arange(40)):
            sgd.step(rows)
        return results(sgd)

    expected = train()
    for size in (2, 4):
        for found in run_ranks(size, train):
            assert_equal_bits(found, expected)


@pytest.mark.parametrize("case", CASES)
def test_a_state_goes_on_on_another_number_of_ranks(case):
    whole = make(**CASES[case]).run(2)
    states = run_ranks(3, lambda comm: make(comm, **CASES[case]).run(1).get_state())

    def go_on(comm):
        return results(KroneckerSGD.from_state(*states[0], comm=comm).run(1))

    expected = results(whole)
    for size in (1, 2):
        for found in run_ranks(size, go_on):
            assert_equal_bits(found, expected)
    assert_equal_bits(results(KroneckerSGD.from_state(*states[2]).run(1)), expected)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_a_state_in_the_middle_of_a_panel_goes_on_on_another_number_of_ranks(loss):
    sgd = make(engine="pairs", loss=loss, skip=0.1, order="objects")
    order, targets = sgd.epoch_order(1), sgd.targets.reshape(N, -1)
    options = {"loss": loss, "learning_rate": 1.0}

    def begin(comm=None):
        network = make(comm, engine="pairs", loss=loss, skip=0.1, order="objects").network
        network.expect(order, 8)
        network.run_batches(order[:40], 8, targets, **options)
        return network

    def end(network):
        network.run_batches(order[40:], 8, targets, **options)
        return network.get_state()[1]

    whole = begin()
    states = run_ranks(2, lambda comm: begin(comm).get_state())
    assert "pairs_linear" in states[0][1]
    assert_equal_bits(states[1][1], whole.get_state()[1])
    for arrays in run_ranks(3, lambda comm: end(Network.from_state(*states[0], comm))):
        assert_equal_bits(arrays, end(begin()))


def test_ranks_draw_the_same_random_start():
    first, second = run_ranks(2, lambda comm: results(make(comm, random_state=None).run(1)))
    assert_equal_bits(first, second)
    assert not np.array_equal(first["outputs"], results(make().run(1))["outputs"])


def test_memory_that_one_rank_lacks_stops_all_at_the_same_batch():
    def run(comm):
        sgd = make(comm, engine="lazy")
        sgd.network._engine.ranks.failed = comm.rank == 1  # as after a step without memory
        with pytest.raises(MemoryError, match="no memory for further coefficients"):
            sgd.run(1)
        return sgd.run(1).network.counters["samples"]

    assert len(set(run_ranks(2, run))) == 1


def test_a_training_that_diverges_is_restored_on_every_rank():
    def run(comm):
        sgd = make(comm, engine="lazy", learning_rate=1e30)
        before = results(sgd)
        with pytest.raises(DivergenceError):
            sgd.run(1)
        assert_equal_bits(results(sgd) | {"counters": 0}, before | {"counters": 0})

    run_ranks(2, run)


def test_a_callback_that_stops_one_rank_stops_all():
    counts = run_ranks(
        2, lambda comm: make(comm).run(9, callback=lambda _: comm.rank == 1).n_epochs_done
    )
    assert counts == [1, 1]


def test_what_separates_a_rank_from_the_others_is_raised():
    """The barrier is broken within an iteration, which runs without the interpreter."""

    def run(comm):
        sgd = make(comm, engine="lazy")
        if comm.rank == 1:
            comm.exchange = None  # not callable
        sgd.run(1)

    with pytest.raises(TypeError, match="not callable"):
        run_ranks(2, run)


@pytest.mark.parametrize("change", [
    lambda sgd, state: setattr(sgd, "learning_rate", 0.5), lambda sgd, state: sgd.restore(state),
])
def test_ranks_in_different_states_are_refused(change):
    def run(comm):
        sgd = make(comm, engine="lazy", learning_rate=0.1).run(1)
        state = sgd.snapshot()
        sgd.run(1)
        if comm.rank == 1:
            change(sgd, state)
        sgd.run(1)

    with pytest.raises(ValueError, match="must be the same on every rank"):
        run_ranks(2, run)


def test_a_step_that_the_trees_of_one_rank_refuse_is_applied_nowhere():
    options = {"engine": "tree", "threshold": 2.8, "learning_rate": 1e41, "batch_size": 1}
    fired = make(**options).fired(range(N)).toarray()
    row = next(i for i in range(N) if fired[i].any() and not fired[i, :512].any())

    def run(comm=None):
        sgd = make(comm, **options)
        with pytest.raises(DivergenceError):
            sgd.step([row])
        return results(sgd)

    expected = run()
    assert not expected["c"].any()
    for found in run_ranks(2, run):
        assert_equal_bits(found, expected)


def test_a_communicator_is_one_of_mpi4py():
    with pytest.raises(TypeError, match="comm must be a communicator of mpi4py or None, got int"):
        make(3)
