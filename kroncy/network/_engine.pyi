from typing import Any

import numpy as np

from ._average import Average
from ._coefficients import Coefficients
from ._workspace import Source

class Engine:
    n_neurons: int
    n_samples: int
    n_outputs: int
    is_double: bool
    n_threads: int
    threshold: float
    skip: float
    scale: float
    start_scale: float
    coefficients: Coefficients
    average: Average | None
    skip_coefficients: np.ndarray
    signs: np.ndarray
    source: Source
    def __init__(
        self, source: Source, signs: np.ndarray, threshold: float, skip: float, n_threads: int
    ) -> None: ...
    def coefficient_arrays(self) -> dict[str, np.ndarray]: ...
    def set_coefficient_arrays(
        self, arrays: dict[str, np.ndarray], scale: float, start_scale: float
    ) -> None: ...
    def start_average(self) -> None: ...
    def to_csr(self) -> Any: ...
    def set_csr(self, matrix: Any) -> None: ...
    @property
    def fired_bits(self) -> np.ndarray: ...
    @property
    def needs_z0(self) -> bool: ...
    def set_z0(self, z0: np.ndarray) -> None: ...
    def arrays(self, copy: bool) -> dict[str, np.ndarray]: ...
    def set_arrays(self, arrays: dict[str, np.ndarray]) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def set_counters(self, counters: dict[str, int]) -> None: ...
    def evaluate(
        self,
        source: Source,
        rows: np.ndarray,
        *,
        preactivations: bool = False,
        fired: bool = False,
    ) -> np.ndarray: ...
    def product(self, panel: np.ndarray, out: np.ndarray) -> np.ndarray: ...
