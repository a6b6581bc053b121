import numpy as np

from ..linalg._panels import GramPanels
from ._engine import Engine, Source

class GramSource(Source):
    def __init__(self, panels: GramPanels, start: np.ndarray | None) -> None: ...
    def set_start(self, start: np.ndarray) -> None: ...

class LazyEngine(Engine):
    def __init__(
        self, source: GramSource, signs: np.ndarray, threshold: float, skip: float, n_threads: int
    ) -> None: ...
    def set_start(self, start: np.ndarray) -> None: ...
