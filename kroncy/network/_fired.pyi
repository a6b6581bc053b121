import numpy as np

class FiredSets:
    bits: np.ndarray
    n_fired: int
    n_flipped: int
    def __init__(self, n_neurons: int, n_samples: int) -> None: ...

def fired_level() -> str: ...
def padded_bits(bits: np.ndarray) -> np.ndarray: ...
def fired_counts(
    left: np.ndarray, right: np.ndarray, n_threads: int, symmetric: bool = False
) -> np.ndarray: ...
def add_quadratic_forms(
    indptr: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    i0: int,
    j0: int,
    gram: np.ndarray,
    weight: float,
    sums: np.ndarray,
    n_threads: int,
) -> None: ...
