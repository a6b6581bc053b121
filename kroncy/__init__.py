"""Wide networks on Kronecker-structured rows, and low-rank gradient descent.

Kronecker SGD trains a two-layer network on rows x = a (x) b with d = p * q features, which are
never formed::

    KroneckerData       samples: factors and pairs, powers of one array, or kernels
    KroneckerSGD        the trainer, one iteration or epoch at a time
    KroneckerRegressor, KroneckerClassifier, LimitKernelRegressor
                        scikit-learn estimators
    KroneckerEnsemble   several of them, with the spread of their predictions
    KroneckerRidge, KroneckerRidgeClassifier
                        ridge regression on the same rows, exactly
    kernels             kernels of objects: transforms, interaction profiles, tuning
    ntk                 the tangent kernel of a network, its limit and predicted rates

Low-rank gradient descent minimises functions of p variables that vary along r << p directions::

    lrgd                minimize and identify_subspace
    KroneckerLRGD       the same on the network

Their building blocks are public as well: AsynchronousTree, and linalg with fast matrix
multiplication.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._base.installation import check_compiled, compiled
from ._base.version import __version__

if TYPE_CHECKING:
    from . import kernels, linalg, lrgd, ntk
    from ._public import (
        AsynchronousTree,
        DivergenceError,
        KroneckerClassifier,
        KroneckerData,
        KroneckerEnsemble,
        KroneckerLRGD,
        KroneckerRegressor,
        KroneckerRidge,
        KroneckerRidgeClassifier,
        KroneckerSGD,
        LimitKernelRegressor,
        get_include,
        load,
        save,
        show_config,
    )

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
    "__version__",
    "get_include",
    "kernels",
    "linalg",
    "load",
    "lrgd",
    "ntk",
    "save",
    "show_config",
]

check_compiled()


# NumPy, SciPy and scikit-learn take a second to import.  The command line, a part of this package,
# must be able to handle Ctrl-C before that.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with compiled():
        found = globals()[name] = getattr(import_module("._public", __name__), name)
    return found


def __dir__() -> list[str]:
    return __all__
