from collections.abc import Sequence

import numpy as np

from ._engine import Engine
from ._workspace import Source

class DenseSource(Source):
    def __init__(
        self,
        factors: Sequence[np.ndarray],
        indices: Sequence[np.ndarray],
        z0: np.ndarray | None = None,
    ) -> None: ...

class ExplicitEngine(Engine):
    weights: np.ndarray
    skip_weights: np.ndarray
    def __init__(
        self,
        source: DenseSource,
        signs: np.ndarray,
        threshold: float,
        skip: float,
        n_threads: int,
        weights: np.ndarray,
    ) -> None: ...
