import numpy as np

from ..data._gram_panels import GramPanels

class PanelStore:
    n_neurons: int
    n_samples: int

class PairRows:
    n_rows: int
    n_inner: int
    n_outer: int
    width: int
    is_double: bool
    is_narrow: bool
    inner_panels: GramPanels
    outer_panels: GramPanels
    pair_index: np.ndarray
    outer_index: np.ndarray
    def __init__(
        self,
        pairs: np.ndarray,
        n_inner: int,
        n_outer: int,
        inner: np.ndarray,
        outer: np.ndarray,
        inner_panels: GramPanels,
        outer_panels: GramPanels,
        operands: np.ndarray,
        projection: np.ndarray | None,
    ) -> None: ...

class PanelProduct:
    rows: PairRows
    n_groups: int
    n_neuron_groups: int
    capacity: int
    def __init__(self, rows: PairRows, n_neurons: int, n_outputs: int) -> None: ...

def find_runs(inner: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]: ...
def pack_projection(coordinates: np.ndarray) -> np.ndarray: ...
