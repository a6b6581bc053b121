import numpy as np

def multiply_chunks(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    n_threads: int,
    *,
    transpose_b: bool = False,
    triangular: bool = False,
) -> None: ...
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
