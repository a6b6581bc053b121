"""kroncy: do the work in the few directions that matter, never in all d of them."""

from ._base.config import show_config
from .estimators import KroneckerClassifier, KroneckerRegressor
from .persistence import load, save
from .sgd.data import KroneckerData
from .sgd.trainer import DivergenceError, KroneckerSGD

__all__ = [
    "DivergenceError",
    "KroneckerClassifier",
    "KroneckerData",
    "KroneckerRegressor",
    "KroneckerSGD",
    "load",
    "save",
    "show_config",
]
