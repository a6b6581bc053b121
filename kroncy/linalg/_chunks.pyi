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
