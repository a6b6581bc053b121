"""Low-rank gradient descent: minimise along the few directions in which a function varies.

From function to minimum, and what each file does:

- `evaluator`: values, directional derivatives and gradients as functions return them, counted
- `journal`: the record of evaluations, from which a run goes on
- `objective`: derivatives by finite differences, and their errors
- `sketch`: second differences along random directions tell how many directions matter
- `directions`: orthonormal bases and projections of direction rows through their Gram matrix
- `_derivatives`: perturbs and evaluates along many directions
- `quasi_newton`: damped BFGS along given directions
- `box`: bounds, and the minimum of a quadratic within them
- `curvature`: tells a minimum from a saddle, and leaves the saddle
- `sketch_descent`: the default method; sketch, descend, probe outside, sketch again
- `quadratic_model`: for few variables; a quadratic through all values descends
- `few_variables`: the default method for few variables, with bounds or without
- `bounded_descent`: the default method for many variables where bounds are met
- `gradient_span`: the method for functions without a low rank; descent in a span of gradients
- `low_rank_descent`: the published algorithms LRGD, iterated LRGD and adaptive LRGD
- `run`: the current point, tolerances, callback and record of a minimisation
- `termination`: the reasons for which a minimisation ends
- `arguments`: checks shared by the entry points
- `settings`: the arguments of minimize, checked
- `solver`: runs a method until it ends, and makes the result
- `optimize`: minimize
- `scipy_interface`: scipy_method, the same for scipy.optimize.minimize
- `active_subspace`: identify_subspace
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .active_subspace import identify_subspace
    from .journal import Checkpoint
    from .optimize import minimize
    from .scipy_interface import scipy_method

__all__ = ["Checkpoint", "identify_subspace", "minimize", "scipy_method"]

_FILES = {
    "Checkpoint": "journal", "identify_subspace": "active_subspace", "minimize": "optimize",
    "scipy_method": "scipy_interface",
}


# A process that evaluates a function for `minimize` imports the script, which imports this, and
# needs neither these functions nor SciPy's optimisers, which take half a second.
def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_FILES[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return __all__
