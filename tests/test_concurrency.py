"""Many threads that read, threads that train at once, and processes made by fork and spawn."""

import multiprocessing
import os
import pickle
import queue
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

import kroncy
from kroncy import AsynchronousTree, KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy.data.gram import training_panels
from kroncy.linalg import matmul
from kroncy.ntk import tangent_kernel

ENGINES = ("lazy", "explicit", "tree")
THREADS, CALLS = 8, 10_000
pytestmark = pytest.mark.filterwarnings("ignore")


def problem(n=40, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, 3))
    return rows, rows[:, 0] * rows[:, 1]


def trained(engine="lazy", n_threads=1, start="gaussian", **options):
    rows, y = problem()
    sgd = KroneckerSGD(
        KroneckerData.power(rows), y, n_hidden=300, engine=engine, start=start, random_state=0,
        n_threads=n_threads, **options,
    )
    return sgd.run(2)


def blas_counts():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def readings(engine):
    """Calls that read, each with the inputs of its own that make a mix-up visible."""
    sgd = trained(engine, skip=0.5)
    others = [KroneckerData.power(problem(6 + i, 100 + i)[0]) for i in range(4)]
    bound = sgd.bind(others[3])
    tree = AsynchronousTree(np.random.default_rng(1).normal(size=(20, 200)), n_threads=1)
    gram = training_panels(others[0].append(others[1]), 1)
    calls = [lambda data=data: sgd.predict(data) for data in others]
    calls += [lambda rows=rows: sgd.outputs(rows) for rows in ([0, 5], [7, 1, 3], list(range(40)))]
    calls += [
        bound.outputs,
        lambda: sgd.network.preactivations([4, 2]),
        lambda: sgd.network.fired_bits([9, 8, 1]),
        lambda: sgd.network.recorded_bits(),
        lambda: tangent_kernel(sgd.network),
        lambda: tree.query(3, 0.5),
        lambda: np.concatenate(tree.query_many(range(20), 1.0)),
        lambda: gram.columns(np.arange(5)),
        lambda: matmul(others[2].factors[0], others[2].factors[0].T, n_threads=1),
    ]
    return sgd, calls


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_that_read_at_once_get_what_one_gets_alone(engine):
    sgd, calls = readings(engine)
    alone = [call() for call in calls]
    counters = sgd.counters
    order = np.random.default_rng(2).integers(len(calls), size=CALLS // len(ENGINES))
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda which: calls[which](), order))
    wrong = [i for i, answer in zip(order, together, strict=True)
             if not np.array_equal(answer, alone[i])]
    assert not wrong
    assert sgd.counters == counters  # reading counts nothing


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_readers_of_a_loaded_model_may_come_together(engine):
    sgd = trained(engine)
    expected = sgd.outputs()
    for _ in range(10):
        copy, barrier = pickle.loads(pickle.dumps(sgd)), threading.Barrier(THREADS)

        def read(_, copy=copy, barrier=barrier):
            barrier.wait(20)
            return copy.outputs()

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(read, range(THREADS)))
        assert all(np.array_equal(answer, expected) for answer in answers)


@pytest.mark.parametrize("engine", ENGINES)
def test_reading_while_another_thread_trains_changes_neither(engine):
    expected = trained(engine).run(20)
    sgd, bound_rows = trained(engine), KroneckerData.power(problem(9, 5)[0])
    bound = sgd.bind(bound_rows)
    states = [bound.outputs()]
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(sgd.run, 20, callback=lambda _: states.append(bound.outputs()))
        seen = [bound.outputs() for _ in range(20)]
        training.result(timeout=60)
    assert np.array_equal(sgd.outputs(), expected.outputs())
    assert sgd.counters == expected.counters
    assert np.all(np.isfinite(seen)) and np.array_equal(states[-1], expected.predict(bound_rows))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_thread_that_trains_is_refused(engine):
    sgd = trained(engine)
    before, refused = sgd.n_epochs_done, []

    def other(job):
        with ThreadPoolExecutor(1) as pool:
            error = pool.submit(job).exception(timeout=20)
        assert isinstance(error, RuntimeError) and "run is running in another thread" in str(error)
        refused.append(job)

    snapshot = sgd.snapshot()

    def callback(_):
        for job in (lambda: sgd.step([0]), lambda: sgd.run(1), lambda: sgd.restore(snapshot)):
            other(job)
        sgd.step([1])  # the thread that trains may

    sgd.run(1, callback=callback)
    assert len(refused) == 3 and sgd.n_epochs_done == before + 1


