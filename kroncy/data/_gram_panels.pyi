from collections.abc import Sequence

import numpy as np

# left, right or None, index of left or None, index of right or None, power
_Mode = Sequence[object]

class GramPanels:
    n_samples: int
    n_right: int
    is_double: bool
    def __init__(self, modes: Sequence[_Mode], n_samples: int, n_right: int) -> None: ...
    def columns(self, samples: np.ndarray, n_threads: int = 1) -> np.ndarray: ...
