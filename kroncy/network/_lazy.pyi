from collections.abc import Callable

import numpy as np

from ..data._gram_panels import GramPanels
from ..pairs._panels import PairRows
from ._engine import Engine
from ._pair_reading import PairReading
from ._workspace import Source

class GramSource(Source):
    def __init__(
        self,
        panels: GramPanels,
        z0: np.ndarray | None,
        pairs: PairRows | Callable[[], PairRows | None] | None = None,
    ) -> None: ...
    def as_pairs(self) -> PairRows | None: ...
    def set_z0(self, z0: np.ndarray) -> None: ...

class LazyEngine(Engine):
    def __init__(
        self, source: GramSource, signs: np.ndarray, threshold: float, skip: float, n_threads: int
    ) -> None: ...
    def set_z0(self, z0: np.ndarray) -> None: ...
    def reading_cost(self, n_rows: int, n_entries: int) -> int: ...
    def read_panels(
        self, source: Source, reading: PairReading, preactivations: bool, fired: bool
    ) -> np.ndarray: ...
