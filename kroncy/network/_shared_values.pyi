from typing import Any

import numpy as np

from ._coefficients import Coefficients

class KeptEntries:
    pattern: Coefficients
    bits: np.ndarray
    shared: np.ndarray
    def __init__(self, n_neurons: int, n_samples: int, is_double: bool) -> None: ...
    def clear(self) -> None: ...
    def set(self, bits: np.ndarray, shared: np.ndarray) -> None: ...
    def to_csr(self) -> Any: ...
