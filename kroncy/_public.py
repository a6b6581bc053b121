"""The public names of kroncy, which the package imports from here when they are first used."""

from . import kernels, linalg, lrgd, ntk
from ._base.config import get_include, show_config
from ._base.exceptions import DivergenceError
from .data.kronecker_data import KroneckerData
from .estimators.classifier import KroneckerClassifier
from .estimators.ensemble import KroneckerEnsemble
from .estimators.limit_kernel import LimitKernelRegressor
from .estimators.regressor import KroneckerRegressor
from .estimators.ridge import KroneckerRidge, KroneckerRidgeClassifier
from .persistence import load, save
from .training.lrgd import KroneckerLRGD
from .training.trainer import KroneckerSGD
from .trees.asynchronous_tree import AsynchronousTree

__all__ = [
    "AsynchronousTree",
    "DivergenceError",
    "KroneckerClassifier",
    "KroneckerData",
    "KroneckerEnsemble",
    "KroneckerLRGD",
    "KroneckerRegressor",
    "KroneckerRidge",
    "KroneckerRidgeClassifier",
    "KroneckerSGD",
    "LimitKernelRegressor",
    "get_include",
    "kernels",
    "linalg",
    "load",
    "lrgd",
    "ntk",
    "save",
    "show_config",
]
