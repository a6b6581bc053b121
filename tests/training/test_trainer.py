"""KroneckerSGD against a dense twin, itself under other thread counts, and theory."""

import pickle

import numpy as np
import pytest
from reference import DenseSGD, dense_rows
from scipy.stats import norm

from kroncy import DivergenceError, KroneckerData, KroneckerSGD
from kroncy.network.network import Network


def problem(kind, loss, rng, n=40):
    """(data, y as the trainer takes it, y as (n, K) targets)."""
    if kind == "two":
        data = KroneckerData([rng.standard_normal((n, 4)), rng.standard_normal((n, 3))])
    elif kind == "pairs":
        pairs = [rng.integers(0, 7, n), rng.integers(0, 5, n)]
        data = KroneckerData([rng.standard_normal((7, 4)), rng.standard_normal((5, 3))], pairs)
    elif kind == "three":
        data = KroneckerData([rng.standard_normal((n, p)) for p in (3, 2, 4)])
    else:
        data = KroneckerData.power(rng.standard_normal((n, 3)), bias=1.0)
    if loss == "squared":
        y = rng.standard_normal((n, 3)) if kind == "three" else rng.standard_normal(n)
        return data, y, y.reshape(n, -1)
    if loss == "logistic":
        y = rng.integers(0, 2, n)
        return data, y, y.reshape(n, 1).astype(float)
    y = np.r_[0, 1, 2, rng.integers(0, 3, n - 3)]
    return data, y, np.eye(3)[y]


def assert_same_trajectory(data, y, targets, batches, dtype, tolerance, **options):
    """Every engine follows the dense twin through `batches`."""
    m = options.setdefault("n_hidden", 64)
    for engine in ("lazy", "explicit", "tree"):
        sgd = KroneckerSGD(
            data, y, engine=engine, start="gaussian", dtype=dtype, learning_rate=2.0,
            random_state=3, n_threads=2, **options,
        )
        x = dense_rows(data.factors, data.indices)
        w0 = sgd.initial_weights(np.arange(m)).astype(float)
        twin = DenseSGD(
            x, targets, w0, sgd.signs.astype(float), sgd.threshold, options["loss"], 2.0,
            options.get("skip", 0.0), options.get("weight_decay", 0.0),
            options.get("sample_weight"),
        )
        for rows in batches:
            assert sgd.step(rows) == pytest.approx(twin.step(rows), abs=tolerance, rel=tolerance)
        z, f = twin.outputs(np.arange(len(x)))
        np.testing.assert_allclose(sgd.preactivations(np.arange(len(x))), z, atol=tolerance)
        np.testing.assert_allclose(sgd.outputs().reshape(f.shape), f, atol=tolerance)
        recovered = sgd.start_scale * w0 + sgd.coefficients @ x
        np.testing.assert_allclose(recovered, twin.w, atol=tolerance)
        np.testing.assert_allclose(
            sgd.skip_coefficients.reshape(len(x), -1).T @ x, twin.u, atol=tolerance
        )


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
@pytest.mark.parametrize("kind", ["two", "pairs", "three", "power"])
def test_200_steps_equal_dense_sgd(kind, loss):
    rng = np.random.default_rng(1)
    data, y, targets = problem(kind, loss, rng)
    batches = [rng.integers(0, 40, 7) for _ in range(200)]
    assert_same_trajectory(data, y, targets, batches, "float64", 1e-10, loss=loss)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 40, 100])
def test_any_batch_size_with_repeats(batch_size):
    rng = np.random.default_rng(batch_size)
    data, y, targets = problem("pairs", "squared", rng)
    batches = [rng.integers(0, 40, batch_size) for _ in range(200)]
    assert_same_trajectory(data, y, targets, batches, "float64", 1e-10, loss="squared")


@pytest.mark.parametrize("options", [
    {"weight_decay": 0.01}, {"skip": 0.5}, {"skip": 0.3, "weight_decay": 0.05},
    {"antithetic": True}, {"threshold": 0.0}, {"sample_weight": np.linspace(0, 2, 40)},
    {"n_hidden": 300},
], ids=lambda options: "-".join(options))
def test_options_equal_dense_sgd(options):
    rng = np.random.default_rng(5)
    data, y, targets = problem("two", "logistic", rng)
    batches = [rng.integers(0, 40, 7) for _ in range(200)]
    assert_same_trajectory(data, y, targets, batches, "float64", 1e-10, loss="logistic", **options)


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
def test_float32_follows_to_single_precision(loss):
    rng = np.random.default_rng(2)
    data, y, targets = problem("pairs", loss, rng)
    batches = [rng.integers(0, 40, 7) for _ in range(200)]
    assert_same_trajectory(data, y, targets, batches, "float32", 1e-4, loss=loss)


