"""kroncy: do the work in the few directions that matter, never in all d of them.

Kronecker SGD, rows x = a (x) b with d = p * q entries that are never formed:

    factors, pairs -> KroneckerData -> start: z(0) -> engine: C -> KroneckerSGD -> estimators
                      G = KA o KB      gaussian|gram   lazy|explicit|tree

Low-rank gradient descent, functions of p variables that vary along r << p directions:

    function -> sketch -> directions -> directional derivatives -> minimum
"""

from . import linalg, lrgd, ntk
from ._base.config import get_include, show_config
from ._base.exceptions import DivergenceError
from .data.kronecker_data import KroneckerData
from .estimators.limit_kernel import LimitKernelRegressor
from .estimators.networks import KroneckerClassifier, KroneckerRegressor
from .persistence import load, save
from .training.lrgd import KroneckerLRGD
from .training.trainer import KroneckerSGD
from .trees.asynchronous_tree import AsynchronousTree

__all__ = [
    "AsynchronousTree",
    "DivergenceError",
    "KroneckerClassifier",
    "KroneckerData",
    "KroneckerLRGD",
    "KroneckerRegressor",
    "KroneckerSGD",
    "LimitKernelRegressor",
    "get_include",
    "linalg",
    "load",
    "lrgd",
    "ntk",
    "save",
    "show_config",
]
