import numpy as np

LOSSES: dict[str, int]
LARGEST: float

def loss_and_residuals(
    loss: int, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]: ...
