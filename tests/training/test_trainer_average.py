"""`average` of KroneckerSGD: the mean of the iterates, taken by hand, wherever it is read."""

import copy
import json
import pickle

import numpy as np
import pytest
import scipy.sparse

from kroncy import KroneckerData, KroneckerSGD

RNG = np.random.default_rng(0)
N = 60
DATA = KroneckerData.power(RNG.normal(size=(N, 4)))
OTHERS = KroneckerData.power(RNG.normal(size=(9, 4)))
Y = RNG.normal(size=N)
WAYS = {
    "lazy": {"engine": "lazy"},
    "tree": {"engine": "tree"},
    "explicit": {"engine": "explicit"},
    "gram": {"start": "gram"},
    "three outputs": {"y": RNG.normal(size=(N, 3))},
    "decay and skip": {"weight_decay": 0.01, "skip": 0.2},
    "gauss-newton": {"solver": "gauss-newton"},
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def make(average=True, y=Y, **options):
    given = {"n_hidden": 64, "batch_size": 7, "dtype": "float64", "random_state": 0}
    return KroneckerSGD(DATA, y, average=average, **(given | options))


def run_by_hand(sgd, n_steps, first=0):
    """Steps on random batches; the means of C, of the skip's coefficients and of start_scale."""
    rng, network = np.random.default_rng(1), sgd.network
    c, skip, start = scipy.sparse.csr_array(network.coefficients.shape), 0.0, 0.0
    for t in range(n_steps):
        sgd.step(rng.integers(0, N, 7))
        if t >= first:
            c = c + network.to_csr(np.float64)
            skip, start = skip + network.skip_coefficients, start + network.start_scale
    count = n_steps - first
    return c / count, skip / count, start / count


@each_way
@pytest.mark.parametrize("average", [True, 13])
def test_what_a_trainer_shows_is_the_mean_of_the_iterates(average, way):
    sgd = make(average, **way)
    c, skip, start = run_by_hand(sgd, 25, first=int(average) - 1)
    np.testing.assert_allclose(sgd.coefficients.toarray(), c.toarray(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(sgd.skip_coefficients, skip, rtol=0, atol=1e-10)
    assert sgd.start_scale == pytest.approx(start, abs=1e-10)
    assert abs(sgd.network.coefficients - c).max() > 1e-3  # the last iterate is another


@each_way
def test_reading_is_that_of_a_network_with_these_coefficients(way):
    sgd = make(**way).run(3)
    if sgd.engine != "lazy" or sgd.start_scale < 1 or sgd.skip:
        bound = sgd.bind(OTHERS)
    else:
        plain = make(average=False, **way)
        plain.network.set_coefficients(sgd.coefficients)
        np.testing.assert_allclose(sgd.outputs(), plain.outputs(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(sgd.predict(OTHERS), plain.predict(OTHERS), rtol=0, atol=1e-12)
        assert (sgd.fired() != plain.fired()).nnz == 0
        bound = plain.bind(OTHERS)
    np.testing.assert_allclose(bound.outputs(), sgd.predict(OTHERS), rtol=0, atol=1e-12)
    rows = np.arange(N)
    np.testing.assert_allclose(sgd.predict(DATA), sgd.outputs(rows), rtol=0, atol=1e-10)


@each_way
def test_training_is_that_without_an_average_bit_for_bit(way):
    sgd, plain = make(**way).run(3), make(average=False, **way).run(3)
    assert np.array_equal(sgd.network.outputs(), plain.outputs())
    assert np.array_equal(sgd.network.coefficients.toarray(), plain.coefficients.toarray())
    assert sgd.counters == plain.counters
    assert not np.array_equal(sgd.outputs(), plain.outputs())
    assert plain.averaged is plain.network


def test_before_the_first_iteration_that_counts_it_is_the_last_iterate():
    sgd = make(average=20)
    bound = sgd.bind(OTHERS)
    assert np.array_equal(sgd.outputs(), sgd.network.outputs())
    sgd.run(2)  # of 9 iterations
    assert np.array_equal(sgd.outputs(), sgd.network.outputs())
    assert np.array_equal(bound.outputs(), sgd.network.predict(OTHERS))
    sgd.run(1)
    assert not np.array_equal(sgd.outputs(), sgd.network.outputs())
    assert np.array_equal(bound.outputs(), sgd.predict(OTHERS))  # bound rows follow


@pytest.mark.parametrize("n_threads", [1, 3])
def test_one_answer_for_every_number_of_threads(n_threads):
    expected = make(n_hidden=1000, n_threads=2).run(2)
    sgd = make(n_hidden=1000, n_threads=n_threads).run(2)
    assert np.array_equal(sgd.outputs(), expected.outputs())
    assert np.array_equal(sgd.predict(OTHERS), expected.predict(OTHERS))


def test_float32_loses_nothing_to_weight_decay():
    # Of 2^-20 that the scale falls to between two foldings, and 2^-60 over all.
    sgd = make(dtype="float32", weight_decay=0.3, learning_rate=1.0)
    c, _, start = run_by_hand(sgd, 120)
    assert sgd.network.start_scale < 2.0**-60
    gap = abs(sgd.averaged.to_csr(np.float64) - c).max()
    assert gap < 3e-6 * abs(c).max()
    assert sgd.start_scale == pytest.approx(start, rel=1e-12)


@pytest.mark.parametrize("copied", ["json", "pickle", "deepcopy"])
@each_way
def test_a_copy_reads_and_goes_on_as_the_original(copied, way):
    sgd = make(average=5, dtype="float32", **way).run(2)
    if copied == "json":
        meta, arrays = sgd.get_state()
        again = KroneckerSGD.from_state(json.loads(json.dumps(meta)), arrays)
    else:
        again = pickle.loads(pickle.dumps(sgd)) if copied == "pickle" else copy.deepcopy(sgd)
    assert again.average == 5
    assert np.array_equal(again.outputs(), sgd.outputs())
    assert np.array_equal(again.predict(OTHERS), sgd.predict(OTHERS))
    assert np.array_equal(again.run(2).outputs(), sgd.run(2).outputs())
    assert np.array_equal(again.network.outputs(), sgd.network.outputs())


@each_way
def test_restore_goes_back_to_the_average_of_a_snapshot(way):
    sgd = make(dtype="float32", **way).run(1)
    before, snapshot = sgd.outputs(), sgd.snapshot()
    after = sgd.run(2).outputs()
    sgd.restore(snapshot)
    assert np.array_equal(sgd.outputs(), before)
    assert np.array_equal(sgd.run(2).outputs(), after)


OTHER_TRAINERS = {
    "another dtype": {"dtype": "float64"}, "more neurons": {"n_hidden": 65},
    "more outputs": {"y": np.ones((N, 2))}, "without an average": {"average": False},
    "another engine": {"engine": "lazy"},
}


@pytest.mark.parametrize("options", OTHER_TRAINERS.values(), ids=OTHER_TRAINERS)
def test_snapshots_of_other_trainers_are_refused_and_change_nothing(options):
    given = {"engine": "explicit", "dtype": "float32"}
    sgd, before = make(**given).run(1), make(**given).run(1).outputs()
    with pytest.raises(ValueError):
        sgd.restore(make(**(given | options)).run(1).snapshot())
    assert np.array_equal(sgd.outputs(), before)


def test_an_average_goes_on_where_samples_are_added():
    old = make(start="gaussian", compress=False, skip=0.1).run(2)
    more = DATA.append(OTHERS)
    new = KroneckerSGD(more, np.append(Y, np.zeros(9)), n_hidden=64, batch_size=7, average=True,
                       skip=0.1, dtype="float64", random_state=0, start="gaussian", compress=False)
    new.continue_from(old)
    np.testing.assert_allclose(new.outputs(np.arange(N)), old.outputs(), rtol=0, atol=1e-12)
    c, _, _ = run_by_hand(new, 5)
    expected = (18 * np.pad(old.coefficients.toarray(), ((0, 0), (0, 9))) + 5 * c) / 23
    np.testing.assert_allclose(new.coefficients.toarray(), expected, rtol=0, atol=1e-10)


def test_trainers_with_and_without_an_average_do_not_continue_each_other():
    with pytest.raises(ValueError, match="average"):
        make().continue_from(make(average=False))


def test_coefficients_that_are_set_begin_the_average_anew():
    sgd = make(engine="lazy").run(2)
    c = sgd.coefficients
    sgd.network.set_coefficients(c)
    assert np.array_equal(sgd.coefficients.toarray(), c.toarray())
    sgd.step(np.arange(7))
    assert np.array_equal(sgd.coefficients.toarray(), sgd.network.coefficients.toarray())


@pytest.mark.parametrize(
    ("average", "number"),
    [(False, 0), (True, 1), (0, 0), (np.True_, 1), (np.int64(7), 7), ("epoch", "epoch")],
)
def test_average_is_a_truth_value_or_an_iteration(average, number):
    assert make(average).average == number


@pytest.mark.parametrize(
    ("average", "error"),
    [(-1, ValueError), (1.5, TypeError), ("all", ValueError), (None, TypeError)],
)
def test_other_values_are_refused(average, error):
    with pytest.raises(error, match="average must be"):
        make(average)


def change(name, function):
    def forge(meta, arrays):
        arrays[name] = function(arrays[name])

    return forge


FORGED = {
    "no sums": lambda meta, arrays: arrays.pop("c_sums"),
    "sums of other entries": change("c_sums", lambda a: a[:-1]),
    "sums not finite": change("c_sums", lambda a: a * np.nan),
    "sums of float32": change("c_sums", lambda a: a.astype(np.float32)),
    "shared sums": change("shared_sums", lambda a: a[:-1]),
    "sums of the skip": change("skip_sums", lambda a: a[:-1]),
    "no scalars": lambda meta, arrays: meta["network"].update(average=None),
    "two scalars": lambda meta, arrays: meta["network"].update(average=[1.0, 1.0]),
    "a negative count": lambda meta, arrays: meta["network"].update(average=[0.0, 0.0, -1]),
    "more starts than iterates": lambda meta, arrays: meta["network"].update(average=[1.0, 9.0, 2]),
    "alpha": lambda meta, arrays: meta["network"].update(average=[float("nan"), 1.0, 2]),
    "a trainer without": lambda meta, arrays: meta.update(average=0),
    "a network without": lambda meta, arrays: meta["network"]["settings"].update(average=False),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_states_are_refused(forge):
    meta, arrays = make(engine="lazy").run(4).get_state()
    assert len(arrays["c_sums"])
    forge(meta, arrays)
    with pytest.raises(ValueError):
        KroneckerSGD.from_state(meta, arrays)


@each_way
def test_epoch_averages_each_epoch_by_itself(way):
    sgd, plain = make("epoch", **way).run(2), make(average=False, **way).run(2)
    began = sgd.snapshot()
    every = make(**way)  # goes the same way, and is asked what it has averaged before and after
    before = every.run(2).averaged.to_csr(np.float64)
    after = every.run(1).averaged.to_csr(np.float64)
    c = (27 * after - 18 * before) / 9  # nine iterations an epoch
    sgd.run(1)
    np.testing.assert_allclose(sgd.coefficients.toarray(), c.toarray(), rtol=0, atol=1e-10)
    assert np.array_equal(sgd.network.outputs(), plain.run(1).outputs())
    sgd.restore(began)
    np.testing.assert_allclose(sgd.run(1).coefficients.toarray(), c.toarray(), rtol=0, atol=1e-10)


def test_restart_average_forgets_the_iterates_so_far():
    for way in WAYS.values():
        sgd = make(**way).run(1)
        sgd.restart_average()
        assert np.array_equal(sgd.outputs(), sgd.network.outputs())
        sgd.step(np.arange(7))
        np.testing.assert_allclose(sgd.outputs(), sgd.network.outputs(), rtol=0, atol=1e-12)
    plain = make(average=False).run(1)
    plain.restart_average()
    assert plain.averaged is plain.network


@pytest.mark.parametrize(("skip", "weight_decay"), [(0.0, 0.0), (0.5, 1e-3)])
def test_engines_of_one_order_have_one_average(skip, weight_decay):
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((30, 40)), rng.standard_normal((90, 40))
    first, second = rng.integers(0, 30, 600), rng.integers(0, 90, 600)
    data = KroneckerData([left, right], [first, second])
    others = KroneckerData([left, right], [second % 30, first])
    y = rng.standard_normal(600)
    read = []
    for engine in ("lazy", "pairs"):
        sgd = KroneckerSGD(
            data, y, n_hidden=300, engine=engine, order="panels", average=5, dtype="float64",
            skip=skip, weight_decay=weight_decay, random_state=0, learning_rate=3.0,
        )
        sgd.run(2)
        read.append([sgd.outputs(), sgd.predict(others), sgd.coefficients.toarray()])
        assert abs(sgd.outputs() - sgd.network.outputs()).max() > 1e-3
    for lazy, pairs in zip(*read, strict=True):
        np.testing.assert_allclose(pairs, lazy, rtol=0, atol=1e-12)
