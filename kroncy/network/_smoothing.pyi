import numpy as np

def add_expected_excess(
    z: np.ndarray,
    deviation: np.ndarray,
    signs: np.ndarray,
    threshold: float,
    factor: float,
    f: np.ndarray,
    n_threads: int,
) -> None: ...
