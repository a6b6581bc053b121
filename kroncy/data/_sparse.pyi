import numpy as np

_Lines = tuple[np.ndarray, np.ndarray, np.ndarray]  # values, places, starts

class SparsePair:
    n_left: int
    n_right: int
    is_double: bool
    adds: float
    def __init__(self, columns: _Lines, rows: _Lines, n_left: int, adds: float) -> None: ...
    def products(self, n_threads: int) -> np.ndarray: ...
