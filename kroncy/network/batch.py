"""Batch: training samples as a solver reads them before it moves the network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Training samples as `Network.read_batch` found them.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
    outputs : ndarray of float64, shape (n, n_outputs)
    fired_bits : ndarray of uint64, shape (n, n_words)
    masks : ndarray of uint32
        The fired sets in the form in which `Network.descend` takes them.
    """

    rows: NDArray[np.int64]
    outputs: NDArray[np.float64]
    fired_bits: NDArray[np.uint64]
    masks: NDArray[np.uint32]