def test_more_than_one_tile_of_samples_and_block_of_neurons():
    rng = np.random.default_rng(0)
    n = 2500
    pairs = [rng.integers(0, 30, n), rng.integers(0, 20, n)]
    data = KroneckerData([rng.standard_normal((30, 4)), rng.standard_normal((20, 3))], pairs)
    y = rng.standard_normal(n)
    batches = [rng.integers(0, n, 33) for _ in range(60)]
    assert_same_trajectory(
        data, y, y[:, None], batches, "float64", 1e-10, loss="squared", n_hidden=520
    )


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bit_for_bit_equal_for_all_thread_counts(engine, dtype):
    rng = np.random.default_rng(4)
    n = 2300
    pairs = [rng.integers(0, 50, n), rng.integers(0, 40, n)]
    factors = [rng.standard_normal((50, 6)), rng.standard_normal((40, 5))]
    data, y = KroneckerData(factors, pairs), rng.standard_normal((n, 2))
    results = []
    for n_threads in (1, 2, 4):
        sgd = KroneckerSGD(
            data, y, n_hidden=600, engine=engine, start="gaussian", dtype=dtype, skip=0.2,
            weight_decay=1e-4, n_threads=n_threads, random_state=0,
        ).run(1)
        results.append((sgd.outputs(), sgd.coefficients.toarray(), sgd.history[0]["loss"]))
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert np.array_equal(mine, theirs)


def test_gram_start_is_equal_for_all_thread_counts():
    rng = np.random.default_rng(4)
    data = KroneckerData([rng.standard_normal((300, 40)), rng.standard_normal((300, 50))])
    other = data.take(np.arange(5))
    first, *rest = [
        KroneckerSGD(
            data, np.zeros(300), n_hidden=70, start="gram", n_threads=n_threads, random_state=1
        )
        for n_threads in (1, 2, 4)
    ]
    for sgd in rest:
        assert np.array_equal(
            sgd.preactivations(np.arange(300)), first.preactivations(np.arange(300))
        )
        assert np.array_equal(sgd.predict(other), first.predict(other))


@pytest.mark.parametrize("kind", ["two", "pairs", "power"])
def test_prediction_on_training_rows_is_the_training_output(kind):
    rng = np.random.default_rng(6)
    data, y, _ = problem(kind, "squared", rng)
    for start in ("gaussian", "gram"):
        sgd = KroneckerSGD(
            data, y, n_hidden=128, start=start, dtype="float64", random_state=0, skip=0.1
        ).run(3)
        np.testing.assert_allclose(sgd.predict(data), sgd.outputs(), atol=1e-6)


def test_engines_agree_on_new_rows():
    rng = np.random.default_rng(7)
    data, y, _ = problem("two", "squared", rng)
    other = KroneckerData([rng.standard_normal((9, 4)), rng.standard_normal((9, 3))])
    lazy, explicit, tree = (
        KroneckerSGD(
            data, y, n_hidden=128, engine=engine, start="gaussian", dtype="float64",
            learning_rate=1.0, random_state=0, skip=0.1, weight_decay=0.01,
        ).run(5)
        for engine in ("lazy", "explicit", "tree")
    )
    np.testing.assert_allclose(lazy.predict(other), explicit.predict(other), atol=1e-10)
    np.testing.assert_allclose(lazy.predict(other), tree.predict(other), atol=1e-10)
    np.testing.assert_allclose(lazy.bind(other).outputs(), tree.predict(other), atol=1e-10)


def test_antithetic_start_is_zero_everywhere():
    rng = np.random.default_rng(8)
    data, y, _ = problem("two", "squared", rng)
    sgd = KroneckerSGD(data, y, n_hidden=64, antithetic=True, random_state=0)
    assert np.allclose(sgd.outputs(), 0, atol=1e-6)
    other = KroneckerData([rng.standard_normal((9, 4)), rng.standard_normal((9, 3))])
    assert np.allclose(sgd.predict(other), 0, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 8, 300])
@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
def test_auto_learning_rate_converges_for_every_batch_size(batch_size, loss):
    rng = np.random.default_rng(9)
    rows = rng.standard_normal((300, 6))
    score = rows[:, 0] * rows[:, 1]
    y = {"squared": score, "logistic": score > 0, "softmax": np.digitize(score, [-0.5, 0.5])}[loss]
    sgd = KroneckerSGD(
        KroneckerData.power(rows), y.astype(float), n_hidden=1024, loss=loss,
        batch_size=batch_size, random_state=0,
    )
    losses = [record["loss"] for record in sgd.run(15).history]
    assert losses[-1] < 0.75 * losses[0]
    assert losses[-1] < 1.5 * min(losses)


