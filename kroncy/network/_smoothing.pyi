import numpy as np

def expected_excess(
    z: np.ndarray,
    deviation: np.ndarray,
    signs: np.ndarray,
    threshold: float,
    factor: float,
    n_neurons: int,
    n_threads: int,
) -> np.ndarray: ...
