"""How far a training has come, and the whole state to go back to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.state import NetworkState


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes
    ----------
    iterations : int
    history : sequence of dict
        One record for each complete epoch.
    generator : dict
        State of the PCG64 bit generator of the next random order.
    """

    iterations: int
    history: Sequence[dict[str, Any]]
    generator: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The state of a trainer, to go back to.

    Attributes
    ----------
    network : NetworkState
    progress : Progress
    duals : ndarray of float64, shape (n_samples, n_outputs), or None
        Of `GaussNewton`.
    """

    network: NetworkState
    progress: Progress
    duals: NDArray[np.float64] | None