def test_counters_count_what_design_says():
    rng = np.random.default_rng(10)
    data, y, _ = problem("two", "squared", rng)
    sgd = KroneckerSGD(data, y, n_hidden=256, engine="lazy", learning_rate=1.0, random_state=0)
    assert sgd.counters == dict.fromkeys(sgd.counters, 0)
    sgd.step(np.arange(10))
    fired = sgd.counters["neurons_fired"]
    assert sgd.counters["multiply_adds"] == 0  # C was empty
    assert sgd.counters["gram_entries"] == 40 * 10
    assert fired == sgd.coefficients.nnz
    sgd.step([0, 1])
    assert sgd.counters["multiply_adds"] == fired * 2
    assert sgd.counters["samples"] == 12 and sgd.counters["iterations"] == 2


def test_fired_share_is_the_gaussian_tail():
    rng = np.random.default_rng(11)
    data, y, _ = problem("two", "squared", rng)
    sgd = KroneckerSGD(data, y, n_hidden=20000, threshold=1.5, random_state=0)
    share = sgd.fired(np.arange(40)).sum() / (40 * 20000)
    assert share == pytest.approx(norm.sf(1.5), rel=0.1)


def test_flips_count_changes_of_fired_sets():
    rng = np.random.default_rng(12)
    data, y, _ = problem("two", "squared", rng)
    sgd = KroneckerSGD(data, y, n_hidden=256, learning_rate=20.0, random_state=0)
    before = sgd.fired(np.arange(40)).toarray()
    for _ in range(5):
        sgd.step(np.arange(40))
    counted = sgd.counters["neurons_flipped"]
    changes = 0
    again = KroneckerSGD(data, y, n_hidden=256, learning_rate=20.0, random_state=0)
    for _ in range(5):
        now = again.fired(np.arange(40)).toarray()
        changes += int(np.sum(now != before))
        before = now
        again.step(np.arange(40))
    assert counted == changes > 0


def test_snapshot_and_restore_repeat_the_same_epochs():
    rng = np.random.default_rng(13)
    data, y, _ = problem("pairs", "squared", rng)
    for engine in ("lazy", "explicit", "tree"):
        sgd = KroneckerSGD(
            data, y, n_hidden=128, engine=engine, start="gaussian", random_state=0,
            weight_decay=1e-3,
        )
        sgd.run(2)
        saved = sgd.snapshot()
        first = sgd.run(3).outputs()
        sgd.restore(saved)
        assert sgd.n_epochs_done == 2
        assert np.array_equal(sgd.run(3).outputs(), first)


@pytest.mark.parametrize("start", ["gaussian", "gram"])
def test_state_goes_on_like_the_uninterrupted_run(start):
    rng = np.random.default_rng(14)
    data, y, _ = problem("two", "squared", rng)
    engines = ("lazy", "explicit", "tree") if start == "gaussian" else ("lazy", "tree")
    for engine in engines:
        options = dict(
            n_hidden=128, engine=engine, start=start, random_state=0, skip=0.1, weight_decay=1e-3
        )
        whole = KroneckerSGD(data, y, **options).run(5)
        half = KroneckerSGD(data, y, **options).run(2)
        again = KroneckerSGD.from_state(*half.get_state())
        assert np.array_equal(again.predict(data), half.predict(data))
        again.run(3)
        assert np.array_equal(again.outputs(), whole.outputs())
        assert again.counters == whole.counters
        assert [h["flips"] for h in again.history] == [h["flips"] for h in whole.history]


def test_pickle_goes_on_like_the_uninterrupted_run():
    data, y, _ = problem("pairs", "logistic", np.random.default_rng(21))
    sgd = KroneckerSGD(data, y, loss="logistic", n_hidden=64, random_state=0).run(2)
    again = pickle.loads(pickle.dumps(sgd))
    assert np.array_equal(again.run(2).outputs(), sgd.run(2).outputs())


def test_state_is_a_copy():
    data, y, _ = problem("two", "squared", np.random.default_rng(22))
    sgd = KroneckerSGD(data, y, n_hidden=64, skip=0.1, random_state=0).run(1)
    arrays = sgd.get_state()[1]
    before = {name: array.copy() for name, array in arrays.items()}
    sgd.run(1)
    for name, array in arrays.items():
        assert np.array_equal(array, before[name]), name


