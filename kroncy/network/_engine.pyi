from typing import Any

import numpy as np

from ._coefficients import Coefficients
from ._shared_values import KeptEntries

class Source:
    n_rows: int
    is_double: bool

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
    kept: KeptEntries | None
    skip_coefficients: np.ndarray
    signs: np.ndarray
    fired_bits: np.ndarray
    source: Source
    multiply_adds: int
    gram_entries: int
    neurons_fired: int
    neurons_flipped: int
    rows_read: int
    def __init__(
        self, source: Source, signs: np.ndarray, threshold: float, skip: float, n_threads: int
    ) -> None: ...
    def coefficient_arrays(self) -> dict[str, np.ndarray]: ...
    def set_coefficient_arrays(
        self, arrays: dict[str, np.ndarray], scale: float, start_scale: float
    ) -> None: ...
    def set_csr(self, matrix: Any) -> None: ...
    def to_csr(self) -> Any: ...
    @property
    def needs_start(self) -> bool: ...
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
        record: bool = False,
    ) -> np.ndarray: ...
