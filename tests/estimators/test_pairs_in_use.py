"""The engine "pairs" in ordinary use: copies, files, many threads, a fork."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest

import kroncy
from kroncy import KroneckerData, KroneckerRegressor

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.standard_normal((20, 30)), RNG.standard_normal((90, 30))
PAIRS = RNG.integers(0, 20, 1500), RNG.integers(0, 90, 1500)
DATA = KroneckerData([LEFT, RIGHT], PAIRS)
FEW = DATA.take(np.arange(400))
Y = LEFT[PAIRS[0], 0] * RIGHT[PAIRS[1], 0]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def model():
    return KroneckerRegressor(256, engine="pairs", max_iter=2, random_state=0).fit(DATA, Y)


def through_a_file(model, path):
    kroncy.save(model, path)
    return kroncy.load(path)


def test_copies_predict_the_same_bits(model, tmp_path):
    expected = model.predict(DATA)
    copies = [
        pickle.loads(pickle.dumps(model)), copy.deepcopy(model),
        through_a_file(model, tmp_path / "M.npz"),
    ]
    for other in copies:
        np.testing.assert_array_equal(other.predict(DATA), expected)


def test_many_threads_predict_the_same_bits(model):
    expected = model.predict(DATA), model.predict(FEW)
    wrong = []

    def predict():
        for _ in range(10):
            for data, wanted in zip((DATA, FEW), expected, strict=True):
                if not np.array_equal(model.predict(data), wanted):
                    wrong.append(data)

    threads = [threading.Thread(target=predict) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_of_fork_predicts_and_trains(model):
    expected = model.predict(DATA)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            again = KroneckerRegressor(256, engine="pairs", max_iter=2, random_state=0)
            again.fit(DATA, Y)
            same = [np.array_equal(m.predict(DATA), expected) for m in (model, again)]
            status = 0 if all(same) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_more_samples_may_come(model):
    other = copy.deepcopy(model).partial_fit(FEW, Y[:400])
    assert np.isfinite(other.predict(DATA)).all()
    assert not np.array_equal(other.predict(DATA), model.predict(DATA))
