import numpy as np

def contract(
    t: np.ndarray,
    y: np.ndarray,
    t_index: np.ndarray,
    y_index: np.ndarray,
    z: np.ndarray,
    n_threads: int,
) -> None: ...
def gather(
    table: np.ndarray, t_index: np.ndarray, y_index: np.ndarray, z: np.ndarray, n_threads: int
) -> None: ...