def test_divergence_names_the_step_and_keeps_the_last_good_state():
    rng = np.random.default_rng(15)
    data, y, _ = problem("two", "squared", rng)
    sgd = KroneckerSGD(data, y, n_hidden=128, random_state=0)
    sgd.run(2)
    sgd.learning_rate = 1e6
    with pytest.raises(DivergenceError, match=r"iteration \d+.*learning rate below 1e\+06"):
        sgd.run(500)
    good = sgd.outputs()
    assert np.all(np.isfinite(good)) and sgd.n_epochs_done == len(sgd.history) >= 2
    sgd.learning_rate = 1.0
    assert np.array_equal(sgd.outputs(), good)


def test_loss_of_an_epoch_does_not_depend_on_how_time_cut_it(monkeypatch):
    rng = np.random.default_rng(21)
    data, y, _ = problem("two", "squared", rng)

    def losses(seconds):
        monkeypatch.setattr("kroncy.training.loop.PART_SECONDS", seconds)
        sgd = KroneckerSGD(data, y, n_hidden=64, batch_size=3, random_state=0).run(8)
        return [record["loss"] for record in sgd.history]

    assert losses(0.0) == losses(10.0)


def test_callback_stops_and_sees_the_trainer():
    rng = np.random.default_rng(16)
    data, y, _ = problem("two", "squared", rng)
    seen = []

    def callback(trainer):
        seen.append(trainer.n_epochs_done)
        if len(seen) == 2:
            raise StopIteration

    sgd = KroneckerSGD(data, y, n_hidden=64, random_state=0).run(9, callback=callback)
    assert seen == [1, 2] and sgd.n_epochs_done == 2


def test_interrupt_leaves_a_usable_trainer():
    rng = np.random.default_rng(17)
    data, y, _ = problem("two", "squared", rng)
    sgd = KroneckerSGD(data, y, n_hidden=64, random_state=0)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sgd.run(3, callback=interrupt)
    assert sgd.n_epochs_done == 1
    assert sgd.run(1).n_epochs_done == 2


def test_an_interrupt_right_behind_steps_finds_them_counted(monkeypatch):
    """Signals are heard when a call into C returns, before anything can be done with its result."""
    data, y, _ = problem("two", "squared", np.random.default_rng(17))
    sgd, same = (KroneckerSGD(data, y, n_hidden=64, random_state=0, batch_size=4) for _ in "ab")
    steps = Network.run_batches

    def interrupted(*args, **kwargs):
        steps(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(Network, "run_batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sgd.run(1)
    monkeypatch.undo()
    assert sgd.n_iterations == sgd.counters["iterations"] == sgd.counters["samples"] / 4 > 0
    same.run_samples(same.epoch_order(1)[: 4 * sgd.n_iterations], 4)
    np.testing.assert_array_equal(sgd.outputs(), same.outputs())
    restored = KroneckerSGD.from_state(*sgd.get_state())
    assert restored.n_iterations == sgd.n_iterations


def test_auto_picks_engine_and_start_by_cost():
    rng = np.random.default_rng(18)
    pairs = [rng.integers(0, 50, 3000), rng.integers(0, 40, 3000)]
    small = KroneckerData([rng.standard_normal((50, 4)), rng.standard_normal((40, 3))], pairs)
    sgd = KroneckerSGD(small, np.zeros(3000), n_hidden=64, threshold=1.0)
    assert (sgd.engine, sgd.start) == ("explicit", "gaussian")
    wide = KroneckerData([rng.standard_normal((50, 900)), rng.standard_normal((50, 900))])
    sgd = KroneckerSGD(wide, np.zeros(50), n_hidden=64)
    assert (sgd.engine, sgd.start) == ("lazy", "gram")


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"n_hidden": 0}, ValueError, "n_hidden must be >= 1"),
    ({"n_hidden": 2.5}, TypeError, "n_hidden must be an integer"),
    ({"n_hidden": 3, "antithetic": True}, ValueError, "n_hidden must be even"),
    ({"threshold": -1.0}, ValueError, "threshold must be >= 0"),
    ({"threshold": np.nan}, ValueError, "threshold must be finite"),
    ({"loss": "hinge"}, ValueError, "loss must be one of 'squared'"),
    ({"learning_rate": 0}, ValueError, "learning_rate must be > 0"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate must be a real number"),
    ({"batch_size": 0}, ValueError, "batch_size must be >= 1"),
    ({"start": "cold"}, ValueError, "start must be one of"),
    ({"engine": "steam"}, ValueError, "engine must be one of"),
    ({"engine": "explicit", "start": "gram"}, ValueError, "engine='explicit' needs"),
    ({"dtype": "float16"}, ValueError, "dtype must be one of"),
    ({"n_threads": 0}, ValueError, "n_threads must be >= 1"),
    ({"signs": np.ones(5)}, ValueError, "signs must have shape"),
    ({"signs": np.full(64, 2.0)}, ValueError, r"signs must all be \+1 or -1"),
    ({"skip": -0.1}, ValueError, "skip must be >= 0"),
    ({"weight_decay": -1.0}, ValueError, "weight_decay must be >= 0"),
    ({"learning_rate": 10.0, "weight_decay": 0.2}, ValueError, "learning_rate \\* weight_decay"),
    ({"sample_weight": np.full(40, -1.0)}, ValueError, "sample_weight must be finite and >= 0"),
    ({"sample_weight": np.ones(3)}, ValueError, "sample_weight must have shape"),
    ({"memory_limit": 10}, MemoryError, "memory_limit is 10 bytes"),
    ({"n_hidden": 10**13}, MemoryError, "signs of 10000000000000 neurons needs 240 TB"),
])
def test_bad_arguments_are_named(change, error, message):
    data, y, _ = problem("two", "squared", np.random.default_rng(0))
    with pytest.raises(error, match=message):
        KroneckerSGD(data, y, **({"n_hidden": 64} | change))


