"""The protocol by which a callback stops a training: return True, or raise StopIteration.

The first is scikit-learn's convention for monitors, the second is SciPy's for callbacks.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def check_callback(callback: Any, name: str) -> None:
    """Raise TypeError unless `callback` is callable or None."""
    if callback is not None and not callable(callback):
        raise TypeError(f"{name} must be callable or None, got {type(callback).__name__}")


def wants_stop(callback: Callable[..., object] | None, *arguments: object) -> bool:
    """Call `callback`, unless it is None; whether it asks the training to stop."""
    if callback is None:
        return False
    try:
        answer = callback(*arguments)
    except StopIteration:
        return True
    return isinstance(answer, (bool, np.bool_)) and bool(answer)
