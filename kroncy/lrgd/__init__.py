"""Low-rank gradient descent: minimise in the few directions that a function varies in.

Read in this order: `oracle` (what may be asked of a function), `sketch` (how many directions
matter), `directions` and `_derivatives` (linear algebra and evaluation along them), `span`
(descent inside), `gradient_span` and `published` (the other methods), `optimize` (the door).
"""

from .identification import identify_subspace
from .optimize import minimize, scipy_method

__all__ = ["identify_subspace", "minimize", "scipy_method"]