@pytest.mark.parametrize(("y", "loss", "error", "message"), [
    (np.zeros(39), "squared", ValueError, "y must have 40 rows"),
    (np.full(40, np.nan), "squared", ValueError, "NaN or infinity"),
    (["a"] * 40, "squared", TypeError, "y must be numeric"),
    (np.full(40, 2), "logistic", ValueError, "0 and 1 only"),
    (np.ones(40), "logistic", ValueError, "one class only"),
    (np.zeros(40, int), "softmax", ValueError, "one class only"),
    (np.r_[0, np.full(39, 2)], "softmax", ValueError, "no sample of class 1"),
    (np.full(40, 0.5), "softmax", ValueError, "integer labels"),
    (-np.ones(40, int), "softmax", ValueError, "integer labels"),
])
def test_bad_targets_are_named(y, loss, error, message):
    data, _, _ = problem("two", "squared", np.random.default_rng(0))
    with pytest.raises(error, match=message):
        KroneckerSGD(data, y, loss=loss, n_hidden=64)


def test_bad_calls_are_named_and_change_nothing():
    data, y, _ = problem("two", "squared", np.random.default_rng(0))
    sgd = KroneckerSGD(data, y, n_hidden=64, random_state=0)
    before = sgd.outputs()
    for call, error, message in [
        (lambda: sgd.step([]), ValueError, "at least one sample"),
        (lambda: sgd.step([40]), ValueError, r"\[0, 40\)"),
        (lambda: sgd.step([-1]), ValueError, r"\[0, 40\)"),
        (lambda: sgd.step([0.5]), TypeError, "must hold integers"),
        (lambda: sgd.run(-1), ValueError, "n_epochs must be >= 0"),
        (lambda: sgd.run(1, callback=3), TypeError, "callback must be callable"),
        (lambda: sgd.predict(data.factors), TypeError, "data must be a KroneckerData"),
        (lambda: sgd.predict(KroneckerData([[[1.0]], [[1.0]]])), ValueError, "factor widths"),
        (lambda: KroneckerSGD(data.factors, y), TypeError, "data must be a KroneckerData"),
    ]:
        with pytest.raises(error, match=message):
            call()
    assert np.array_equal(sgd.outputs(), before)
    with pytest.raises(ValueError, match="draws no weights"):
        KroneckerSGD(data, y, n_hidden=64, start="gram").initial_weights([0])


def test_one_sample_and_one_neuron_work():
    data = KroneckerData([[[1.0, 2.0]], [[3.0]]])
    sgd = KroneckerSGD(data, [1.0], n_hidden=1, threshold=0.0, random_state=0).run(3)
    assert np.isfinite(sgd.outputs()).all()


def test_trains_without_the_gil_beside_other_threads():
    import threading

    rng = np.random.default_rng(20)
    data, y, _ = problem("two", "squared", rng)
    alone = KroneckerSGD(data, y, n_hidden=256, random_state=0).run(20).outputs()
    sgds = [KroneckerSGD(data, y, n_hidden=256, random_state=0) for _ in range(3)]
    threads = [threading.Thread(target=sgd.run, args=(20,)) for sgd in sgds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sgd in sgds:
        assert np.array_equal(sgd.outputs(), alone)
