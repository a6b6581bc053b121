import numpy as np

from ..pairs._panels import PairRows

class RecentSteps:
    n_steps: int
    capacity: int
    def __init__(self, rows: PairRows, signs: np.ndarray) -> None: ...
    def arrays(self) -> dict[str, np.ndarray]: ...
    def set_arrays(self, rows: PairRows, arrays: dict[str, np.ndarray]) -> None: ...
