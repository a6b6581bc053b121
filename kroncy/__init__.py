"""Wide networks on Kronecker-structured rows, and low-rank gradient descent.

Kronecker SGD trains a two-layer network on rows x = a (x) b with d = p * q features, which are
never formed:

    KroneckerData       samples: factors and pairs, powers of one array, or kernels
    KroneckerSGD        the trainer, one iteration or epoch at a time
    KroneckerRegressor, KroneckerClassifier, LimitKernelRegressor
                        scikit-learn estimators
    ntk                 the tangent kernel of a network, its limit and predicted rates

Low-rank gradient descent minimises functions of p variables that vary along r << p directions:

    lrgd                minimize and identify_subspace
    KroneckerLRGD       the same on the network

Their building blocks are public as well: AsynchronousTree, and linalg with fast matrix
multiplication.
"""

from . import linalg, lrgd, ntk
from ._base.config import get_include, show_config
from ._base.exceptions import DivergenceError
from ._base.version import __version__
from .data.kronecker_data import KroneckerData
from .estimators.classifier import KroneckerClassifier
from .estimators.limit_kernel import LimitKernelRegressor
from .estimators.regressor import KroneckerRegressor
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
    "__version__",
    "get_include",
    "linalg",
    "load",
    "lrgd",
    "ntk",
    "save",
    "show_config",
]
