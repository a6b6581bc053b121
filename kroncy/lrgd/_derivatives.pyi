from collections.abc import Callable

import numpy as np

def values_python(
    function: Callable[[np.ndarray], float],
    x: np.ndarray,
    directions: np.ndarray | None,
    h: np.ndarray,
    start: int,
    out: np.ndarray,
    n_threads: int,
) -> None: ...
def write_points(
    x: np.ndarray,
    directions: np.ndarray | None,
    h: np.ndarray,
    start: int,
    points: np.ndarray,
    n_threads: int,
) -> None: ...

class CFunction:
    worth_threads: float
    def __init__(self, callable: object) -> None: ...
    def value(self, x: np.ndarray) -> float: ...
    def values(
        self,
        x: np.ndarray,
        directions: np.ndarray | None,
        h: np.ndarray,
        start: int,
        out: np.ndarray,
        n_threads: int,
    ) -> None: ...
