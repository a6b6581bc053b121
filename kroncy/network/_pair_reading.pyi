import numpy as np

from ..pairs._panels import PairRows, PanelProduct
from ..pairs._visits import Visits
from ._coefficients import Coefficients

class PairReading:
    product: PanelProduct
    visits: Visits
    places: np.ndarray
    capacity: int
    def __init__(
        self,
        rows: PairRows,
        coefficients: Coefficients,
        skip_coefficients: np.ndarray | None,
        chosen: np.ndarray,
        n_entries: int | None = None,
    ) -> None: ...
    def cost(self) -> float: ...