def test_steps_of_two_threads_are_refused_or_one_after_the_other():
    sgd, done = trained(), []

    def steps(row):
        for _ in range(200):
            try:
                sgd.step([row])
                done.append(row)
            except RuntimeError as error:
                assert "another thread" in str(error)

    before = sgd.n_iterations
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(steps, (0, 1)))
    assert sgd.n_iterations == before + len(done) and len(done) >= 200
    assert np.all(np.isfinite(sgd.outputs()))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_second_fit_of_one_estimator_is_refused(method):
    rows, y = problem()
    model, outcome = KroneckerRegressor(64, max_iter=2, random_state=0), []

    def monitor(model):
        with ThreadPoolExecutor(1) as pool:
            outcome.append(pool.submit(getattr(model, method), rows, y).exception(timeout=20))

    model.fit(rows, y, monitor=monitor)
    assert all(isinstance(e, RuntimeError) and "fit is running" in str(e) for e in outcome)
    assert len(outcome) == 2
    twin = KroneckerRegressor(64, max_iter=2, random_state=0).fit(rows, y)
    assert np.array_equal(model.predict(rows), twin.predict(rows))


def test_blas_has_its_threads_again_after_overlapping_trainings():
    before = blas_counts()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(trained, ENGINES[i % 3]) for i in range(12)]
        a = np.ones((80, 80))
        jobs += [pool.submit(matmul, a, a, levels=1, n_threads=1) for _ in range(40)]
        for job in jobs:
            job.result(timeout=60)
    assert blas_counts() == before


# -- n_threads ------------------------------------------------------------------------------------


def test_n_threads_survives_copies_and_files(tmp_path):
    sgd = trained(n_threads=3)
    kroncy.save(sgd, tmp_path / "model.npz")
    for copy in (pickle.loads(pickle.dumps(sgd)), kroncy.load(tmp_path / "model.npz")):
        assert copy.n_threads == 3
    tree = AsynchronousTree([[1.0, 2.0]], n_threads=3)
    assert pickle.loads(pickle.dumps(tree)).n_threads == 3


def test_n_threads_of_an_estimator_takes_effect_when_it_is_set(tmp_path):
    rows, y = problem()
    model = KroneckerRegressor(64, max_iter=1, random_state=0, n_threads=2).fit(rows, y)
    expected = model.predict(rows)
    model.set_params(n_threads=1)
    assert np.array_equal(model.predict(rows), expected) and model.trainer_.n_threads == 1
    kroncy.save(model, tmp_path / "model.npz")
    for copy in (pickle.loads(pickle.dumps(model)), kroncy.load(tmp_path / "model.npz")):
        assert np.array_equal(copy.predict(rows), expected) and copy.trainer_.n_threads == 1


def test_far_too_many_threads_are_as_many_as_make_sense():
    sgd, few = trained(n_threads=10**6), trained(n_threads=1)
    assert sgd.n_threads <= max(16, os.cpu_count())
    assert np.array_equal(sgd.outputs(), few.outputs())
    assert AsynchronousTree(np.eye(3), n_threads=10**6).n_threads == sgd.n_threads


# -- Processes ------------------------------------------------------------------------------------


class Jobs:
    """What a child is asked to do; with two threads, and used in the parent before."""

    def __init__(self):
        rows, y = problem(300)
        self.rows, self.y = rows, y
        self.model = KroneckerRegressor(512, max_iter=2, random_state=0, n_threads=2).fit(rows, y)
        self.tree = AsynchronousTree(rows @ rows.T, n_threads=2)
        self.data = KroneckerData.power(rows)
        self.square = rows @ rows.T

    def __call__(self, name):
        return getattr(self, name)()

    def predict(self):
        return self.model.predict(self.rows)

    def query_many(self):
        return self.tree.query_many(range(300), 1.0)[1]

    def update(self):
        tree = pickle.loads(pickle.dumps(self.tree))
        tree.update([1, 2], np.ones((2, 300)))
        return tree.values

    def matmul(self):
        return matmul(self.square, self.square, levels=1, n_threads=2)

    def gram(self):
        return self.data.gram()

    def fit(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = KroneckerRegressor(256, max_iter=2, random_state=0, n_threads=2)
            return model.fit(self.rows, self.y).predict(self.rows)


NAMES = ("predict", "query_many", "update", "matmul", "gram", "fit")


@pytest.fixture(scope="module")
def jobs():
    return Jobs()


def test_a_child_of_fork_computes(jobs):
    context, expected = multiprocessing.get_context("fork"), [jobs(name) for name in NAMES]
    answers = context.Queue()
    child = context.Process(target=lambda: [answers.put(jobs(name)) for name in NAMES])
    child.start()
    try:
        for name, right in zip(NAMES, expected, strict=True):
            assert np.array_equal(answers.get(timeout=60), right), name
    except queue.Empty:
        pytest.fail("the child hangs")
    finally:
        child.kill()
        child.join()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes_compute(jobs, method):
    context, expected = multiprocessing.get_context(method), [jobs(name) for name in NAMES]
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = list(pool.map(jobs, NAMES, timeout=120))
    for name, answer, right in zip(NAMES, found, expected, strict=True):
        assert np.array_equal(answer, right), name


def test_joblib_computes(jobs):
    expected = [jobs(name) for name in NAMES]
    found = joblib.Parallel(n_jobs=2, backend="loky", timeout=120)(
        joblib.delayed(jobs)(name) for name in NAMES
    )
    for name, answer, right in zip(NAMES, found, expected, strict=True):
        assert np.array_equal(answer, right), name
