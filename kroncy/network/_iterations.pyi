import numpy as np

from ._engine import Engine

def run_batches(
    engine: Engine,
    order: np.ndarray,
    batch_size: int,
    targets: np.ndarray,
    weights: np.ndarray,
    loss: int,
    learning_rate: float,
    weight_decay: float,
    total: float = 0.0,
    n_unaveraged: int = 0,
) -> tuple[float, int]: ...
def read_batch(engine: Engine, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
def try_batch(engine: Engine, rows: np.ndarray) -> np.ndarray: ...
def descend(
    engine: Engine, rows: np.ndarray, masks: np.ndarray, e: np.ndarray, step: float
) -> bool: ...
