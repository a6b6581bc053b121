import numpy as np

from ..pairs._panels import PairRows
from ..pairs._visits import Visits
from ._lazy import GramSource, LazyEngine

class PairsEngine(LazyEngine):
    outer_objects: np.ndarray
    def __init__(
        self,
        source: GramSource,
        signs: np.ndarray,
        threshold: float,
        skip: float,
        n_threads: int,
        rows: PairRows,
        table_limit: int,
    ) -> None: ...
    def forget(self, visits: Visits | None) -> None: ...
    def table_shape(self) -> tuple[int, int, int, int]: ...
