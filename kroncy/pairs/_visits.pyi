import numpy as np

class Visits:
    n_rows: int
    n_segments: int
    longest: int
    has_tables: bool
    order: np.ndarray
    ends: np.ndarray
    panels: np.ndarray
    def __init__(self, order: np.ndarray, ends: np.ndarray, panels: np.ndarray) -> None: ...

def cut_visits(
    order: np.ndarray, outer: np.ndarray, n_objects: int, most_objects: int, most_rows: int
) -> Visits: ...
