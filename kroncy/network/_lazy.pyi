import numpy as np

from ..data._gram_panels import GramPanels
from ._engine import Engine
from ._workspace import Source

class GramSource(Source):
    def __init__(self, panels: GramPanels, z0: np.ndarray | None) -> None: ...
    def set_z0(self, z0: np.ndarray) -> None: ...

class LazyEngine(Engine):
    def __init__(
        self, source: GramSource, signs: np.ndarray, threshold: float, skip: float, n_threads: int
    ) -> None: ...
    def set_z0(self, z0: np.ndarray) -> None: ...
