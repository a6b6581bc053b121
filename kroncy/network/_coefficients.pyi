from typing import Any

import numpy as np

from ..pairs._panels import PanelStore
from ._tiles import TiledMatrix

class Coefficients(PanelStore):
    n_outputs: int
    is_double: bool
    entries: TiledMatrix
    def __init__(self, signs: np.ndarray, n_samples: int) -> None: ...
    @property
    def nnz(self) -> int: ...
    def arrays(self) -> dict[str, np.ndarray]: ...
    def set_arrays(self, arrays: dict[str, np.ndarray]) -> None: ...
    def to_csr(self) -> Any: ...
    def set_csr(self, matrix: Any) -> None: ...
    def multiply(
        self, panel: np.ndarray, out: np.ndarray, group: int, n_threads: int
    ) -> None: ...

class SharedCoefficients(Coefficients):
    pattern: TiledMatrix
    pattern_bits: np.ndarray
    shared_values: np.ndarray

def make_coefficients(signs: np.ndarray, n_samples: int) -> Coefficients: ...
